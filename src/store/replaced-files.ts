/**
 * Files of raw events that are out of the manifest: removed once no query may read them. Where
 * several processes use a place they also stand in a table, raw_retired (path, retired_at in epoch
 * ms), so that whoever maintains the store next removes what another left behind.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Database, rowsOf } from "./database.ts";
import type { RawChecks } from "./raw-checks.ts";
import type { RawPlace } from "./raw-place.ts";
import { sqlText } from "./sql.ts";

export interface ReplacedFilesOptions {
  place: RawPlace;
  /** A file is kept so long, and longer while a read may still need it, or the place says. */
  removeAfterMs: number;
}

interface Replaced {
  path: string;
  /** Epoch ms. */
  at: number;
  /** Reads that had begun when the replacement was committed. */
  readsBegun: number;
  /** Whether somebody waits for it to be gone. */
  isUrgent: boolean;
}

/** Only where a place is shared. */
const retiredTable =
  "CREATE TABLE IF NOT EXISTS raw_retired (path VARCHAR NOT NULL, retired_at BIGINT NOT NULL)";
/** How often the table is looked at for what other processes left. */
const lookEveryMs = 60_000;

export class ReplacedFiles {
  readonly #database: Database;
  readonly #checks: RawChecks;
  readonly #options: ReplacedFilesOptions;
  #replaced: Replaced[] = [];
  #pins = 0;
  /** By performance.now(); null: not yet. */
  #lookedAt: number | null = null;

  constructor(database: Database, checks: RawChecks, options: ReplacedFilesOptions) {
    this.#database = database;
    this.#checks = checks;
    this.#options = options;
  }

  /** How long a file is kept at least, but for an urgent one of a place of one's own. */
  get keptMsMin(): number {
    return Math.max(this.#options.removeAfterMs, this.#options.place.keptMsMin);
  }

  /** No file is removed until what this returns was called, once. */
  pin(): () => void {
    this.#pins++;
    return () => {
      this.#pins--;
    };
  }

  /** To be called in the transaction that takes these files out of the manifest. */
  async note(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
    if (!this.#options.place.isShared) return;
    await connection.run(retiredTable);
    const rows = paths.map((path) => `(${sqlText(path)}, ${Date.now()})`);
    await connection.run(`INSERT INTO raw_retired VALUES ${rows.join(", ")}`);
  }

  /** To be called once the transaction that took these files out of the manifest is committed. */
  retire(paths: readonly string[], now: number, isUrgent: boolean): void {
    const { readsBegun } = this.#database;
    this.#replaced.push(...paths.map((path) => ({ path, at: now, readsBegun, isUrgent })));
  }

  /** All there are go as soon as no read may need them, however short they were kept. */
  hurry(): void {
    for (const file of this.#replaced) file.isUrgent = true;
  }

  /** Whether files are still there that are to go soon, or may be: `remove` looks. */
  get areUrgent(): boolean {
    const isKnown = !this.#options.place.isShared || this.#lookedAt !== null;
    return !isKnown || this.#replaced.some(({ isUrgent }) => isUrgent);
  }

  /** Removes what no query can be reading any more. */
  async remove(now: number): Promise<void> {
    const { place } = this.#options;
    if (place.isShared) await this.#look();
    if (this.#pins > 0) return;
    const isDue = ({ at, isUrgent, readsBegun }: Replaced) =>
      ((isUrgent && !place.isShared) || now - at >= this.keptMsMin) &&
      this.#database.haveEnded(readsBegun);
    const due = this.#replaced.filter(isDue);
    if (due.length === 0) return;
    const paths = due.map(({ path }) => path);
    this.#checks.forget(paths);
    // Those that can't be removed now stay due.
    await place.remove(paths);
    if (place.isShared) await this.#forget(paths);
    this.#replaced = this.#replaced.filter((file) => !due.includes(file));
  }

  async #forget(paths: readonly string[]): Promise<void> {
    const names = paths.map(sqlText).join(", ");
    await this.#database.writeDeferrable(async (connection) => {
      await connection.run(`DELETE FROM raw_retired WHERE path IN (${names})`);
    });
  }

  /** What another process retired and did not remove: somebody may wait for it. */
  async #look(): Promise<void> {
    const now = performance.now();
    if (this.#lookedAt !== null && now - this.#lookedAt < lookEveryMs) return;
    const rows = await this.#database.writeDeferrable(async (connection) => {
      await connection.run(retiredTable);
      return rowsOf(connection, "SELECT path, retired_at FROM raw_retired");
    });
    const known = new Set(this.#replaced.map(({ path }) => path));
    for (const row of rows) {
      const path = String(row["path"]);
      if (!known.has(path)) this.retire([path], Number(row["retired_at"]), true);
    }
    this.#lookedAt = now;
  }
}
