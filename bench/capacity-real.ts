/**
 * A small real run to hold paper and simulation against: two whole days of events, with day and
 * night, go over HTTP into a service; once their windows are built its folder is looked into.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { Random, ZipfSampler } from "../test/support/random.ts";
import { minutesADay, ratesOf } from "./capacity-year.ts";
import type { Body } from "./event-stream.ts";
import { askBoard, postAll } from "./load.ts";
import { ServiceProcess } from "./service-process.ts";

export interface RealOptions {
  seed: number;
  events: number;
  eventTypes: number;
  items: number;
  connections: number;
}

export interface RealRun {
  events: number;
  /** NDJSON. */
  bytesPerEvent: number;
  eventsPerSecond: number;
  eventsPerSecondPeak: number;
  /** Null: so few that they are in no file yet. */
  rawBytesPerEvent: number | null;
  /** Rows kept of lists and tails. */
  countRows: { minute: number; hour: number; day: number };
  /** Rows of counts that were folded, before they were rows of minutes. */
  deltaRows: number;
  /** By the clock, on a machine that may be busy. */
  sealMicrosPerRow: number;
  /** CPU of the service from the first event to the last window built. */
  cpuMicrosPerEvent: number;
  sketchBytes: number;
  sketches: number;
  /** A row of lists and tails as a file of the lake: Parquet with zstd. */
  countRowBytes: number;
  rawFiles: number;
}

const days = 2;
const dayMs = 86_400_000;
const minuteMs = 60_000;
const eventsPerBody = 4000;
const builtMsMax = 120_000;
const peakFactor = 3;
const usersMax = 50_000;
const countries = ["DE", "FR", "US", "IN"];
const args = [
  ...["--log-level", "info", "--seal-quiet-ms", "200"],
  ...["--cache-bytes-max", "0", "--cache-store-bytes-max", "0"],
];

function typeName(type: number): string {
  return `type_${type}`;
}

/** Bodies of both days, in order of time; types and items by 1/i. */
function* bodiesOf(options: RealOptions, startMs: number): Generator<Body> {
  const random = new Random(options.seed);
  const average = options.events / (days * minutesADay * 60);
  const rates = ratesOf(days, average, average * peakFactor, random.fork(1));
  const types = new ZipfSampler(options.eventTypes, 1);
  const weights = Array.from({ length: options.eventTypes }, (_, type) => 1 / (type + 1));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  const items = weights.map((weight) => {
    return new ZipfSampler(Math.max(1, Math.round((options.items * weight) / sum)), 1);
  });
  let lines: string[] = [];
  let [first, due] = [0, 0];
  const take = (): Body => {
    const body = { bytes: Buffer.from(`${lines.join("\n")}\n`), events: lines.length, first };
    first += lines.length;
    lines = [];
    return body;
  };
  for (let minute = 0; minute < rates.length; minute++) {
    for (due += rates[minute]! * 60; due >= 1; due--) {
      const type = types.draw(random);
      lines.push(
        JSON.stringify({
          eventId: `song_${items[type]!.draw(random)}`,
          eventType: typeName(type),
          timestamp: startMs + minute * minuteMs + random.int(0, minuteMs - 1),
          userId: `user_${random.int(1, usersMax)}`,
          sessionId: `session_${random.int(1, usersMax)}`,
          metadata: { country: random.pick(countries), device: "phone" },
        }),
      );
      if (lines.length === eventsPerBody) yield take();
    }
  }
  if (lines.length > 0) yield take();
}

/** Until a board of both days is made of their two windows alone. */
async function untilBuilt(url: string, startMs: number, eventTypes: number): Promise<void> {
  const deadline = Date.now() + builtMsMax;
  const range = { from: startMs, to: startMs + days * dayMs, k: 1, mode: "approx" };
  for (let type = 0; type < eventTypes; ) {
    const board = await askBoard(url, { eventType: typeName(type), ...range });
    if (typeof board !== "string" && isOfDays(board)) {
      type++;
      continue;
    }
    if (Date.now() > deadline) throw new Error(`windows were not built: ${JSON.stringify(board)}`);
    await sleep(1000);
  }
}

