/** The same questions by DuckDB SQL over the same Parquet files, and what the peers are fed. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { TimeSpan } from "./recorded-stream.ts";
import type { TrueRow } from "./truth.ts";
import { dataDirOf, type YearFolder } from "./year-data.ts";

export interface Question extends TimeSpan {
  eventType: string;
  k: number;
  /** Metadata's country; undefined takes all. */
  country?: string;
}

export interface SqlAnswer {
  rows: TrueRow[];
  ms: number;
}

interface RawFile {
  path: string;
  first: number;
  last: number;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function timestamp(ms: number): string {
  return `epoch_ms(${ms})`;
}

/** The raw events of a stopped service's folder: stays open while the service runs again. */
export class YearSql {
  readonly #connection: DuckDBConnection;
  readonly #files: RawFile[];
  readonly version: string;

  private constructor(connection: DuckDBConnection, files: RawFile[], version: string) {
    this.#connection = connection;
    this.#files = files;
    this.version = version;
  }

  /** Reads the manifest; events that are in no file yet are written to one beside the data. */
  static async open(year: YearFolder): Promise<YearSql> {
    const dataDir = dataDirOf(year);
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const recent = join(year.folder, "recent.parquet");
    rmSync(recent, { force: true });
    await connection.run(`ATTACH ${text(join(dataDir, "store.duckdb"))} AS store (READ_ONLY)`);
    await connection.run(`COPY store.raw_recent TO ${text(recent)} (FORMAT parquet)`);
    const manifest = await connection.runAndReadAll(
      `SELECT path, epoch_ms(first_time) AS first, epoch_ms(last_time) AS last
       FROM store.raw_files
       UNION ALL SELECT NULL, epoch_ms(min(event_time)), epoch_ms(max(event_time))
       FROM store.raw_recent HAVING count(*) > 0`,
    );
    const files = manifest.getRowObjectsJS().map((row) => {
      const path = row["path"] === null ? recent : join(dataDir, String(row["path"]));
      return { path, first: Number(row["first"]), last: Number(row["last"]) };
    });
    await connection.run("DETACH store");
    for (const { path } of files) if (!existsSync(path)) throw new Error(`${path} is missing`);
    const [row] = (await connection.runAndReadAll("SELECT version() AS v")).getRowObjectsJS();
    return new YearSql(connection, files, String(row!["v"]));
  }

  /** The rows asked for, read from the files that may hold them. */
  #source({ eventType, from, to, country }: Question): string {
    const files = this.#files.filter(({ first, last }) => first < to && last >= from);
    const list = files.map(({ path }) => text(path)).join(", ");
    const only = country === undefined ? "" : ` AND (metadata->>'country') = ${text(country)}`;
    return `read_parquet([${list}]) WHERE event_type = ${text(eventType)}
      AND event_time >= ${timestamp(from)} AND event_time < ${timestamp(to)}${only}`;
  }

  /** The exact top k. */
  async top(question: Question): Promise<SqlAnswer> {
    const started = performance.now();
    const reader = await this.#connection.runAndReadAll(
      `SELECT event_id, sum(weight)::BIGINT AS count FROM ${this.#source(question)}
       GROUP BY event_id ORDER BY count DESC, event_id LIMIT ${question.k}`,
    );
    const rows = reader.getRowObjectsJS().map((row) => {
      return { eventId: String(row["event_id"]), count: Number(row["count"]) };
    });
    return { rows, ms: performance.now() - started };
  }

  /** True counts of the ids named. */
  async countsOf(question: Question, ids: readonly string[]): Promise<Map<string, number>> {
    const list = ids.map(text).join(", ");
    const reader = await this.#connection.runAndReadAll(
      `SELECT event_id, sum(weight)::BIGINT AS count FROM ${this.#source(question)}
       AND event_id IN (${list}) GROUP BY event_id`,
    );
    const rows = reader.getRowObjectsJS();
    return new Map(rows.map((row) => [String(row["event_id"]), Number(row["count"])]));
  }

  /** Writes the events of a question to one Parquet file: time and id. Returns how many. */
  async exportEvents(question: Question, file: string): Promise<number> {
    const done = await this.#connection.run(
      `COPY (SELECT event_time, event_id FROM ${this.#source(question)} ORDER BY event_time)
       TO ${text(file)} (FORMAT parquet)`,
    );
    return Number(done.rowsChanged);
  }

  /** Counts of each minute and id, in the order of minutes. */
  async *minuteCounts(question: Question): AsyncGenerator<MinuteCount[]> {
    const result = await this.#connection.stream(
      `SELECT epoch_ms(event_time) // 60000 AS minute, event_id, sum(weight)::BIGINT AS count
       FROM ${this.#source(question)} GROUP BY ALL ORDER BY minute`,
    );
    for await (const rows of result.yieldRowObjectJs()) {
      yield rows.map((row) => {
        const { minute, event_id: id, count } = row;
        return { minute: Number(minute), eventId: String(id), count: Number(count) };
      });
    }
  }

  close(): void {
    this.#connection.closeSync();
  }
}

export interface MinuteCount extends TrueRow {
  minute: number;
}
