/** An event as one line of NDJSON, judged first as far as it can be judged without the service. */
import { eventBounds } from "../model.ts";

/** What happened: `eventId` is counted in the list of `eventType`. */
export interface TrackedEvent {
  /** 1 to 512 bytes of UTF-8. */
  eventId: string;
  /** 1 to 128 bytes. */
  eventType: string;
  /** RFC 3339 with a zone, epoch milliseconds or a Date. Default: the time of `track()`. */
  timestamp?: string | number | Date | undefined;
  /** At most 512 bytes. */
  userId?: string | undefined;
  /** At most 512 bytes. */
  sessionId?: string | undefined;
  /** At most 64 keys, and 16 KiB as JSON. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Counts as so many events: an integer, 1 to 1,000,000. Default 1. */
  weight?: number | undefined;
}

/** Codes as the service has them for a line of a batch. */
export type EventFault =
  | "missing_field"
  | "unknown_field"
  | "wrong_type"
  | "empty"
  | "too_long"
  | "invalid_text"
  | "invalid_timestamp"
  | "too_many_keys"
  | "out_of_range";

/** The event can't be one, whatever the service thinks of it: nothing of it was taken. */
export class InvalidEventError extends Error {
  override readonly name = "InvalidEventError";
  readonly code: EventFault;
  /** The member at fault; null when it is the event as a whole. */
  readonly field: string | null;

  constructor(code: EventFault, field: string | null, detail: string) {
    super(field === null ? `the event: ${detail}` : `${field}: ${detail}`);
    this.code = code;
    this.field = field;
  }
}

const textBounds = {
  eventId: { bytesMin: 1, bytesMax: eventBounds.eventIdBytesMax },
  eventType: { bytesMin: 1, bytesMax: eventBounds.eventTypeBytesMax },
  userId: { bytesMin: 0, bytesMax: eventBounds.userIdBytesMax },
  sessionId: { bytesMin: 0, bytesMax: eventBounds.sessionIdBytesMax },
} as const;
const names: readonly string[] = [...Object.keys(textBounds), "timestamp", "metadata", "weight"];
const timePattern = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)$/;
const epochMsMin = 1e11;
const epochMsMax = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Bytes of `text` in UTF-8, where lone surrogates count as what replaces them. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A pair takes four bytes, its second half is counted already.
    const isPair = (text.codePointAt(i) as number) > 0xffff;
    bytes += unit < 0x800 ? 1 : 2;
    if (isPair) i++;
  }
  return bytes;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value;
}

function checkText(value: unknown, field: string): asserts value is string {
  if (typeof value !== "string") {
    throw new InvalidEventError("wrong_type", field, `expected text, got ${kindOf(value)}`);
  }
  if (value.includes("\0") || /\p{Surrogate}/u.test(value)) {
    throw new InvalidEventError("invalid_text", field, "holds NUL or half of a surrogate pair");
  }
}

function checkBounded(value: unknown, field: keyof typeof textBounds): string {
  checkText(value, field);
  const { bytesMin, bytesMax } = textBounds[field];
  if (value.length < bytesMin) {
    throw new InvalidEventError("empty", field, "expected at least 1 byte, got none");
  }
  const bytes = utf8Bytes(value);
  if (bytes > bytesMax) {
    const detail = `expected at most ${bytesMax} bytes, got ${bytes}`;
    throw new InvalidEventError("too_long", field, detail);
  }
  return value;
}

function checkTime(value: unknown): string | number {
  const field = "timestamp";
  const given = value instanceof Date ? value.getTime() : value;
  if (typeof given === "string") {
    checkText(given, field);
    if (timePattern.test(given)) return given;
  } else if (typeof given !== "number") {
    const detail = `expected text, a number or a Date, got ${kindOf(given)}`;
    throw new InvalidEventError("wrong_type", field, detail);
  } else if (Number.isInteger(given) && given >= epochMsMin && given <= epochMsMax) return given;
  const expected = "expected RFC 3339 with a zone or epoch milliseconds";
  throw new InvalidEventError("invalid_timestamp", field, `${expected}, got ${String(given)}`);
}

function checkMetadata(value: unknown): object {
  const field = "metadata";
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidEventError("wrong_type", field, `expected an object, got ${kindOf(value)}`);
  }
  const members = Object.entries(value);
  if (members.length > eventBounds.metadataKeysMax) {
    const detail = `expected at most ${eventBounds.metadataKeysMax} keys, got ${members.length}`;
    throw new InvalidEventError("too_many_keys", field, detail);
  }
  for (const [key, text] of members) {
    checkText(key, field);
    checkText(text, field);
  }
  const bytes = utf8Bytes(JSON.stringify(value));
  if (bytes > eventBounds.metadataBytesMax) {
    const detail = `expected at most ${eventBounds.metadataBytesMax} bytes, got ${bytes}`;
    throw new InvalidEventError("too_long", field, detail);
  }
  return value;
}

function checkWeight(value: unknown): number {
  if (typeof value !== "number") {
    throw new InvalidEventError("wrong_type", "weight", `expected a number, got ${kindOf(value)}`);
  }
  if (Number.isInteger(value) && value >= 1 && value <= eventBounds.weightMax) return value;
  const detail = `expected an integer from 1 to ${eventBounds.weightMax}, got ${value}`;
  throw new InvalidEventError("out_of_range", "weight", detail);
}

/**
 * The event's line, without its end. An event without a time gets `nowMs`, so that it counts
 * where it belongs however late it is sent. Throws InvalidEventError.
 */
export function eventLine(event: TrackedEvent, nowMs: number): string {
  if (typeof event !== "object" || event === null || Array.isArray(event)) {
    throw new InvalidEventError("wrong_type", null, `expected an object, got ${kindOf(event)}`);
  }
  for (const name of Object.keys(event)) {
    if (names.includes(name)) continue;
    throw new InvalidEventError("unknown_field", name, "is no member of an event");
  }
  for (const name of ["eventId", "eventType"] as const) {
    if (event[name] !== undefined) continue;
    throw new InvalidEventError("missing_field", name, "expected text, got nothing");
  }
  const { timestamp, userId, sessionId, metadata, weight } = event;
  return JSON.stringify({
    eventId: checkBounded(event.eventId, "eventId"),
    eventType: checkBounded(event.eventType, "eventType"),
    timestamp: checkTime(timestamp === undefined ? Math.floor(nowMs) : timestamp),
    userId: userId === undefined ? undefined : checkBounded(userId, "userId"),
    sessionId: sessionId === undefined ? undefined : checkBounded(sessionId, "sessionId"),
    metadata: metadata === undefined ? undefined : checkMetadata(metadata),
    weight: weight === undefined ? undefined : checkWeight(weight),
  });
}
