// `rankstream capacity`: flags, text and JSON.
import { describe, expect, it } from "vitest";
import { growthInputsWith } from "../src/capacity/growth-inputs.ts";
import { growthPlan } from "../src/capacity/growth-plan.ts";
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

  it("says of a lake what runs, what is stored and what breaks first", async () => {
    const flags = ["capacity", "--lake", "--events-per-second", "100000"];
    const { code, out } = await runIo(flags);
    expect(code).toBe(0);
    expect(out).toMatch(/^8.64 billion events a day of 200 bytes, 300 thousand a second/);
    expect(out).toMatch(/^ingest +\d+ +4 /m);
    expect(out).toMatch(/^raw events +53 TB /m);
    expect(out).toMatch(/^folding counts into minutes +\d+ % /m);
    const free = [...flags, "--set", "pricePerOutGb=0", "checkpointSeconds=5", "--json"];
    const plan = JSON.parse((await runIo(free)).out);
    expect(plan.cost.out).toBe(0);
    expect(plan.limits[0].eventsPerDayMax).toBeGreaterThan(0);
    const given = await runIo([...flags, "--set", "checkpointSeconds=5"]);
    expect(given.out).toContain("With checkpointSeconds 5.");
    const texts = { eventsPerSecond: "100000" };
    const inputs = growthInputsWith({ pricePerOutGb: "0", checkpointSeconds: "5" });
    expect(plan.store).toEqual(
      JSON.parse(JSON.stringify(growthPlan(parseLoad(texts), inputs).store)),
    );
  });

  it("refuses other inputs that can't be", async () => {
    for (const [flags, message] of [
      [["--set", "checkpointSeconds=5"], "--set: expected --lake beside it"],
      [
        ["--lake", "--set", "checkpointSeconds=no"],
        "checkpointSeconds: expected a number above 0",
      ],
      [["--lake", "--set", "checkpoints"], "there is no input checkpoints"],
    ] as const) {
      const { code, error } = await runIo(["capacity", ...flags]);
      expect([code, error]).toEqual([2, expect.stringContaining(message)]);
    }
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
