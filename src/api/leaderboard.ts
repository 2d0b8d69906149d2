/** The parameters of GET /leaderboard: what they are, and how a request is read from them. */
import { quoted } from "../errors.ts";
import { eventBounds } from "../model.ts";
import type { BoardRequest } from "../query/board.ts";
import {
  checkNames,
  choiceParameter,
  integerParameter,
  invalidParameter,
  type ParameterTable,
  type RawQuery,
} from "./parameters.ts";
import { rangeParameters, readRange } from "./range-parameters.ts";
import { readSelection, selectionParameters } from "./selection.ts";

export const kMax = 1000;
const kDefault = 10;
const offsetMax = 10_000_000;
const eventTypesPerQueryMax = 100;
const modes = ["auto", "approx", "exact"] as const;
const tieRules = ["competition", "dense", "ordinal"] as const;

/** A checked request for a leaderboard. */
export type LeaderboardRequest = BoardRequest;

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
  ...rangeParameters,
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
  ...selectionParameters,
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

/**
 * Reads a request from the query parameters; `now` is epoch ms.
 * Throws RankstreamError (400) that names the parameter, what was expected and what came.
 */
export function readLeaderboardRequest(query: RawQuery, now: number): LeaderboardRequest {
  checkNames(query, leaderboardParameters);
  const selection = readSelection(query);
  return {
    eventTypes: eventTypesOf(query),
    k: integerParameter(query, "k", 1, kMax, kDefault),
    offset: integerParameter(query, "offset", 0, offsetMax, 0),
    mode: choiceParameter(query, "mode", modes),
    ties: choiceParameter(query, "ties", tieRules),
    range: readRange(query, now),
    ...(selection !== undefined && { selection }),
  };
}

/** Refuses every parameter: for calls that take none. */
export function refuseParameters(query: RawQuery): void {
  checkNames(query, {});
}
