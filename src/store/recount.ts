/**
 * Counts a store's raw events anew and holds them against everything it has counted: for each day,
 * type and item what the windows and the deltas say together, and for each minute, hour, day and
 * month that is built what it says itself. In slices of whole days, and a large day in parts of
 * its items, since DuckDB keeps what it groups by text in memory.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { rowsOf } from "./database.ts";
import type { RawChecks } from "./raw-checks.ts";
import { filesWithin } from "./raw-files.ts";
import { timestampLiteral } from "./sql.ts";
import { aliveSources } from "./tombstones.ts";
import { type Level, levels } from "./windows.ts";

export interface RecountOptions {
  /** Raw events counted at once, about. */
  sliceRowsMax: number;
  /** Told how many of the raw events are counted, 0..1; the next part waits for it. */
  onProgress(share: number): void | Promise<void>;
  signal: AbortSignal;
}

export const recountDefaults = Object.freeze({ sliceRowsMax: 4_000_000 });

/** What was counted, and where it differs from what the store says. */
export interface Recount {
  /** Raw events, and the sum of their weights. */
  events: number;
  total: number;
  /** Windows that were held against it, of all levels. */
  windows: number;
  /** Rows of (day or window, type, item) that differ, and the first of them in words. */
  differences: number;
  examples: string[];
}

const dayMinutes = 1440;
const dayMs = dayMinutes * minuteMs;
const examplesMax = 10;

/** Whole days, and one part of so many of their items. */
interface Slice {
  /** Minutes; the end is exclusive. */
  from: number;
  to: number;
  part: number;
  parts: number;
}

function partOf({ part, parts }: Slice): string {
  return parts === 1 ? "true" : `hash(event_id) % ${parts} = ${part}`;
}

function within({ from, to }: Slice, column = "start"): string {
  return `${column} >= ${from} AND ${column} < ${to}`;
}

/** About how many raw events each day has: by days since 1970. */
async function rowsByDay(connection: DuckDBConnection): Promise<Map<number, number>> {
  const days = new Map<number, number>();
  const add = (day: number, rows: number) => days.set(day, (days.get(day) ?? 0) + rows);
  const files = await rowsOf(
    connection,
    `SELECT epoch_ms(first_time) // ${dayMs} AS first, epoch_ms(last_time) // ${dayMs} AS last,
       sum(rows)::BIGINT AS rows FROM raw_files GROUP BY ALL`,
  );
  for (const row of files) {
    const [first, last] = [Number(row["first"]), Number(row["last"])];
    for (let day = first; day <= last; day++) add(day, Number(row["rows"]) / (last - first + 1));
  }
  const counted = await rowsOf(
    connection,
    `SELECT day, sum(rows)::BIGINT AS rows FROM (
       SELECT epoch_ms(event_time) // ${dayMs} AS day, count(*) AS rows FROM raw_recent
       GROUP BY ALL
       UNION ALL SELECT minute // ${dayMinutes}, 0 FROM count_deltas
       UNION ALL SELECT start // ${dayMinutes}, 0 FROM window_day
       UNION ALL SELECT start // ${dayMinutes}, 0 FROM window_hour
       UNION ALL SELECT start // ${dayMinutes}, 0 FROM window_minute) GROUP BY day`,
  );
  for (const row of counted) add(Number(row["day"]), Number(row["rows"]));
  return days;
}

function slicesOf(days: ReadonlyMap<number, number>, rowsMax: number): Slice[] {
  const slices: Slice[] = [];
  let rows = 0;
  for (const day of [...days.keys()].sort((a, b) => a - b)) {
    const own = days.get(day)!;
    const [from, to] = [day * dayMinutes, (day + 1) * dayMinutes];
    const parts = Math.max(1, Math.ceil(own / rowsMax));
    const last = slices.at(-1);
    if (parts > 1) {
      for (let part = 0; part < parts; part++) slices.push({ from, to, part, parts });
      rows = rowsMax;
    } else if (last === undefined || rows + own > rowsMax) {
      slices.push({ from, to, part: 0, parts: 1 });
      rows = own;
    } else {
      last.to = to;
      rows += own;
    }
  }
  return slices;
}

/** Rows (start, type_id, event_id, count) of the level's own windows, with what is not folded. */
function windowRows(level: Level, slice: Slice): string {
  const own = `${within(slice)} AND ${partOf(slice)}`;
  const parts = ["list", "tail"].map(
    (kind) => `SELECT start, type_id, event_id, count FROM ${kind}_${level.name} WHERE ${own}`,
  );
  const deltas = `SELECT ${level.startOf} AS start, type_id, event_id, count FROM (
    SELECT minute AS start, type_id, event_id, count FROM count_deltas
    WHERE ${within(slice, "minute")} AND ${partOf(slice)})`;
  parts.push(`SELECT * FROM (${deltas}) SEMI JOIN window_${level.name} USING (start, type_id)`);
  return parts.join(" UNION ALL ");
}

