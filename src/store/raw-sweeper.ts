/**
 * Removes files of raw events that no row of the manifest names. Where nobody else writes they go
 * at a start, all at once. Where others write, a file without a row may be one that is not
 * committed yet, or one that was replaced and that others still read: it goes once it is old and
 * was seen to be nobody's for long enough, a part of the list at a time.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import type { PlacedFile, RawPlace } from "./raw-place.ts";
import { sqlText } from "./sql.ts";

export interface SweepOptions {
  /** Where others write, a younger file stays. */
  ageMsMin: number;
  /** Where others read, a file stays for so long after it was first seen without a row. */
  unnamedMsMin: number;
  /** From one sweep's begin to the next one's, where others write. */
  everyMs: number;
}

const hourMs = 3_600_000;
export const sweepDefaults = Object.freeze({ ageMsMin: 24 * hourMs, everyMs: 6 * hourMs });

/** Files without a row that are remembered; further ones are for a later sweep. */
const unnamedMax = 100_000;
/** A file's name as RawFiles makes it, half written or not: nothing else is removed. */
const ownName = /(?:^|\/)\.?\d+-[0-9a-z]+-\d+\.parquet(?:\.tmp)?$/;

async function unnamedOf(
  connection: DuckDBConnection,
  files: readonly PlacedFile[],
): Promise<PlacedFile[]> {
  if (files.length === 0) return [];
  const list = files.map(({ path }) => sqlText(path)).join(", ");
  const rows = await rowsOf(connection, `SELECT path FROM raw_files WHERE path IN (${list})`);
  const named = new Set(rows.map((row) => String(row["path"])));
  return files.filter(({ path }) => !named.has(path));
}

export class RawSweeper {
  readonly #database: Database;
  readonly #place: RawPlace;
  readonly #options: SweepOptions;
  /** When files were first seen without a row, by path; of the sweep before and of this one. */
  #before = new Map<string, number>();
  #seen = new Map<string, number>();
  #listing: AsyncIterator<PlacedFile[]> | null = null;
  #begunAt = Number.NEGATIVE_INFINITY;

  constructor(database: Database, place: RawPlace, options: SweepOptions) {
    this.#database = database;
    this.#place = place;
    this.#options = options;
  }

  /** All that has no row, of whatever name; only where nobody else writes. How many it was. */
  async all(): Promise<number> {
    let removed = 0;
    for await (const files of this.#place.list()) {
      const orphans = await unnamedOf(this.#database.writer, files);
      await this.#place.remove(orphans.map(({ path }) => path));
      removed += orphans.length;
    }
    return removed;
  }

  /**
   * Looks at the next part of the list, when a sweep is due or under way, at `now` (epoch ms).
   * How many files and uploads went. Throws `raw_unreachable`: the sweep begins anew later.
   */
  async step(now: number): Promise<number> {
    try {
      if (this.#listing !== null) return await this.#next(this.#listing, now);
      if (now - this.#begunAt < this.#options.everyMs) return 0;
      this.#begunAt = now;
      this.#listing = this.#place.list()[Symbol.asyncIterator]();
      return 0;
    } catch (error) {
      this.#listing = null;
      throw error;
    }
  }

  async #next(listing: AsyncIterator<PlacedFile[]>, now: number): Promise<number> {
    const { done, value } = await listing.next();
    if (done === true) {
      [this.#before, this.#seen, this.#listing] = [this.#seen, new Map(), null];
      // The last thing: who may not list uploads sweeps files all the same.
      return this.#place.endUploads(this.#options.ageMsMin);
    }
    const { ageMsMin, unnamedMsMin } = this.#options;
    const old = value.filter(
      ({ path, modifiedAt }) => ownName.test(path) && now - modifiedAt >= ageMsMin,
    );
    // Asked after the list was: what was written and named since then is not in it.
    const unnamed = await this.#database.read(ownReadBudgetMs, (c) => unnamedOf(c, old));
    const due: string[] = [];
    for (const { path } of unnamed) {
      const since = this.#before.get(path);
      if (since !== undefined && now - since >= unnamedMsMin) due.push(path);
      else if (this.#seen.size < unnamedMax) this.#seen.set(path, since ?? now);
    }
    await this.#place.remove(due);
    return due.length;
  }
}
