/**
 * Immutable Parquet files of raw events, below `raw/` of a place (raw-place.ts). A file is durable
 * and whole before a row of the manifest (table raw_files) names it in a transaction. What no row
 * names was never committed and is swept. Queries get their file lists from the manifest.
 *
 * A file whose events are all of one hour lies in raw/date=/hour=, of one day in raw/date=,
 * else in raw/ itself. Small files of one folder are merged into a sorted one when there are
 * enough of them; large ones are rewritten only to end their tombstones. A replaced file is
 * removed later, when no query that may still read it is running.
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { failPoint } from "../fail-point.ts";
import { foreverMs } from "../model.ts";
import { SerialQueue } from "../serial-queue.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import { erasuresOf, moveErasures } from "./erasure-sql.ts";
import { RawChecks } from "./raw-checks.ts";
import { type RawFile, RawFileWriter, registerRawFile } from "./raw-file.ts";
import type { RawPlace } from "./raw-place.ts";
import { RawSweeper, sweepDefaults } from "./raw-sweeper.ts";
import { ReplacedFiles, type ReplacedFilesOptions } from "./replaced-files.ts";
import { sqlText, timestampLiteral } from "./sql.ts";
import { aliveSources, lastDeleteId, moveTombstones } from "./tombstones.ts";

export interface RawFilesOptions extends ReplacedFilesOptions {
  /** Rows of raw_recent that make a file of their own. */
  recentRowsMax: number;
  /** Files below this are merged. */
  smallBytesMax: number;
  /** Small files of one folder that are merged together; so many while events come. */
  mergeFilesMin: number;
  mergeFilesBusyMin: number;
  mergeFilesMax: number;
}

const MiB = 1024 * 1024;
export const rawFilesDefaults = Object.freeze({
  recentRowsMax: 200_000,
  smallBytesMax: 4 * MiB,
  mergeFilesMin: 8,
  mergeFilesBusyMin: 64,
  mergeFilesMax: 16,
});

/** How events lie in a file. */
export const mergeOrder = "event_type, epoch_ms(event_time) // 60000, event_id, event_time";

export const rawFilesTable = `CREATE TABLE IF NOT EXISTS raw_files (
  path VARCHAR NOT NULL, first_time TIMESTAMP_MS NOT NULL, last_time TIMESTAMP_MS NOT NULL,
  rows BIGINT NOT NULL, bytes BIGINT NOT NULL, checksums UINTEGER[])`;

/** Of folders made before there were checksums; their files have none. */
export const rawFilesColumns =
  "ALTER TABLE raw_files ADD COLUMN IF NOT EXISTS checksums UINTEGER[]";

/** Rolls a replacement back. */
class ReplacedMeanwhile extends Error {}

/** The files that may hold events with a time in `[from, to)` (epoch ms), by path. */
export async function filesWithin(
  connection: DuckDBConnection,
  from: number,
  to: number,
): Promise<RawFile[]> {
  const rows = await rowsOf(
    connection,
    `SELECT path, epoch_ms(first_time) AS first, epoch_ms(last_time) AS last, rows, bytes
     FROM raw_files WHERE first_time < ${timestampLiteral(to)}
     AND last_time >= ${timestampLiteral(from)} ORDER BY path`,
  );
  return rows.map((row) => ({
    path: String(row["path"]),
    firstTime: Number(row["first"]),
    lastTime: Number(row["last"]),
    rows: Number(row["rows"]),
    bytes: Number(row["bytes"]),
  }));
}

export class RawFiles {
  /** Held against what was written before they are read. */
  readonly checks: RawChecks;
  /** What is out of the manifest and still there. */
  readonly replaced: ReplacedFiles;
  readonly #database: Database;
  readonly #options: RawFilesOptions;
  readonly #sweeper: RawSweeper;
  readonly #writer: RawFileWriter;
  readonly #rewrites = new SerialQueue();

  constructor(database: Database, options: RawFilesOptions) {
    this.#database = database;
    this.#options = options;
    this.checks = new RawChecks(options.place);
    this.#writer = new RawFileWriter(this.checks);
    this.replaced = new ReplacedFiles(database, this.checks, options);
    const unnamedMsMin = this.replaced.keptMsMin;
    this.#sweeper = new RawSweeper(database, options.place, { ...sweepDefaults, unnamedMsMin });
  }

  /**
   * At a start: removes what no row of the manifest names, and returns how many files that were.
   * Where others write nothing goes: `sweepOld` does it with patience.
   */
  async sweep(): Promise<number> {
    return this.place.isShared ? 0 : this.#sweeper.all();
  }

  /** As `sweep`, a step at a time, of a place where others write: what is old and nobody's. */
  async sweepOld(now: number): Promise<number> {
    return this.place.isShared ? this.#sweeper.step(now) : 0;
  }

