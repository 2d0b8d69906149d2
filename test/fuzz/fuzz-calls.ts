// Requests made from /openapi.json: every operation, its parameters mostly of the kind they should
// be, now and then of another, twice, or under a name that is none.
import type { Random } from "../support/random.ts";
import { fuzzTypes, mutated, oddText, plainText } from "./fuzz-values.ts";

interface Schema {
  type?: string;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
}
interface Parameter {
  name: string;
  in: "query" | "path" | "header";
  schema: Schema;
}
interface Operation {
  method: string;
  path: string;
  parameters: Parameter[];
  mediaTypes: string[];
}

export interface FuzzCall {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
}

/** The operations of a document of the service's. */
export function operationsOf(document: unknown): Operation[] {
  const { paths } = document as {
    paths: Record<string, Record<string, Record<string, unknown>>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      parameters: operation["parameters"] as Parameter[],
      mediaTypes: Object.keys(
        (operation["requestBody"] as { content?: object } | undefined)?.content ?? {},
      ),
    })),
  );
}

const ranges = ["last_hour", "last_3_hours", "today", "yesterday", "this_week", "last_7_days"];
const byName: Readonly<Record<string, readonly string[]>> = {
  eventType: [...fuzzTypes, "counted"],
  name: fuzzTypes,
  timeRange: ranges,
  timeZone: ["UTC", "Europe/Berlin", "Asia/Kathmandu"],
  from: ["2026-11-24T10:30:00Z", "1795000000000"],
  to: ["2026-11-25T10:30:00Z", "1795900000000"],
  eventId: ["t1", "t2", "t3"],
  // A long poll would hold its connection up.
  waitMs: ["0", "1"],
};

function valueFor(random: Random, { name, schema }: Parameter): string {
  if (random.chance(0.12)) return oddText(random);
  const known = byName[name];
  if (known !== undefined) return random.pick(known);
  if (schema.enum !== undefined) return String(random.pick(schema.enum));
  if (schema.type === "boolean") return random.pick(["true", "false"]);
  if (schema.type === "integer" || schema.type === "number") {
    return String(random.int(schema.minimum ?? 0, Math.min(schema.maximum ?? 100, 200)));
  }
  return plainText(random);
}

/** Percent-encoded; what has no UTF-8 is replaced. */
function escaped(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

/** Deletes and changes may only be about types that nobody counts. */
const isHarmless = (name: string, value: string, method: string) =>
  method === "GET" || !["eventType", "name"].includes(name) || value !== "counted";

function queryOf(random: Random, operation: Operation): string {
  const pairs: [string, string][] = [];
  for (const parameter of operation.parameters) {
    if (parameter.in !== "query") continue;
    const isLikely = ["eventType", "timeRange", "eventId"].includes(parameter.name);
    if (!random.chance(isLikely ? 0.9 : 0.12)) continue;
    const name = parameter.name.replace("*", random.pick(["country", "x", ""]));
    const value = valueFor(random, parameter);
    if (isHarmless(name, value, operation.method)) pairs.push([name, value]);
    if (random.chance(0.03)) pairs.push([name, valueFor(random, { ...parameter, name: "" })]);
  }
  if (random.chance(0.03)) pairs.push([oddText(random), oddText(random)]);
  if (pairs.length === 0) return "";
  return `?${pairs.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join("&")}`;
}

const jsonBodies = [
  '{"ids":["t1","t2","nowhere"]}',
  '{"eventIds":["t1"]}',
  '{"label":"a"}',
  '{"label":null}',
  '{"retentionDays":1}',
  '{"aggregationWindow":60}',
  '{"description":"a"}',
  '{"eventType":"fz_a"}',
  "{}",
  "[]",
  "null",
  '{"eventType":"fz_a","eventId":"t1","label":"x"}\n{"eventType":1}',
];

function bodyOf(random: Random, { mediaTypes }: Operation): Buffer | null {
  if (mediaTypes.length === 0) return random.chance(0.02) ? Buffer.from("{}") : null;
  const body = Buffer.from(random.pick(jsonBodies));
  return random.chance(0.3) ? mutated(random, body) : body;
}

/** What takes the service tens of milliseconds or more comes seldom. */
function isTaken(random: Random, { method, path }: Operation): boolean {
  // Bodies of events are fuzzed apart.
  if (path === "/events") return false;
  const isDear = method === "DELETE" || /snapshot|export|trending|series/.test(path);
  return !isDear || random.chance(0.1);
}

/** One request of one of the operations. */
export function fuzzCall(random: Random, operations: readonly Operation[]): FuzzCall {
  let operation = random.pick(operations);
  while (!isTaken(random, operation)) operation = random.pick(operations);
  const { method, path, parameters, mediaTypes } = operation;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const found = parameters.find((each) => each.in === "path" && each.name === name);
    const value = valueFor(random, found ?? { name, in: "path", schema: {} });
    const isOwn = method === "GET" || value !== "counted";
    return escaped(isOwn ? value : "fz_a");
  });
  const headers: Record<string, string> = {};
  for (const { name, in: place } of parameters) {
    if (place === "header" && random.chance(0.5)) headers[name] = plainText(random);
  }
  const type = random.chance(0.05) ? "text/plain" : mediaTypes[0];
  const body = bodyOf(random, operation);
  if (body !== null && type !== undefined) headers["content-type"] = type;
  if (random.chance(0.05)) headers["accept"] = random.pick(["text/csv", "*/*;q=0", "x/y"]);
  if (random.chance(0.05)) headers["if-none-match"] = oddText(random).replaceAll(/[^!-~]/g, "");
  if (random.chance(0.03)) headers["prefer"] = "respond-async";
  const other = random.chance(0.03) ? random.pick(["PUT", "PATCH", "OPTIONS", "HEAD"]) : method;
  return { method: other, path: `${filled}${queryOf(random, operation)}`, headers, body };
}
