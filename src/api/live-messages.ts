/** Reads what clients of GET /live send, and writes what they and event streams are sent. */
import { quoted, RankstreamError } from "../errors.ts";
import type { LiveQuery, LiveRequest } from "../model-live.ts";
import type { Update } from "./live-feeds.ts";

const idCharsMax = 128;
const members: Readonly<Record<string, readonly string[]>> = {
  subscribe: ["type", "id", "query", "seq"],
  unsubscribe: ["type", "id"],
};

function refuse(detail: string): RankstreamError {
  return new RankstreamError("invalid_message", detail);
}

/** The message's id where it is usable, else null: for the error that answers it. */
export function idOf(message: unknown): string | null {
  const id = (message as { id?: unknown } | null)?.id;
  return typeof id === "string" && id.length > 0 && id.length <= idCharsMax ? id : null;
}

function isQuery(value: unknown): value is LiveQuery {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const isText = (each: unknown) => typeof each === "string";
  return Object.values(value).every((each) => isText(each) || isTexts(each, isText));
}

function isTexts(value: unknown, isText: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}

/** JSON of one message; throws `invalid_message`. */
export function parseMessage(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse(`expected a JSON object, got ${quoted(text)}`);
  }
}

/** A checked message; throws `invalid_message`, which says what was expected and what came. */
export function readMessage(message: unknown): LiveRequest {
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw refuse(`expected a JSON object, got ${quoted(JSON.stringify(message))}`);
  }
  const given = message as Record<string, unknown>;
  const type = given["type"];
  if (type !== "subscribe" && type !== "unsubscribe") {
    const got = quoted(JSON.stringify(type) ?? "none");
    throw refuse(`type: expected "subscribe" or "unsubscribe", got ${got}`);
  }
  const unknown = Object.keys(given).find((name) => !members[type]!.includes(name));
  if (unknown !== undefined) throw refuse(`${type} has no member ${quoted(unknown)}`);
  const id = idOf(given);
  if (id === null) throw refuse(`id: expected text of 1..${idCharsMax} characters`);
  if (type === "unsubscribe") return { type, id };
  const { query, seq } = given;
  if (!isQuery(query)) throw refuse("query: expected an object of text, or of arrays of text");
  if (seq === undefined) return { type, id, query };
  if (!Number.isSafeInteger(seq)) throw refuse("seq: expected that of the last message seen");
  return { type, id, query, seq: seq as number };
}

/** Names that are not kept ready for the next who has the same. */
const framesMax = 16;

/** `write`'s text as bytes, made once for all who are sent the same. */
function frameOf(update: Update, name: string, write: () => string): Buffer {
  const known = update.frames.get(name);
  if (known !== undefined) return known;
  const frame = Buffer.from(write());
  if (update.frames.size < framesMax) update.frames.set(name, frame);
  return frame;
}

/** A `board` or `diff` message. */
export function updateMessage(id: string, update: Update): Buffer {
  const { seq, since, text } = update;
  return frameOf(update, `message ${id}`, () => {
    const head = `"id":${JSON.stringify(id)},"seq":${seq}`;
    if (since === null) return `{"type":"board",${head},"board":${text}}`;
    return `{"type":"diff",${head},"since":${since},"changes":${text}}`;
  });
}

/** An `error` message; `problem` is the document as JSON. */
export function errorMessage(id: string | null, problem: string, ended: boolean): string {
  return `{"type":"error","id":${JSON.stringify(id)},"ended":${ended},"problem":${problem}}`;
}

export const heartbeatMessage = '{"type":"heartbeat"}';

/** The first of a stream: how long a client waits before it comes back. */
export const streamHead = Buffer.from("retry: 1000\n\n");

/** A `board` or `diff` event. JSON has no line breaks of its own. */
export function updateEvent(update: Update): Buffer {
  const { seq, since, text } = update;
  return frameOf(update, "event", () => {
    const [type, rest] =
      since === null
        ? ["board", `"board":${text}`]
        : ["diff", `"since":${since},"changes":${text}`];
    return `event: ${type}\nid: ${seq}\ndata: {"seq":${seq},${rest}}\n\n`;
  });
}

/** `problem` is the document as JSON. */
export function problemEvent(problem: string): Buffer {
  return Buffer.from(`event: problem\ndata: ${problem}\n\n`);
}

/** A comment: it reaches nobody, but what lies between sees that the stream is used. */
export const heartbeatEvent = Buffer.from(":\n\n");
