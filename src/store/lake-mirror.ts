/**
 * What questions read of a lake: its tables as of one snapshot, in this process's own DuckDB.
 * Small tables are copied and follow the lake row by row (DuckLake numbers rows for good and
 * says which came and went between two snapshots); large ones, counts off the lists and
 * sketches, are views of the lake at that snapshot. All of it moves on in one transaction, so a
 * reader sees one state of the lake throughout, and reads what is hot without asking anybody.
 *
 *   copies.<table>   the lake's columns, and `lake_row`, its row's number
 *   <table>          a view of that, or of the lake
 *   recent_events    of raw_recent what has no users, copied: the ends of ranges are hot
 *   delta_spans      made here, of the copied deltas
 *   open_…           empty: the deltas answer for open minutes
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { foreverMs } from "../model.ts";
import { type Touched, touchedHours } from "./changes.ts";
import { readProgress } from "./contents.ts";
import { rowsOf } from "./database.ts";
import { deltaSpansTable, resetDeltaSpans } from "./delta-spans.ts";
import type { LakeCatalog, LakeState } from "./lake-catalog.ts";
import { logOffsetsSql } from "./lake-partitions.ts";
import { eventTypesSql } from "./lake-types.ts";
import { openTables } from "./open-windows.ts";
import { countedColumns, createWindowView } from "./windows.ts";

/** Where the lake is attached. */
export const lakeName = "lake";

/** What the mirror shows from now on. */
export interface MirrorStep {
  /** How far each partition is counted. */
  offsets: number[];
  /** How many deletes there were. */
  mutations: number;
  /** What checkpoints and deletes touched since the last step. */
  touched: Touched[];
  /** Names of the tables that changed; null: any of them may have. */
  tables: readonly string[] | null;
}

/**
 * Read where they lie: too large to copy, or of users, who are to be erased: this process's file
 * and its WAL would keep what was copied.
 */
const isDirect = (table: string) =>
  /^(?:(?:tail|sketch)_.*|raw_recent|jobs|kept_answers)$/.test(table);
/** Only who counts partitions reads these, in its own transactions. */
export const isHidden = (table: string) =>
  /^(?:(?:fence|seen_keys|seen_runs)_\d+|partition_epochs)$/.test(table);

/** Of the table that the copy recent_events is made of. */
const recentTable = "raw_recent";
const recentRows = `SELECT ${countedColumns}, rowid AS lake_row`;

/** A view names its snapshot; older ones may be expired some day. */
const directAgeMsMax = 60_000;

const noState: LakeState = Object.freeze({ snapshot: -1, schemaVersion: -1 });

function isExpired(error: unknown): boolean {
  return error instanceof Error && /No snapshot found/i.test(error.message);
}

interface Table {
  id: number;
  name: string;
}

const ownViews = [
  `CREATE OR REPLACE VIEW event_types AS ${eventTypesSql("event_type_parts")}`,
  `CREATE OR REPLACE VIEW log_offsets AS ${logOffsetsSql}`,
];

/**
 * What became of a table's rows: some came, and say with which state, wherever they lie by now;
 * some went, too; or they moved between files as well, after which it isn't told which went.
 */
type Change = "added" | "replaced" | "moved";

export class LakeMirror {
  readonly #connection: DuckDBConnection;
  readonly #catalog: LakeCatalog;
  readonly #onStep: (step: MirrorStep) => void;
  #state = noState;
  #tables: Table[] = [];
  #directAt = 0;
  #mutations = 0;

  /**
   * `connection` is the mirror's own, in the instance that the lake is attached to. `onStep` is
   * told of each step once it is committed.
   */
  constructor(
    connection: DuckDBConnection,
    catalog: LakeCatalog,
    onStep: (step: MirrorStep) => void,
  ) {
    this.#connection = connection;
    this.#catalog = catalog;
    this.#onStep = onStep;
  }

