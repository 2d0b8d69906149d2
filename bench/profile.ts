/** Where the time went: the busiest functions of each thread, from V8's CPU profiles. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fixed, percent, table } from "./report.ts";

const functionsShown = 18;
/** Threads that did less are not shown. */
const busySecondsMin = 0.2;

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
}

interface CpuProfile {
  nodes: ProfileNode[];
  samples: number[];
  /** Microseconds. */
  timeDeltas: number[];
}

/** Self time by function in seconds, the largest first. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): [string, number][] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === "" ? "" : ` ${basename(url)}:${lineNumber + 1}`;
      return [id, `${functionName || "(anonymous)"}${place}`];
    }),
  );
  const seconds = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const name = names.get(id) ?? "?";
    seconds.set(name, (seconds.get(name) ?? 0) + timeDeltas[at]! / 1e6);
  }
  return [...seconds].sort(([, a], [, b]) => b - a);
}

/** Which thread it was: the file that only this thread runs. */
function threadName({ nodes }: CpuProfile): string {
  const files = new Set(nodes.map(({ callFrame }) => basename(callFrame.url)));
  const known = ["store-thread.js", "ingest-thread.js", "cli.js"];
  return known.find((name) => files.has(name)) ?? "another thread";
}

function threadText(file: string, profile: CpuProfile): string {
  const times = selfTimes(profile);
  const busy = times.filter(([name]) => name !== "(idle)");
  const total = busy.reduce((sum, [, seconds]) => sum + seconds, 0);
  if (total < busySecondsMin) return "";
  const rows = busy
    .slice(0, functionsShown)
    .map(([name, seconds]) => [name, `${fixed(seconds)} s`, percent(seconds / total)]);
  return `\n${threadName(profile)}, ${file}: ${fixed(total)} s not idle\n${table(rows)}`;
}

/** A table for each thread that was busy, of every profile in the folder. */
export function profileText(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  if (files.length === 0) return `\nNo profile was written to ${folder}.\n`;
  return files
    .sort()
    .map((file) => {
      const profile = JSON.parse(readFileSync(join(folder, file), "utf8")) as CpuProfile;
      return threadText(file, profile);
    })
    .join("");
}
