/** The parameters of GET /leaderboard: what they are, and how a request is read from them. */
import { quoted } from "../errors.ts";
import { eventBounds } from "../model.ts";
import { parseTimeRange, type TimeRange } from "../query/time-range.ts";
import {
  checkNames,
  choiceParameter,
  integerParameter,
  invalidParameter,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";

export const kMax = 1000;
const kDefault = 10;
const offsetMax = 10_000_000;
const eventTypesPerQueryMax = 100;
const modes = ["auto", "approx", "exact"] as const;
const tieRules = ["competition", "dense", "ordinal"] as const;

/** A checked request for a leaderboard. */
export interface LeaderboardRequest {
  /** 1..100 distinct names, in the order given; items are summed over them by id. */
  eventTypes: string[];
  /** 1..1000. */
  k: number;
  /** Rows skipped before the first shown. */
  offset: number;
  mode: (typeof modes)[number];
  ties: (typeof tieRules)[number];
  range: TimeRange;
}

/**
 * What the contract promises and this version does not serve: refused by name, never ignored.
 * Take a name off this list (and add it below) when the query engine takes it.
 */
export const leaderboardNotServed: readonly string[] = Object.freeze([
  "cursor",
  "compare",
  // but for by=events, which is the default
  "by",
  "userId",
  "sessionId",
  "filter.*",
]);

export const leaderboardParameters: ParameterTable = Object.freeze({
  eventType: {
    description: "What to count; several by comma or repetition are summed by eventId.",
    schema: { type: "string" },
    required: true,
    repeats: true,
  },
  k: {
    description: "How many rows.",
    schema: { type: "integer", minimum: 1, maximum: kMax, default: kDefault },
  },
  timeRange: {
    description:
      "last_<n>_<seconds|minutes|hours|days|weeks|months>, today, yesterday, this_week, " +
      "this_month, this_year, previous_hour, previous_day, previous_week, previous_month, all, " +
      "or an ISO 8601 interval. Default last_24_hours.",
    schema: { type: "string" },
  },
  from: {
    description: "Start of the range (with `to`): RFC 3339 with zone, or epoch milliseconds.",
    schema: { type: "string" },
  },
  to: {
    description: "End of the range, exclusive: RFC 3339 with zone, or epoch milliseconds.",
    schema: { type: "string" },
  },
  timeZone: {
    description: "IANA name of the zone that calendar words such as today are of. Default UTC.",
    schema: { type: "string", default: "UTC" },
  },
  mode: {
    description: "How to answer.",
    schema: { type: "string", enum: modes, default: modes[0] },
  },
  offset: {
    description: "Rows to skip.",
    schema: { type: "integer", minimum: 0, maximum: offsetMax, default: 0 },
  },
  ties: {
    description: "How equal counts are ranked.",
    schema: { type: "string", enum: tieRules, default: tieRules[0] },
  },
});

function eventTypesOf(query: RawQuery): string[] {
  const given = query["eventType"];
  const expected = `a name of 1..${eventBounds.eventTypeBytesMax} bytes`;
  if (given === undefined) throw invalidParameter("eventType", expected, "none");
  const names = new Set<string>();
  for (const name of [given].flat().flatMap((part) => part.split(","))) {
    const bytes = Buffer.byteLength(name);
    if (bytes === 0) throw invalidParameter("eventType", expected, "an empty name");
    if (bytes > eventBounds.eventTypeBytesMax) {
      throw invalidParameter("eventType", expected, `${bytes} bytes: ${quoted(name)}`);
    }
    names.add(name);
  }
  if (names.size > eventTypesPerQueryMax) {
    const most = `at most ${eventTypesPerQueryMax} names`;
    throw invalidParameter("eventType", most, `${names.size}`);
  }
  return [...names];
}

/** A `+` that was not percent-encoded arrives as a space: no other reading of it is valid. */
function withPlus(text: string | undefined): string | undefined {
  return text?.replaceAll(/(\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)(?=$|\/)/g, "$1+$2");
}

/**
 * Reads a request from the query parameters; `now` is epoch ms.
 * Throws RankstreamError (400) that names the parameter, what was expected and what came.
 */
export function readLeaderboardRequest(query: RawQuery, now: number): LeaderboardRequest {
  const { by, ...rest } = query;
  checkNames(by === "events" ? rest : query, leaderboardParameters, leaderboardNotServed);
  const range = parseTimeRange({
    timeRange: withPlus(single(query, "timeRange")),
    from: withPlus(single(query, "from")),
    to: withPlus(single(query, "to")),
    timeZone: single(query, "timeZone"),
    // The exclusive end of what rolls back from now: this very millisecond is inside.
    now: now + 1,
  });
  return {
    eventTypes: eventTypesOf(query),
    k: integerParameter(query, "k", 1, kMax, kDefault),
    offset: integerParameter(query, "offset", 0, offsetMax, 0),
    mode: choiceParameter(query, "mode", modes),
    ties: choiceParameter(query, "ties", tieRules),
    range,
  };
}

/** Refuses every parameter: for calls that take none. */
export function refuseParameters(query: RawQuery): void {
  checkNames(query, {});
}
