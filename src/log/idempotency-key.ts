/**
 * `Idempotency-Key` has two forms. `producer/sequence`, where sequence is a plain decimal
 * integer up to 2^53 - 1 (no sign, no leading zero), is remembered without expiry. Any other
 * text is a free key, remembered for an hour of the records' own time.
 */
import { RankstreamError } from "../errors.ts";

export const keyBytesMax = 256;

export interface IdempotencyKey {
  text: string;
  /** Null for a free key. */
  producer: string | null;
  /** 0 for a free key. */
  sequence: number;
}

const sequencePattern = /^(.+)\/(0|[1-9]\d{0,15})$/su;
const invisiblePattern = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;

/**
 * Reads a key. Throws RankstreamError `invalid_idempotency_key` unless it has 1 to 256 bytes
 * of UTF-8 without control characters, lone surrogates or U+FFFD.
 */
export function parseIdempotencyKey(text: string): IdempotencyKey {
  const bytes = Buffer.byteLength(text, "utf8");
  if (bytes === 0 || bytes > keyBytesMax) {
    throw invalid(`1 to ${keyBytesMax} bytes expected, got ${bytes}`);
  }
  // It is what decoders put for bytes that are none: keys that differ there would be one.
  if (text.includes("\ufffd")) throw invalid("text in UTF-8 expected");
  if (invisiblePattern.test(text)) throw invalid("text without control characters expected");
  return classifyKey(text);
}

/** The key's form; the text must have passed `parseIdempotencyKey` once. */
export function classifyKey(text: string): IdempotencyKey {
  const match = sequencePattern.exec(text);
  const sequence = match ? Number(match[2]) : 0;
  if (!match || sequence > Number.MAX_SAFE_INTEGER) return { text, producer: null, sequence: 0 };
  return { text, producer: match[1]!, sequence };
}

const madePattern = /^edge-[0-9a-f-]{36}\.(\d{1,3})\/\d+$/;

/** The key an edge makes up for a batch that came without, split into so many partitions. */
export function madeKey(edge: string, partitionCount: number, sequence: number): string {
  return `edge-${edge}.${partitionCount}/${sequence}`;
}

/**
 * Of a key that an edge made up: into how many partitions the batch was split. Sent again, it has
 * to be split the same, whatever the topic has grown to. Null for a client's own key.
 */
export function madePartitionCount(key: string): number | null {
  const match = madePattern.exec(key);
  return match === null ? null : Number(match[1]);
}

function invalid(detail: string): RankstreamError {
  return new RankstreamError("invalid_idempotency_key", `Idempotency-Key: ${detail}`);
}
