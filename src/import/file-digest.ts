/** What a file is: its digest, by which an import is known again, and its size. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { ImportError } from "./import-error.ts";

const chunkBytes = 1024 * 1024;
const lineFeed = 0x0a;

export interface FileDigest {
  /** SHA-256 of the whole file, hexadecimal. */
  sha256: string;
  bytes: number;
  /** Line feeds in it. */
  lines: number;
}

/** Reads the whole file once. Throws ImportError when that fails. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<FileDigest> {
  const hash = createHash("sha256");
  let bytes = 0;
  let lines = 0;
  try {
    const options = signal === undefined ? {} : { signal };
    const stream = createReadStream(path, { highWaterMark: chunkBytes, ...options });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, at + 1)) {
        lines += 1;
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ImportError(`the file ${path} can not be read (${code})`, { cause: error });
  }
  return { sha256: hash.digest("hex"), bytes, lines };
}
