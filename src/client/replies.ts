/** What the service answers, as the client hands it on. Times are ISO 8601 UTC. */
import type { RegionQuery, RegionShare } from "./regions.ts";

/** Why one line of a batch was refused; `line` counts from 1. */
export interface RefusedLine {
  line: number;
  field?: string;
  code: string;
  message: string;
}

/** The reply to a batch; at most 100 `errors` are listed, `rejected` counts all. */
export interface BatchReply {
  accepted: number;
  rejected: number;
  errors: RefusedLine[];
  /** The service had this batch before, under the same key: nothing was counted again. */
  replayed: boolean;
}

/** What a delete took, or of a dry run would take. */
export interface DeleteReply {
  dryRun: boolean;
  eventType: string;
  eventId?: string;
  /** The range asked for; null: all times. */
  from: string | null;
  to: string | null;
  events: number;
  /** Sum of the events' weights. */
  count: number;
  items: number;
  /** Windows that change. */
  windows: number;
  /** Files that hold some of the events. */
  files: number;
  firstSeen: string | null;
  lastSeen: string | null;
  /** Where there are several regions: the others' counts that went here. */
  replicated?: number;
}

/** A snapshot that was taken. */
export interface Snapshot {
  name: string;
  /** Its folder on the service's machine. */
  path: string;
  /** Everything acknowledged up to here is in. */
  asOf: string;
  /** Rows of raw_events and of event_counts. */
  events: number;
  counts: number;
  /** Files of raw events that are the store's own, and take no room. */
  linkedFiles: number;
  /** Up to where, by partition of the log. */
  offsets: number[];
}

/** A range as the service takes it: `timeRange`, or `from` and `to`. */
export interface RangeQuery {
  timeRange?: string;
  from?: string | number;
  to?: string | number;
  timeZone?: string;
}

/** What an item is called; each null where there is none. */
export interface ItemLabel {
  label: string | null;
  /** http or https. */
  url: string | null;
  imageUrl: string | null;
}

export interface LabelledItem extends ItemLabel {
  eventType: string;
  eventId: string;
}

/** What is absent stays as it is, null clears it. */
export interface LabelChange extends Partial<ItemLabel> {
  eventType: string;
  eventId: string;
}

/** The reply to many labels; at most 100 `errors` are listed, `rejected` counts all. */
export type LabelsReply = Omit<BatchReply, "replayed">;

/** What a row shows of its item's label: only what there is of it. */
interface Labelled {
  label?: string;
  url?: string;
  imageUrl?: string;
}

export interface LeaderboardRow extends Labelled {
  eventId: string;
  /** Best estimate, within [lower, upper]. */
  count: number;
  rank: number;
  lower: number;
  upper: number;
  /** Part of the total, 0..1. */
  share: number;
  /** These with `compare: "previous"` only: the count in the period before. */
  previousCount?: number;
  /** Null where it was not there. */
  previousRank?: number | null;
  /** Positive where it climbed. */
  rankChange?: number | null;
  /** Null where a part of that period has expired, and nothing was in the rest. */
  isNew?: boolean | null;
}

/** One of the first rows of the period before that is not among them any more. */
export interface DroppedItem extends Labelled {
  eventId: string;
  previousCount: number;
  previousRank: number;
  /** In the range asked for; rank null where it is not there. */
  count: number;
  rank: number | null;
}

/** What every answer says of its range and of itself. */
export interface AnswerHead {
  timeRange: string;
  from: string;
  to: string;
  /** The part of the range that can hold events. */
  effectiveFrom: string;
  effectiveTo: string;
  mode: "approx" | "exact";
  /** Every row is proven to be where it stands. */
  certified: boolean;
  /** Another region is not in up to the range's end; how far partitions are, `asOf` says. */
  partial: boolean;
  /** The answer may lack what was just acknowledged. */
  stale: boolean;
  /** Everything acknowledged up to here is in. */
  asOf: string;
  /** The regions in it, where there are several. */
  regions?: RegionShare[];
}

/** What answering took. */
export interface BoardPlan {
  rowsRead: Record<"lists" | "counts" | "raw", number>;
  windows: Record<"minute" | "hour" | "day" | "month", number>;
  sketches: number;
}

export interface Leaderboard extends AnswerHead {
  eventType: string;
  k: number;
  /** Length of the longest prefix of rows that is certified. */
  certifiedRanks: number;
  /** Exact, or a lower bound where `totalUpper` says more. */
  total: number;
  totalUpper?: number;
  /** Null where only the bounds are known. */
  distinct: number | null;
  distinctLower?: number;
  distinctUpper?: number;
  /** Of the total, not in the rows shown or skipped; null where users are counted. */
  others: number | null;
  results: LeaderboardRow[];
  /** Of the page after this one, pinned to the same moment; absent on the last one. */
  nextCursor?: string;
  /** The period compared with, and who dropped out since: with `compare: "previous"` only. */
  previous?: {
    timeRange: string;
    from: string;
    to: string;
    effectiveFrom: string;
    effectiveTo: string;
    total: number;
  };
  /** Only from the first row on. */
  dropped?: DroppedItem[];
  plan: BoardPlan;
}

