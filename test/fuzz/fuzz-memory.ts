// How much memory the fuzzed service holds, and whether that grows without end.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "vitest";
import { root } from "../support/service.ts";
import { until } from "../support/until.ts";

const measureMsMax = 60_000;
/** Caches, pools and the store's memory fill up to their bounds in this share of a run. */
export const warmUpShare = 0.4;

export interface MemorySample {
  /** Resident memory of the process, bytes. */
  resident: number;
  /** Of all threads after a collection: JavaScript's heaps and what these hold outside, bytes. */
  held: number;
}

/** Environment that loads the probe into a service and its threads. */
export function probeEnvironment(folder: string): Record<string, string> {
  const preload = pathToFileURL(join(root, "test", "fuzz", "heap-probe.mjs")).href;
  const before = process.env["NODE_OPTIONS"] ?? "";
  return { NODE_OPTIONS: `${before} --import ${preload}`, FUZZ_HEAP_DIR: folder };
}

function linesOf(folder: string): Map<string, string[]> {
  const names = readdirSync(folder);
  return new Map(
    names.map((name) => [name, readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1)]),
  );
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Has every thread collect its garbage; throws when one doesn't come to it in time. */
export async function measureMemory(pid: number, folder: string): Promise<MemorySample> {
  const before = linesOf(folder);
  process.kill(pid, "SIGUSR2");
  const last = await until(async () => {
    const now = linesOf(folder);
    for (const [thread, lines] of now) {
      const had = before.get(thread)?.length ?? 0;
      expect(lines.length, `measures of thread ${thread}`).toBeGreaterThan(had);
    }
    return [...now.values()].map((lines) => lines.at(-1)!.split(",").map(Number));
  }, measureMsMax);
  const held = last.flat().reduce((sum, bytes) => sum + bytes, 0);
  return { resident: residentBytes(pid), held };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.floor(half)]! + sorted[Math.ceil(half) - 1]!) / 2;
}

/**
 * By how much a series grew after its warm-up: the median of the slopes between all pairs of its
 * values (Theil–Sen), times its length. Peaks don't move it, a steady rise can't hide in them.
 */
export function growthOf(series: readonly number[]): number {
  const values = series.slice(Math.floor(series.length * warmUpShare));
  const slopes = values.flatMap((value, i) =>
    values.slice(i + 1).map((later, apart) => (later - value) / (apart + 1)),
  );
  return slopes.length === 0 ? 0 : median(slopes) * (values.length - 1);
}
