/** What the service answers, as the client hands it on. Times are ISO 8601 UTC. */

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
}

/** A range as the service takes it: `timeRange`, or `from` and `to`. */
export interface RangeQuery {
  timeRange?: string;
  from?: string | number;
  to?: string | number;
  timeZone?: string;
}

export interface LeaderboardRow {
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
  isNew?: boolean;
}

/** One of the first rows of the period before that is not among them any more. */
export interface DroppedItem {
  eventId: string;
  previousCount: number;
  previousRank: number;
  /** In the range asked for; rank null where it is not there. */
  count: number;
  rank: number | null;
}

export interface Leaderboard {
  timeRange: string;
  from: string;
  to: string;
  effectiveFrom: string;
  effectiveTo: string;
  eventType: string;
  k: number;
  mode: "approx" | "exact";
  /** Every row is proven to be where it stands. */
  certified: boolean;
  /** Length of the longest prefix of rows that is. */
  certifiedRanks: number;
  /** A partition did not answer. */
  partial: boolean;
  /** The answer may lack what was just acknowledged. */
  stale: boolean;
  /** Everything acknowledged up to here is in. */
  asOf: string;
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
}

/** The parameters of GET /leaderboard. */
export interface LeaderboardQuery {
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

export interface EventType {
  name: string;
  total: number;
  firstSeen: string;
  lastSeen: string;
  description: string | null;
  retentionDays: number | null;
  aggregationWindow: number;
}

export interface Health {
  /** Takes events and answers queries. */
  ready: boolean;
  /** HTTP status of GET /health/ready. */
  status: number;
}
