/**
 * Types whose finest kept windows are hours or days (`aggregation_window`): their minutes, and
 * then hours, go some time after a larger window has been built of them. A question, or a delete,
 * whose ends lie inside such a window needs the smaller ones: they are made anew from raw events
 * before it is read, and go again later. So whoever reads windows knows nothing of this.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { minuteMs } from "../model.ts";
import { coarseSteps, forgetEmpty } from "./coarse-table.ts";
import type { Compactor } from "./compact.ts";
import type { MinuteSpan } from "./cover.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import type { RawFiles } from "./raw-files.ts";
import { sqlText, sqlTexts, timestampLiteral } from "./sql.ts";
import { endOf, type Fold, type Level, minuteLevel, startAt } from "./windows.ts";

export interface CoarseOptions {
  /** So long after its end, or after a question needed it, a window stays at least. */
  coarsenAfterMs: number;
  /** Larger windows whose smaller ones go in one transaction, and the rows that go with these. */
  unitsMax: number;
  rowsMax: number;
  /** Raw events, about, that windows are made anew from at once: DuckDB sums texts in memory. */
  eventsMax: number;
}

export const coarseDefaults = Object.freeze({
  unitsMax: 168,
  rowsMax: 1_000_000,
  eventsMax: 1_000_000,
});

/** Units that are remembered as needed lately; of more, those that were needed first go early. */
const usedMax = 50_000;

export interface CoarseDeps {
  database: Database;
  rawFiles: Pick<RawFiles, "source" | "rowsIn">;
  compactor: Pick<Compactor, "look">;
  fold: Fold;
}

/** The windows of one level inside one window above. */
interface Unit {
  level: Level;
  above: Level;
  /** Minute. */
  start: number;
}

interface TypeUnit extends Unit {
  typeId: number;
  eventType: string;
}

/** A span of minutes, of which the units that begin at `starts` count. */
interface Stretch extends MinuteSpan, Pick<TypeUnit, "level" | "above" | "typeId" | "eventType"> {
  starts: readonly number[];
}

/** What a question or a delete needs windows for: these types, where it is cut. */
export interface Needs {
  eventTypes: readonly string[];
  /** Epoch ms. */
  times: readonly number[];
  /** Time for making windows anew. */
  budgetMs: number;
}

/** How often it is looked for windows that may go. */
const lookMsMax = 60_000;

/** The units whose windows a question with these ends, epoch ms, may need. */
export function unitsAt(times: readonly number[]): Unit[] {
  const units = new Map<string, Unit>();
  for (const time of times) {
    for (const { level, above } of coarseSteps) {
      if (!Number.isFinite(time) || time % (above.sizeSeconds * 1000) === 0) continue;
      const start = startAt(above, Math.floor(time / minuteMs));
      units.set(`${level.name}/${start}`, { level, above, start });
    }
  }
  return [...units.values()];
}

export class CoarseWindows {
  readonly #deps: CoarseDeps;
  readonly #options: CoarseOptions;
  /** Types that have had windows taken, or that some are being taken of. */
  readonly #names: Set<string>;
  #hasSettings: boolean;
  /** When a unit's windows were needed last, by type, level and start; the latest last. */
  readonly #used = new Map<string, number>();
  /** Of the questions and deletes under way. */
  readonly #needs = new Set<Needs>();
  #stepping: Promise<boolean> = Promise.resolve(false);
  #lookAt = 0;

  private constructor(
    deps: CoarseDeps,
    options: CoarseOptions,
    names: Set<string>,
    hasSettings: boolean,
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#names = names;
    this.#hasSettings = hasSettings;
  }

  static async open(deps: CoarseDeps, options: CoarseOptions): Promise<CoarseWindows> {
    const { writer } = deps.database;
    const names = await rowsOf(
      writer,
      `SELECT DISTINCT event_type FROM coarse_windows JOIN event_types USING (type_id)`,
    );
    const settings = await rowsOf(writer, "FROM type_settings WHERE aggregation_window > 60");
    return new CoarseWindows(
      deps,
      options,
      new Set(names.map((row) => String(row["event_type"]))),
      settings.length > 0,
    );
  }