function isOfDays(board: object): boolean {
  const { plan } = board as { plan?: { windows?: Record<string, number> } };
  const windows = plan?.windows ?? {};
  return windows["day"] === days && !windows["hour"] && !windows["minute"];
}

async function lookInto(dataDir: string) {
  const instance = await DuckDBInstance.create(join(dataDir, "store.duckdb"));
  try {
    const connection = await instance.connect();
    const numbers = async (sql: string): Promise<number[]> =>
      (await connection.runAndReadAll(sql)).getRowsJS()[0]!.map(Number);
    const rowsOf = async (level: string) =>
      (
        await numbers(`SELECT (SELECT count(*) FROM list_${level}) +
        (SELECT count(*) FROM tail_${level})`)
      )[0]!;
    const countRows = {
      minute: await rowsOf("minute"),
      hour: await rowsOf("hour"),
      day: await rowsOf("day"),
    };
    const levels = ["minute", "hour", "day"];
    const all = levels.map((level) => `SELECT octet_length(data) AS bytes FROM sketch_${level}`);
    const [sketches, sketchBytes] = await numbers(
      `SELECT count(*), coalesce(sum(bytes), 0) FROM (${all.join(" UNION ALL ")})`,
    );
    const [rawFiles, rawBytes, rawRows] = await numbers(
      "SELECT count(*), sum(bytes), sum(rows) FROM raw_files",
    );
    const counts = levels.flatMap((level) =>
      ["list", "tail"].map(
        (kind) => `SELECT start, type_id, event_id, count FROM ${kind}_${level}`,
      ),
    );
    const file = join(dataDir, "counts.parquet");
    await connection.run(`COPY (FROM (${counts.join(" UNION ALL ")}) ORDER BY start, type_id,
      event_id) TO '${file}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`);
    const kept = countRows.minute + countRows.hour + countRows.day;
    return {
      countRows,
      sketches: sketches!,
      sketchBytes: sketchBytes!,
      rawFiles: rawFiles!,
      rawBytesPerEvent: rawFiles === 0 ? null : rawBytes! / rawRows!,
      countRowBytes: statSync(file).size / kept,
    };
  } finally {
    instance.closeSync();
  }
}

/** Rows that were folded and what it took, from the lines of the log. */
function sealsOf(log: string): { deltaRows: number; ms: number } {
  const sealed = { deltaRows: 0, ms: 0 };
  for (const line of log.split("\n")) {
    if (!line.includes("windows were sealed")) continue;
    sealed.deltaRows += Number(/deltaRows":(\d+)/.exec(line)?.[1] ?? 0);
    sealed.ms += Number(/tookMs":(\d+)/.exec(line)?.[1] ?? 0);
  }
  return sealed;
}

/** Sends the events, waits for their windows, looks into the folder. */
export async function realRun(options: RealOptions): Promise<RealRun> {
  const startMs = Math.floor(Date.now() / dayMs) * dayMs - days * dayMs;
  const service = await ServiceProcess.start({ args });
  try {
    const bodies = bodiesOf(options, startMs);
    let [bytes, events] = [0, 0];
    const next = (): Body | null => {
      const { value, done } = bodies.next();
      if (done === true) return null;
      bytes += value.bytes.length;
      events += value.events;
      return value;
    };
    const cpuUsed = service.meterCpu();
    await postAll(service.url, options.connections, next);
    await untilBuilt(service.url, startMs, options.eventTypes);
    const cpu = cpuUsed().seconds;
    await service.stop();
    const { deltaRows, ms } = sealsOf(service.logText);
    const eventsPerSecond = events / (days * minutesADay * 60);
    return {
      events,
      bytesPerEvent: bytes / events,
      eventsPerSecond,
      eventsPerSecondPeak: eventsPerSecond * peakFactor,
      deltaRows,
      cpuMicrosPerEvent: (cpu * 1e6) / events,
      sealMicrosPerRow: (ms * 1000) / deltaRows,
      ...(await lookInto(service.dataDir)),
    };
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}