/** The parameters of GET /leaderboard. */
export interface LeaderboardQuery extends RegionQuery {
  /** Several are summed by eventId. */
  eventType: string | readonly string[];
  /** 1..1000, default 10. */
  k?: number;
  /** `last_3_hours`, `today`, `all`, an ISO interval. Default `last_24_hours`. */
  timeRange?: string;
  /** With `to` instead of `timeRange`: ISO 8601 with zone, or epoch ms. */
  from?: string | number;
  /** Exclusive. */
  to?: string | number;
  mode?: "auto" | "approx" | "exact";
  /** IANA name, for calendar words. */
  timeZone?: string;
  offset?: number;
  ties?: "competition" | "dense" | "ordinal";
  /** Says of each row what it was in the period before. Answered exactly. */
  compare?: "none" | "previous";
  /** Default events. */
  by?: "events" | "users";
  /** By metadata key: the value, or any of several. */
  filter?: Readonly<Record<string, string | readonly string[]>>;
  /** By metadata key: not this value, or none of several. */
  filterNot?: Readonly<Record<string, string | readonly string[]>>;
  /** Any of these. */
  userId?: string | readonly string[];
  sessionId?: string | readonly string[];
  /** Only these items. */
  include?: string | readonly string[];
  /** All items but these. */
  exclude?: string | readonly string[];
  /** Only items whose id begins so. */
  prefix?: string;
}

/** The parameters of GET /items. */
export interface ItemQuery extends RangeQuery, RegionQuery {
  /** Items above and below, 0..50 each; default 2. */
  neighbours?: number;
  /** Of the history; default: the finest that makes at most 100 points. */
  step?: "minute" | "hour" | "day" | "week" | "month";
  /** Says the item's rank in each step of the history; at most 100 steps. */
  ranks?: boolean;
}

/** One step of an item's history. */
export interface HistoryPoint {
  from: string;
  to: string;
  count: number;
  /** These with `ranks` only, null without an event in the step: 1 + items with more events. */
  rank?: number | null;
  /** `rank` is null too where these differ: then it lies between them. */
  rankLower?: number | null;
  rankUpper?: number | null;
}

/** Where an item stands: competition ranks, null without an event in the range. */
export interface ItemStanding extends Labelled {
  eventId: string;
  /** Best estimate, within [lower, upper]. */
  count: number;
  lower: number;
  upper: number;
  rank: number | null;
  rankLower: number | null;
  rankUpper: number | null;
  share: number;
}

interface ItemHead extends AnswerHead {
  eventType: string;
  total: number;
}

interface NeighbourItem extends Labelled {
  eventId: string;
  count: number;
  rank: number;
}

export interface Item extends ItemHead, ItemStanding {
  /** The last one above stands right before the item. */
  neighbours: Record<"above" | "below", NeighbourItem[]>;
  step: string;
  history: HistoryPoint[];
  /** Of all events that are kept; null where there are none. */
  firstSeen: string | null;
  lastSeen: string | null;
}

export interface Items extends ItemHead {
  items: ItemStanding[];
}

/** The parameters of GET /trending. */
export interface TrendingQuery
  extends Omit<LeaderboardQuery, "mode" | "offset" | "ties" | "compare"> {
  /** Default 4. */
  minScore?: number;
  /** Default 5. */
  minCount?: number;
}

export interface TrendingItem extends Labelled {
  eventId: string;
  rank: number;
  count: number;
  previousCount: number;
  /** The count it would have, had nothing but the totals changed. */
  expected: number;
  /** How many times its share of the total is what it was; null where it is new. */
  growth: number | null;
  /** A signed root of a log-likelihood ratio: about a standard normal where chance is at work. */
  score: number;
  share: number;
}

/** What grew against the period before. */
export interface Trending extends AnswerHead {
  eventType: string;
  k: number;
  measure: string;
  minScore: number;
  minCount: number;
  total: number;
  distinct: number;
  /** How many items reach both minima. */
  found: number;
  previous: NonNullable<Leaderboard["previous"]>;
  results: TrendingItem[];
}

/** The parameters of GET /event-types/{name}/series. */
export interface SeriesQuery extends RangeQuery, RegionQuery {
  /** Default: the finest that makes at most 100 points. */
  step?: "minute" | "hour" | "day" | "week" | "month";
  /** Counts the distinct items of each step too. */
  distinct?: boolean;
}

export interface SeriesSums {
  total: number;
  /** Events a minute. */
  mean: number;
  /** Events of the busiest minute, and when that was; null where minutes are not kept. */
  maximum: number | null;
  maximumAt: string | null;
  distinct?: number;
}

export interface Series extends AnswerHead, SeriesSums {
  eventType: string;
  step: string;
  timeZone: string;
  points: (SeriesSums & { from: string; to: string })[];
}

/** Kept answers of the type and any part of the range that name the item; at least one of them. */
export interface CacheMatch {
  eventType?: string;
  eventId?: string;
  /** RFC 3339 or epoch ms; `to` is exclusive. */
  from?: string | number;
  to?: string | number;
}

/** A question that is answered later. */
export interface Job {
  id: string;
  kind: string;
  status: "queued" | "running" | "done" | "failed" | "cancelled";
  /** 0..1. */
  progress: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** When it is forgotten. */
  expiresAt: string | null;
  /** The answer; only of a job that is done. */
  result?: unknown;
  error?: { code: string; detail: string };
}

export interface EventTypeSettings {
  description?: string | null;
  /** Null: kept for ever. */
  retentionDays?: number | null;
  /** Seconds of the finest windows that are kept. */
  aggregationWindow?: 60 | 3600 | 86_400;
}

export interface EventType {
  name: string;
  total: number;
  /** Null without an event. */
  firstSeen: string | null;
  lastSeen: string | null;
  description: string | null;
  retentionDays: number | null;
  /** Seconds of the finest windows that are kept: 60, 3600 or 86400. */
  aggregationWindow: number;
}

export interface Health {
  /** Takes events and answers queries. */
  ready: boolean;
  /** HTTP status of GET /health/ready. */
  status: number;
}
