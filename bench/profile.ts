/** Where the time went: the busiest functions of each thread, from V8's CPU profiles. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type CpuProfile, selfSeconds } from "./cpu-profile.ts";
import { callTree, flameGraph } from "./flame-graph.ts";
import { fixed, percent, table } from "./report.ts";
import { stageTimes } from "./stages.ts";

const functionsShown = 18;
/** Threads that did less are not shown. */
const busySecondsMin = 0.2;

/** Self time by function in seconds, the largest first. */
export function selfTimes(profile: CpuProfile): [string, number][] {
  const names = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === "" ? "" : ` ${basename(url)}:${lineNumber + 1}`;
      return [id, `${functionName || "(anonymous)"}${place}`];
    }),
  );
  const seconds = new Map<string, number>();
  for (const [id, own] of selfSeconds(profile)) {
    const name = names.get(id) ?? "?";
    seconds.set(name, (seconds.get(name) ?? 0) + own);
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
  const stages = stageTimes(profile, threadName(profile)).map(([stage, seconds]) => [
    stage,
    `${fixed(seconds)} s`,
    percent(seconds / total),
  ]);
  const head = `${threadName(profile)}, ${file}: ${fixed(total)} s not idle`;
  return `\n${head}\n\n${table(stages)}\n${table(rows)}`;
}

/**
 * Tables for each thread that was busy, of every profile in the folder: stages, and the busiest
 * functions. Draws all of them as a flame graph there.
 */
export function profileText(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  if (files.length === 0) return `\nNo profile was written to ${folder}.\n`;
  const profiles = files.sort().map((file) => {
    return { file, profile: JSON.parse(readFileSync(join(folder, file), "utf8")) as CpuProfile };
  });
  const graph = join(folder, "flame-graph.svg");
  writeFileSync(
    graph,
    flameGraph(profiles.map(({ profile }) => callTree(profile, threadName(profile)))),
  );
  const tables = profiles.map(({ file, profile }) => threadText(file, profile)).join("");
  return `${tables}\nFlame graph: ${graph}\n`;
}
