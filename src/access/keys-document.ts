/**
 * The file of keys, format version 1:
 *
 *   {"version": 1, "keys": [{
 *     "id", "secretSha256", "scopes",
 *     "previous"?: {"secretSha256", "until"},
 *     "eventTypes"?, "limits"?, "createdAt"?, "expiresAt"?, "description"?, "disabled"?
 *   }]}
 *
 * Read as strictly as it is written: a mistyped member would otherwise be a right too many.
 */
import { didYouMean, quoted, RankstreamError } from "../errors.ts";
import { eventBounds } from "../model.ts";
import { type KeyLimits, type Scope, scopes, type TypePatterns } from "../model-access.ts";
import { expectedId, isKeyId } from "./credential.ts";

export const keysVersion = 1;
export const keysBounds = Object.freeze({
  keysMax: 10_000,
  fileBytesMax: 16 * 1024 * 1024,
  /** Of one key: they travel in a header from node to upstream. */
  patternsMax: 32,
  descriptionCharsMax: 500,
});

export interface StoredSecret {
  /** 64 hexadecimal digits. */
  secretSha256: string;
}

/** A key as it is kept. Times are ISO 8601 UTC. */
export interface StoredKey extends StoredSecret {
  id: string;
  /** The secret before the last rotation, good until then. */
  previous?: StoredSecret & { until: string };
  scopes: Scope[];
  /** Left out: every type. */
  eventTypes?: TypePatterns;
  limits?: KeyLimits;
  createdAt?: string;
  /** Left out: never. */
  expiresAt?: string;
  description?: string;
  disabled?: boolean;
}

type Given = Record<string, unknown>;

/** `keys[2].scopes: expected …, got …`. */
function refuse(place: string, expected: string, got: unknown): RankstreamError {
  const text = got === undefined ? "nothing" : quoted(JSON.stringify(got) ?? String(got));
  return new RankstreamError("keys_unusable", `${place}: expected ${expected}, got ${text}`);
}

/** A secret's hash is none to be shown. */
function refuseHash(place: string): RankstreamError {
  return new RankstreamError("keys_unusable", `${place}: expected 64 hexadecimal digits`);
}

function objectAt(place: string, value: unknown, known: readonly string[]): Given {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse(place, "an object", value);
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const hint = didYouMean(name, known);
    const detail = `${place}: there is no member ${quoted(name)}.${hint}`;
    throw new RankstreamError("keys_unusable", detail);
  }
  return value as Given;
}

function hashAt(place: string, value: unknown): string {
  if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) return value;
  throw refuseHash(place);
}

function timeAt(place: string, value: unknown): string {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;
  const isTime = typeof value === "string" && form.test(value);
  if (isTime && !Number.isNaN(Date.parse(value))) return value;
  throw refuse(place, "a time such as 2026-11-24T10:30:00Z", value);
}

function scopesAt(place: string, value: unknown): Scope[] {
  const isList = Array.isArray(value) && value.length > 0;
  if (isList && value.every((each) => scopes.includes(each as Scope))) {
    return [...new Set(value as Scope[])];
  }
  throw refuse(place, `at least one of ${scopes.join(", ")}, in an array`, value);
}

/** Patterns of event types. Throws `keys_unusable`, which names `place`. */
export function patternsAt(place: string, value: unknown): TypePatterns {
  const { eventTypeBytesMax } = eventBounds;
  const isPattern = (each: unknown) =>
    typeof each === "string" && each !== "" && Buffer.byteLength(each) <= eventTypeBytesMax;
  const isList = Array.isArray(value) && value.length > 0;
  if (isList && value.length <= keysBounds.patternsMax && value.every(isPattern)) {
    return value as string[];
  }
  const expected =
    `1..${keysBounds.patternsMax} texts of 1..${eventTypeBytesMax} bytes, in an array, ` +
    "each an event type or a pattern with *";
  throw refuse(place, expected, value);
}

const limitNames = [
  "requestsPerSecond",
  "eventsPerSecond",
  "eventsPerDay",
  "connections",
] as const;

function limitsAt(place: string, value: unknown): KeyLimits {
  const given = objectAt(place, value, limitNames);
  for (const [name, limit] of Object.entries(given)) {
    const isCount = Number.isSafeInteger(limit) && (limit as number) >= 1;
    if (!isCount) throw refuse(`${place}.${name}`, "an integer of 1 or more", limit);
  }
  return given as KeyLimits;
}

function descriptionAt(place: string, value: unknown): string {
  const charsMax = keysBounds.descriptionCharsMax;
  if (typeof value === "string" && value.length <= charsMax) return value;
  throw refuse(place, `a text of at most ${charsMax} characters`, value);
}

function flagAt(place: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw refuse(place, "true or false", value);
}

function previousAt(place: string, value: unknown): NonNullable<StoredKey["previous"]> {
  const given = objectAt(place, value, ["secretSha256", "until"]);
  return {
    secretSha256: hashAt(`${place}.secretSha256`, given["secretSha256"]),
    until: timeAt(`${place}.until`, given["until"]),
  };
}

const optional: Readonly<Record<string, (place: string, value: unknown) => unknown>> = {
  previous: previousAt,
  eventTypes: patternsAt,
  limits: limitsAt,
  createdAt: timeAt,
  expiresAt: timeAt,
  description: descriptionAt,
  disabled: flagAt,
};
const members = ["id", "secretSha256", "scopes", ...Object.keys(optional)];

function keyAt(place: string, value: unknown): StoredKey {
  const given = objectAt(place, value, members);
  const { id } = given;
  if (typeof id !== "string" || !isKeyId(id)) throw refuse(`${place}.id`, expectedId, id);
  const more = Object.entries(optional).flatMap(([name, read]) =>
    given[name] === undefined ? [] : [[name, read(`${place}.${name}`, given[name])]],
  );
  return {
    id,
    secretSha256: hashAt(`${place}.secretSha256`, given["secretSha256"]),
    scopes: scopesAt(`${place}.scopes`, given["scopes"]),
    ...Object.fromEntries(more),
  };
}

/** The keys in the text of a file. Throws `keys_unusable`, which names the place. */
export function readKeysDocument(text: string): StoredKey[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // What the parser says shows a piece of the file.
    throw new RankstreamError("keys_unusable", "it is not JSON, or cut off");
  }
  const given = objectAt("the file", parsed, ["version", "keys"]);
  if (given["version"] !== keysVersion)
    throw refuse("version", `${keysVersion}`, given["version"]);
  const list = given["keys"];
  if (!Array.isArray(list)) throw refuse("keys", "an array", list);
  if (list.length > keysBounds.keysMax) {
    throw refuse("keys", `at most ${keysBounds.keysMax}`, list.length);
  }
  const keys = list.map((value, i) => keyAt(`keys[${i}]`, value));
  const seen = new Set<string>();
  for (const [i, { id }] of keys.entries()) {
    if (seen.has(id)) throw refuse(`keys[${i}].id`, "an id of its own", id);
    seen.add(id);
  }
  return keys;
}

/** The text of the file that holds these keys. */
export function keysDocumentText(keys: readonly StoredKey[]): string {
  return `${JSON.stringify({ version: keysVersion, keys }, null, 2)}\n`;
}
