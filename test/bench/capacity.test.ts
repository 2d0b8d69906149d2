// The lake on paper beside the simulation, the simulation's own parts, and the page made of both.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FirstArrivals } from "../../bench/capacity-arrivals.ts";
import { compare } from "../../bench/capacity-compare.ts";
import { pageTables, withTables } from "../../bench/capacity-page.ts";
import { Shelf } from "../../bench/capacity-shelf.ts";
import { loadOf } from "../../bench/capacity-tables.ts";
import { ratesOf } from "../../bench/capacity-year.ts";
import { growthInputsWith } from "../../src/capacity/growth-inputs.ts";
import { Random, randomFromEnvironment, seedFromEnvironment } from "../support/random.ts";
import { root } from "../support/source-tree.ts";

const inputs = growthInputsWith();
/** So many days are kept, and some more lived through, so that old ones go. */
const days = { retentionDays: "30" };
const moreDays = 3;

describe("paper and simulation", () => {
  it.each([1e8, 8.64e9, 8.64e10])("agree on %d events a day", { timeout: 60_000 }, (size) => {
    const seed = seedFromEnvironment("capacity");
    const { figures, simulated } = compare(loadOf(size, days), inputs, { seed, moreDays });
    for (const { what, paper, simulated: found, bound } of figures) {
      const ratio = paper === found ? 1 : paper / found;
      expect(Math.abs(ratio - 1), `${what}: ${paper} and ${found}`).toBeLessThanOrEqual(bound);
    }
    expect(simulated.eventsPerSecondMost).toBeCloseTo((3 * size) / 86_400, 3);
  });

  it("agree on other inputs, and differ where these do", { timeout: 60_000 }, () => {
    const load = loadOf(1e9, days);
    const other = growthInputsWith({ checkpointSeconds: "5", fileKeepHours: "48" });
    const seed = seedFromEnvironment("capacity inputs");
    const { figures, simulated } = compare(load, other, { seed, moreDays });
    for (const { what, paper, simulated: found, bound } of figures) {
      const ratio = paper === found ? 1 : paper / found;
      expect(Math.abs(ratio - 1), `${what}: ${paper} and ${found}`).toBeLessThanOrEqual(bound);
    }
    // The same simulation is far from paper with the inputs it was not run with.
    const { store } = compare(load, inputs, { seed, moreDays });
    expect(store.perDay.commits / simulated.commitsPerDay).toBeGreaterThan(4);
    expect(store.objects.replaced / simulated.objects.replaced).toBeGreaterThan(2);
  });

  it("of one seed are the same", { timeout: 60_000 }, () => {
    const run = (seed: number) => compare(loadOf(1e8, { retentionDays: "2" }), inputs, { seed });
    expect(run(7)).toEqual(run(7));
    expect(run(8).simulated.countRows).not.toBe(run(7).simulated.countRows);
  });
});

describe("first arrivals", () => {
  it("are, of few items, counted by hand", () => {
    const random = randomFromEnvironment("first arrivals");
    const arrivals = new FirstArrivals(2, random);
    // Items with 2/3 and 1/3: of three events on average, 1 - e^-2 and 1 - e^-1 come.
    expect(arrivals.distinct(4)).toBeGreaterThan(1.55);
    expect(arrivals.distinct(4)).toBeLessThan(1.85);
    expect(arrivals.distinct(0.5)).toBe(0.5);
    expect(arrivals.distinct(1e9)).toBeCloseTo(2, 9);
  });

  it("never fall, and end with all items", () => {
    const arrivals = new FirstArrivals(300_000, new Random(5));
    let before = 0;
    for (let events = 1; events < 1e12; events *= 1.7) {
      const now = arrivals.distinct(events);
      expect(now).toBeGreaterThanOrEqual(before);
      before = now;
    }
    expect(before / 300_000).toBeCloseTo(1, 3);
  });
});

it("a year's rates have the average and the peak they are to have", () => {
  const rates = ratesOf(21, 100, 300, randomFromEnvironment("rates"));
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  expect(mean / 100).toBeGreaterThan(0.99);
  expect(mean / 100).toBeLessThanOrEqual(1 + 1e-9);
  expect(Math.max(...rates)).toBe(300);
  expect(Math.min(...rates)).toBeGreaterThan(0);
});

describe("a shelf", () => {
  it("merges what is over, keeps what was replaced for a while, loses old days", () => {
    const shelf = new Shelf(100, 2);
    shelf.put(0, 5, 250, 10);
    shelf.put(1, 4, 40, 20);
    expect([shelf.files, shelf.bytes, shelf.rows]).toEqual([9, 290, 30]);
    expect(shelf.merge(1, 0)).toBe(250);
    // Hour 0 is three files of 100 bytes now; hour 1 is as it was.
    expect([shelf.files, shelf.bytes]).toEqual([7, 290]);
    expect([shelf.replacedFiles(2), shelf.replacedBytes(2)]).toEqual([5, 250]);
    expect(shelf.replacedFiles(3)).toBe(0);
    shelf.put(24, 2, 10, 1);
    expect(shelf.made).toBe(14);
    shelf.expire(1);
    expect([shelf.files, shelf.bytes, shelf.rows]).toEqual([2, 10, 1]);
    expect(shelf.merge(24, 23)).toBe(0);
  });

  it("has a file of each table at least, and drops what is not needed any more", () => {
    const shelf = new Shelf(1000, 5, 3);
    shelf.put(7, 60, 600);
    shelf.merge(8, 7);
    expect(shelf.files).toBe(3);
    shelf.put(9, 8, 80);
    shelf.drop(9);
    expect([shelf.files, shelf.bytes, shelf.replacedFiles(9)]).toEqual([3, 600, 68]);
  });
});

describe("docs/growth.md", () => {
  it("has the tables that are worked out", { timeout: 120_000 }, () => {
    const text = readFileSync(join(root, "docs", "growth.md"), "utf8");
    expect(withTables(text, pageTables())).toBe(text);
  });

  it("is refused where tables and places are not the same", () => {
    const grid = { head: ["a", "b"], rows: [["c", "1"]] };
    const made = "x\n<!-- table: one -->\n\n| a | b |\n| --- | ---: |\n| c | 1 |\n\ny\n";
    expect(withTables("x\n<!-- table: one -->\n\ny\n", { one: grid })).toBe(made);
    expect(withTables(made, { one: grid })).toBe(made);
    expect(() => withTables(made, {})).toThrow("there is no table one");
    expect(() => withTables("x", { one: grid })).toThrow("no place for the tables one");
  });
});