  /**
   * Writes the rows of `source` (a table or query in parentheses) to a file of the store and
   * returns what the manifest says of it once `register` is called in a transaction.
   */
  async write(
    connection: DuckDBConnection,
    source: string,
    span: [number, number],
  ): Promise<RawFile> {
    return this.#writer.write(connection, source, span);
  }

  /**
   * Leaves a file alone that may have been registered: a catalog elsewhere may have committed and
   * its answer been lost. Of a place of one's own it is removed, else swept if no row names it.
   */
  async abandon(file: RawFile): Promise<void> {
    if (!this.place.isShared) await this.discard(file);
  }

  /** Removes a file that was written and never registered. */
  async discard({ path }: RawFile): Promise<void> {
    this.checks.forget([path]);
    await this.place.remove([path]);
  }

  /** Names the file in the manifest: to be called inside a transaction. */
  register(connection: DuckDBConnection, file: RawFile): Promise<void> {
    return registerRawFile(connection, file);
  }

  /** Moves raw_recent into a file when it holds enough rows, or any with `always`. */
  async flushRecent(always = false): Promise<boolean> {
    return this.#database.writeDeferrable(async (connection) => {
      const [recent] = await rowsOf(
        connection,
        `SELECT count(*) AS rows, epoch_ms(min(event_time)) AS first,
           epoch_ms(max(event_time)) AS last FROM raw_recent`,
      );
      const rows = Number(recent!["rows"]);
      if (rows === 0 || (!always && rows < this.#options.recentRowsMax)) return false;
      const span: [number, number] = [Number(recent!["first"]), Number(recent!["last"])];
      const source = `(FROM raw_recent ORDER BY ${mergeOrder})`;
      await this.register(connection, await this.write(connection, source, span));
      await connection.run("DELETE FROM raw_recent");
      return true;
    });
  }

