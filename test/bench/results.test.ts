// The file of results: a bench's section is made anew, the others' stay to the byte.
import { expect, it } from "vitest";
import type { Outcome } from "../../bench/report.ts";
import { withResults } from "../../bench/results.ts";

const machine = {
  ...{ cpu: "x", cores: 2, memoryGb: 8, system: "linux", node: "v20", rankstream: "1" },
  commit: "abc",
};
const run = { machine, seed: 7, started: "2026-11-24T10:00:00Z", smoke: false };
const names = ["throughput", "kernel", "accuracy"];

function outcome(name: string, value: string): Outcome {
  const tables = [{ head: ["a | b", "µs"], rows: [["x", value]] }];
  return {
    name,
    title: `The ${name}`,
    rows: [["rate", value]],
    tables,
    notes: ["a note"],
    data: {},
  };
}

it("keeps other sections, replaces its own, in one order", () => {
  const first = withResults("", [outcome("accuracy", "1")], run, names);
  const both = withResults(first, [outcome("kernel", "2")], run, names);
  expect(both.indexOf("## kernel")).toBeLessThan(both.indexOf("## accuracy"));
  expect(both).toContain(first.slice(first.indexOf("<!-- bench: accuracy")).trimEnd());
  const again = withResults(both, [outcome("kernel", "3")], run, names);
  expect(again).toBe(both.replaceAll("| 2 |", "| 3 |"));
  expect(withResults(again, [], run, names)).toBe(again);
});

it("has title, machine, tables and notes, one bench's outcomes together", () => {
  const two = [outcome("kernel", "1"), outcome("kernel", "2")];
  const text = withResults("", two, { ...run, smoke: true }, names);
  expect(text.match(/## kernel/g)).toHaveLength(1);
  expect(text).toContain("2026-11-24; Rankstream 1 (abc), Node v20, seed 7; 2 × x, 8 GiB, linux.");
  expect(text).toContain("A smoke run");
  expect(text).toContain("| a \\| b | µs |\n| --- | ---: |\n| x | 2 |\n");
  expect(text).toContain("\n- a note\n");
});
