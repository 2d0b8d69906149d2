/**
 * A lake's catalog in a real PostgreSQL: rows of a commit, what a commit takes with one writer and
 * with several processes, and how planning grows with the number of files. Files beyond a few are
 * rows of the catalog alone, all of one Parquet file.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { say } from "./report.ts";
import { median } from "./statistics.ts";

export interface CatalogOptions {
  /** `host=… port=… user=… dbname=…`. */
  postgres: string;
  /** DuckDB's extension_directory, with ducklake and postgres_scanner. */
  extensions: string;
  smoke: boolean;
}

export interface CatalogRun {
  rowsPerCommit: number;
  rowsPerRawFile: number;
  rowsPerCountFile: number;
  commits: { writers: number; perSecond: number; msP50: number; msMax: number }[];
  plans: { files: number; ms: number }[];
  /** The least squares line through the plans. */
  planMs: number;
  planMicrosPerFile: number;
  fileRowBytes: number;
  statRowBytes: number;
}

const schema = "rankstream_bench_capacity";
const rawColumns = `event_type VARCHAR, event_id VARCHAR, event_time TIMESTAMP_MS,
  user_id VARCHAR, session_id VARCHAR, metadata VARCHAR, weight INTEGER, part SMALLINT`;
const countColumns = `minute INTEGER, type_id INTEGER, event_id VARCHAR, part SMALLINT,
  count BIGINT`;
const asksOfPlan = 9;
const writersOf = [1, 2, 4, 8];