  /** Merges one folder's small files where there are enough; whether it did. */
  async mergeSmall(now: number, isBusy = false): Promise<boolean> {
    const { smallBytesMax, mergeFilesMin, mergeFilesBusyMin, mergeFilesMax } = this.#options;
    const filesMin = isBusy ? mergeFilesBusyMin : mergeFilesMin;
    const isSmall = `bytes < ${smallBytesMax} AND path NOT IN (${this.checks.damagedSql})`;
    const rows = await this.#database.read(ownReadBudgetMs, async (connection) => {
      const [due] = await rowsOf(
        connection,
        `SELECT regexp_replace(path, '/[^/]*$', '') AS folder FROM raw_files
         WHERE ${isSmall} GROUP BY folder HAVING count(*) >= ${filesMin}
         ORDER BY count(*) DESC LIMIT 1`,
      );
      if (due === undefined) return [];
      return rowsOf(
        connection,
        `SELECT path, epoch_ms(first_time) AS first, epoch_ms(last_time) AS last FROM raw_files
         WHERE ${isSmall} AND regexp_replace(path, '/[^/]*$', '') =
           ${sqlText(String(due["folder"]))} ORDER BY first_time LIMIT ${mergeFilesMax}`,
      );
    });
    if (rows.length === 0) return false;
    const paths = rows.map((row) => String(row["path"]));
    const span: [number, number] = [
      Math.min(...rows.map((row) => Number(row["first"]))),
      Math.max(...rows.map((row) => Number(row["last"]))),
    ];
    await this.#writeAnew(paths, span, now);
    return true;
  }

  /** Writes a file with deleted events anew, without them; whether it did. */
  rewriteHidden(now: number): Promise<boolean> {
    return this.#rewriteOne("raw_tombstones", now);
  }

  /** Writes a file with events of erased users anew, as they are erased; whether it did. */
  rewriteErased(now: number): Promise<boolean> {
    return this.#rewriteOne("raw_erasures", now);
  }

  /** The file that the table speaks of the most. */
  async #rewriteOne(table: string, now: number): Promise<boolean> {
    const [row] = await this.#database.read(ownReadBudgetMs, (connection) =>
      rowsOf(
        connection,
        `SELECT path, any_value(epoch_ms(first_time)) AS first,
           any_value(epoch_ms(last_time)) AS last
         FROM raw_files JOIN ${table} USING (path)
         WHERE path NOT IN (${this.checks.damagedSql})
         GROUP BY path ORDER BY count(*) DESC, path LIMIT 1`,
      ),
    );
    if (row === undefined) return false;
    const span: [number, number] = [Number(row["first"]), Number(row["last"])];
    await this.#writeAnew([String(row["path"])], span, now);
    return true;
  }

  /**
   * Replaces these files by one with their events in order, but for deleted ones; one after
   * another, so that none is removed while another writes from it.
   */
  #writeAnew(paths: string[], span: [number, number], now: number): Promise<void> {
    return this.#rewrites.run(() => this.#writeNow(paths, span, now));
  }

  async #writeNow(paths: string[], span: [number, number], now: number): Promise<void> {
    // The slow part is outside the transaction: commits go on meanwhile.
    const { written, applied, made } = await this.#database.maintain(async (connection) => {
      const applied = await lastDeleteId(connection);
      const made = await erasuresOf(connection, paths);
      const sources = await aliveSources(connection, this.checks, paths);
      const source = `(FROM (FROM ${sources.join(" UNION ALL FROM ")}) ORDER BY ${mergeOrder})`;
      return { applied, made, written: await this.write(connection, source, span) };
    });
    const isKept = written.rows > 0;
    const isDone = await this.#database
      .writeDeferrable(async (connection) => {
        const names = paths.map(sqlText).join(", ");
        const gone = await connection.run(`DELETE FROM raw_files WHERE path IN (${names})`);
        // One of them was deleted whole meanwhile: what was written holds its events still.
        if (gone.rowsChanged !== paths.length) throw new ReplacedMeanwhile();
        await this.replaced.note(connection, paths);
        const path = isKept ? written.path : null;
        await moveTombstones(connection, paths, path, applied);
        await moveErasures(connection, paths, path, made);
        if (isKept) await this.register(connection, written);
        failPoint("raw.before_replace_commit");
        return true;
      })
      .catch((error) => {
        if (error instanceof ReplacedMeanwhile) return false;
        throw error;
      });
    if (isDone) this.replaced.retire(paths, now, made.length > 0);
    if (!isDone || !isKept) await this.discard(written);
  }

  /** Takes files out of the manifest, in a transaction; `replaced.retire` is to follow it. */
  async unregister(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return;
    const names = paths.map(sqlText).join(", ");
    await connection.run(`DELETE FROM raw_files WHERE path IN (${names})`);
    await this.replaced.note(connection, paths);
    await moveTombstones(connection, paths, null, 0);
    await moveErasures(connection, paths, null, []);
  }

  /** Holds one file that nobody asked for yet against what was written; whether there was one. */
  async checkNext(): Promise<boolean> {
    if (!this.place.isLookedAfter) return false;
    return this.#database.read(ownReadBudgetMs, (c) => this.checks.checkNext(c));
  }

  /**
   * A FROM source of all raw events whose time may be in `[from, to)`; absolute paths. In the
   * reader's transaction, so that files and raw_recent are of one moment.
   */
  async source(connection: DuckDBConnection, from: number, to: number): Promise<string> {
    const paths = (await this.list(connection, from, to)).map(({ path }) => path);
    const sources = await aliveSources(connection, this.checks, paths);
    return sources.length === 0
      ? "raw_recent"
      : `(FROM ${["raw_recent", ...sources].join(" UNION ALL FROM ")})`;
  }

  /** The files that may hold events with a time in `[from, to)`, by path. */
  list(connection: DuckDBConnection, from: number, to: number): Promise<RawFile[]> {
    return filesWithin(connection, from, to);
  }

  /** All files, by path. */
  all(connection: DuckDBConnection): Promise<RawFile[]> {
    return filesWithin(connection, 0, foreverMs);
  }

  /** Where the files lie. */
  get place(): RawPlace {
    return this.#options.place;
  }

  /** Whether any raw event may have a time in `[from, to)`; false is certain. */
  async mayHold(connection: DuckDBConnection, from: number, to: number): Promise<boolean> {
    if (from >= to) return false;
    const [found] = await rowsOf(
      connection,
      `SELECT EXISTS (FROM raw_files WHERE first_time < ${timestampLiteral(to)}
           AND last_time >= ${timestampLiteral(from)})
         OR EXISTS (FROM raw_recent WHERE event_time >= ${timestampLiteral(from)}
           AND event_time < ${timestampLiteral(to)}) AS found`,
    );
    return found!["found"] === true;
  }

  /** About how many raw events `source` would read for `[from, to)`: at most so many. */
  async rowsIn(connection: DuckDBConnection, from: number, to: number): Promise<number> {
    // Events are taken as spread evenly over their file's span.
    const [files] = await rowsOf(
      connection,
      `SELECT coalesce(sum(rows * least(1.0, ${to - from} /
         (1.0 + epoch_ms(last_time) - epoch_ms(first_time)))), 0)::BIGINT AS rows
       FROM raw_files WHERE first_time < ${timestampLiteral(to)}
       AND last_time >= ${timestampLiteral(from)}`,
    );
    const [recent] = await rowsOf(connection, "SELECT count(*) AS rows FROM raw_recent");
    return Number(files!["rows"]) + Number(recent!["rows"]);
  }
}