  /** To be told of a type's settings before they are kept. */
  noteSettings(aggregationWindow: number | null): void {
    if ((aggregationWindow ?? 60) <= 60) return;
    this.#hasSettings = true;
    this.#lookAt = 0;
  }

  /**
   * Runs `work` once the windows are there that it needs, and sees to it that they stay until it
   * has ended, however long it waits for its turn, and for a while. Throws `query_timeout` where
   * they can't be made in time; what is made by then stays.
   */
  async during<T>(needs: Needs, work: () => Promise<T>): Promise<T> {
    this.#needs.add(needs);
    try {
      await this.#makeReady(needs);
      return await work();
    } finally {
      this.#needs.delete(needs);
    }
  }

  async #makeReady({ eventTypes, times, budgetMs }: Needs): Promise<void> {
    if (!this.#hasSettings && this.#names.size === 0) return;
    const units = unitsAt(times);
    const [now, begun] = [Date.now(), performance.now()];
    for (const eventType of eventTypes) {
      for (const unit of units) this.#use(keyOf({ ...unit, eventType }), now);
    }
    const named = eventTypes.filter((name) => this.#names.has(name));
    if (named.length === 0) return;
    // What goes right now was chosen before.
    await this.#stepping.catch(() => undefined);
    const waiting = batchesOf(await this.#goneOf(named, units), this.#options.unitsMax);
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
      if (performance.now() - begun > budgetMs) {
        const detail = "smaller windows are still being made from raw events for this range";
        throw new RankstreamError("query_timeout", detail, { retryAfterSeconds: 5 });
      }
      if (await this.#restore(batch)) continue;
      const half = batch.length >> 1;
      waiting.unshift(batch.slice(0, half), batch.slice(half));
    }
  }

  #use(key: string, now: number): void {
    this.#used.delete(key);
    this.#used.set(key, now);
    for (const first of this.#used.keys()) {
      if (this.#used.size <= usedMax) break;
      this.#used.delete(first);
    }
  }

  /** Takes away what may go, in one transaction; whether that was anything. */
  step(now: number): Promise<boolean> {
    if (!this.#hasSettings || now < this.#lookAt) return Promise.resolve(false);
    this.#stepping = this.#step(now);
    return this.#stepping;
  }

  async #step(now: number): Promise<boolean> {
    const { coarsenAfterMs } = this.#options;
    for (const [key, at] of this.#used) if (now - at > coarsenAfterMs) this.#used.delete(key);
    for (const { level, above } of coarseSteps) {
      const units = await this.#due(level, above, now);
      if (units.length === 0) continue;
      await this.#take(units);
      return true;
    }
    this.#lookAt = now + Math.min(lookMsMax, coarsenAfterMs);
    return false;
  }

  /** What may go, within the bounds of one transaction: of one type, in order of time. */
  async #due(level: Level, above: Level, now: number): Promise<TypeUnit[]> {
    const { unitsMax, rowsMax, coarsenAfterMs } = this.#options;
    const before = Math.floor((now - coarsenAfterMs) / minuteMs) - above.sizeSeconds / 60;
    const smaller =
      level === minuteLevel
        ? ""
        : `ANTI JOIN (SELECT DISTINCT type_id, ${above.startOf} AS start FROM window_minute)
             AS minutes USING (type_id, start)`;
    const rows = await this.#deps.database.read(ownReadBudgetMs, (connection) =>
      rowsOf(
        connection,
        `SELECT type_id, event_type, own.start, items
         FROM (SELECT type_id, ${above.startOf} AS start, sum(items)::BIGINT AS items
               FROM window_${level.name} GROUP BY ALL) AS own
         JOIN (SELECT type_id, event_type FROM event_types JOIN type_settings USING (event_type)
               WHERE aggregation_window >= ${above.sizeSeconds}) AS type USING (type_id)
         SEMI JOIN (FROM window_${above.name} WHERE start <= ${before}) AS built
           USING (type_id, start)
         ANTI JOIN (FROM pending_windows WHERE level = '${above.name}') AS pending
           USING (type_id, start)
         ${smaller}
         ORDER BY type_id, own.start LIMIT ${unitsMax + this.#used.size}`,
      ),
    );
    const needed = this.#neededNow();
    const units: TypeUnit[] = [];
    let sum = 0;
    for (const row of rows) {
      const typeId = Number(row["type_id"]);
      const eventType = String(row["event_type"]);
      const unit = { level, above, start: Number(row["start"]), typeId, eventType };
      sum += Number(row["items"]);
      const isOther = units.length > 0 && units[0]!.typeId !== typeId;
      if (isOther || units.length === unitsMax || (units.length > 0 && sum > rowsMax)) break;
      const key = keyOf(unit);
      if (!this.#used.has(key) && !needed.has(key)) units.push(unit);
    }
    // From here on questions of the type wait until these are gone.
    if (units.length > 0) this.#names.add(units[0]!.eventType);
    return units;
  }

  /** Units that the questions and deletes under way need. */
  #neededNow(): Set<string> {
    const needed = new Set<string>();
    for (const { eventTypes, times } of this.#needs) {
      for (const unit of unitsAt(times)) {
        for (const eventType of eventTypes) needed.add(keyOf({ ...unit, eventType }));
      }
    }
    return needed;
  }

  async #take(units: readonly TypeUnit[]): Promise<void> {
    const { level, typeId } = units[0]!;
    const { database, compactor } = this.#deps;
    await database.writeDeferrable(async (connection) => {
      for (const { start, end } of spansOf(units)) {
        for (const kind of ["window", "list", "tail", "sketch"]) {
          await connection.run(`DELETE FROM ${kind}_${level.name}
            WHERE type_id = ${typeId} AND start >= ${start} AND start < ${end}`);
        }
      }
      const starts = units.map(({ start }) => `(${start})`).join(", ");
      await connection.run(`INSERT INTO coarse_windows
        SELECT ${typeId}, '${level.name}', start FROM (VALUES ${starts}) AS unit (start)`);
      failPoint("coarse.before_commit");
    });
    compactor.look();
  }

