/**
 * Types whose finest kept windows are hours or days (`aggregation_window`): their minutes, and
 * then hours, go some time after a larger window has been built of them. A question, or a delete,
 * whose ends lie inside such a window needs the smaller ones: they are made anew from raw events
 * before it is read, and go again later. So whoever reads windows knows nothing of this.
 *
 *   coarse_windows  (type_id, level, start): the windows of `level`, minute or hour, inside the
 *                   next larger window (hour, day) that begins at `start` are gone
 *
 * What is folded into such a window later is no whole smaller one: `keptApart` leaves it out.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { minuteMs } from "../model.ts";
import type { Compactor } from "./compact.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import type { RawFiles } from "./raw-files.ts";
import { sqlText, sqlTexts, timestampLiteral } from "./sql.ts";
import { endOf, type Fold, type Level, levels, startAt } from "./windows.ts";

export const coarseTable = `CREATE TABLE IF NOT EXISTS coarse_windows (
  type_id INTEGER NOT NULL, level VARCHAR NOT NULL, start INTEGER NOT NULL)`;

/** Levels that may go, each with the one above, whose windows then stand for theirs. */
const steps: readonly { level: Level; above: Level }[] = Object.freeze([
  { level: levels[0]!, above: levels[1]! },
  { level: levels[1]!, above: levels[2]! },
]);

export interface CoarseOptions {
  /** So long after its end, or after a question needed it, a window stays at least. */
  coarsenAfterMs: number;
  /** Larger windows whose smaller ones go in one transaction, and the rows that go with these. */
  unitsMax: number;
  rowsMax: number;
}

export const coarseDefaults = Object.freeze({ unitsMax: 168, rowsMax: 1_000_000 });

