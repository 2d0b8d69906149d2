/**
 * The same streams given to others, each in a process of its own: DataSketches, HeavyKeeper,
 * ClickHouse; DuckDB in this one. Sizes are chosen for the bytes given. Whoever isn't there is
 * left out by name.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { DuckDBInstance, version as duckDbVersion } from "@duckdb/node-api";
import type { FoundItem, Summary } from "./accuracy-verdict.ts";
import { idOf } from "./event-stream.ts";
import type { BenchOptions } from "./options.ts";

const run = promisify(execFile);
const runMsMax = 300_000;
const outputBytesMax = 256 * 1024 * 1024;
const rowsAsked = 1000;
const programs = new URL("../../../bench/peers/", import.meta.url).pathname;
const cargoTarget = new URL("../heavykeeper", import.meta.url).pathname;

export interface Peer {
  name: string;
  /** Why it can't be had; null when it can. */
  lack: () => Promise<string | null>;
  /** What it says of a file of ids, one a line. */
  ask: (file: string) => Promise<Summary>;
}

interface Head {
  us: number;
  memoryBytes: number;
  outside?: number;
  version: string;
}

/** The power of two that comes nearest to the bytes with `slotBytes` each. */
function log2Slots(memoryBytes: number, slotBytes: number): number {
  return Math.round(Math.log2(memoryBytes / slotBytes));
}

function rowOf(line: string): FoundItem {
  const [estimate, lower, upper, id] = line.split("\t");
  const row = { id: idOf(id!), estimate: Number(estimate) };
  return upper === "" ? row : { ...row, lower: Number(lower), upper: Number(upper) };
}

async function summaryOf(name: string, note: string, command: string, args: string[]) {
  const options = { timeout: runMsMax, maxBuffer: outputBytesMax };
  const { stdout } = await run(command, args, options);
  const [first, ...lines] = stdout.split("\n");
  const { us, memoryBytes, outside, version } = JSON.parse(first!) as Head;
  const rows = lines.filter((line) => line !== "").map(rowOf);
  rows.sort((a, b) => b.estimate - a.estimate || a.id - b.id);
  const about = { name, note: `${version}; ${note}`, usPerUpdate: us, memoryBytes, rows };
  return outside === undefined ? about : { ...about, outside };
}

/** Null when the command ends well. */
async function lackOf(what: string, command: string, args: string[]): Promise<string | null> {
  try {
    await run(command, args, { timeout: runMsMax });
    return null;
  } catch {
    return what;
  }
}

function pythonPeers({ python }: BenchOptions, memoryBytes: number): Peer[] {
  const program = `${programs}frequent_items.py`;
  const lack = (module: string) => () =>
    lackOf(`pip install ${module}, then --python`, python, ["-c", `import ${module}`]);
  const log2 = log2Slots(memoryBytes, 42);
  const load = Math.max(1, Math.floor(memoryBytes / rowsAsked / 160));
  const sketch = "DataSketches C++ strings";
  const topK = "ClickHouse topK";
  return [
    {
      name: sketch,
      lack: lack("datasketches"),
      ask: (file) => {
        const args = [program, "datasketches", file, String(log2)];
        return summaryOf(sketch, `map of 2^${log2}; time with the call from Python`, python, args);
      },
    },
    {
      name: topK,
      lack: lack("chdb"),
      ask: (file) => {
        const args = [program, "clickhouse", file, String(rowsAsked), String(load)];
        return summaryOf(topK, `${rowsAsked * load} counters`, python, args);
      },
    },
  ];
}

function javaPeers({ java, jarsFolder }: BenchOptions, memoryBytes: number): Peer[] {
  const what = "datasketches-java and its jars from Maven in a folder, then --jars";
  const sizes = {
    strings: log2Slots(memoryBytes, 18 + 0.75 * 56),
    longs: log2Slots(memoryBytes, 18),
  };
  return (["strings", "longs"] as const).map((kind) => {
    const name = `DataSketches Java ${kind}`;
    const log2 = sizes[kind];
    const note = `map of 2^${log2}${kind === "longs" ? ", integers for ids" : ""}`;
    return {
      name,
      lack: async () => {
        if (jarsFolder === undefined || !existsSync(jarsFolder)) return what;
        return lackOf("Java 17, then --java", java, ["-version"]);
      },
      ask: (file) => {
        const program = `${programs}FrequentItems.java`;
        const args = ["-cp", `${jarsFolder}/*`, program, kind, file, String(log2)];
        return summaryOf(name, note, java, args);
      },
    };
  });
}

function heavyKeeper({ cargo }: BenchOptions, memoryBytes: number): Peer {
  const name = "HeavyKeeper, CuckooTopK";
  const depth = 4;
  const width = Math.floor((memoryBytes - rowsAsked * 128) / 16 / (depth + 1));
  return {
    name,
    lack: () => {
      const manifest = ["--manifest-path", `${programs}heavykeeper/Cargo.toml`];
      const target = ["--target-dir", cargoTarget];
      const args = ["build", "--release", "--locked", "--quiet", ...manifest, ...target];
      return lackOf("cargo, then --cargo", cargo, args);
    },
    ask: (file) => {
      const program = `${cargoTarget}/release/heavykeeper-peer`;
      const args = [file, String(rowsAsked), String(width), String(depth)];
      return summaryOf(name, `width ${width}, depth ${depth}`, program, args);
    },
  };
}

/**
 * DuckDB has no counts in its answer. It keeps three items and eight filter cells for each asked
 * for; asking for five times as many, to fill the memory, makes it twenty times slower.
 */
function duckDb(): Peer {
  const name = "DuckDB approx_top_k";
  const asked = rowsAsked;
  return {
    name,
    lack: async () => null,
    ask: async (file) => {
      const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
      const connection = await instance.connect();
      try {
        await connection.run(`CREATE TABLE ids AS SELECT id FROM read_csv('${file}',
          header = false, delim = '\\t', quote = '', escape = '', columns = {id: 'VARCHAR'})`);
        const ask = `SELECT unnest(approx_top_k(id, ${asked})) FROM ids`;
        const started = performance.now();
        const reader = await connection.runAndReadAll(ask);
        const ms = performance.now() - started;
        const counted = await connection.runAndReadAll("SELECT count(*) FROM ids");
        const rows = reader.getRows().map(([id]) => {
          return { id: idOf(String(id)), estimate: Number.NaN };
        });
        const usPerUpdate = (ms * 1000) / Number(counted.getRows()[0]![0]);
        const note = `${duckDbVersion()}; tells no counts`;
        return { name, note, usPerUpdate, memoryBytes: asked * 300, rows };
      } finally {
        connection.closeSync();
        instance.closeSync();
      }
    },
  };
}

/** All of them, sized for these bytes. */
export function peersOf(options: BenchOptions, memoryBytes: number): Peer[] {
  return [
    ...javaPeers(options, memoryBytes),
    ...pythonPeers(options, memoryBytes),
    heavyKeeper(options, memoryBytes),
    duckDb(),
  ];
}
