/** The parameters of GET /leaderboard: what they are, and how a request is read from them. */
import { eventBounds } from "../model.ts";
import type { BoardRequest } from "../query/board.ts";
import type { PageRequest } from "../query/pages.ts";
import { previousRange } from "../query/previous-range.ts";
import { formatParameters } from "./board-format.ts";
import { asyncParameters } from "./jobs.ts";
import {
  checkName,
  checkNames,
  choiceOf,
  invalidParameter,
  manyOf,
  numberOf,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";
import { modeParameter, rangeParameters, readMode, readRange } from "./range-parameters.ts";
import { readRegions, regionParameters } from "./region-parameter.ts";
import { readSelection, selectionParameters } from "./selection.ts";

export const kMax = 1000;
const kDefault = 10;
const offsetMax = 10_000_000;
const eventTypesPerQueryMax = 100;
const comparisons = ["none", "previous"] as const;
const tieRules = ["competition", "dense", "ordinal"] as const;

/** Names by comma, without NUL; those of characters that take more bytes are shorter. */
const oneType = `[^,\\u0000]{1,${eventBounds.eventTypeBytesMax}}`;
const eventTypesPattern = `^${oneType}(,${oneType})*$`;

/** A checked request for a leaderboard. */
export type LeaderboardRequest = BoardRequest;

export const kParameter = Object.freeze({
  description: "How many rows.",
  schema: { type: "integer", minimum: 1, maximum: kMax, default: kDefault },
}) satisfies ParameterTable[string];

/** How many rows. Throws `invalid_parameter`. */
export function readK(query: RawQuery): number {
  return numberOf(query, "k", kParameter);
}

export const leaderboardParameters = Object.freeze({
  eventType: {
    description: "What to count; several by comma or repetition are summed by eventId.",
    schema: { type: "string", pattern: eventTypesPattern },
    required: true,
    repeats: true,
    isReadElsewhere: true,
  },
  k: kParameter,
  ...rangeParameters,
  mode: modeParameter,
  offset: {
    description: "Rows to skip.",
    schema: { type: "integer", minimum: 0, maximum: offsetMax, default: 0 },
  },
  cursor: {
    description:
      "The nextCursor of a reply: the page after it, of the same ranking. The question is that " +
      "of the first page; k may be another.",
    schema: { type: "string" },
    isReadElsewhere: true,
  },
  ...formatParameters,
  ties: {
    description: "How equal counts are ranked.",
    schema: { type: "string", enum: tieRules, default: tieRules[0] },
  },
  compare: {
    description:
      "previous: how each item stood in the period before, the calendar period before of " +
      "calendar words, else as long a range right before.",
    schema: { type: "string", enum: comparisons, default: comparisons[0] },
  },
  ...selectionParameters,
  ...regionParameters,
  ...asyncParameters,
}) satisfies ParameterTable;

function eventTypeOf(name: string | undefined): string {
  const { eventTypeBytesMax } = eventBounds;
  if (name !== "") return checkName("eventType", name, eventTypeBytesMax);
  throw invalidParameter("eventType", `a name of 1..${eventTypeBytesMax} bytes`, "an empty name");
}

/** The event types named. Throws `invalid_parameter`. */
export function eventTypesOf(query: RawQuery): string[] {
  const given = manyOf(query, "eventType").flatMap((part) => part.split(","));
  const names = new Set((given.length === 0 ? [undefined] : given).map(eventTypeOf));
  if (names.size > eventTypesPerQueryMax) {
    const most = `at most ${eventTypesPerQueryMax} names`;
    throw invalidParameter("eventType", most, `${names.size}`);
  }
  return [...names];
}

/** Reads what is asked of a page. Throws `invalid_parameter`. */
export function readPageRequest(query: RawQuery, cursor: string): PageRequest {
  checkNames(query, leaderboardParameters);
  return { cursor, k: query["k"] === undefined ? undefined : readK(query) };
}

/**
 * Reads a request from the query parameters; `now` is epoch ms.
 * Throws RankstreamError (400) that names the parameter, what was expected and what came.
 */
export function readLeaderboardRequest(query: RawQuery, now: number): LeaderboardRequest {
  checkNames(query, leaderboardParameters);
  const selection = readSelection(query);
  const range = readRange(query, now);
  const isCompared = choiceOf(query, "compare", leaderboardParameters.compare) === "previous";
  const [timeRange, timeZone] = [single(query, "timeRange"), single(query, "timeZone")];
  return {
    eventTypes: eventTypesOf(query),
    k: readK(query),
    offset: numberOf(query, "offset", leaderboardParameters.offset),
    mode: readMode(query),
    ties: choiceOf(query, "ties", leaderboardParameters.ties),
    range,
    ...readRegions(query),
    ...(selection !== undefined && { selection }),
    ...(isCompared && { previous: previousRange({ timeRange, timeZone }, range) }),
  };
}
