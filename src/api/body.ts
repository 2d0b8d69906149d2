/** Reads a request's body as it is, within its own bound and that of all bodies together. */
import type { FastifyRequest } from "fastify";
import { discard } from "../discard.ts";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { RankstreamError } from "../errors.ts";

type Payload = FastifyRequest["raw"];
type Done = (error: Error | null, body?: Buffer) => void;

/** The body that came in these chunks, `length` bytes together; the chunks are given up. */
export function joinChunks(chunks: readonly Buffer[], length: number): Buffer {
  if (chunks.length === 1) return chunks[0]!;
  const body = Buffer.concat(chunks, length);
  for (const chunk of chunks) discard(chunk);
  return body;
}

/**
 * A content type parser. The body's length is reserved in `budget` as it arrives; who takes the
 * body releases it. Without a body nothing stays reserved.
 */
export function bodyReader(bytesMax: number, budget: ByteBudget) {
  return (request: FastifyRequest, payload: Payload, done: Done): void => {
    const declared = Number(request.headers["content-length"] ?? 0);
    if (declared > bytesMax) {
      done(tooLarge(bytesMax, `${declared}`));
      return;
    }
    let chunks: Buffer[] = [];
    let length = 0;
    const finish = (error: Error | null) => {
      payload.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
      if (error === null) {
        done(null, joinChunks(chunks, length));
        return;
      }
      budget.release(length);
      chunks = [];
      // What still comes Node reads and drops, so that the client gets to read the refusal; the
      // request's own time limit bounds it.
      done(error);
    };
    const onData = (chunk: Buffer) => {
      if (length + chunk.length > bytesMax) finish(tooLarge(bytesMax, "more"));
      else if (!budget.reserve(chunk.length)) finish(overloaded());
      else {
        length += chunk.length;
        chunks.push(chunk);
      }
    };
    const onEnd = () => finish(null);
    const onCut = (cause?: Error) => finish(cutOff(cause));
    payload.on("data", onData).on("end", onEnd).on("error", onCut).on("close", onCut);
  };
}

/** The refusal of a body past its bound. */
export function tooLarge(bytesMax: number, got: string): RankstreamError {
  return new RankstreamError(
    "body_too_large",
    `expected at most ${bytesMax} bytes in the body, got ${got}`,
  );
}

/** The refusal of a body that would take all bodies past their bound. */
export function overloaded(): RankstreamError {
  return new RankstreamError("overloaded", "too many bodies are being received at once", {
    retryAfterSeconds: 1,
  });
}

function cutOff(cause?: Error): RankstreamError {
  return new RankstreamError("bad_request", "the body was cut off", { cause });
}
