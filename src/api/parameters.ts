/**
 * Query parameters by tables that both check and document them: unknown, repeated and ill-formed
 * ones are refused by the very schema that /openapi.json shows.
 */
import { didYouMean, quoted, RankstreamError } from "../errors.ts";
import type { Schema } from "./schema.ts";

/** Values as Fastify gives them: an array where a name came more than once. */
export type RawQuery = Readonly<Record<string, string | string[] | undefined>>;

export interface ParameterDoc {
  description: string;
  /**
   * JSON Schema of the value: `type` string, integer, number or boolean, with `minimum`,
   * `maximum`, `enum`, `pattern`, `minLength` and `maxLength`, which count bytes of UTF-8 here.
   */
  schema: Schema;
  required?: boolean;
  /** May come several times; else a repetition is refused. */
  repeats?: boolean;
  /** What `pattern` means, for messages. */
  expected?: string;
  /** A text of another grammar is judged by whoever reads it, with messages of its own. */
  isReadElsewhere?: boolean;
}

/** By name; a name `prefix.*` stands for all that begin with `prefix.`. */
export type ParameterTable = Readonly<Record<string, ParameterDoc>>;

const numberForm = /^-?\d{1,15}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/;

/** The table's entry for a name: its own, or that of `prefix.*`. */
function entryOf(name: string, table: ParameterTable): ParameterDoc | undefined {
  if (Object.hasOwn(table, name)) return table[name];
  const family = Object.keys(table).find(
    (entry) => entry.endsWith(".*") && name.startsWith(entry.slice(0, -1)),
  );
  return family === undefined ? undefined : table[family];
}

/** `invalid_parameter`: `k: expected an integer 1..1000, got "0"`. */
export function invalidParameter(name: string, expected: string, got: string): RankstreamError {
  return new RankstreamError("invalid_parameter", `${name}: expected ${expected}, got ${got}`, {
    extensions: { parameter: name },
  });
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  const got = `${quoted(value)}.${didYouMean(value, choices)}`;
  throw invalidParameter(name, `one of ${choices.join(", ")}`, got);
}

function checkNumber(name: string, value: string, { type, minimum, maximum }: Schema): void {
  const [min, max] = [minimum as number, maximum as number];
  const isWhole = type === "integer";
  const isForm = isWhole ? /^\d{1,15}$/.test(value) : numberForm.test(value);
  if (isForm && Number(value) >= min && Number(value) <= max) return;
  const what = isWhole ? "an integer" : "a number";
  throw invalidParameter(name, `${what} ${min}..${max}`, quoted(value));
}

function checkText(name: string, value: string, { schema, expected }: ParameterDoc): void {
  const { minLength = 0, maxLength, pattern } = schema as Record<string, number | undefined>;
  if (maxLength !== undefined) {
    const bytes = Buffer.byteLength(value);
    const isWithin = bytes >= minLength && bytes <= maxLength;
    const got = `${bytes} bytes: ${quoted(value)}`;
    if (!isWithin) throw invalidParameter(name, `${minLength}..${maxLength} bytes`, got);
  }
  if (pattern === undefined || new RegExp(String(pattern), "u").test(value)) return;
  throw invalidParameter(name, expected ?? `a text of the form ${pattern}`, quoted(value));
}

/** Throws `invalid_parameter` where the value isn't what the entry's schema says. */
export function checkValue(name: string, value: string, entry: ParameterDoc): void {
  const { schema, isReadElsewhere = false } = entry;
  if (schema["enum"] !== undefined) checkChoice(name, value, schema["enum"] as string[]);
  else if (schema["type"] === "boolean") checkChoice(name, value, ["false", "true"]);
  else if (schema["type"] !== "string") checkNumber(name, value, schema);
  else if (!isReadElsewhere) checkText(name, value, entry);
}

/**
 * Throws for the first parameter that the table does not know, that came too often, or whose
 * value isn't what the table says.
 */
export function checkNames(query: RawQuery, table: ParameterTable): void {
  const known = Object.keys(table);
  for (const [name, value] of Object.entries(query)) {
    const entry = entryOf(name, table);
    if (entry === undefined) {
      const hint = didYouMean(name, known) || ` Known are ${known.join(", ") || "none"}.`;
      const detail = `there is no parameter ${quoted(name)}.${hint}`;
      throw new RankstreamError("unknown_parameter", detail, { extensions: { parameter: name } });
    }
    if (Array.isArray(value) && entry.repeats !== true) {
      throw invalidParameter(name, "one value", `${value.length}`);
    }
    for (const one of manyOf(query, name)) checkValue(name, one, entry);
  }
}

/** A name of 1..`bytesMax` bytes. Throws `invalid_parameter`. */
export function checkName(name: string, value: string | undefined, bytesMax: number): string {
  const expected = `a name of 1..${bytesMax} bytes`;
  if (value === undefined) throw invalidParameter(name, expected, "none");
  if (value.includes("\0")) throw invalidParameter(name, "text without NUL", quoted(value));
  const bytes = Buffer.byteLength(value);
  if (bytes >= 1 && bytes <= bytesMax) return value;
  throw invalidParameter(name, expected, `${bytes} bytes: ${quoted(value)}`);
}

/** All values of a parameter in the order they came; none where it did not come. */
export function manyOf(query: RawQuery, name: string): string[] {
  return [query[name] ?? []].flat();
}

/** The one value of a parameter; undefined where it did not come. */
export function single(query: RawQuery, name: string): string | undefined {
  const value = query[name];
  return Array.isArray(value) ? value[0] : value;
}

/** What a parameter's entry says that its reader needs. */
interface Spec<Value> {
  description: string;
  schema: Readonly<{ default: Value }> & Schema;
}

/** A number; its default where the parameter did not come. Throws `invalid_parameter`. */
export function numberOf(query: RawQuery, name: string, spec: Spec<number>): number {
  const given = single(query, name);
  if (given === undefined) return spec.schema.default;
  checkValue(name, given, spec);
  return Number(given);
}

/** True or false; its default where the parameter did not come. Throws `invalid_parameter`. */
export function flagOf(query: RawQuery, name: string, spec: Spec<boolean>): boolean {
  const given = single(query, name);
  if (given === undefined) return spec.schema.default;
  checkValue(name, given, spec);
  return given === "true";
}

/** One of the entry's `enum`; its default where it did not come. Throws `invalid_parameter`. */
export function choiceOf<const T extends string>(
  query: RawQuery,
  name: string,
  spec: { description: string; schema: Readonly<{ enum: readonly T[]; default: T }> & Schema },
): T {
  const given = single(query, name);
  if (given === undefined) return spec.schema.default;
  checkValue(name, given, spec);
  return given as T;
}
