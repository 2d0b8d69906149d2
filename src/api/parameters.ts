/** Reads query parameters against a table: unknown, repeated and ill-formed ones are refused. */
import { didYouMean, quoted, RankstreamError } from "../errors.ts";

/** Values as Fastify gives them: an array where a name came more than once. */
export type RawQuery = Readonly<Record<string, string | string[] | undefined>>;

export interface ParameterDoc {
  description: string;
  /** JSON Schema of the value. */
  schema: Readonly<Record<string, unknown>>;
  required?: boolean;
  /** May come several times; else a repetition is refused. */
  repeats?: boolean;
}

/** By name; a name `prefix.*` stands for all that begin with `prefix.`. */
export type ParameterTable = Readonly<Record<string, ParameterDoc>>;

/** The table's entry for a name: its own, or that of `prefix.*`. */
function entryOf(name: string, table: ParameterTable): ParameterDoc | undefined {
  if (Object.hasOwn(table, name)) return table[name];
  const family = Object.keys(table).find(
    (entry) => entry.endsWith(".*") && name.startsWith(entry.slice(0, -1)),
  );
  return family === undefined ? undefined : table[family];
}

/** Throws for the first parameter that the table does not know or that came too often. */
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
  }
}

/** `invalid_parameter`: `k: expected an integer 1..1000, got "0"`. */
export function invalidParameter(name: string, expected: string, got: string): RankstreamError {
  return new RankstreamError("invalid_parameter", `${name}: expected ${expected}, got ${got}`, {
    extensions: { parameter: name },
  });
}

/** A name of 1..`bytesMax` bytes. Throws `invalid_parameter`. */
export function checkName(name: string, value: string | undefined, bytesMax: number): string {
  const expected = `a name of 1..${bytesMax} bytes`;
  if (value === undefined) throw invalidParameter(name, expected, "none");
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

/** An integer min..max; `fallback` where the parameter did not come. */
export function integerParameter(
  query: RawQuery,
  name: string,
  min: number,
  max: number,
  fallback: number,
): number {
  const given = single(query, name);
  if (given === undefined) return fallback;
  const value = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidParameter(name, `an integer ${min}..${max}`, quoted(given));
}

/** One of `choices`; the first where the parameter did not come. */
export function choiceParameter<const T extends string>(
  query: RawQuery,
  name: string,
  choices: readonly [T, ...T[]],
): T {
  const given = single(query, name);
  if (given === undefined) return choices[0];
  const found = choices.find((choice) => choice === given);
  if (found !== undefined) return found;
  const hint = didYouMean(given, choices);
  throw invalidParameter(name, `one of ${choices.join(", ")}`, `${quoted(given)}.${hint}`);
}
