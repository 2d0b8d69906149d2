/**
 * The service's own numbers, kept for a while so that they can be asked for beside the events.
 *
 *   system_metrics  (sampled_at, name, value, labels): labels is JSON, NULL without any
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf, runValues } from "./database.ts";
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

/** Keeps a sample and forgets what is too old, in the writer's transaction. */
export async function writeMetrics(
  connection: DuckDBConnection,
  { at, samples, keepFrom }: MetricsPart,
  rowsMax = metricRowsMax,
): Promise<void> {
  await connection.run(
    `DELETE FROM system_metrics WHERE sampled_at < ${timestampLiteral(keepFrom)}`,
  );
  const [row] = await rowsOf(
    connection,
    "SELECT count(*) AS n, epoch_ms(quantile_disc(sampled_at, 0.5)) AS middle FROM system_metrics",
  );
  if (Number(row!["n"]) + samples.length > rowsMax) {
    const middle = timestampLiteral(Number(row!["middle"]));
    await connection.run(`DELETE FROM system_metrics WHERE sampled_at <= ${middle}`);
  }
  await runValues(
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
