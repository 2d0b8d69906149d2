/** Counts as lines, from a file the store wrote or from another region, read as they come. */
import { createReadStream } from "node:fs";
import { unlink } from "node:fs/promises";
import type { RegionCount, RegionEnd } from "../model-region-wire.ts";

const chunkBytes = 256 * 1024;

/** The bytes of a file, which is removed once they are read or given up. */
export async function* fileBytes(path: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  try {
    const options = { highWaterMark: chunkBytes, ...(signal !== undefined && { signal }) };
    for await (const chunk of createReadStream(path, options)) yield chunk as Buffer;
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

function isCount(value: unknown): value is RegionCount {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [start, eventType, eventId, count] = value as unknown[];
  const isNumbers = Number.isSafeInteger(start) && Number.isSafeInteger(count);
  return isNumbers && typeof eventType === "string" && typeof eventId === "string";
}

function parsed(line: string): RegionCount | RegionEnd {
  const value: unknown = JSON.parse(line);
  if (isCount(value)) return value;
  if (Number.isSafeInteger((value as RegionEnd | null)?.rows)) return value as RegionEnd;
  throw new Error("expected [start, type, id, count], got something else");
}

/** The lines of these bytes; throws where one is longer than `lineBytesMax`. */
async function* linesIn(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const whole = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = whole.lastIndexOf(10) + 1;
    rest = whole.subarray(end);
    if (rest.length > lineBytesMax) throw new Error(`a line is over ${lineBytesMax} bytes`);
    if (end > 0) yield* whole.toString("utf8", 0, end - 1).split("\n");
  }
  if (rest.length > 0) throw new Error("the last line is cut off");
}

/** Names are up to 640 bytes, each of which JSON may write as six. */
const lineBytesMax = 8192;

/**
 * The counts in these bytes. With `isEnded` the last line must say how many there were. Throws
 * for what is none, or cut off.
 */
export async function* countsIn(
  bytes: AsyncIterable<Buffer>,
  isEnded: boolean,
): AsyncGenerator<RegionCount> {
  let rows = 0;
  let end: RegionEnd | null = null;
  for await (const line of linesIn(bytes)) {
    const value = parsed(line);
    if (end !== null) throw new Error("there is more after the last line");
    if (!("rows" in value)) {
      rows++;
      yield value;
    } else end = value;
  }
  if (isEnded && end?.rows !== rows) throw new Error(`expected ${end?.rows} counts, got ${rows}`);
}