  /** Brings the mirror to the lake's latest snapshot. One call at a time. */
  async follow(): Promise<void> {
    const latest = await this.#catalog.latest();
    if (latest.snapshot === this.#state.snapshot) return;
    const isFresh = latest.schemaVersion !== this.#state.schemaVersion;
    const changed = isFresh ? null : await this.#changedUpTo(latest);
    await this.#connection.run("BEGIN TRANSACTION");
    let touched: Touched[] = [];
    let reached: Pick<MirrorStep, "offsets" | "mutations">;
    try {
      if (changed === null) await this.#rebuild(latest);
      else touched = (await this.#advance(latest, changed)) ?? (await this.#everything());
      // Before COMMIT: what is shown and not told would leave old answers to be taken as fresh.
      reached = await readProgress(this.#connection);
      const hasMutated = changed === null || reached.mutations !== this.#mutations;
      if (hasMutated) touched = await this.#everything();
      await this.#connection.run("COMMIT");
    } catch (error) {
      await this.#connection.run("ROLLBACK").catch(() => undefined);
      // Far behind: the state that it shows is gone, so it is made anew.
      if (isExpired(error)) this.#state = noState;
      throw error;
    }
    this.#state = latest;
    this.#mutations = reached.mutations;
    const tables = changed === null ? null : [...changed.keys()];
    this.#onStep({ ...reached, touched, tables });
  }

  /**
   * All types, as undone, also those that were deleted as a whole: it isn't known what was taken
   * back.
   */
  async #everything(): Promise<Touched[]> {
    const rows = await rowsOf(
      this.#connection,
      "SELECT event_type FROM event_types UNION SELECT event_type FROM type_incarnations",
    );
    return rows.map((row) => ({
      eventType: String(row["event_type"]),
      from: 0,
      to: foreverMs,
      undoes: true,
    }));
  }

  /** The tables that changed, and how; null: it isn't known any more. */
  async #changedUpTo(latest: LakeState): Promise<Map<string, Change> | null> {
    const changes = await this.#catalog.changes(this.#state.snapshot, latest.snapshot);
    if (changes === null) return null;
    const { inserted, deleted, moved } = changes;
    const changed = new Map<string, Change>();
    for (const { id, name } of this.#tables) {
      if (!inserted.has(id) && !deleted.has(id)) continue;
      const gone = moved.has(id) ? "moved" : "replaced";
      changed.set(name, deleted.has(id) ? gone : "added");
    }
    return changed;
  }

  async #rebuild(latest: LakeState): Promise<void> {
    const tables = await this.#catalog.tables(latest.snapshot);
    await this.#connection.run("DROP SCHEMA IF EXISTS copies CASCADE");
    await this.#connection.run("CREATE SCHEMA copies");
    this.#tables = [...tables]
      .filter(([, name]) => !isHidden(name))
      .map(([id, name]) => ({ id, name }));
    for (const { name } of this.#tables.filter((table) => !isDirect(table.name))) {
      await this.#connection.run(`CREATE TABLE copies.${name} AS
        SELECT *, rowid AS lake_row FROM ${at(name, latest)}`);
      await this.#connection.run(`CREATE OR REPLACE VIEW ${name} AS
        SELECT * EXCLUDE (lake_row) FROM copies.${name}`);
    }
    await this.#moveDirect(latest);
    await this.#connection.run(`CREATE TABLE copies.recent_events AS
      ${recentRows} FROM ${at(recentTable, latest)}`);
    await this.#connection.run(`CREATE OR REPLACE VIEW recent_events AS
      SELECT ${countedColumns} FROM copies.recent_events`);
    for (const statement of [...ownViews, deltaSpansTable, ...openTables]) {
      await this.#connection.run(statement);
    }
    await resetDeltaSpans(this.#connection);
    await createWindowView(this.#connection);
  }

  /** Returns what checkpoints touched; null: it isn't known. */
  async #advance(
    latest: LakeState,
    changed: ReadonlyMap<string, Change>,
  ): Promise<Touched[] | null> {
    for (const [name, change] of changed) {
      if (!isDirect(name) && name !== "count_deltas") await this.#apply(name, change, latest);
    }
    const recent = changed.get(recentTable);
    if (recent !== undefined) await this.#advanceRecent(recent, latest);
    const deltas = changed.get("count_deltas");
    const touched = deltas === undefined ? [] : await this.#advanceDeltas(deltas, latest);
    const isOld = performance.now() - this.#directAt > directAgeMsMax;
    if (isOld || [...changed.keys()].some(isDirect)) await this.#moveDirect(latest);
    return touched;
  }

  /** Rows go all at once, into a file. */
  async #advanceRecent(change: Change, latest: LakeState): Promise<void> {
    const from = `FROM ${at(recentTable, latest)}`;
    if (change !== "added") await this.#connection.run("DELETE FROM copies.recent_events");
    const which = change === "added" ? `WHERE snapshot_id > ${this.#state.snapshot}` : "";
    await this.#connection.run(`INSERT INTO copies.recent_events ${recentRows} ${from} ${which}`);
  }

  /** As `#advance`; the types of what came are there already. */
  async #advanceDeltas(change: Change, latest: LakeState): Promise<Touched[] | null> {
    if (change !== "added") {
      await this.#apply("count_deltas", change, latest);
      await resetDeltaSpans(this.#connection);
      // What came and was folded since is not among the copies.
      return change === "moved" ? null : this.#touchedBy("mirrored WHERE lake_change = 'insert'");
    }
    const [row] = await rowsOf(
      this.#connection,
      "SELECT max(lake_row) AS last FROM copies.count_deltas",
    );
    await this.#apply("count_deltas", change, latest);
    const fresh = `copies.count_deltas WHERE lake_row > ${row!["last"] ?? -1}`;
    await this.#connection.run(`INSERT INTO delta_spans
      SELECT DISTINCT minute, type_id, partition FROM ${fresh}
      EXCEPT SELECT minute, type_id, partition FROM delta_spans`);
    return this.#touchedBy(fresh);
  }

  async #apply(name: string, change: Change, latest: LakeState): Promise<void> {
    if (change === "added") await this.#addRows(name, latest);
    else if (change === "replaced") await this.#replaceRows(name, latest);
    else {
      await this.#connection.run(`DELETE FROM copies.${name}`);
      await this.#connection.run(`INSERT INTO copies.${name}
        SELECT *, rowid FROM ${at(name, latest)}`);
    }
  }

  /** Rows only came. */
  async #addRows(name: string, latest: LakeState): Promise<void> {
    // Files that hold none are passed by; table_insertions tells no numbers of rows.
    await this.#connection.run(`INSERT INTO copies.${name} SELECT *, rowid
      FROM ${at(name, latest)} WHERE snapshot_id > ${this.#state.snapshot}`);
  }

  async #replaceRows(name: string, latest: LakeState): Promise<void> {
    const first = this.#state.snapshot + 1;
    await this.#connection.run(`CREATE OR REPLACE TEMP TABLE mirrored AS
      SELECT * EXCLUDE (snapshot_id, rowid, change_type), snapshot_id AS lake_snapshot,
        change_type AS lake_change, rowid AS lake_row
      FROM ${lakeName}.table_changes('${name}', ${first}, ${latest.snapshot})`);
    await this.#connection.run(`DELETE FROM copies.${name}
      WHERE lake_row IN (SELECT lake_row FROM mirrored)`);
    // Of a row that changed more than once the last word counts.
    await this.#connection.run(`INSERT INTO copies.${name}
      SELECT * EXCLUDE (lake_snapshot, lake_change) FROM mirrored
      SEMI JOIN (SELECT lake_row, max(lake_snapshot) AS lake_snapshot FROM mirrored GROUP BY ALL)
        USING (lake_row, lake_snapshot)
      WHERE lake_change IN ('insert', 'update_postimage')`);
  }

  /** The hours that these deltas are in, by type. */
  async #touchedBy(fresh: string): Promise<Touched[]> {
    const rows = await rowsOf(
      this.#connection,
      `SELECT event_type, hour FROM (SELECT DISTINCT type_id, minute // 60 AS hour FROM ${fresh})
       JOIN event_types USING (type_id) ORDER BY event_type, hour`,
    );
    return touchedHours(rows.map((row) => [String(row["event_type"]), Number(row["hour"])]));
  }

  async #moveDirect(latest: LakeState): Promise<void> {
    for (const { name } of this.#tables.filter((table) => isDirect(table.name))) {
      await this.#connection.run(`CREATE OR REPLACE VIEW ${name} AS FROM ${at(name, latest)}`);
    }
    this.#directAt = performance.now();
  }
}

function at(table: string, { snapshot }: LakeState): string {
  return `${lakeName}.${table} AT (VERSION => ${snapshot})`;
}
