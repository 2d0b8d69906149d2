/**
 * Seals windows: folds count deltas into minutes and into the larger windows that exist, and
 * builds the larger ones from the level below once they are over and quiet. Always set-based,
 * in slices bounded by rows, each one transaction: half a year of imported history is a few of
 * them, not one for each of its 260,000 minutes.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { failPoint } from "../fail-point.ts";
import { keptApart } from "./coarse-table.ts";
import { type Database, insertRows, rowsOf } from "./database.ts";
import { dropDeltaSpans } from "./delta-spans.ts";
import { isLake } from "./dialect.ts";
import { demandAlone } from "./lake-alone.ts";
import { closeOpenBefore } from "./open-windows.ts";
import type { Sketches } from "./sketches.ts";
import { endOf, type Level, levels, minuteLevel } from "./windows.ts";

export interface SealOptions {
  /** Items listed a window and event type (C). */
  candidatesMax: number;
  /** Delta rows folded in one transaction; one minute is never split. */
  sliceRowsMax: number;
  /** A larger window is built once nothing was folded into it for so long. */
  quietMs: number;
  /** Rows that larger windows are built from in one transaction; one window is never split. */
  buildRowsMax: number;
}

export const sealDefaults = Object.freeze({ sliceRowsMax: 500_000, buildRowsMax: 2_000_000 });

export interface SealResult {
  deltaRows: number;
  windowsBuilt: number;
  /** Whether there is more to do right now. */
  isMore: boolean;
}

/** Told of each step that had something to do, and what it took. */
export type OnSealStep = (step: "fold" | "build", seconds: number) => void;

const expireEveryMs = 3_600_000;
const aboveMinutes = levels.slice(1);
/** Windows of one level built in one transaction. */
const buildWindowsMax = 2000;

interface WindowKey {
  start: number;
  typeId: number;
}

/** As many of the windows `ready`, at least one, as are built from few enough rows. */
async function boundedBuild(
  connection: DuckDBConnection,
  level: Level,
  below: Level,
  ready: WindowKey[],
  rowsMax: number,
): Promise<WindowKey[]> {
  const first = ready[0]!.start;
  const end = endOf(level, ready.at(-1)!.start);
  const sums = await rowsOf(
    connection,
    `SELECT ${level.startOf} AS parent, type_id, sum(items)::BIGINT AS items
     FROM window_${below.name} WHERE start >= ${first} AND start < ${end} GROUP BY ALL`,
  );
  const items = new Map(
    sums.map((row) => [`${row["parent"]}/${row["type_id"]}`, Number(row["items"])]),
  );
  const rows = ready.map(({ start, typeId }) => items.get(`${start}/${typeId}`) ?? 0);
  return ready.slice(0, countWithin(rows, rowsMax));
}

/** How many of these, in order, have `rowsMax` rows together at most; at least one. */
function countWithin(rows: readonly number[], rowsMax: number): number {
  let sum = 0;
  const beyond = rows.findIndex((own, i) => {
    sum += own;
    return i > 0 && sum > rowsMax;
  });
  return beyond < 0 ? rows.length : beyond;
}

/** Minutes `[first, end)` to fold now, as many as make a slice; null when there are none. */
async function nextSlice(
  connection: DuckDBConnection,
  endMinute: number,
  rowsMax: number,
): Promise<{ first: number; end: number; isMore: boolean } | null> {
  const minutes = await rowsOf(
    connection,
    `SELECT minute, count(*) AS rows FROM count_deltas WHERE minute < ${endMinute}
     GROUP BY minute ORDER BY minute`,
  );
  if (minutes.length === 0) return null;
  const taken = countWithin(
    minutes.map((row) => Number(row["rows"])),
    rowsMax,
  );
  const first = Number(minutes[0]!["minute"]);
  const end = Number(minutes[taken - 1]!["minute"]) + 1;
  return { first, end, isMore: taken < minutes.length };
}

/**
 * Ranks the listed items of the windows touched and the items of `delta`, by their new counts,
 * into temporary table `ranked`. `within` holds the starts of the windows there are, null: none.
 * A list that not all items are on keeps its length when more may be listed by now: the items
 * off it that got nothing are not looked at, so who would come next isn't known.
 */
