// Every bench at its smallest, as a user starts it: the checks behind the figures pass, the table
// and the JSON have them. No figure is looked at: this machine may be busy.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { type BenchName, benchNames } from "../../bench/options.ts";
import { findExtensions } from "../../tools/duckdb-extensions.mjs";
import { httpServers } from "../support/http-servers.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { temporaryFolder } from "../support/service.ts";
import { root } from "../support/source-tree.ts";

const runMsMax = 150_000;

function node(args: string[]) {
  return spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", timeout: 4 * runMsMax });
}

function compile(): void {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status, stdout } = node([tsc, "-p", "tsconfig.bench.json"]);
  expect(status, stdout).toBe(0);
}

const program = join(root, "build", "bench", "bench", "main.js");

beforeAll(compile, runMsMax);

/** These start no service; each list is a run of its own, as a busy machine takes its time. */
const kernelBenches: BenchName[] = ["kernel", "accuracy"];
/** These start a broker. */
const brokerBenches: BenchName[] = ["kafka", "soak"];
/** These start several services to compare them. */
const pairedBenches: BenchName[] = ["overhead", "backup", "regions"];
/** Held against a model and a simulation. */
const modelBenches: BenchName[] = ["capacity"];
/** These want a PostgreSQL, and DuckDB's extensions. */
const lakeBenches: BenchName[] = ["lake"];
const countingBenches: BenchName[] = ["throughput", "latency", "cardinality", "cache"];

function contains(stdout: string, labels: readonly string[]): void {
  for (const label of labels) expect(stdout).toContain(label);
}