  async #goneOf(eventTypes: readonly string[], units: readonly Unit[]): Promise<TypeUnit[]> {
    if (eventTypes.length === 0 || units.length === 0) return [];
    const wanted = units.map(({ level, start }) => `('${level.name}', ${start})`).join(", ");
    const rows = await this.#deps.database.read(ownReadBudgetMs, (connection) =>
      rowsOf(
        connection,
        `SELECT type_id, event_type, level, start
         FROM (VALUES ${wanted}) AS wanted (level, start)
         JOIN coarse_windows USING (level, start)
         JOIN (SELECT type_id, event_type FROM event_types
               WHERE event_type IN (${sqlTexts(eventTypes)})) USING (type_id)
         ORDER BY level, type_id, start`,
      ),
    );
    return rows.map((row) => {
      const step = coarseSteps.find(({ level }) => level.name === row["level"])!;
      const typeId = Number(row["type_id"]);
      const eventType = String(row["event_type"]);
      return { ...step, start: Number(row["start"]), typeId, eventType };
    });
  }

  /**
   * Makes the windows of units, neighbours of one level and type, anew: of raw events, less what
   * waits in the deltas. False, and nothing is made, where that is too much at once.
   */
  async #restore(units: readonly TypeUnit[]): Promise<boolean> {
    const { database, rawFiles, fold } = this.#deps;
    const { level, above, typeId, eventType } = units[0]!;
    const own = `type_id = ${typeId} AND level = '${level.name}'
      AND start IN (${units.map(({ start }) => start).join(", ")})`;
    return database.writeDeferrable(async (connection) => {
      // Of some another question may have had them made.
      const gone = await rowsOf(
        connection,
        `SELECT DISTINCT start FROM coarse_windows WHERE ${own} ORDER BY start`,
      );
      if (gone.length === 0) return true;
      const starts = gone.map(({ start }) => Number(start));
      const [start, end] = [starts[0]!, endOf(above, starts.at(-1)!)];
      const events = await rawFiles.rowsIn(connection, start * minuteMs, end * minuteMs);
      const wanted = Math.ceil(events / this.#options.eventsMax);
      if (wanted > 1 && units.length > 1) return false;
      await connection.run(`DELETE FROM coarse_windows WHERE ${own}`);
      for (const span of slicesOf(level, { start, end }, wanted)) {
        await this.#countAnew(connection, { level, above, typeId, eventType, starts, ...span });
        await fold(connection, level);
      }
      // Hours that have been emptied meanwhile lack no minutes.
      await forgetEmpty(connection, typeId);
      failPoint("coarse.before_restore_commit");
      return true;
    });
  }

  /** Leaves in `delta` what the windows of `level` hold that lie in the span and in units. */
  async #countAnew(connection: DuckDBConnection, stretch: Stretch): Promise<void> {
    const { level, above, typeId, eventType, starts, start, end } = stretch;
    const [from, to] = [start * minuteMs, end * minuteMs];
    const source = await this.#deps.rawFiles.source(connection, from, to);
    await connection.run(`CREATE OR REPLACE TEMP TABLE delta AS
      SELECT ${level.startOf} AS start, ${typeId} AS type_id, event_id,
        sum(count)::BIGINT AS count
      FROM (FROM (
        SELECT (epoch_ms(event_time) // ${minuteMs})::INTEGER AS start, event_id,
          weight::BIGINT AS count
        FROM ${source} WHERE event_type = ${sqlText(eventType)}
        AND event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}
        UNION ALL SELECT minute, event_id, -count FROM count_deltas
        WHERE type_id = ${typeId} AND minute >= ${start} AND minute < ${end})
        WHERE ${above.startOf} IN (${starts.join(", ")}))
      GROUP BY ALL HAVING sum(count) > 0`);
  }
}

