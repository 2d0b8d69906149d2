// `rankstream capacity`: flags, text and JSON.
import { describe, expect, it } from "vitest";
import { loadFields, parseLoad } from "../src/capacity/load.ts";
import { planFor } from "../src/capacity/plan.ts";
import { runIo } from "./support/cli-io.ts";

describe("rankstream capacity", () => {
  it("prints the plan of its flags as JSON", async () => {
    const texts = { eventsPerSecond: "200", itemsPerMinute: "77", mustSurvive: "node" };
    const flags = ["--events-per-second", "200", "--items-per-minute", "77"];
    const { code, out } = await runIo(["capacity", ...flags, "--must-survive", "node", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(planFor(parseLoad(texts)))));
  });

  it("says which step carries it, and what it leaves out", async () => {
    const { code, out } = await runIo(["capacity", "--events-per-second", "11574"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^1 MVP: one process {2,}1 +2 /m);
    expect(out).toContain("Smallest step that carries it: 1 MVP: one process.");
    expect(out).toContain("(700 TB at 1,918 bytes an event), 20 + 5 nodes");
    expect(out).toContain("no replica");
    const none = await runIo(["capacity", "--event-bytes", "9000", "--event-types", "1"]);
    expect(none.out).toContain("No step carries it.");
  });

  it("refuses what can't be, by name", async () => {
    const { code, error } = await runIo(["capacity", "--kept-share", "2"]);
    expect([code, error]).toEqual([2, 'rankstream: keptShare: expected a number 0..1, got "2"\n']);
  });

  it("has a flag for every field", async () => {
    const { out } = await runIo(["capacity", "--help"]);
    for (const { label } of loadFields) expect(out.replace(/\s+/g, " ")).toContain(label);
  });
});
