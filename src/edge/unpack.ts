/** Unpacks a body, never further than its bound: a small bomb costs as much as a large body. */
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { RankstreamError } from "../errors.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { BodyEncoding } from "./content.ts";

const chunkBytes = 64 * 1024;

interface ZstdModule {
  createZstdDecompress(options: { chunkSize: number }): Transform;
}

function makeUnpacker(encoding: BodyEncoding): Transform {
  if (encoding === "gzip") return zlib.createGunzip({ chunkSize: chunkBytes });
  return (zlib as unknown as ZstdModule).createZstdDecompress({ chunkSize: chunkBytes });
}

/**
 * The unpacked body. Its length is reserved in `budget`; the caller releases it.
 * Throws `body_too_large` past `bytesMax`, `overloaded` when the budget is used up, and
 * `invalid_compression` for a body that is damaged, cut off or goes on after its end (zeros
 * as padding are fine); then nothing stays reserved.
 */
export async function unpack(
  packed: Uint8Array,
  encoding: BodyEncoding,
  bytesMax: number,
  budget: ByteBudget,
): Promise<Uint8Array> {
  const unpacker = makeUnpacker(encoding);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    unpacker.end(packed);
    for await (const chunk of unpacker as AsyncIterable<Uint8Array>) {
      if (length + chunk.length > bytesMax) {
        throw new RankstreamError(
          "body_too_large",
          `expected at most ${bytesMax} bytes unpacked, got more`,
        );
      }
      if (!budget.reserve(chunk.length)) {
        throw new RankstreamError("overloaded", "too many bodies are being unpacked", {
          retryAfterSeconds: 1,
        });
      }
      length += chunk.length;
      chunks.push(chunk);
    }
  } catch (error) {
    unpacker.destroy();
    budget.release(length);
    if (error instanceof RankstreamError) throw error;
    const reason = (error as Error).message;
    throw new RankstreamError("invalid_compression", `not valid ${encoding}: ${reason}`, {
      cause: error,
    });
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}