/** Between two that are made anew together so many units lie at most: these are read, too. */
const gapMax = 24;

/** Units, in order, as those that are made anew together: of one level and type, and near. */
function batchesOf(units: readonly TypeUnit[], unitsMax: number): TypeUnit[][] {
  const batches: TypeUnit[][] = [];
  for (const unit of units) {
    const { level, above, typeId, start } = unit;
    const batch = batches.at(-1);
    const last = batch?.at(-1);
    const isNear =
      last?.level === level &&
      last.typeId === typeId &&
      start - last.start <= (gapMax + 1) * (above.sizeSeconds / 60);
    if (isNear && batch!.length < unitsMax) batch!.push(unit);
    else batches.push([unit]);
  }
  return batches;
}

/** The span in so many slices of whole windows, or fewer. */
function slicesOf(level: Level, { start, end }: MinuteSpan, wanted: number): MinuteSpan[] {
  const size = level.sizeSeconds / 60;
  const windows = (end - start) / size;
  const slices = Math.max(1, Math.min(windows, wanted));
  const boundAt = (i: number) => start + Math.floor((i * windows) / slices) * size;
  return Array.from({ length: slices }, (_, i) => ({ start: boundAt(i), end: boundAt(i + 1) }));
}

function keyOf({ eventType, level, start }: Unit & { eventType: string }): string {
  return `${level.name}/${start}/${eventType}`;
}

/** Neighbouring units as one span of minutes each. */
function spansOf(units: readonly Unit[]): MinuteSpan[] {
  const spans: MinuteSpan[] = [];
  for (const { above, start } of units) {
    const last = spans.at(-1);
    const end = endOf(above, start);
    if (last?.end === start) last.end = end;
    else spans.push({ start, end });
  }
  return spans;
}