/** Runs them at their smallest; what they printed, and what they wrote. */
function smoke(names: readonly BenchName[], more: readonly string[] = []) {
  const folder = temporaryFolder();
  const [file, plot] = [join(folder, "results.json"), join(folder, "growth.svg")];
  const sections = join(folder, "RESULTS.md");
  const files = ["--json", file, "--plot", plot, "--results", sections];
  const given = [program, ...names, "--smoke", "--seed", "42", ...files, ...more];
  const { status, stdout, stderr } = node(given);
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toContain("seed 42");
  const written = JSON.parse(readFileSync(file, "utf8"));
  expect(written).toMatchObject({ seed: 42, smoke: true });
  expect(readFileSync(sections, "utf8").match(/^## \w+$/gm)).toHaveLength(names.length);
  return { stdout, plot, results: written.results };
}

const namesOf = (results: { bench: string }[]) => results.map(({ bench }) => bench);

it("run, check their answers and print their tables", { timeout: runMsMax }, () => {
  const { stdout, results } = smoke(countingBenches);
  contains(stdout, [
    "ratio to JSON.parse + Map, one thread",
    "events/s, to an exact answer",
    "lines on the scanner's slow path",
    "POST of one event, ms p50 / p99 / max",
    "approx last_hour, ms p50 / p99 / max",
    "exact all, ms p50 / p99 / max",
    "certified at k = 100, ingest paused",
    "resident memory, largest",
    "Zipf 0.5 over",
    "quiet: l1, ms p50 / p99 / max",
    "restarted: l1, ms p50 / p99 / max",
  ]);
  const [throughput, , cardinality, , cache] = results;
  expect(namesOf(results)).toEqual([
    "throughput",
    "latency",
    "cardinality",
    "cardinality",
    "cache",
  ]);
  expect(throughput.runs[0].eventsPerSecond).toBeGreaterThan(0);
  expect(cardinality.paused.length + cardinality.after.length).toBe(30);
  expect(cardinality.liveAnswers).toBeGreaterThan(0);
  expect(cache.parts.length).toBe(4);
});

it("run for long, over many clients and shapes of data", { timeout: runMsMax }, () => {
  const apart = [...kernelBenches, ...brokerBenches, ...pairedBenches, ...modelBenches];
  const others = [...apart, ...countingBenches, ...lakeBenches];
  const { stdout, plot, results } = smoke(benchNames.filter((name) => !others.includes(name)));
  contains(stdout, [
    "one week: ratio to Rankstream, approximate",
    "approximate, a minute to the year, ms p50 / p99 / max",
    "range: approximate / exact / DuckDB SQL, median ms",
    "approximate board meanwhile, ms p50 / p99 / max",
    "ratio to a bare server",
    "POST at half the rate, ms p50 / p99 / max",
    "ids of 512 bytes",
    "resident MiB, at most",
    "POST's reply to board, ms p50 / p99 / max",
  ]);
  const servers = httpServers.map(() => "single");
  expect(namesOf(results)).toEqual(["year", "sustained", ...servers, "growth", "live"]);
  expect(results[0].growth.map(({ hours }: { hours: number }) => hours)).toEqual([1, 168, 8760]);
  expect(results[1].measured.events).toBe(20_000);
  const single = results.slice(2, -2);
  expect(single.map(({ server }: { server: string }) => server)).toEqual(httpServers);
  for (const { runs } of single) expect(runs[0].service.sent).toBeGreaterThan(0);
  for (const { report } of results.at(-1).runs) expect(report.diffs).toBeGreaterThan(0);
  expect(readFileSync(plot, "utf8")).toMatch(/^<svg .*<polyline .*<\/svg>\s*$/s);
});

it("run in pairs, watched and not", { timeout: runMsMax }, () => {
  const { stdout, results } = smoke(pairedBenches);
  contains(stdout, [
    "CPU an event, on / off: median (least to most of a pair)",
    "events/s with backups / without: median (least to most)",
    "disaster to exact boards, s",
    "bytes of the raw log to bytes copied",
    "median until the other's answer to until the own",
    "202 to the own answer, s p50 / p99 / max",
  ]);
  expect(namesOf(results)).toEqual(["overhead", "overhead", "backup", "regions"]);
  const { restored, pairs: backedUp } = results.at(-2);
  const [apart, together] = results.at(-1).runs;
  expect([apart.intervalMs, apart.copiedBytes, apart.otherDelaysMs]).toEqual([null, 0, []]);
  expect(together.copiedBytes).toBeGreaterThan(0);
  expect(together.otherDelaysMs).toHaveLength(2);
  for (const delaysMs of together.otherDelaysMs) expect(delaysMs.length).toBeGreaterThan(0);
  expect(restored.events).toBeGreaterThan(0);
  expect(restored.events).toBeLessThan(restored.allEvents);
  expect(backedUp[0].on.bases).toHaveLength(2);
  for (const { pairs, seen, logLines } of results.slice(0, -2)) {
    expect(pairs[0].on.eventsPerSecond).toBeGreaterThan(0);
    expect(pairs[0].off.eventsPerSecond).toBeGreaterThan(0);
    expect(seen.scrapes).toBeGreaterThan(0);
    expect(logLines).toBeGreaterThan(0);
  }
});

it("run beside paper and a simulation", { timeout: runMsMax }, () => {
  const { stdout, results } = smoke(modelBenches);
  contains(stdout, ["paper beside simulation: furthest off", "rows of counts, by the minute"]);
  expect(namesOf(results)).toEqual(["capacity"]);
  expect(results[0].run.deltaRows).toBeGreaterThan(0);
  expect(results[0].runs).toHaveLength(1);
});

it("run without a service too", { timeout: runMsMax }, () => {
  const file = join(temporaryFolder(), "results.json");
  const args = [program, ...kernelBenches, "--smoke", "--json", file];
  const { status, stdout, stderr } = node(args);
  expect(status, stdout + stderr).toBe(0);
  contains(stdout, [
    "kernel scanner: validated, located",
    "part, µs an event: median (p75)",
    "merge of 1 MiB sketches",
    "recall@1000 least / mean, relative error, broken bounds",
    "round-robin, ",
  ]);
  const { results } = JSON.parse(readFileSync(file, "utf8"));
  expect(results[0].byItem.total.usMedian).toBeGreaterThan(0);
  expect(results[1].results).toHaveLength(10);
});

it("say what is wrong with their arguments", () => {
  for (const [args, message] of [
    [["speed"], "there is no bench speed"],
    [["--events", "no"], "--events: expected a number above 0, got no"],
  ] as const) {
    const { status, stderr } = node([program, ...args]);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
  }
});

it("make a year's data in steps, and refuse a folder of other data", { timeout: runMsMax }, () => {
  const folder = join(temporaryFolder(), "year");
  const fill = (more: string[]) =>
    node([program, "year", "--smoke", "--fill-only", "--folder", folder, ...more]);
  // A deadline that is over when the service is up: one body is sent at most.
  const first = fill(["--seconds", "0.001"]);
  expect([first.status, first.stderr]).toEqual([0, expect.stringContaining("run it again")]);
  expect(fill([]).stderr).toContain("year: all is there");
  expect(fill([]).stderr).not.toContain("events are there");
  expect(fill(["--seed", "2"])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("name another folder"),
  });
});

it("run over a broker of their own", { timeout: runMsMax }, () => {
  const { status, stdout, stderr } = node([program, ...brokerBenches, "--smoke"]);
  expect(status, stdout + stderr).toBe(0);
  contains(stdout, [
    "ratio to the client alone, moving the same bytes",
    "CPU of the broker, µs/event",
    "POSTs that failed, then sent again",
    "kills, and s until ready",
  ]);
});

it.skipIf(!hasLake())("run over a lake", { timeout: 5 * runMsMax }, async () => {
  const { servers } = await startLake();
  const place = ["--postgres", servers.postgres, "--extensions", findExtensions()!];
  const { stdout, results } = smoke(lakeBenches, place);
  const cpu = "CPU µs/event: counting, answering, edge";
  contains(stdout, ["local store", "lake, 1 counting", cpu]);
  expect(namesOf(results)).toEqual(["lake"]);
  for (const { eventsPerSecond } of results[0].runs) expect(eventsPerSecond).toBeGreaterThan(0);
});
