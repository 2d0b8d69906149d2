/** Reads NDJSON files of events, which are posted as they are, in blocks of whole lines. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import type { BatchBounds, LineBatch } from "../store/reader.ts";
import { ImportError } from "./import-error.ts";

const chunkBytes = 1024 * 1024;
const lineFeed = 0x0a;

/**
 * Cuts a stream of bytes into batches of whole lines. Where it cuts depends on the bytes alone,
 * not on how they arrive: at `rowsMax` lines, or before the line that would exceed `bytesMax`.
 * A line longer than that is a batch of its own.
 */
export class LineCutter {
  readonly #bounds: BatchBounds;
  readonly #lineBytesMax: number;
  #held: Buffer;
  #length = 0;
  /** Bytes of the whole lines held, and how many lines these are. */
  #wholeBytes = 0;
  #lines = 0;
  #firstRow = 1;

  constructor(bounds: BatchBounds, lineBytesMax: number) {
    this.#bounds = bounds;
    this.#lineBytesMax = lineBytesMax;
    this.#held = Buffer.allocUnsafe(bounds.bytesMax + chunkBytes);
  }

  /** Takes bytes, returns the batches they fill. Throws ImportError for an endless line. */
  push(chunk: Uint8Array): LineBatch[] {
    this.#append(chunk);
    const full: LineBatch[] = [];
    for (;;) {
      const lineAt = this.#wholeBytes;
      const feed = this.#held.subarray(0, this.#length).indexOf(lineFeed, lineAt);
      if (feed < 0) break;
      if (feed + 1 > this.#bounds.bytesMax && this.#lines > 0) {
        full.push(this.#take());
        continue;
      }
      this.#wholeBytes = feed + 1;
      this.#lines += 1;
      const isFull = this.#wholeBytes >= this.#bounds.bytesMax;
      if (isFull || this.#lines >= this.#bounds.rowsMax) full.push(this.#take());
    }
    if (this.#length - this.#wholeBytes > this.#lineBytesMax) {
      const row = this.#firstRow + this.#lines;
      throw new ImportError(`line ${row} is longer than ${this.#lineBytesMax} bytes`);
    }
    return full;
  }

  /** What is left: the last batches, a line without line feed included. */
  end(): LineBatch[] {
    const full: LineBatch[] = [];
    if (this.#length > this.#wholeBytes) full.push(...this.push(Buffer.from("\n")));
    if (this.#lines > 0) full.push(this.#take());
    return full;
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#held.length));
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    this.#held.set(chunk, this.#length);
    this.#length = needed;
  }

  /** The whole lines held, as a batch; what follows them is held on. */
  #take(): LineBatch {
    const body = this.#held.subarray(0, this.#wholeBytes);
    const rest = this.#held.subarray(this.#wholeBytes, this.#length);
    const batch = { body, firstRow: this.#firstRow, rows: this.#lines, refused: [], fileBytes: 0 };
    this.#firstRow += this.#lines;
    const capacity = Math.max(rest.length, this.#bounds.bytesMax + chunkBytes);
    this.#held = Buffer.allocUnsafe(capacity);
    this.#held.set(rest);
    this.#length = rest.length;
    this.#wholeBytes = 0;
    this.#lines = 0;
    return batch;
  }
}

/**
 * The file's lines as batches, in order: the same file makes the same batches every time. Files
 * that end in `.gz` are unpacked. Throws ImportError.
 */
export async function* ndjsonBatches(
  path: string,
  bounds: BatchBounds,
  lineBytesMax: number,
): AsyncGenerator<LineBatch> {
  const file = createReadStream(path, { highWaterMark: chunkBytes });
  const cutter = new LineCutter(bounds, lineBytesMax);
  try {
    const isPacked = path.endsWith(".gz");
    const unpacked = isPacked ? file.pipe(createGunzip({ chunkSize: chunkBytes })) : file;
    if (isPacked) file.on("error", (error) => unpacked.destroy(error));
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      for (const batch of cutter.push(chunk)) yield { ...batch, fileBytes: file.bytesRead };
    }
  } catch (error) {
    if (error instanceof ImportError) throw new ImportError(`${path}: ${error.message}`);
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ImportError(`the file ${path} can not be read (${code})`, { cause: error });
  } finally {
    file.destroy();
  }
  for (const batch of cutter.end()) yield { ...batch, fileBytes: file.bytesRead };
}
