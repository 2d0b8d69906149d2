/** How the service's numbers went: what is kept of them, in even steps. */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { type Row, rowsOf } from "./database.ts";
import { sqlText, sqlTexts, timestampLiteral } from "./sql.ts";
import { processLabel } from "./system-metrics.ts";

export interface MetricsQuery {
  names: string[];
  /** Values that labels must have, by their names. */
  labels: Readonly<Record<string, string>>;
  /** Only of this process, and of those from before there were several; default: of all. */
  ofProcess?: string | undefined;
  /** Epoch ms; `to` exclusive. */
  from: number;
  to: number;
  stepMs: number;
  /** Series told of at most, the first by name and labels. */
  seriesMax: number;
}

/** One series, a number for each step; null where nothing is known of it. */
export interface MetricsSeries {
  name: string;
  /** A JSON object; null without any. */
  labels: string | null;
  /** The mean of the samples of a step; of quantiles the greatest. */
  values: (number | null)[];
  /** How fast it grew in a step, a second, a fall taken as a start from 0; of counters. */
  rates: (number | null)[];
}

export interface MetricsHistory {
  series: MetricsSeries[];
  /** There are more than `seriesMax`. */
  isCut: boolean;
}

/** A number that stays as it is has a row an hour: what is older says nothing any more. */
const carryMsMax = 3_700_000;

/** A step's rows of one series. */
interface Step {
  series: number;
  step: number;
  mean: number;
  most: number;
  last: number;
  increase: number;
}

function stepOf(row: Row): Step {
  const number = (name: string) => Number(row[name]);
  return {
    series: number("series"),
    step: number("step"),
    mean: number("mean"),
    most: number("most"),
    last: number("last"),
    increase: number("increase"),
  };
}

function processClause({ ofProcess }: MetricsQuery): string {
  if (ofProcess === undefined) return "";
  const name = sqlText(ofProcess);
  return `AND coalesce(json_extract_string(labels, '$.${processLabel}'), ${name}) = ${name}`;
}

/** The labels asked for are among a row's. */
function labelsClause(labels: MetricsQuery["labels"], values: DuckDBValue[]): string {
  return Object.entries(labels)
    .map(([name, value]) => {
      values.push(`$."${name}"`, value);
      return "AND json_extract_string(labels, ?) = ?";
    })
    .join(" ");
}

/**
 * Seconds that the samples of each step speak of, of whatever series; 0: the service did not run.
 * A sample speaks of the time since the one before it, or of the usual time between two where
 * that is much less: the service was stopped then.
 */
async function sampledSeconds(
  connection: DuckDBConnection,
  query: MetricsQuery,
): Promise<number[]> {
  const { from, to, stepMs } = query;
  const rows = await rowsOf(
    connection,
    `WITH moments AS (
       SELECT DISTINCT epoch_ms(sampled_at) AS moment FROM system_metrics
       WHERE sampled_at >= ${timestampLiteral(from - carryMsMax)}
         AND sampled_at < ${timestampLiteral(to)} ${processClause(query)}),
     gaps AS (SELECT moment, moment - lag(moment) OVER (ORDER BY moment) AS gap
       FROM moments),
     usual AS (SELECT coalesce(quantile_disc(gap, 0.5), ${stepMs}) AS ms FROM gaps)
     SELECT ((moment - ${from}) // ${stepMs})::INTEGER AS step,
       sum(CASE WHEN gap <= 1.5 * ms THEN gap ELSE ms END) / 1000 AS seconds
     FROM gaps, usual WHERE moment >= ${from} GROUP BY step`,
  );
  const seconds = new Array<number>(Math.ceil((to - from) / stepMs)).fill(0);
  for (const row of rows) seconds[Number(row["step"])] = Number(row["seconds"]);
  return seconds;
}

interface Head {
  name: string;
  labels: string | null;
  isQuantile: boolean;
}

function seriesOf(
  { isQuantile, ...head }: Head,
  steps: Map<number, Step>,
  sampled: number[],
  stepMs: number,
): MetricsSeries {
  // What a quantile was is not what it is while nothing comes.
  const stepsCarried = isQuantile ? 0 : Math.ceil(carryMsMax / stepMs);
  let known: { value: number; at: number } | null = null;
  const before = steps.get(-1);
  if (before !== undefined) known = { value: before.last, at: -1 };
  const values: (number | null)[] = [];
  const rates: (number | null)[] = [];
  for (const [at, seconds] of sampled.entries()) {
    const step = steps.get(at);
    if (step !== undefined) known = { value: step.last, at };
    const isKnown = known !== null && seconds > 0 && at - known.at <= stepsCarried;
    const own = step && (isQuantile ? step.most : step.mean);
    values.push(own ?? (isKnown ? known!.value : null));
    rates.push(step === undefined ? (isKnown ? 0 : null) : step.increase / seconds);
  }
  return { ...head, values, rates };
}

/** The series asked for, in steps. */
export async function readMetrics(
  connection: DuckDBConnection,
  query: MetricsQuery,
): Promise<MetricsHistory> {
  const { names, from, to, stepMs, seriesMax } = query;
  const values: DuckDBValue[] = [];
  const labels = labelsClause(query.labels, values);
  const matching = `name IN (${sqlTexts(names)}) ${labels} ${processClause(query)}`;
  const since = timestampLiteral(from - carryMsMax);
  const heads = await rowsOf(
    connection,
    `SELECT DISTINCT name, labels, json_exists(labels, '$.quantile') AS quantile
     FROM system_metrics
     WHERE ${matching} AND sampled_at >= ${since} AND sampled_at < ${timestampLiteral(to)}
     ORDER BY name, labels NULLS FIRST LIMIT ${seriesMax + 1}`,
    values,
  );
  const told = heads.slice(0, seriesMax);
  if (told.length === 0) return { series: [], isCut: false };
  const rows = await rowsOf(
    connection,
    `WITH own AS (
       SELECT name, labels, sampled_at, value,
         value - lag(value) OVER (PARTITION BY name, labels ORDER BY sampled_at) AS growth,
         CASE WHEN sampled_at < ${timestampLiteral(from)} THEN -1
           ELSE (epoch_ms(sampled_at) - ${from}) // ${stepMs} END::INTEGER AS step
       FROM system_metrics
       WHERE ${matching} AND sampled_at >= ${since} AND sampled_at < ${timestampLiteral(to)}),
     heads AS (
       SELECT name, labels, row_number() OVER (ORDER BY name, labels NULLS FIRST) - 1 AS series
       FROM (SELECT DISTINCT name, labels FROM own))
     SELECT series, step, avg(value) AS mean, max(value) AS most,
       arg_max(value, sampled_at) AS last,
       sum(CASE WHEN growth >= 0 THEN growth ELSE value END) AS increase
     FROM own JOIN heads ON own.name = heads.name
       AND own.labels IS NOT DISTINCT FROM heads.labels
     WHERE series < ${seriesMax} GROUP BY series, step`,
    values,
  );
  const steps = told.map(() => new Map<number, Step>());
  for (const step of rows.map(stepOf)) steps[step.series]!.set(step.step, step);
  const sampled = await sampledSeconds(connection, query);
  const series = told.map((row, at) => {
    const labels = row["labels"] === null ? null : String(row["labels"]);
    const head = { name: String(row["name"]), labels, isQuantile: row["quantile"] === true };
    return seriesOf(head, steps[at]!, sampled, stepMs);
  });
  return { series, isCut: heads.length > seriesMax };
}
