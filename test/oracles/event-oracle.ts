/**
 * What the HTTP contract says of a batch, in plain TypeScript: the oracle of the kernel's scanner
 * and of whatever else judges events. Shares nothing with the kernel.
 */
import { asLatin1, brokenUtf8, JsonReader, type Node, NotJson } from "./event-json.ts";

export interface OracleEvent {
  line: number;
  /** The event's JSON text, one character a byte. */
  text: string;
  eventId: string;
  eventType: string;
  timestamp: number;
  userId: string | null;
  sessionId: string | null;
  /** Raw JSON text, one character a byte. */
  metadata: string | null;
  weight: number;
}

export interface OracleError {
  line: number;
  code: string;
  field: string | null;
}

export interface OracleBatch {
  events: OracleEvent[];
  errors: OracleError[];
  /** The whole body's fault: nothing else counts. */
  malformed: string | null;
}

interface Refusal {
  code: string;
  field: string | null;
}

const stringBounds: Record<string, [number, number]> = {
  eventId: [1, 512],
  eventType: [1, 128],
  userId: [0, 512],
  sessionId: [0, 512],
};
const names = [...Object.keys(stringBounds), "timestamp", "metadata", "weight"];
const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const iso =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):?(\d\d))$/;

function isText(text: string): boolean {
  return !text.includes("\0") && !/\p{Surrogate}/u.test(text);
}

/** Epoch ms of an accepted text, else null. */
export function oracleTime(text: string): number | null {
  const found = iso.exec(text);
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as number[];
  const date = new Date(0);
  date.setUTCFullYear(year!, month! - 1, day!);
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month! - 1) return null;
  if (date.getUTCDate() !== day || hour! > 23 || minute! > 59 || second! > 59) return null;
  date.setUTCHours(hour!, minute!, second!, Number((found[7] ?? "0").padEnd(3, "0").slice(0, 3)));
  const [offsetHours, offsetMinutes] = [Number(found[9] ?? 0), Number(found[10] ?? 0)];
  if (offsetHours > 23 || offsetMinutes > 59) return null;
  const offsetMs = (offsetHours * 60 + offsetMinutes) * 60_000;
  const ms = date.getTime() - (found[8] === "-" ? -offsetMs : offsetMs);
  return ms < 0 || ms > lastMs ? null : ms;
}

function judgeTime(node: Node, receivedAt: number): Refusal | number {
  const field = "timestamp";
  if (node.type !== "string" && node.type !== "number") return { code: "wrong_type", field };
  if (node.type === "string" && !isText(node.text)) return { code: "invalid_text", field };
  let ms: number | null;
  if (node.type === "string") ms = oracleTime(node.text);
  else ms = /^[0-9]+$/.test(node.text) ? Number(node.text) : null;
  if (ms !== null && node.type === "number" && (ms < 1e11 || ms > lastMs)) ms = null;
  if (ms === null) return { code: "invalid_timestamp", field };
  return ms > receivedAt + 300_000 ? { code: "future_timestamp", field } : ms;
}

function judgeString(field: string, node: Node): Refusal | null {
  const [bytesMin, bytesMax] = stringBounds[field]!;
  if (node.type !== "string") return { code: "wrong_type", field };
  if (!isText(node.text)) return { code: "invalid_text", field };
  const bytes = Buffer.byteLength(node.text);
  if (bytes < bytesMin) return { code: "empty", field };
  // Types of other regions have the region's name before their own.
  const isRegion = field === "eventType" && node.text.startsWith("\u001f");
  return bytes > bytesMax + (isRegion ? 18 : 0) ? { code: "too_long", field } : null;
}

function judgeMetadata(node: Node): Refusal | null {
  const field = "metadata";
  if (node.type !== "object") return { code: "wrong_type", field };
  const seen = new Set<string>();
  for (const { key, value } of node.members) {
    if (!isText(key.text)) return { code: "invalid_text", field };
    if (key.end - node.start > 16_384) return { code: "too_long", field };
    if (seen.size === 64) return { code: "too_many_keys", field };
    if (seen.has(key.text)) return { code: "duplicate_field", field };
    seen.add(key.text);
    if (value.type !== "string") return { code: "wrong_type", field };
    if (!isText(value.text)) return { code: "invalid_text", field };
  }
  return node.end - node.start > 16_384 ? { code: "too_long", field } : null;
}

function judgeWeight(node: Node): Refusal | number {
  const field = "weight";
  if (node.type !== "number") return { code: "wrong_type", field };
  const weight = /^[0-9]+$/.test(node.text) ? Number(node.text) : 0;
  return weight >= 1 && weight <= 1e6 ? weight : { code: "out_of_range", field };
}