/**
 * Rows (start, type_id, event_id, count) whose sum is everything counted in the slice: of each
 * stretch the largest windows that are built, at most days, and all that is not folded.
 */
function allRows(slice: Slice): string {
  const rows = [
    `SELECT minute AS start, type_id, event_id, count FROM count_deltas
     WHERE ${within(slice, "minute")} AND ${partOf(slice)}`,
  ];
  const larger: string[] = [];
  for (const level of [levels[2]!, levels[1]!, levels[0]!]) {
    const own = ["list", "tail"].map(
      (kind) => `SELECT start, type_id, event_id, count FROM ${kind}_${level.name}
        WHERE ${within(slice)} AND ${partOf(slice)}`,
    );
    const covered = larger.map((name) => {
      const { startOf } = levels.find((one) => one.name === name)!;
      return `NOT EXISTS (FROM window_${name} AS built WHERE built.type_id = own.type_id
        AND built.start = ${startOf.replaceAll("start", "own.start")})`;
    });
    const where = covered.length === 0 ? "" : ` WHERE ${covered.join(" AND ")}`;
    rows.push(`SELECT own.* FROM (${own.join(" UNION ALL ")}) AS own${where}`);
    larger.push(level.name);
  }
  return rows.join(" UNION ALL ");
}

/** SQL of what differs between two sums: (start, event_type, event_id, counted, found). */
function differencesSql(counted: string, found: string): string {
  const sums = (rows: string) => `(SELECT start, type_id, event_id, sum(count)::BIGINT AS count
    FROM (${rows}) GROUP BY ALL)`;
  // Windows of types that are gone are cleared away later.
  return `SELECT start, event_type, event_id, coalesce(counted.count, 0) AS counted,
      coalesce(found.count, 0) AS found
    FROM ${sums(counted)} AS counted FULL JOIN ${sums(found)} AS found
      USING (start, type_id, event_id)
    JOIN event_types USING (type_id)
    WHERE coalesce(counted.count, 0) <> coalesce(found.count, 0)`;
}

