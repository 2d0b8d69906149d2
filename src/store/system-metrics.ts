/**
 * The service's own numbers, kept for a while so that they can be asked for beside the events.
 *
 *   system_metrics  (sampled_at, name, value, labels): labels is JSON, NULL without any
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Database, rowsOf, runValues } from "./database.ts";
import { isLake } from "./dialect.ts";
import { timestampLiteral } from "./sql.ts";

/** The label of whose number it is, where several processes keep theirs in one store. */
export const processLabel = "process";

/** One number at one moment. */
export interface MetricSample {
  name: string;
  value: number;
  labels: Readonly<Record<string, string>>;
}

export interface MetricsPart {
  /** Epoch ms. */
  at: number;
  samples: MetricSample[];
  /** Older ones are forgotten, epoch ms. */
  keepFrom: number;
}

export const systemMetricsTable = `CREATE TABLE IF NOT EXISTS system_metrics (
  sampled_at TIMESTAMP_MS NOT NULL, name VARCHAR NOT NULL, value DOUBLE NOT NULL, labels VARCHAR)`;

/** Rows kept: 100 numbers a minute for a month. Beyond, the older half goes. */
export const metricRowsMax = 4_500_000;

/** From one look for what is too old to the next, in a lake. */
const forgetEveryMs = 3_600_000;

/** Keeps samples, and forgets what is too old. */
export class MetricsKeeper {
  readonly #database: () => Database;
  #forgotAt = Number.NEGATIVE_INFINITY;

  constructor(database: () => Database) {
    this.#database = database;
  }

  /** Resolves once it is committed. Rows of a lake's files go apart: while none are merged. */
  async put(part: MetricsPart): Promise<void> {
    const database = this.#database();
    if (!isLake(database.writer)) {
      await database.write((connection) => writeMetrics(connection, part));
      return;
    }
    await database.write((connection) => addMetrics(connection, part));
    if (performance.now() - this.#forgotAt < forgetEveryMs) return;
    this.#forgotAt = performance.now();
    await database.writeDeferrable((connection) => forgetMetrics(connection, part));
  }
}

/** Keeps a sample and forgets what is too old, in the writer's transaction. */
export async function writeMetrics(
  connection: DuckDBConnection,
  part: MetricsPart,
  rowsMax = metricRowsMax,
): Promise<void> {
  await forgetMetrics(connection, part, rowsMax);
  await addMetrics(connection, part);
}

/** Room for the sample is made as well. */
async function forgetMetrics(
  connection: DuckDBConnection,
  { samples, keepFrom }: MetricsPart,
  rowsMax = metricRowsMax,
): Promise<void> {
  await connection.run(
    `DELETE FROM system_metrics WHERE sampled_at < ${timestampLiteral(keepFrom)}`,
  );
  const [row] = await rowsOf(
    connection,
    "SELECT count(*) AS n, epoch_ms(quantile_disc(sampled_at, 0.5)) AS middle FROM system_metrics",
  );
  if (Number(row!["n"]) + samples.length <= rowsMax) return;
  const middle = timestampLiteral(Number(row!["middle"]));
  await connection.run(`DELETE FROM system_metrics WHERE sampled_at <= ${middle}`);
}

function addMetrics(connection: DuckDBConnection, { at, samples }: MetricsPart): Promise<void> {
  return runValues(
    connection,
    "INSERT INTO system_metrics SELECT make_timestamp_ms(at_ms), name, value, labels FROM (VALUES",
    samples.map(({ name, value, labels }) => [
      BigInt(at),
      name,
      value,
      Object.keys(labels).length === 0 ? null : JSON.stringify(labels),
    ]),
    ") AS sample (at_ms, name, value, labels)",
  );
}