async function rankTouched(
  connection: DuckDBConnection,
  { name }: Level,
  candidatesMax: number,
  within: string | null,
): Promise<void> {
  const before =
    within === null
      ? ""
      : `UNION ALL SELECT start, type_id, event_id, count, true
         FROM (FROM list_${name} WHERE ${within}) SEMI JOIN touched USING (start, type_id)
       UNION ALL SELECT start, type_id, event_id, count, true
         FROM (FROM tail_${name} WHERE ${within})
         SEMI JOIN delta USING (start, type_id, event_id)`;
  const shorter =
    within === null
      ? "SELECT NULL AS start, NULL AS type_id, NULL AS listed WHERE false"
      : `SELECT start, type_id, count(*) AS listed FROM (FROM list_${name} WHERE ${within})
       SEMI JOIN (FROM window_${name} WHERE ${within} AND threshold > 0) USING (start, type_id)
       GROUP BY start, type_id HAVING count(*) < ${candidatesMax}`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE ranked AS
    SELECT * EXCLUDE (listed), rank <= coalesce(listed, ${candidatesMax}) AS is_listed
    FROM (SELECT *, row_number() OVER (
            PARTITION BY start, type_id ORDER BY count DESC, event_id)::INTEGER AS rank
          FROM (SELECT start, type_id, event_id, sum(count)::BIGINT AS count,
                  NOT bool_or(is_known) AS is_new
                FROM (SELECT start, type_id, event_id, count, false AS is_known
                      FROM delta ${before})
                GROUP BY start, type_id, event_id))
    LEFT JOIN (${shorter}) USING (start, type_id)`);
}

/** Writes `summed` as windows of `level`, and `ranked` as their lists and the items off them. */
async function writeWindows(connection: DuckDBConnection, { name }: Level): Promise<void> {
  await insertRows(
    connection,
    `window_${name}`,
    `SELECT start, type_id, total, items,
       CASE WHEN items > listed THEN least_listed ELSE 0 END
     FROM summed ORDER BY start, type_id`,
  );
  await insertRows(
    connection,
    `list_${name}`,
    `SELECT start, type_id, event_id, count, rank FROM ranked WHERE is_listed
     ORDER BY start, type_id, rank`,
  );
  await insertRows(
    connection,
    `tail_${name}`,
    `SELECT start, type_id, event_id, count FROM ranked WHERE NOT is_listed
     ORDER BY start, type_id, event_id`,
  );
}

/**
 * Adds the rows of temporary table `delta` (start, type_id, event_id, count) to the windows of
 * `level`, making those that are missing. A listed item stays listed or yields to one that
 * passed it; items off the list that get nothing can't rise above it, so they aren't touched.
 */
async function foldInto(
  connection: DuckDBConnection,
  level: Level,
  candidatesMax: number,
  sketches: Sketches | null,
): Promise<void> {
  const { name } = level;
  await connection.run(
    "CREATE OR REPLACE TEMP TABLE touched AS SELECT DISTINCT start, type_id FROM delta",
  );
  const [known] = await rowsOf(
    connection,
    `SELECT count(*) AS windows, min(start) AS first, max(start) AS last
     FROM window_${name} SEMI JOIN touched USING (start, type_id)`,
  );
  const isFresh = Number(known!["windows"]) === 0;
  const within = `start BETWEEN ${known!["first"]} AND ${known!["last"]}`;
  await rankTouched(connection, level, candidatesMax, isFresh ? null : within);
  await connection.run(`CREATE OR REPLACE TEMP TABLE summed AS
    SELECT start, type_id, total + coalesce(old.total_before, 0) AS total,
      fresh_items + coalesce(old.items_before, 0) AS items, listed, least_listed,
      threshold_before
    FROM (SELECT start, type_id, sum(count)::BIGINT AS total FROM delta GROUP BY start, type_id)
    JOIN (SELECT start, type_id, count(*) FILTER (is_new) AS fresh_items,
            count(*) FILTER (is_listed) AS listed,
            min(count) FILTER (is_listed) AS least_listed
          FROM ranked GROUP BY start, type_id) USING (start, type_id)
    LEFT JOIN (SELECT start, type_id, total AS total_before, items AS items_before,
                 threshold AS threshold_before
               FROM window_${name}) AS old USING (start, type_id)`);
  if (!isFresh) {
    for (const table of [`window_${name}`, `list_${name}`]) {
      await connection.run(`DELETE FROM ${table} USING touched
        WHERE ${table}.start = touched.start AND ${table}.type_id = touched.type_id
        AND ${table}.${within}`);
    }
    await connection.run(`DELETE FROM tail_${name} USING delta
      WHERE tail_${name}.start = delta.start AND tail_${name}.type_id = delta.type_id
      AND tail_${name}.event_id = delta.event_id AND tail_${name}.${within}`);
  }
  await writeWindows(connection, level);
  if (sketches !== null) return sketches.keep(connection, level);
  // One from before would no longer bound what is off the list.
  await connection.run(`DELETE FROM sketch_${name} USING touched
    WHERE sketch_${name}.start = touched.start AND sketch_${name}.type_id = touched.type_id`);
}

export class Sealer {
  readonly #database: Database;
  readonly #options: SealOptions;
  readonly #sketches: Sketches | null;
  readonly #onStep: OnSealStep;
  #sealedBefore = 0;
  #expiredAt = 0;

  /** Minutes before this are folded: only windows and deltas answer for them. */
  get sealedBefore(): number {
    return this.#sealedBefore;
  }

  /** Without `sketches` windows keep their lists alone. */
  constructor(
    database: Database,
    options: SealOptions,
    sketches: Sketches | null,
    onStep: OnSealStep = () => undefined,
  ) {
    this.#onStep = onStep;
    this.#database = database;
    this.#options = options;
    this.#sketches = sketches;
  }

  /**
   * Folds one slice of the deltas of minutes before `endMinute`; when that was all, builds what is
   * due, one level a call. `now` is epoch ms.
   */
  async seal(endMinute: number, now: number): Promise<SealResult> {
    const folded = await this.#timed(
      "fold",
      (connection) => this.#foldSlice(connection, endMinute, now),
      (slice) => slice !== null,
    );
    // Builds go on after what was left to fold: late events may never cease.
    if (folded?.isMore === true) return folded;
    const deltaRows = folded?.deltaRows ?? 0;
    for (const [i, level] of aboveMinutes.entries()) {
      const below = levels[i]!;
      const windowsBuilt = await this.#timed(
        "build",
        (connection) => this.#build(connection, level, below, endMinute, now),
        (windows) => windows > 0,
      );
      if (windowsBuilt > 0) return { deltaRows, windowsBuilt, isMore: true };
    }
    return { deltaRows, windowsBuilt: 0, isMore: false };
  }

  async #timed<T>(
    step: "fold" | "build",
    work: (connection: DuckDBConnection) => Promise<T>,
    hasDone: (result: T) => boolean,
  ): Promise<T> {
    const started = performance.now();
    const result = await this.#database.writeDeferrable(work);
    if (hasDone(result)) this.#onStep(step, (performance.now() - started) / 1000);
    return result;
  }

  /** Forgets sketches past their time, at most once an hour. `now` is epoch ms. */
  async expireSketches(now: number): Promise<void> {
    if (this.#sketches === null || now - this.#expiredAt < expireEveryMs) return;
    this.#expiredAt = now;
    await this.#database.writeDeferrable((connection) => this.#sketches!.expire(connection, now));
  }

  /**
   * Adds the rows of temporary table `delta` (start, type_id, event_id, count) to the windows of
   * `level`, making those that are missing.
   */
  fold(connection: DuckDBConnection, level: Level): Promise<void> {
    return foldInto(connection, level, this.#options.candidatesMax, this.#sketches);
  }

  async #foldSlice(
    connection: DuckDBConnection,
    endMinute: number,
    now: number,
  ): Promise<SealResult | null> {
    const slice = await nextSlice(connection, endMinute, this.#options.sliceRowsMax);
    if (slice === null) return null;
    demandAlone(connection);
    const within = `minute >= ${slice.first} AND minute < ${slice.end}`;
    await connection.run(`CREATE OR REPLACE TEMP TABLE folding AS
      SELECT minute AS start, type_id, event_id, sum(count)::BIGINT AS count
      FROM count_deltas WHERE ${within} GROUP BY minute, type_id, event_id`);
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE delta AS ${keptApart(minuteLevel, "folding")}`,
    );
    await this.fold(connection, minuteLevel);
    failPoint("seal.minutes_folded");
    for (const level of aboveMinutes) await this.#foldUp(connection, level, now);
    const deleted = await connection.run(`DELETE FROM count_deltas WHERE ${within}`);
    if (!isLake(connection)) {
      await dropDeltaSpans(connection, slice.end);
      await closeOpenBefore(connection, slice.end);
    }
    this.#sealedBefore = Math.max(this.#sealedBefore, slice.end);
    failPoint("seal.before_commit");
    return { deltaRows: deleted.rowsChanged, windowsBuilt: 0, isMore: slice.isMore };
  }

  /** Adds `folding` to the windows of `level` that exist; notes the others as pending. */
  async #foldUp(connection: DuckDBConnection, level: Level, now: number): Promise<void> {
    const { name, startOf } = level;
    await connection.run(`CREATE OR REPLACE TEMP TABLE lifted AS
      SELECT ${startOf} AS start, type_id, event_id, sum(count)::BIGINT AS count
      FROM folding GROUP BY ALL`);
    await connection.run(`CREATE OR REPLACE TEMP TABLE lifted AS ${keptApart(level, "lifted")}`);
    await connection.run(`CREATE OR REPLACE TEMP TABLE delta AS
      FROM lifted SEMI JOIN window_${name} USING (start, type_id)`);
    const [existing] = await rowsOf(connection, "SELECT count(*) AS rows FROM delta");
    if (Number(existing!["rows"]) > 0) {
      await this.fold(connection, level);
    }
    await connection.run(`CREATE OR REPLACE TEMP TABLE waiting AS
      SELECT DISTINCT start, type_id FROM lifted ANTI JOIN window_${name} USING (start, type_id)`);
    await connection.run(`DELETE FROM pending_windows USING waiting
      WHERE pending_windows.level = '${name}' AND pending_windows.start = waiting.start
      AND pending_windows.type_id = waiting.type_id`);
    const waiting = `SELECT '${name}', start, type_id, ${now} FROM waiting`;
    await insertRows(connection, "pending_windows", waiting);
  }

  /**
   * Builds windows of `level` that are over, quiet, and whose parts of the level below are all
   * built. Returns how many.
   */
  async #build(
    connection: DuckDBConnection,
    level: Level,
    below: Level,
    endMinute: number,
    now: number,
  ): Promise<number> {
    const pending = await rowsOf(
      connection,
      `SELECT start, type_id FROM pending_windows AS own
       WHERE level = '${level.name}' AND folded_at <= ${now - this.#options.quietMs}
       AND start < ${endMinute} AND NOT EXISTS (
         FROM (SELECT ${level.startOf} AS parent, type_id FROM pending_windows
               WHERE level = '${below.name}') AS part
         WHERE part.parent = own.start AND part.type_id = own.type_id)
       ORDER BY start, type_id`,
    );
    const due = pending
      .map((row) => ({ start: Number(row["start"]), typeId: Number(row["type_id"]) }))
      .filter(({ start }) => endOf(level, start) <= endMinute)
      .slice(0, buildWindowsMax);
    if (due.length === 0) return 0;
    const { buildRowsMax } = this.#options;
    const ready = await boundedBuild(connection, level, below, due, buildRowsMax);
    await connection.run(`CREATE OR REPLACE TEMP TABLE ready AS
      SELECT * FROM (VALUES ${ready.map((row) => `(${row.start}, ${row.typeId})`).join(", ")})
        AS due (parent, type_id)`);
    const first = ready[0]!.start;
    const end = endOf(level, ready.at(-1)!.start);
    const parts = ["list", "tail"].map(
      (kind) => `SELECT ${level.startOf} AS parent, type_id, event_id, count
        FROM ${kind}_${below.name} WHERE start >= ${first} AND start < ${end}`,
    );
    await connection.run(`CREATE OR REPLACE TEMP TABLE delta AS
      SELECT parent AS start, type_id, event_id, sum(count)::BIGINT AS count
      FROM (${parts.join(" UNION ALL ")}) SEMI JOIN ready USING (parent, type_id)
      GROUP BY parent, type_id, event_id`);
    await this.fold(connection, level);
    await connection.run(`DELETE FROM pending_windows USING ready
      WHERE level = '${level.name}' AND pending_windows.start = ready.parent
      AND pending_windows.type_id = ready.type_id`);
    failPoint("seal.before_build_commit");
    return ready.length;
  }
}
