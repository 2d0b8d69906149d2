// What a V8 profile is turned into: stages by the nearest caller that says something, and a graph.
import { expect, test } from "vitest";
import type { CpuProfile } from "../../bench/cpu-profile.ts";
import { callTree, flameGraph } from "../../bench/flame-graph.ts";
import { stageTimes } from "../../bench/stages.ts";

function node(id: number, functionName: string, url: string, children: number[] = []) {
  return { id, callFrame: { functionName, url, lineNumber: 1 }, children };
}

const profile: CpuProfile = {
  nodes: [
    node(1, "(root)", "", [2, 3, 4, 9]),
    node(2, "(idle)", ""),
    node(3, "(garbage collector)", ""),
    node(4, "ingest", "file:///x/edge/edge.js", [5, 7]),
    node(5, "scanBatch", "file:///x/kernel/scanner.js", [6]),
    node(6, "wasm-function[3]", "wasm://wasm/1"),
    node(7, "stampFrame", "file:///x/log/frame.js", [8]),
    node(8, "crc32", "node:zlib"),
    node(9, "constructor", "file:///x/<other>.js"),
  ],
  samples: [2, 3, 4, 5, 6, 6, 8, 9, 7],
  timeDeltas: [9, 1, 2, 3, 4, 5, 6, 7, 8].map((seconds) => seconds * 1e6),
};

test("a thread's time goes to the stage of its nearest caller that has one", () => {
  expect(stageTimes(profile, "cli.js")).toEqual([
    ["append, sync", 14],
    ["scan", 12],
    ["other", 7],
    ["receive", 2],
    ["garbage collection", 1],
  ]);
});

test("the flame graph is as wide as time is long, without what was idle", () => {
  const tree = callTree(profile, "cli.js");
  expect(tree.seconds).toBe(36);
  const svg = flameGraph([tree]);
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
  expect(svg).toContain("<title>ingest edge.js: 28.00 s</title>");
  expect(svg).toContain("<title>wasm-function[3] 1: 9.00 s</title>");
  expect(svg).toContain("&lt;other>.js: 7.00 s");
  expect(svg).not.toContain("(idle)");
  const widths = new Map(
    [...svg.matchAll(/<title>(\S+)[^<]*<\/title><rect x="[\d.]+" y="\d+" width="([\d.]+)"/g)].map(
      ([, name, width]) => [name, Number(width)],
    ),
  );
  expect(widths.get("cli.js:")).toBe(1600);
  expect(widths.get("ingest")! / widths.get("cli.js:")!).toBeCloseTo(28 / 36, 3);
});