export interface CoarseDeps {
  database: Database;
  rawFiles: Pick<RawFiles, "source">;
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

/** How often it is looked for windows that may go. */
const lookMsMax = 60_000;

/**
 * SQL of the rows of temporary table `table` (start, type_id, …) whose windows of `level` are
 * kept apart from larger ones.
 */
export function keptApart(level: Level, table: string): string {
  const step = steps.find((one) => one.level === level);
  if (step === undefined) return `FROM ${table}`;
  const { startOf } = step.above;
  return `SELECT own.* EXCLUDE (parent) FROM (SELECT *, ${startOf} AS parent FROM ${table}) AS own
    ANTI JOIN (SELECT type_id, start AS parent FROM coarse_windows WHERE level = '${level.name}')
      AS gone ON own.type_id = gone.type_id AND own.parent = gone.parent`;
}

/** Forgets stretches of a type whose larger windows are gone as well: nothing is in them. */
export async function forgetEmpty(connection: DuckDBConnection, typeId: number): Promise<void> {
  for (const { level, above } of steps.toReversed()) {
    // A day whose hours are gone answers for the minutes of those hours too.
    const byDay = `EXISTS (FROM coarse_windows AS day WHERE day.type_id = ${typeId}
      AND day.level = '${above.name}' AND day.start = own.start - own.start % 1440)`;
    await connection.run(`DELETE FROM coarse_windows WHERE type_id = ${typeId}
      AND level = '${level.name}' AND start IN (
        SELECT start FROM coarse_windows AS own
        WHERE own.type_id = ${typeId} AND own.level = '${level.name}'
        AND NOT EXISTS (FROM window_${above.name} AS built
          WHERE built.type_id = ${typeId} AND built.start = own.start)
        ${above.name === "hour" ? `AND NOT ${byDay}` : ""})`);
  }
}

/** The units whose windows a question with these ends, epoch ms, may need. */
export function unitsAt(times: readonly number[]): Unit[] {
  const units = new Map<string, Unit>();
  for (const time of times) {
    for (const { level, above } of steps) {
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
  /** Types that have had windows taken. */
  readonly #names: Set<string>;
  #hasSettings: boolean;
  /** When a unit's windows were needed last, by type, level and start. */
  readonly #used = new Map<string, number>();
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

  /** A type's settings have changed: questions under way may still need all windows. */
  noteSettings(now: number): void {
    this.#hasSettings = true;
    this.#lookAt = now + this.#options.coarsenAfterMs;
  }

  /**
   * Sees to it that the windows are there that a question of these types needs which begins or
   * ends at `times`, epoch ms, and that they stay for a while. Throws `query_timeout` after
   * `budgetMs`; what is made by then stays.
   */
  async ready(eventTypes: readonly string[], times: readonly number[], budgetMs: number) {
    if (!this.#hasSettings && this.#names.size === 0) return;
    const units = unitsAt(times);
    const now = Date.now();
    for (const eventType of eventTypes) {
      for (const unit of units) this.#used.set(keyOf({ ...unit, eventType }), now);
    }
    // What goes right now was chosen before.
    await this.#stepping.catch(() => undefined);
    const named = eventTypes.filter((name) => this.#names.has(name));
    for (const unit of await this.#goneOf(named, units)) {
      if (Date.now() - now > budgetMs) {
        const detail = "smaller windows are still being made from raw events for this range";
        throw new RankstreamError("query_timeout", detail, { retryAfterSeconds: 5 });
      }
      await this.#restore(unit);
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
    for (const { level, above } of steps) {
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
      level === levels[0]
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
    const units: TypeUnit[] = [];
    let sum = 0;
    for (const row of rows) {
      const typeId = Number(row["type_id"]);
      const eventType = String(row["event_type"]);
      const unit = { level, above, start: Number(row["start"]), typeId, eventType };
      sum += Number(row["items"]);
      const isOther = units.length > 0 && units[0]!.typeId !== typeId;
      if (isOther || units.length === unitsMax || (units.length > 0 && sum > rowsMax)) break;
      if (!this.#used.has(keyOf(unit))) units.push(unit);
    }
    return units;
  }

  async #take(units: readonly TypeUnit[]): Promise<void> {
    const { level, typeId, eventType } = units[0]!;
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
    this.#names.add(eventType);
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
         ORDER BY level, start, type_id`,
      ),
    );
    return rows.map((row) => {
      const step = steps.find(({ level }) => level.name === row["level"])!;
      const typeId = Number(row["type_id"]);
      const eventType = String(row["event_type"]);
      return { ...step, start: Number(row["start"]), typeId, eventType };
    });
  }

  /** Makes a unit's windows anew: of raw events, less what waits in the deltas. */
  async #restore({ level, above, start, typeId, eventType }: TypeUnit): Promise<void> {
    const { database, rawFiles, fold } = this.#deps;
    const end = endOf(above, start);
    const [from, to] = [start * minuteMs, end * minuteMs];
    const own = `type_id = ${typeId} AND level = '${level.name}' AND start = ${start}`;
    await database.writeDeferrable(async (connection) => {
      const gone = await connection.run(`DELETE FROM coarse_windows WHERE ${own}`);
      // Another question has had them made.
      if (gone.rowsChanged === 0) return;
      const source = await rawFiles.source(connection, from, to);
      await connection.run(`CREATE OR REPLACE TEMP TABLE delta AS
        SELECT ${level.startOf} AS start, ${typeId} AS type_id, event_id,
          sum(count)::BIGINT AS count
        FROM (
          SELECT (epoch_ms(event_time) // ${minuteMs})::INTEGER AS start, event_id,
            weight::BIGINT AS count
          FROM ${source} WHERE event_type = ${sqlText(eventType)}
          AND event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}
          UNION ALL SELECT minute, event_id, -count FROM count_deltas
          WHERE type_id = ${typeId} AND minute >= ${start} AND minute < ${end})
        GROUP BY ALL HAVING sum(count) > 0`);
      await fold(connection, level);
      failPoint("coarse.before_restore_commit");
    });
  }
}

function keyOf({ eventType, level, start }: Unit & { eventType: string }): string {
  return `${level.name}/${start}/${eventType}`;
}

/** Neighbouring units as one span of minutes each. */
function spansOf(units: readonly Unit[]): { start: number; end: number }[] {
  const spans: { start: number; end: number }[] = [];
  for (const { above, start } of units) {
    const last = spans.at(-1);
    const end = endOf(above, start);
    if (last?.end === start) last.end = end;
    else spans.push({ start, end });
  }
  return spans;
}
