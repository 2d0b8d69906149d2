// The sample that the dashboard offers to load: one day of real flights out of vega-datasets, as
// a data file of columns in build/web/. The same input makes the same bytes.
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";

/** 24 hours, from one evening to the next: its last hours are busy ones. */
const dayStart = "2001-06-27 18:00:00";
const dayEnd = "2001-06-28 18:00:00";
/** More than this is late, as the US Department of Transportation counts it. */
const onTimeMinutesMax = 15;

const flightsSql = `
  SELECT date_diff('minute', TIMESTAMP '${dayStart}', date)::INTEGER AS "minute",
    origin, destination, delay >= ${onTimeMinutesMax} AS late
  FROM read_parquet($flights)
  WHERE date >= TIMESTAMP '${dayStart}' AND date < TIMESTAMP '${dayEnd}'
  ORDER BY date, origin, destination, delay, distance`;
const citiesSql = "SELECT iata, city FROM read_csv($airports, header = true) WHERE city <> 'NA'";

function dataFile(name) {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths("vega-datasets") ?? []) {
    const path = join(folder, "vega-datasets", "data", name);
    if (existsSync(path)) return path;
  }
  throw new Error(`vega-datasets/data/${name} is missing; run: npm ci`);
}

function modifiedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/**
 * The sample as JSON: `airports` with code and city, sorted by code; then a column each, an entry
 * a flight in order of time: `wait` (minutes since the flight before, the first one's since the
 * start of the day), `origin` and `destination` (places in `airports`), `late` (1 or 0).
 */
export async function sampleText() {
  const database = await DuckDBInstance.create();
  const connection = await database.connect();
  try {
    const rows = async (sql, parameters) =>
      (await connection.runAndReadAll(sql, parameters)).getRowObjectsJS();
    const flights = await rows(flightsSql, { flights: dataFile("flights-3m.parquet") });
    const cities = await rows(citiesSql, { airports: dataFile("airports.csv") });
    const cityOf = new Map(cities.map(({ iata, city }) => [iata, city]));
    const used = flights.flatMap(({ origin, destination }) => [origin, destination]);
    const codes = [...new Set(used)].sort();
    const place = new Map(codes.map((code, at) => [code, at]));
    return JSON.stringify({
      airports: codes.map((code) => [code, cityOf.get(code) ?? code]),
      wait: flights.map(({ minute }, i) => minute - (flights[i - 1]?.minute ?? 0)),
      origin: flights.map(({ origin }) => place.get(origin)),
      destination: flights.map(({ destination }) => place.get(destination)),
      late: flights.map(({ late }) => Number(late)),
    });
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}

/** Writes it below `root` unless it is newer than what makes it. */
export async function buildSample(root) {
  const target = join(root, "build", "web", "sample-flights.json");
  if (modifiedMs(target) > modifiedMs(fileURLToPath(import.meta.url))) return;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, await sampleText());
}
