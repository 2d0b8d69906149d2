/**
 * JSON Schemas of what the service answers, by the names that /openapi.json has them under. The
 * types of src/client/replies.ts are the same in TypeScript; a test holds the two together.
 */
import { stepNames } from "../query/steps.ts";
import {
  count,
  farTime,
  flag,
  listOf,
  number,
  object,
  orNull,
  ref,
  type Schema,
  share,
  text,
  time,
} from "./schema.ts";
import { eventId, eventType, label, rank, serviceSchemas } from "./service-schemas.ts";

const range = {
  timeRange: text('The range asked for, "A to B".'),
  from: farTime("Its beginning."),
  to: farTime("Its end, exclusive."),
  effectiveFrom: farTime("Beginning of the part of it that can hold events."),
  effectiveTo: farTime("End of that part, exclusive."),
};

const regionShare = object(
  {
    region: text("Its name."),
    asOf: orNull(time("Its top items up to here are in; null: nothing of it.")),
    completeThrough: orNull(time("All it counted up to here is in; null: nothing of it.")),
    isLost: flag("It is not followed any more."),
  },
  ["isLost"],
);

/** What every answer says of itself. */
const answer = {
  mode: text("How it was answered.", { enum: ["approx", "exact"] }),
  certified: flag("Every row is proven to be where it stands."),
  partial: flag(
    "Another region is not in up to the range's end; how far partitions are, `asOf` says.",
  ),
  stale: flag("May lack what was just acknowledged."),
  asOf: time("Everything acknowledged up to here is in."),
  regions: listOf(regionShare, "The regions in it, where there are several."),
};
/** Members of answers that are not always there. */
const sometimes = ["regions"];

const labelNames = Object.keys(label);

const previousPeriod = object({
  ...range,
  total: count("Events in it, each as many as its weight; or distinct users."),
});

const bounds = {
  lower: count("The count is at least this."),
  upper: count("The count is at most this."),
};

const boardRow = object(
  {
    eventId,
    rank: rank("By count; equal counts by `ties`."),
    count: count("Best estimate, within `lower` and `upper`."),
    ...bounds,
    share: share("Part of the total."),
    ...label,
    previousCount: count("With compare=previous: the count in the period before."),
    previousRank: orNull(rank("The rank in that period; null where it was not there.")),
    rankChange: orNull({
      type: "integer",
      description: "Positive where it climbed; null where it was not there.",
    }),
    isNew: {
      type: ["boolean", "null"],
      description: "It was not there; null where a part of that period has expired.",
    },
  },
  [...labelNames, "previousCount", "previousRank", "rankChange", "isNew"],
);

const droppedItem = object(
  {
    eventId,
    previousCount: count("The count in the period before."),
    previousRank: rank("The rank in that period."),
    count: count("The count in the range asked for."),
    rank: orNull(rank("The rank in it; null where it is not there.")),
    ...label,
  },
  labelNames,
);

const plan = object({
  rowsRead: object({
    lists: count("Rows of windows' lists."),
    counts: count("Rows of exact counts that are in no list."),
    raw: count("Raw events."),
  }),
  windows: object({
    minute: count("Minutes read."),
    hour: count("Hours read."),
    day: count("Days read."),
    month: count("Months read."),
  }),
  sketches: count("Sketches read."),
});

const leaderboard = object(
  {
    ...range,
    eventType: text("The event types, by comma."),
    k: rank("Rows asked for."),
    ...answer,
    certifiedRanks: count("Length of the longest prefix of rows that is proven."),
    total: count("Events in the range, each as many as its weight, or distinct users."),
    totalUpper: count("Where `total` is a lower bound: the upper one."),
    distinct: orNull(count("Distinct items; null where only bounds are known.")),
    distinctLower: count("Where `distinct` is null: at least so many."),
    distinctUpper: count("Where `distinct` is null: at most so many."),
    others: orNull(count("Of the total, not in the rows shown or skipped; null of users.")),
    results: listOf(ref("LeaderboardRow"), "The rows, by rank.", { maxItems: 1000 }),
    nextCursor: text("Of the page after this one, pinned to the same moment."),
    previous: previousPeriod,
    dropped: listOf(ref("DroppedItem"), "Who left the first rows since the period before."),
    plan,
  },
  [
    ...sometimes,
    "totalUpper",
    "distinctLower",
    "distinctUpper",
    "nextCursor",
    "previous",
    "dropped",
  ],
);

const nullableRank = (description: string) => orNull(rank(description));

const standing = {
  eventId,
  count: count("Events in the range, each as many as its weight."),
  ...bounds,
  rank: nullableRank("1 + the number of items with a greater count; null without an event."),
  rankLower: nullableRank("The rank is at least this."),
  rankUpper: nullableRank("The rank is at most this."),
  share: share("Part of the total."),
  ...label,
};