export class Recounter {
  readonly #connection: DuckDBConnection;
  readonly #checks: RawChecks;
  readonly #options: RecountOptions;
  readonly #result: Recount = {
    events: 0,
    total: 0,
    windows: 0,
    differences: 0,
    examples: [],
  };

  /** `checks` are of the data folder, all of whose raw files are sound. */
  constructor(connection: DuckDBConnection, checks: RawChecks, options: RecountOptions) {
    this.#connection = connection;
    this.#checks = checks;
    this.#options = options;
  }

  /** Counts everything. Throws what aborts the signal. */
  async run(): Promise<Recount> {
    const days = await rowsByDay(this.#connection);
    const all = [...days.values()].reduce((sum, rows) => sum + rows, 0);
    let done = 0;
    for (const slice of slicesOf(days, this.#options.sliceRowsMax)) {
      this.#options.signal.throwIfAborted();
      await this.#count(slice);
      await this.#compare(slice);
      for (let day = slice.from / dayMinutes; day < slice.to / dayMinutes; day++) {
        done += (days.get(day) ?? 0) / slice.parts;
      }
      await this.#options.onProgress(done / Math.max(1, all));
    }
    await this.#compareMonths();
    await this.#compareTypes();
    return this.#result;
  }

  /** Counts the slice's raw events, into a table of its own. */
  async #count(slice: Slice): Promise<void> {
    const connection = this.#connection;
    const [from, to] = [slice.from * minuteMs, slice.to * minuteMs];
    const files = await filesWithin(connection, from, to);
    const sources = await aliveSources(
      connection,
      this.#checks,
      files.map(({ path }) => path),
    );
    const raw = ["raw_recent", ...sources].join(" UNION ALL FROM ");
    await connection.run(`CREATE OR REPLACE TEMP TABLE recount AS
      SELECT (epoch_ms(event_time) // ${minuteMs})::INTEGER AS start, type_id, event_id,
        count(*) AS events, sum(weight)::BIGINT AS count
      FROM (FROM ${raw}) LEFT JOIN event_types USING (event_type)
      WHERE event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}
        AND ${partOf(slice)}
      GROUP BY ALL`);
    const [row] = await rowsOf(
      connection,
      `SELECT sum(events)::BIGINT AS events, sum(count)::BIGINT AS total,
         count(*) FILTER (type_id IS NULL) AS unknown FROM recount`,
    );
    this.#result.events += Number(row!["events"] ?? 0);
    this.#result.total += Number(row!["total"] ?? 0);
    const unknown = Number(row!["unknown"]);
    if (unknown > 0) this.#note(unknown, "raw events are of types that the store does not know");
  }

  async #compare(slice: Slice): Promise<void> {
    const day = levels[2]!;
    const byDay = (rows: string) =>
      `SELECT ${day.startOf} AS start, type_id, event_id, count FROM (${rows})`;
    const raw = "SELECT start, type_id, event_id, count FROM recount";
    await this.#hold("the day", byDay(allRows(slice)), byDay(raw));
    for (const level of levels.slice(0, 3)) {
      const own = `SELECT ${level.startOf} AS start, type_id, event_id, count FROM recount`;
      const built = `SELECT * FROM (${own}) SEMI JOIN window_${level.name} USING (start, type_id)`;
      await this.#hold(`the ${level.name}`, windowRows(level, slice), built);
      if (slice.part === 0) await this.#countWindows(level, slice);
    }
  }

  /** Windows of the level, and whether their own sums are right. */
  async #countWindows(level: Level, slice: Pick<Slice, "from" | "to"> | null): Promise<void> {
    const where = slice === null ? "true" : `start >= ${slice.from} AND start < ${slice.to}`;
    const { name } = level;
    const [row] = await rowsOf(
      this.#connection,
      `SELECT count(*) AS windows,
         count(*) FILTER (coalesce(own.total, 0) <> kept.total
           OR coalesce(own.items, 0) <> kept.items) AS wrong
       FROM (SELECT * FROM window_${name} SEMI JOIN event_types USING (type_id)
             WHERE ${where}) AS kept
       LEFT JOIN (SELECT start, type_id, sum(count)::BIGINT AS total, count(*) AS items
             FROM (SELECT start, type_id, count FROM list_${name} WHERE ${where}
                   UNION ALL SELECT start, type_id, count FROM tail_${name} WHERE ${where})
             GROUP BY ALL) AS own USING (start, type_id)`,
    );
    this.#result.windows += Number(row!["windows"]);
    const wrong = Number(row!["wrong"]);
    if (wrong > 0) this.#note(wrong, `windows of level ${name} are not the sum of their items`);
  }

  /** Months against the days below them, which were held against raw events. */
  async #compareMonths(): Promise<void> {
    const month = levels[3]!;
    const rows = await rowsOf(this.#connection, "SELECT DISTINCT start FROM window_month");
    for (const { start } of rows) {
      this.#options.signal.throwIfAborted();
      const from = Number(start);
      const date = new Date(from * minuteMs);
      const to = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) / minuteMs;
      const [items] = await rowsOf(
        this.#connection,
        `SELECT sum(items)::BIGINT AS items FROM window_month WHERE start = ${from}`,
      );
      const parts = Math.ceil(Number(items!["items"]) / this.#options.sliceRowsMax);
      for (let part = 0; part < Math.max(1, parts); part++) {
        const slice = { from, to, part, parts: Math.max(1, parts) };
        const below = `SELECT * FROM (SELECT ${from}::INTEGER AS start, type_id, event_id, count
          FROM (${allRows(slice)})) SEMI JOIN window_month USING (start, type_id)`;
        await this.#hold("the month", windowRows(month, slice), below);
      }
    }
    await this.#countWindows(month, null);
  }

  async #compareTypes(): Promise<void> {
    const [row] = await rowsOf(
      this.#connection,
      "SELECT coalesce(sum(total), 0)::BIGINT AS total FROM event_types",
    );
    const total = Number(row!["total"]);
    if (total === this.#result.total) return;
    this.#note(1, `event types' totals come to ${total}, raw events to ${this.#result.total}`);
  }

  /** Holds what was counted against what was found. */
  async #hold(where: string, counted: string, found: string): Promise<void> {
    const rows = await rowsOf(
      this.#connection,
      `WITH differences AS MATERIALIZED (${differencesSql(counted, found)})
       SELECT *, (SELECT count(*) FROM differences) AS n FROM differences LIMIT ${examplesMax}`,
    );
    const [first] = rows;
    if (first === undefined) return;
    this.#result.differences += Number(first["n"]);
    for (const row of rows) {
      const at = new Date(Number(row["start"]) * minuteMs).toISOString();
      const item = `${JSON.stringify(row["event_type"])} ${JSON.stringify(row["event_id"])}`;
      this.#example(
        `${where} of ${at}, ${item}: ${row["counted"]} counted, ${row["found"]} found`,
      );
    }
  }

  #note(differences: number, what: string): void {
    this.#result.differences += differences;
    this.#example(`${differences} ${what}`);
  }

  #example(text: string): void {
    if (this.#result.examples.length < examplesMax) this.#result.examples.push(text);
  }
}