class Catalog {
  readonly connection: DuckDBConnection;

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  static async open(
    { postgres, extensions }: CatalogOptions,
    folder: string,
    isFresh = false,
  ): Promise<Catalog> {
    const instance = await DuckDBInstance.create(":memory:", {
      extension_directory: extensions,
      autoinstall_known_extensions: "false",
      threads: "1",
    });
    const catalog = new Catalog(await instance.connect());
    for (const name of ["postgres_scanner", "ducklake"]) await catalog.run(`LOAD ${name}`);
    await catalog.run("SET ducklake_max_retry_count = 100");
    await catalog.run("SET ducklake_retry_wait_ms = 10");
    await catalog.run(`ATTACH '${postgres}' AS pg (TYPE postgres)`);
    if (isFresh) await catalog.tell(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await catalog.run(`ATTACH 'ducklake:postgres:${postgres}' AS lake
      (DATA_PATH '${folder}', METADATA_SCHEMA '${schema}')`);
    await catalog.run("USE lake");
    return catalog;
  }

  async run(sql: string): Promise<unknown[][]> {
    return (await this.connection.runAndReadAll(sql)).getRowsJson();
  }

  /** Runs it in PostgreSQL itself; its rows. */
  async ask(sql: string): Promise<unknown[][]> {
    return this.run(`FROM postgres_query('pg', '${sql.replaceAll("'", "''")}')`);
  }

  async tell(sql: string): Promise<void> {
    await this.run(`CALL postgres_execute('pg', '${sql.replaceAll("'", "''")}')`);
  }

  /** Lets go of the lake, whatever is under way, and removes it. */
  async leave(): Promise<void> {
    await this.run("ROLLBACK").catch(() => undefined);
    await this.run("USE memory");
    await this.run("DETACH lake");
    await this.tell(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  }

  /** One transaction of an ingest process; ms of its COMMIT. */
  async commit(part: number, turn: number): Promise<number> {
    await this.run("BEGIN");
    await this.run(`INSERT INTO raw SELECT 'play', 'song_' || range, make_timestamp_ms(
      1800000000000 + ${turn}), 'u', 's', '{}', 1, 0 FROM range(2000)`);
    await this.run(`INSERT INTO deltas SELECT ${turn}, 1, 'song_' || range, 0, 1 FROM range(500)`);
    await this.run(`INSERT INTO offsets VALUES (${part}, ${turn})`);
    const started = performance.now();
    await this.run("COMMIT");
    return performance.now() - started;
  }
}

/** A writer of its own process: commits for so many seconds, then prints what each took. */
export async function catalogWriter(argument: string): Promise<void> {
  const { options, folder, part, seconds } = JSON.parse(argument);
  const catalog = await Catalog.open(options, folder);
  const took: number[] = [];
  const until = performance.now() + seconds * 1000;
  for (let turn = 0; performance.now() < until; turn++)
    took.push(await catalog.commit(part, turn));
  process.stdout.write(`${JSON.stringify(took)}\n`);
}

async function outputOf(child: ChildProcess): Promise<number[]> {
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`a writer of the catalog ended with ${code}`);
  return JSON.parse(text);
}

async function writers(options: CatalogOptions, folder: string, count: number) {
  const seconds = options.smoke ? 1 : 8;
  const program = new URL("./capacity-writer.js", import.meta.url).pathname;
  const children = Array.from({ length: count }, (_, part) => {
    const argument = JSON.stringify({ options, folder, part, seconds });
    const stdio = ["ignore", "pipe", "inherit"] as const;
    return outputOf(spawn(process.execPath, [program, argument], { stdio: [...stdio] }));
  });
  const took = (await Promise.all(children)).flat();
  const msMax = took.reduce((most, ms) => Math.max(most, ms), 0);
  return { writers: count, perSecond: took.length / seconds, msP50: median(took), msMax };
}

/** As many further files of raw events as there are to be, a minute each. */
async function addFiles(catalog: Catalog, from: number, to: number): Promise<void> {
  await catalog.tell(`INSERT INTO ${schema}.ducklake_data_file
    (data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format, record_count,
     file_size_bytes, footer_size, row_id_start)
    SELECT 1000000 + n, f.table_id, f.begin_snapshot, f.path, f.path_is_relative, f.file_format,
      f.record_count, f.file_size_bytes, f.footer_size, 1000000000 + n * f.record_count
    FROM generate_series(${from}, ${to - 1}) AS n, (SELECT * FROM ${schema}.ducklake_data_file
      WHERE table_id = 1 AND data_file_id < 1000000 ORDER BY data_file_id LIMIT 1) AS f`);
  const time = (shift: number) =>
    `to_char(to_timestamp(1700000000 + n * 60 + ${shift}) AT TIME ZONE 'utc',
      'YYYY-MM-DD HH24:MI:SS')`;
  await catalog.tell(`INSERT INTO ${schema}.ducklake_file_column_stats
    (data_file_id, table_id, column_id, column_size_bytes, value_count, null_count, min_value,
     max_value)
    SELECT 1000000 + n, 1, k, 57, 2000, 0, CASE k WHEN 3 THEN ${time(0)} ELSE 'a' END,
      CASE k WHEN 3 THEN ${time(59)} ELSE 'z' END
    FROM generate_series(${from}, ${to - 1}) AS n, generate_series(1, 8) AS k`);
  for (const table of ["ducklake_data_file", "ducklake_file_column_stats"]) {
    await catalog.tell(`ANALYZE ${schema}.${table}`);
  }
}

async function planMs(catalog: Catalog, files: number): Promise<number> {
  const took: number[] = [];
  for (let ask = 0; ask < asksOfPlan; ask++) {
    const from = 1_700_000_000 + Math.floor((files * ask) / asksOfPlan) * 60;
    const started = performance.now();
    const at = (seconds: number) => `make_timestamp_ms(${(from + seconds) * 1000})`;
    await catalog.run(`EXPLAIN SELECT count(*) FROM raw
      WHERE event_time >= ${at(0)} AND event_time < ${at(60)}`);
    took.push(performance.now() - started);
  }
  return median(took);
}

function lineThrough(plans: readonly { files: number; ms: number }[]) {
  const n = plans.length;
  const meanX = plans.reduce((sum, { files }) => sum + files, 0) / n;
  const meanY = plans.reduce((sum, { ms }) => sum + ms, 0) / n;
  let [above, below] = [0, 0];
  for (const { files, ms } of plans) {
    above += (files - meanX) * (ms - meanY);
    below += (files - meanX) ** 2;
  }
  const slope = above / below;
  return { planMs: meanY - slope * meanX, planMicrosPerFile: slope * 1000 };
}

async function rowsOf(catalog: Catalog): Promise<Record<string, number>> {
  const tables = ["snapshot", "snapshot_changes", "data_file", "file_column_stats"];
  const counts = tables.map((t) => `(SELECT count(*) FROM ${schema}.ducklake_${t}) AS ${t}`);
  const [row] = await catalog.ask(`SELECT ${counts.join(", ")}`);
  return Object.fromEntries(tables.map((table, i) => [table, Number(row![i])]));
}

async function rowsOfCommit(catalog: Catalog) {
  const before = await rowsOf(catalog);
  await catalog.commit(0, -1);
  const after = await rowsOf(catalog);
  const grown = (table: string) => after[table]! - before[table]!;
  const own = grown("snapshot") + grown("snapshot_changes");
  if (grown("data_file") !== 2) throw new Error(`${grown("data_file")} files of a commit, not 2`);
  const [columns] = await catalog.ask(`SELECT count(*) FILTER (WHERE table_id = 1) AS raw,
    count(*) FILTER (WHERE table_id = 2) AS counts FROM ${schema}.ducklake_column`);
  const [raw, count] = columns!.map(Number);
  if (grown("file_column_stats") !== raw! + count!) {
    throw new Error(`${grown("file_column_stats")} rows of statistics, not ${raw! + count!}`);
  }
  return { rowsPerCommit: own, rowsPerRawFile: 1 + raw!, rowsPerCountFile: 1 + count! };
}

async function bytesPerRow(catalog: Catalog, table: string): Promise<number> {
  const [row] = await catalog.ask(`SELECT pg_total_relation_size('${schema}.${table}')::float8 /
    (SELECT count(*) FROM ${schema}.${table})`);
  return Number(row![0]);
}

/** Measures it all in a schema of its own, which it removes. */
export async function catalogRun(options: CatalogOptions): Promise<CatalogRun> {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-catalog-"));
  let catalog: Catalog | undefined;
  try {
    catalog = await Catalog.open(options, folder, true);
    await catalog.run(`CREATE TABLE raw (${rawColumns})`);
    await catalog.run(`CREATE TABLE deltas (${countColumns})`);
    await catalog.run("CREATE TABLE offsets (part SMALLINT, next BIGINT)");
    await catalog.commit(0, -2);
    const rows = await rowsOfCommit(catalog);
    const commits = [];
    for (const count of options.smoke ? [1, 2] : writersOf) {
      say(`capacity: ${count} writers of the catalog`);
      commits.push(await writers(options, folder, count));
    }
    const plans = [];
    let files = 0;
    for (const wanted of options.smoke ? [100, 2000] : [1000, 10_000, 100_000, 300_000]) {
      await addFiles(catalog, files, wanted);
      files = wanted;
      plans.push({ files, ms: await planMs(catalog, files) });
    }
    return {
      ...rows,
      commits,
      plans,
      ...lineThrough(plans),
      fileRowBytes: await bytesPerRow(catalog, "ducklake_data_file"),
      statRowBytes: await bytesPerRow(catalog, "ducklake_file_column_stats"),
    };
  } finally {
    await catalog?.leave();
    rmSync(folder, { recursive: true, force: true });
  }
}
