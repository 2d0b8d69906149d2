/** The parameters that say which events and items a board is of, and how they are read. */
import { eventBounds } from "../model.ts";
import { type MetadataTest, type Selection, selectionValuesMax } from "../model-selection.ts";
import {
  choiceOf,
  invalidParameter,
  manyOf,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";

const countedBy = ["events", "users"] as const;
const filterPrefix = "filter.";
const filterNotPrefix = "filterNot.";

const id = (bytesMax: number) => ({ type: "string", minLength: 1, maxLength: bytesMax });
const { eventIdBytesMax, userIdBytesMax, sessionIdBytesMax } = eventBounds;
/** Metadata values may be anything, also empty. */
const anyText = { type: "string" };

export const selectionParameters = Object.freeze({
  by: {
    description: "What an item's count is of: events, or distinct users.",
    schema: { type: "string", enum: countedBy, default: countedBy[0] },
  },
  "filter.*": {
    description:
      "filter.<key>=<value>: only events whose metadata has this value under the key; again, " +
      "any of the values. Several keys must all match. Answered exactly.",
    schema: anyText,
    repeats: true,
  },
  "filterNot.*": {
    description:
      "filterNot.<key>=<value>: no events whose metadata has this value under the key; again, " +
      "none of the values. Events without the key remain. Answered exactly.",
    schema: anyText,
    repeats: true,
  },
  userId: {
    description: "Only events of this user; repeated, of any of these. Answered exactly.",
    schema: id(userIdBytesMax),
    repeats: true,
  },
  sessionId: {
    description: "Only events of this session; repeated, of any of these. Answered exactly.",
    schema: id(sessionIdBytesMax),
    repeats: true,
  },
  include: {
    description: `Only this item; repeated, only these, at most ${selectionValuesMax}.`,
    schema: id(eventIdBytesMax),
    repeats: true,
  },
  exclude: {
    description: `All items but this; repeated, but these, at most ${selectionValuesMax}.`,
    schema: id(eventIdBytesMax),
    repeats: true,
  },
  prefix: {
    description: "Only items whose id begins with this text.",
    schema: id(eventIdBytesMax),
  },
}) satisfies ParameterTable;

function sortedSet(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

function checkCount(name: string, count: number): void {
  if (count <= selectionValuesMax) return;
  throw invalidParameter(name, `at most ${selectionValuesMax} values`, `${count}`);
}

/** The values as a set; undefined where none came. */
function idsOf(query: RawQuery, name: string): string[] | undefined {
  const given = manyOf(query, name);
  checkCount(name, given.length);
  return given.length === 0 ? undefined : sortedSet(given);
}

function metadataTestOf(name: string, query: RawQuery): MetadataTest | null {
  const isNot = name.startsWith(filterNotPrefix);
  const prefix = isNot ? filterNotPrefix : filterPrefix;
  if (!name.startsWith(prefix)) return null;
  return { key: name.slice(prefix.length), values: sortedSet(manyOf(query, name)), isNot };
}

function metadataOf(query: RawQuery): MetadataTest[] | undefined {
  const names = Object.keys(query).sort();
  const tests = names.map((name) => metadataTestOf(name, query)).filter((test) => test !== null);
  checkCount(
    "filter",
    tests.reduce((sum, { values }) => sum + values.length, 0),
  );
  return tests.length === 0 ? undefined : tests;
}

/**
 * What the parameters select, in its canonical form; undefined where they select everything. To be
 * called for a query that the table has checked.
 * Throws RankstreamError `invalid_parameter`.
 */
export function readSelection(query: RawQuery): Selection | undefined {
  const selection: { [Part in keyof Selection]: Selection[Part] | undefined } = {
    by: choiceOf(query, "by", selectionParameters.by) === "users" ? "users" : undefined,
    metadata: metadataOf(query),
    userIds: idsOf(query, "userId"),
    sessionIds: idsOf(query, "sessionId"),
    include: idsOf(query, "include"),
    exclude: idsOf(query, "exclude"),
    prefix: single(query, "prefix"),
  };
  const asked = Object.entries(selection).filter(([, part]) => part !== undefined);
  return asked.length === 0 ? undefined : (Object.fromEntries(asked) as Selection);
}