/** A value that is well-formed JSON, judged as an event. */
function judge(
  node: Node,
  bytes: string,
  receivedAt: number,
): Refusal | Omit<OracleEvent, "line"> {
  if (node.type !== "object") return { code: "wrong_type", field: null };
  const found = new Map<string, Node>();
  let timestamp = receivedAt;
  let weight = 1;
  for (const { key, value } of node.members) {
    const name = key.text;
    if (!isText(name)) return { code: "invalid_text", field: null };
    if (!names.includes(name)) return { code: "unknown_field", field: name };
    if (found.has(name)) return { code: "duplicate_field", field: name };
    found.set(name, value);
    let refusal: Refusal | number | null;
    if (name === "timestamp") refusal = judgeTime(value, receivedAt);
    else if (name === "weight") refusal = judgeWeight(value);
    else if (name === "metadata") refusal = judgeMetadata(value);
    else refusal = judgeString(name, value);
    if (typeof refusal === "number") {
      if (name === "timestamp") timestamp = refusal;
      else weight = refusal;
    } else if (refusal !== null) return refusal;
  }
  for (const name of ["eventId", "eventType"]) {
    if (!found.has(name)) return { code: "missing_field", field: name };
  }
  if (node.end - node.start > 65_536) return { code: "too_long", field: null };
  const metadata = found.get("metadata");
  return {
    text: bytes.slice(node.start, node.end),
    eventId: found.get("eventId")!.text,
    eventType: found.get("eventType")!.text,
    timestamp,
    userId: found.get("userId")?.text ?? null,
    sessionId: found.get("sessionId")?.text ?? null,
    metadata: metadata === undefined ? null : bytes.slice(metadata.start, metadata.end),
    weight,
  };
}

/** One value, then only white space; null and the fault's code when it isn't that. */
function readWhole<T>(bytes: Uint8Array, read: (reader: JsonReader) => T): T | string {
  const broken = brokenUtf8(bytes);
  const reader = new JsonReader(asLatin1(bytes));
  try {
    reader.space();
    const value = read(reader);
    reader.space();
    if (reader.at < reader.text.length) throw new NotJson(reader.at);
    return broken >= 0 ? "invalid_utf8" : value;
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    return broken >= 0 && broken <= error.at ? "invalid_utf8" : "invalid_json";
  }
}

/** An event object is not itself counted as nesting. */
function readElement(reader: JsonReader): Node {
  return reader.text.charAt(reader.at) === "{" ? reader.object(0) : reader.value(0);
}

function add(batch: OracleBatch, line: number, node: Node, text: string, receivedAt: number) {
  const verdict = judge(node, text, receivedAt);
  if ("code" in verdict) batch.errors.push({ line, ...verdict });
  else batch.events.push({ line, ...verdict });
}

function withoutMark(body: Uint8Array): Uint8Array {
  const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return hasMark ? body.subarray(3) : body;
}

/** The verdict on an NDJSON body. */
export function oracleNdjson(body: Uint8Array, receivedAt: number): OracleBatch {
  const batch: OracleBatch = { events: [], errors: [], malformed: null };
  const rest = withoutMark(body);
  for (let start = 0, line = 1; start < rest.length; line++) {
    const feed = rest.indexOf(10, start);
    const bytes = rest.subarray(start, feed < 0 ? rest.length : feed);
    start += bytes.length + 1;
    const text = asLatin1(bytes);
    if (/^[ \t\r]*$/.test(text)) continue;
    const node = readWhole(bytes, readElement);
    if (typeof node === "string") batch.errors.push({ line, code: node, field: null });
    else add(batch, line, node, text, receivedAt);
  }
  return batch;
}

/** The verdict on a JSON body: one object, or an array of them. */
export function oracleJson(body: Uint8Array, receivedAt: number): OracleBatch {
  const batch: OracleBatch = { events: [], errors: [], malformed: null };
  const bytes = withoutMark(body);
  const text = asLatin1(bytes);
  if (/^[ \t\r\n]*$/.test(text)) return { ...batch, malformed: "empty_body" };
  const nodes = readWhole(bytes, (reader) => {
    if (reader.text.charAt(reader.at) !== "[") return [readElement(reader)];
    const items: Node[] = [];
    reader.at++;
    reader.space();
    while (reader.text.charAt(reader.at) !== "]" || items.length > 0) {
      items.push(readElement(reader));
      reader.space();
      if (reader.text.charAt(reader.at) === "]") break;
      reader.take(",");
      reader.space();
    }
    reader.at++;
    return items;
  });
  if (typeof nodes === "string") return { ...batch, malformed: nodes };
  if (nodes.length === 0) return { ...batch, malformed: "empty_body" };
  nodes.forEach((node, index) => {
    add(batch, index + 1, node, text, receivedAt);
  });
  return batch;
}
