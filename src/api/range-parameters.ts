/** The parameters that every question about a stretch of time has in common. */
import { parseTimeRange, type TimeRange, timeRangePattern } from "../query/time-range.ts";
import { momentPattern } from "../query/timestamp.ts";
import { choiceOf, type ParameterTable, type RawQuery, single } from "./parameters.ts";

const modes = ["auto", "approx", "exact"] as const;

export const modeParameter = Object.freeze({
  description: "How to answer.",
  schema: { type: "string", enum: modes, default: modes[0] },
});

/** How to answer. Throws `invalid_parameter`. */
export function readMode(query: RawQuery): (typeof modes)[number] {
  return choiceOf(query, "mode", modeParameter);
}

export const rangeParameters = Object.freeze({
  timeRange: {
    description:
      "last_<n>_<seconds|minutes|hours|days|weeks|months>, today, yesterday, this_week, " +
      "this_month, this_year, previous_hour, previous_day, previous_week, previous_month, all, " +
      "or an ISO 8601 interval. Default last_24_hours.",
    schema: { type: "string", pattern: timeRangePattern },
    isReadElsewhere: true,
  },
  from: {
    description: "Start of the range (with `to`): RFC 3339 with zone, or epoch milliseconds.",
    schema: { type: "string", pattern: momentPattern },
    isReadElsewhere: true,
  },
  to: {
    description: "End of the range, exclusive: RFC 3339 with zone, or epoch milliseconds.",
    schema: { type: "string", pattern: momentPattern },
    isReadElsewhere: true,
  },
  timeZone: {
    description: "IANA name of the zone that calendar words such as today are of. Default UTC.",
    schema: { type: "string", minLength: 1, default: "UTC" },
    isReadElsewhere: true,
  },
}) satisfies ParameterTable;

/** A `+` that was not percent-encoded arrives as a space: no other reading of it is valid. */
function withPlus(text: string | undefined): string | undefined {
  return text?.replaceAll(/(\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)(?=$|\/)/g, "$1+$2");
}

/**
 * The range asked for; `now` is epoch ms. Throws RankstreamError (400) that says what was
 * expected and what came.
 */
export function readRange(query: RawQuery, now: number): TimeRange {
  return parseTimeRange({
    timeRange: withPlus(single(query, "timeRange")),
    from: withPlus(single(query, "from")),
    to: withPlus(single(query, "to")),
    timeZone: single(query, "timeZone"),
    // The exclusive end of what rolls back from now: this very millisecond is inside.
    now: now + 1,
  });
}
