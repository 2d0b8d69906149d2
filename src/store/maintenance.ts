/**
 * What the store does beside commits and reads: seals windows, moves and merges raw events.
 * Each step is one bounded transaction; between steps commits go first, and after a step it
 * rests as long as the step took times `restFactor`, unless deltas pile up.
 */
import type { Database } from "./database.ts";
import { rowsOf } from "./database.ts";
import type { RawFiles } from "./raw-files.ts";
import type { Sealer } from "./seal.ts";

const restFactor = 3;
/** From so many delta rows on it no longer rests: reading them would get slow. */
const deltaRowsUrgent = 4_000_000;
/** Raw events of a quiet store move to a file after so long. */
const recentAgeMsMax = 10 * 60_000;
/** How long after a minute's end records that belong to it may still come. */
const sealDelayMs = 10_000;

export class Maintenance {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #rawFiles: RawFiles;
  #restUntil = 0;
  #recentSince: number | null = null;
  #running: Promise<void> | null = null;

  constructor(database: Database, sealer: Sealer, rawFiles: RawFiles) {
    this.#database = database;
    this.#sealer = sealer;
    this.#rawFiles = rawFiles;
  }

  /**
   * Does what is due; returns at once while an earlier call is at it. Every record appended
   * before `appliedThrough` (epoch ms) is committed.
   */
  async run(appliedThrough: number, now: number): Promise<void> {
    if (this.#running !== null || now < this.#restUntil) return;
    this.#running = this.#steps(appliedThrough, now).finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  /** Waits for the step under way. */
  async settled(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  async #steps(appliedThrough: number, now: number): Promise<void> {
    const started = performance.now();
    const endMinute = Math.floor((appliedThrough - sealDelayMs) / 60_000);
    const sealed = await this.#sealer.seal(endMinute, now);
    if (!(await this.#rawFiles.flushRecent(this.#isRecentOld(now)))) {
      await this.#rawFiles.mergeSmall(now);
    }
    await this.#rawFiles.removeReplaced(now);
    const [deltas] = await rowsOf(
      this.#database.writer,
      "SELECT count(*) AS rows FROM count_deltas",
    );
    const isUrgent = sealed.isMore && Number(deltas!["rows"]) > deltaRowsUrgent;
    this.#restUntil = isUrgent ? 0 : now + (performance.now() - started) * restFactor;
  }

  #isRecentOld(now: number): boolean {
    this.#recentSince ??= now;
    if (now - this.#recentSince < recentAgeMsMax) return false;
    this.#recentSince = now;
    return true;
  }
}
