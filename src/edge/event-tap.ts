/**
 * Shows whoever asks a sample of what the edge accepts. Without a watcher a batch costs one
 * comparison. Lines are copied before the append, since blocks are the kernel's memory until then,
 * and shown after it: what is shown is durable.
 */
import { RankstreamError } from "../errors.ts";
import type { PartitionBlock } from "../model.ts";

/** A part of a batch. */
export interface TappedLines {
  /** Epoch ms. */
  receivedAt: number;
  /** NDJSON, an event each, without line feeds. */
  lines: string[];
  /** Events of the batch that are not among them. */
  skipped: number;
}

export interface TapWatcher {
  /** JSON text that a line must hold; null: any line will do. */
  needle: string | null;
  /** How many lines may be shown now. */
  room(): number;
  show(tapped: TappedLines): void;
}

type Sample = Omit<TappedLines, "receivedAt">;

export const tapBounds = Object.freeze({
  watchersMax: 20,
  /** Lines that are looked at in one batch for a watcher of some of them. */
  linesLookedAtMax: 10_000,
});
const lineFeed = 0x0a;

/** The first `most` lines of the blocks, in turn from each. */
function firstLines(blocks: readonly PartitionBlock[], most: number): Sample {
  const all = blocks.reduce((sum, { events }) => sum + events, 0);
  const lines: string[] = [];
  const places = blocks.map(({ value }) => ({
    value: Buffer.from(value.buffer, value.byteOffset, value.length),
    at: 0,
  }));
  for (let before = -1; lines.length < Math.min(most, all) && lines.length > before; ) {
    before = lines.length;
    for (const place of places) {
      const end = place.value.indexOf(lineFeed, place.at);
      if (end < 0 || lines.length >= most) continue;
      lines.push(place.value.toString("utf8", place.at, end));
      place.at = end + 1;
    }
  }
  return { lines, skipped: all - lines.length };
}

/** Lines that hold `needle`. */
function linesWith(
  blocks: readonly PartitionBlock[],
  needle: string,
  most: number,
  lookedAtMax: number,
): Sample {
  const sample: Sample = { lines: [], skipped: 0 };
  let lookedAt = 0;
  for (const { value } of blocks) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
    let at = bytes.indexOf(needle);
    for (; at >= 0 && lookedAt < lookedAtMax; lookedAt++) {
      const start = bytes.lastIndexOf(lineFeed, at) + 1;
      const end = bytes.indexOf(lineFeed, at);
      if (sample.lines.length < most) sample.lines.push(bytes.toString("utf8", start, end));
      else sample.skipped++;
      at = end < 0 ? -1 : bytes.indexOf(needle, end);
    }
  }
  return sample;
}

export class EventTap {
  readonly #watchers = new Set<TapWatcher>();

  /** Shows `watcher` what is accepted until the function returned. Throws `too_many_tails`. */
  watch(watcher: TapWatcher): () => void {
    this.checkRoom();
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Throws `too_many_tails` where another watcher would be one too many. */
  checkRoom(): void {
    if (this.#watchers.size < tapBounds.watchersMax) return;
    const detail = `${tapBounds.watchersMax} clients follow what comes in`;
    throw new RankstreamError("too_many_tails", detail, { retryAfterSeconds: 10 });
  }

  /** What of a batch to show; null where nobody watches. To be called before it is appended. */
  sample(blocks: readonly PartitionBlock[]): Map<TapWatcher, Sample> | null {
    if (this.#watchers.size === 0) return null;
    const samples = new Map<TapWatcher, Sample>();
    for (const watcher of this.#watchers) {
      const { needle } = watcher;
      const room = watcher.room();
      const sample =
        needle === null
          ? firstLines(blocks, room)
          : linesWith(blocks, needle, room, tapBounds.linesLookedAtMax);
      samples.set(watcher, sample);
    }
    return samples;
  }

  /** Shows it, once it is durable. */
  show(samples: Map<TapWatcher, Sample>, receivedAt: number): void {
    for (const [watcher, sample] of samples) {
      if (!this.#watchers.has(watcher)) continue;
      if (sample.lines.length + sample.skipped > 0) watcher.show({ receivedAt, ...sample });
    }
  }
}
