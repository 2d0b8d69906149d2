/** Reads the frames of one segment file in chunks: for recovery and for the reader. */
import {
  type Chunk,
  chunkOf,
  claimedFrameBytes,
  frameHeaderBytes,
  frameIsSound,
} from "./frame.ts";

/** Up to `length` bytes of the segment file from `position`; shorter at its end. */
export type ReadBytes = (position: number, length: number) => Promise<Uint8Array>;

export interface FramesRead {
  chunk: Chunk;
  /** Sound frames, in order: where each begins in the chunk and how many bytes it has. */
  frames: { at: number; bytes: number }[];
  /** Where in the file the frame after these begins. */
  position: number;
}

/**
 * Reads sound frames from `position` on, never past `limits.end`: about `limits.readBytes` of
 * them, more where one frame is bigger. No frames means that the one at `position` isn't
 * sound (or that `position` is the end).
 */
export async function readFrames(
  read: ReadBytes,
  position: number,
  seed: number,
  limits: { end: number; readBytes: number },
): Promise<FramesRead> {
  let wanted = Math.min(limits.readBytes, limits.end - position);
  for (;;) {
    const chunk = chunkOf(await read(position, Math.max(0, wanted)), position);
    const frames: FramesRead["frames"] = [];
    let at = 0;
    let needed: number | null = null;
    while (at < chunk.bytes.length) {
      needed = claimedFrameBytes(chunk, at);
      if (needed === null || at + needed > chunk.bytes.length) break;
      if (!frameIsSound(chunk, at, needed, seed)) break;
      frames.push({ at, bytes: needed });
      at += needed;
    }
    const rest = limits.end - position;
    if (frames.length > 0 || wanted >= rest) return { chunk, frames, position: position + at };
    // Not one whole frame: either it is longer than the chunk, or it isn't sound.
    const isShort = chunk.bytes.length < frameHeaderBytes;
    const next = isShort ? frameHeaderBytes : (needed ?? 0);
    if (next <= wanted || next > rest) return { chunk, frames, position };
    wanted = next;
  }
}
