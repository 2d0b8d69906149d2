/** The scanner beside other readers of the same NDJSON, in the same run, each on one thread. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type DuckDBConnection, DuckDBInstance, version } from "@duckdb/node-api";
import { layout } from "../src/kernel/layout.ts";
import { idOf } from "./event-stream.ts";
import { eventTypes, idTextAt, type KernelData, WorkerKernel } from "./kernel-data.ts";
import type { BenchOptions } from "./options.ts";
import { type Timing, type TimingBounds, timeAll, type Work } from "./timing.ts";
import { StreamCounts } from "./truth.ts";

interface Event {
  eventId: string;
  eventType: string;
}

interface Reader {
  work: Work;
  /** What it finds in all bodies. */
  count: () => Promise<StreamCounts> | StreamCounts;
  note?: string;
}

function emptyCounts({ counts }: KernelData): StreamCounts {
  return new StreamCounts(counts.types, counts.ids);
}

function typeOf(name: string): number {
  return eventTypes.indexOf(name);
}

function scannerReader(worker: WorkerKernel, data: KernelData): Reader {
  const { kernel } = worker;
  return {
    work: {
      name: "kernel scanner: validated, located",
      items: data.events,
      run: () => {
        for (const body of data.bodies) worker.scan(body, data.startMs, () => undefined);
      },
    },
    count: () => {
      const found = emptyCounts(data);
      for (const body of data.bodies) {
        worker.scan(body, data.startMs, (events, n) => {
          worker.resolve(events, n);
          for (let i = 0; i < n; i++) {
            const event = events + i * layout.EVENT_SIZE;
            const type = kernel.view.getUint32(event + layout.EVENT_TYPE_INDEX, true);
            const name = worker.aggregator.types.name(type);
            found.add(typeOf(name), idOf(idTextAt(kernel, event)));
          }
        });
      }
      return found;
    },
  };
}

/** A reader of one line at a time, over the first bodies alone: they are slow. */
function lineReader(name: string, data: KernelData, parse: (line: string) => Event): Reader {
  const bodies = data.bodies.slice(0, Math.max(1, Math.floor(data.bodies.length / 4)));
  const each = (of: KernelData["bodies"], use: (event: Event) => void) => {
    for (const { bytes } of of) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
      for (const line of text.split("\n")) if (line !== "") use(parse(line));
    }
  };
  const events = bodies.reduce((sum, body) => sum + body.events, 0);
  return {
    work: { name, items: events, run: () => each(bodies, () => undefined) },
    count: () => {
      const found = emptyCounts(data);
      each(data.bodies, ({ eventType, eventId }) => found.add(typeOf(eventType), idOf(eventId)));
      return found;
    },
  };
}

type SimdJson = { parse: (line: string) => Event };

/** npm's simdjson, where somebody installed it: no dependency, it needs a compiler. */
function simdjsonOf(folder: string | undefined): SimdJson | null {
  try {
    const from = createRequire(folder === undefined ? import.meta.url : `${resolve(folder)}/x.js`);
    return from("simdjson") as SimdJson;
  } catch {
    return null;
  }
}

const columns =
  "{eventId: 'VARCHAR', eventType: 'VARCHAR', timestamp: 'VARCHAR', userId: 'VARCHAR', " +
  "sessionId: 'VARCHAR', metadata: 'JSON'}";

function duckDbReader(connection: DuckDBConnection, file: string, data: KernelData): Reader {
  const from = `read_json('${file}', format = 'newline_delimited', columns = ${columns})`;
  // Of every column something, or it would not be read.
  const sums = ["eventId", "eventType", "timestamp", "userId", "sessionId", "metadata"].map(
    (name) => `sum(strlen(${name}::VARCHAR))`,
  );
  return {
    work: {
      name: `DuckDB ${version()} read_json, 1 thread`,
      items: data.events,
      run: async () => {
        await connection.run(`SELECT ${sums.join(", ")} FROM ${from}`);
      },
    },
    count: async () => {
      const found = emptyCounts(data);
      const reader = await connection.runAndReadAll(`SELECT eventType, eventId FROM ${from}`);
      for (const [type, id] of reader.getRows()) found.add(typeOf(String(type)), idOf(String(id)));
      return found;
    },
  };
}

function check(name: string, found: StreamCounts, data: KernelData): void {
  for (let type = 0; type < found.types; type++) {
    const truth = data.counts.ofType(type);
    found.ofType(type).forEach((count, id) => {
      if (count === truth[id]) return;
      throw new Error(`${name}: id ${id} of type ${type} has ${count}, expected ${truth[id]}`);
    });
  }
}

export interface ParserResult {
  timings: Timing[];
  notes: string[];
}

/** Each reader's answer is the generator's own count; then all are timed. */
export async function timeParsers(
  options: BenchOptions,
  data: KernelData,
  bounds: TimingBounds,
): Promise<ParserResult> {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-kernel-"));
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    const file = join(folder, "events.ndjson");
    writeFileSync(file, Buffer.concat(data.bodies.map(({ bytes }) => bytes)));
    const simdjson = simdjsonOf(options.simdjsonFolder);
    const readers = [
      scannerReader(await WorkerKernel.make(), data),
      lineReader("JSON.parse, a line at a time", data, (line) => JSON.parse(line) as Event),
      ...(simdjson === null ? [] : [lineReader("simdjson (npm) parse", data, simdjson.parse)]),
      duckDbReader(connection, file, data),
    ];
    for (const { work, count } of readers) check(work.name, await count(), data);
    const timings = await timeAll(
      readers.map(({ work }) => work),
      bounds,
    );
    const notes =
      simdjson === null
        ? ["NOT MEASURED: npm's simdjson: npm i --prefix DIR simdjson, then --simdjson DIR"]
        : [];
    return { timings, notes };
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}
