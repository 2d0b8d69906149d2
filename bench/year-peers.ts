/**
 * The same ranges asked of others in the same run: DuckDB SQL over the same Parquet, ClickHouse
 * (PyPI chdb), Redis sorted sets (Debian redis-server). Whoever isn't there is left out by name.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { BenchOptions } from "./options.ts";
import { RedisServer } from "./redis-sets.ts";
import { say } from "./report.ts";
import { median } from "./statistics.ts";
import type { TrueRow } from "./truth.ts";
import { askApprox, askForExact, checkApprox, checkRows, checkTies } from "./year-questions.ts";
import type { Question, YearSql } from "./year-sql.ts";

export interface PeerTime {
  name: string;
  /** Median; null where it isn't there. */
  ms: number | null;
  /** Of the first time asked. */
  firstMs?: number;
  note: string;
}

export interface Work {
  name: string;
  question: Question;
  times: PeerTime[];
}

const run = promisify(execFile);
const clickHouseMsMax = 600_000;
const outputBytesMax = 64 * 1024 * 1024;
const clickHouseProgram = new URL("../../../bench/clickhouse.py", import.meta.url).pathname;

async function repeated(runs: number, ask: () => Promise<number>) {
  const samples: number[] = [];
  for (let i = 0; i < runs; i++) samples.push(await ask());
  return { ms: median(samples), firstMs: samples[0]! };
}

interface ClickHouseReply {
  version: string;
  exact: { ms: number; rows: [string, number][] };
  merged: { ms: number; ids: string[]; states: number };
}

/** Why it can't be had; null when it can. */
async function lackOfChdb(python: string): Promise<string | null> {
  try {
    await run(python, ["-c", "import chdb"]);
    return null;
  } catch {
    return `not there: python3 -m venv V && V/bin/pip install chdb, then --python V/bin/python`;
  }
}

async function askClickHouse(
  options: BenchOptions,
  sql: YearSql,
  question: Question,
  truth: TrueRow[],
): Promise<PeerTime[]> {
  const names = ["ClickHouse, MergeTree, exact", "ClickHouse, topK states merged"];
  const lack = await lackOfChdb(options.python);
  if (lack !== null) return names.map((name) => ({ name, ms: null, note: lack }));
  const folder = mkdtempSync(join(tmpdir(), "rankstream-clickhouse-"));
  try {
    const file = join(folder, "events.parquet");
    await sql.exportEvents(question, file);
    mkdirSync(join(folder, "data"));
    const { from, to, k } = question;
    const numbers = [from, to, k, options.runs].map(String);
    const { stdout } = await run(
      options.python,
      [clickHouseProgram, file, join(folder, "data"), ...numbers],
      { timeout: clickHouseMsMax, maxBuffer: outputBytesMax },
    );
    const { version, exact, merged } = JSON.parse(stdout) as ClickHouseReply;
    const rows = exact.rows.map(([eventId, count]) => ({ eventId, count }));
    checkRows(question, rows, truth);
    const ids = new Set(truth.map(({ eventId }) => eventId));
    const recall = merged.ids.filter((id) => ids.has(id)).length / Math.max(1, ids.size);
    const note = `version ${version}`;
    const states = `${merged.states} states`;
    return [
      { name: names[0]!, ms: exact.ms, note: `${note}, same answer` },
      { name: names[1]!, ms: merged.ms, note: `${note}, ${states}, recall ${recall.toFixed(3)}` },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function askRedis(
  options: BenchOptions,
  sql: YearSql,
  question: Question,
  truth: TrueRow[],
): Promise<PeerTime> {
  const name = "Redis, a sorted set a minute, ZUNIONSTORE";
  const folder = mkdtempSync(join(tmpdir(), "rankstream-redis-"));
  const redis = await RedisServer.start(folder);
  try {
    if (redis === null) return { name, ms: null, note: "not there: apt install redis-server" };
    const minutes = new Set<number>();
    for await (const counts of sql.minuteCounts(question)) {
      const commands = counts.map(({ minute, eventId, count }) => {
        minutes.add(minute);
        return ["ZINCRBY", `m:${minute}`, count, eventId];
      });
      await redis.send(commands);
    }
    const keys = [...minutes].map((minute) => `m:${minute}`);
    const { ms } = await repeated(options.runs, async () => {
      const started = performance.now();
      const [, reply] = await redis.send([
        ["ZUNIONSTORE", "union", keys.length, ...keys],
        ["ZREVRANGE", "union", 0, question.k - 1, "WITHSCORES"],
      ]);
      const taken = performance.now() - started;
      const words = reply as string[];
      const rows = Array.from({ length: words.length / 2 }, (_, i) => {
        return { eventId: words[2 * i]!, count: Number(words[2 * i + 1]) };
      });
      checkTies(question, rows, truth);
      return taken;
    });
    const [info] = await redis.send([["INFO", "server"]]);
    const version = /redis_version:(\S+)/.exec(String(info))?.[1];
    const [memory] = await redis.send([["INFO", "memory"]]);
    const bytes = Number(/used_memory:(\d+)/.exec(String(memory))?.[1]);
    const size = `${(bytes / 2 ** 20).toFixed(0)} MiB`;
    return { name, ms, note: `version ${version}, same answer, ${keys.length} keys, ${size}` };
  } finally {
    redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Times one range by everyone, each answer checked first. */
export async function compareOn(
  name: string,
  question: Question,
  { url, sql, options }: { url: string; sql: YearSql; options: BenchOptions },
): Promise<Work> {
  say(`year: comparing on ${name}`);
  const { rows: truth } = await sql.top(question);
  // The first is timed as it comes: checking first would warm what it reads.
  const approx = await repeated(options.runs, async () => {
    const { board, ms } = await askApprox(url, question);
    await checkApprox(sql, question, board);
    return ms;
  });
  const exact = await repeated(options.runs, async () => {
    const { board, ms } = await askForExact(url, question);
    checkRows(question, board.results, truth);
    return ms;
  });
  const duckDb = await repeated(options.runs, async () => (await sql.top(question)).ms);
  const times: PeerTime[] = [
    { name: "Rankstream, approximate", ...approx, note: "bounds and certificates hold" },
    { name: "Rankstream, exact", ...exact, note: "same answer" },
    { name: "DuckDB SQL, same Parquet", ms: duckDb.ms, note: `version ${sql.version}` },
    ...(await askClickHouse(options, sql, question, truth)),
    await askRedis(options, sql, question, truth),
  ];
  return { name, question, times };
}