const neighbours = listOf(
  object({ eventId, count: count("Its count."), rank: rank("Its rank."), ...label }, labelNames),
  "In the order of the board.",
);

const historyPoint = object(
  {
    from: farTime("Beginning of the step."),
    to: farTime("Its end, exclusive."),
    count: count("The item's events in it, each as many as its weight."),
    rank: nullableRank("With ranks=true: its rank in the step; null where it isn't known."),
    rankLower: nullableRank("The rank is at least this."),
    rankUpper: nullableRank("The rank is at most this."),
  },
  ["rank", "rankLower", "rankUpper"],
);

const step = text("How long a point is.", { enum: stepNames });
const total = count("All events of the type in the range, each as many as its weight.");

const item = object(
  {
    eventType,
    ...range,
    ...answer,
    ...standing,
    total,
    neighbours: object({ above: neighbours, below: neighbours }),
    step,
    history: listOf(ref("HistoryPoint"), "Step by step, without gaps.", { maxItems: 10_000 }),
    firstSeen: orNull(time("Of all its events that are kept; null without one.")),
    lastSeen: orNull(time("Of all its events that are kept; null without one.")),
  },
  [...sometimes, ...labelNames],
);

const steps = {
  step: text("How long a step of the histories is.", { enum: stepNames }),
  bounds: listOf(
    farTime("The beginning of a step, and the end of the one before."),
    "Step i of a history is from bounds[i] to bounds[i + 1], exclusive.",
  ),
};
const history = listOf(count("The item's events in the step."), "Step by step.");

const items = object(
  {
    eventType,
    ...range,
    ...answer,
    total,
    ...steps,
    items: listOf(
      object({ ...standing, history }, [...labelNames, "history"]),
      "In the order asked.",
      { maxItems: 1000 },
    ),
  },
  [...sometimes, "step", "bounds"],
);

const itemHistories = object(
  {
    eventType,
    ...range,
    ...answer,
    ...steps,
    items: listOf(
      object({ eventId, count: standing.count, ...label, history }, labelNames),
      "In the order asked.",
      { maxItems: 1000 },
    ),
  },
  sometimes,
);

const trendingItem = object(
  {
    eventId,
    rank: rank("By score."),
    count: count("In the range."),
    previousCount: count("In the period before."),
    expected: number("The count it would have, had only the totals changed.", { minimum: 0 }),
    growth: orNull(number("How many times its share is what it was; null where it is new.")),
    score: number("A signed root of a log-likelihood ratio: about a standard normal by chance."),
    share: share("Part of the total."),
    ...label,
  },
  labelNames,
);

const trending = object(
  {
    ...range,
    eventType: text("The event types, by comma."),
    k: rank("Rows asked for."),
    ...answer,
    measure: text("How `score` is measured.", { enum: ["signed_root_log_likelihood_ratio"] }),
    minScore: number("Items below are left out.", { minimum: 0 }),
    minCount: count("Items below are left out."),
    total: count("Events in the range, each as many as its weight, or distinct users."),
    distinct: count("Distinct items."),
    found: count("How many items reach both minima."),
    previous: previousPeriod,
    results: listOf(ref("TrendingItem"), "The greatest score first.", { maxItems: 1000 }),
  },
  sometimes,
);

const sums = {
  total: count("Events, each as many as its weight."),
  mean: number("Events a minute.", { minimum: 0 }),
  maximum: orNull(count("Events of the busiest minute; null where minutes are not kept.")),
  maximumAt: orNull(time("When that was; null where there was none.")),
  distinct: count("Distinct items, where asked for."),
};

const seriesPoint = object(
  { from: farTime("Beginning of the step."), to: farTime("Its end, exclusive."), ...sums },
  ["distinct"],
);

const series = object(
  {
    eventType,
    ...range,
    ...answer,
    step,
    timeZone: text("IANA name: where days, weeks and months begin."),
    ...sums,
    points: listOf(ref("SeriesPoint"), "Step by step, without gaps.", { maxItems: 10_000 }),
  },
  [...sometimes, "distinct"],
);

/** By name. */
export const replySchemas: Readonly<Record<string, Schema>> = Object.freeze({
  Leaderboard: leaderboard,
  LeaderboardRow: boardRow,
  DroppedItem: droppedItem,
  Item: item,
  ItemStanding: object(standing, labelNames),
  HistoryPoint: historyPoint,
  Items: items,
  ItemHistories: itemHistories,
  Trending: trending,
  TrendingItem: trendingItem,
  Series: series,
  SeriesPoint: seriesPoint,
  ...serviceSchemas,
});
