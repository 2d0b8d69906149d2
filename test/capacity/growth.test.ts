// The model of a lake: its parts against counting and paper, its limits, its inputs.
import { describe, expect, it } from "vitest";
import { distinctItems } from "../../src/capacity/distinct.ts";
import {
  GrowthInputError,
  growthInputs,
  growthInputsWith,
} from "../../src/capacity/growth-inputs.ts";
import { growthLimits } from "../../src/capacity/growth-limits.ts";
import { growthBreaks, growthPlan, scaledLoad } from "../../src/capacity/growth-plan.ts";
import { dayCurve, meanWindows, typeGroups, windowRows } from "../../src/capacity/growth-rows.ts";
import { growthStore } from "../../src/capacity/growth-store.ts";
import { type Load, parseLoad } from "../../src/capacity/load.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";

const inputs = growthInputsWith();
const large = parseLoad({
  eventsPerSecond: "100000",
  eventTypes: "20",
  items: "10000000",
  queriesPerSecond: "200",
});

/** Shares by which the three measured figures come out; they were not noted then. */
const measuredShares = [0.8, 0.15, 0.05];
const measuredItems = 1_000_000;

/** Distinct pairs of type and item that so many draws bring, by a bit for each. */
function drawnRows(random: Random, events: number): number {
  const sampler = new ZipfSampler(measuredItems, 1);
  const seen = new Uint8Array(measuredShares.length * measuredItems);
  let rows = 0;
  for (let event = 0; event < events; event++) {
    const place = random.float();
    const type = place < 0.8 ? 0 : place < 0.95 ? 1 : 2;
    const at = type * measuredItems + sampler.draw(random);
    rows += 1 - seen[at]!;
    seen[at] = 1;
  }
  return rows;
}

describe("rows of counts", () => {
  it("an event are those that were measured, and those that draws bring", () => {
    const random = randomFromEnvironment("rows an event");
    const formula = (events: number) =>
      measuredShares.reduce((sum, share) => sum + distinctItems(events * share, measuredItems), 0);
    for (const [events, perEvent] of [
      [1e6, 0.26],
      [1e7, 0.11],
      [6e7, 0.036],
    ] as const) {
      expect(formula(events) / events / perEvent).toBeCloseTo(1, 1);
    }
    const events = 1_000_000;
    const ratio = formula(events) / drawnRows(random, events);
    expect(ratio).toBeGreaterThan(0.99);
    expect(ratio).toBeLessThan(1.01);
  });

  it("are, of few types, the sum of theirs", () => {
    const load = parseLoad({ eventTypes: "3", items: "1100" });
    const weights = 1 + 1 / 2 + 1 / 3;
    const expected = [1, 2, 3].reduce((sum, type) => {
      const share = 1 / type / weights;
      return sum + distinctItems(5000 * share, Math.round(1100 * share));
    }, 0);
    expect(windowRows(load, 5000).rows).toBeCloseTo(expected, 6);
    expect(windowRows(load, 5000).listRows).toBeCloseTo(expected, 6);
    expect(windowRows(load, 5000).sketches).toBe(0);
  });

  it("have sketches of what is off the lists", () => {
    // One type, all of its 10,000 items come: 6,000 are off the list.
    const load = parseLoad({ eventTypes: "1", items: "10000" });
    const { rows, listRows, sketches, sketchBytes } = windowRows(load, 1e9);
    expect([rows, listRows, sketches]).toEqual([10_000, 4000, 1]);
    expect(sketchBytes).toBeCloseTo(6000 * 1.21, 3);
  });

  it("are of no more windows than there are", () => {
    const { minute, hour, day, month } = meanWindows(large);
    expect(minute.rows * 60).toBeGreaterThan(hour.rows);
    expect(hour.rows * 24).toBeGreaterThan(day.rows);
    expect(month.rows).toBeGreaterThanOrEqual(day.rows);
    // Each type's items are a whole number.
    expect(month.rows).toBeLessThanOrEqual(10_000_000 + 20);
  });
});

it.each([1, 2, 7, 8, 9, 20, 100, 5000])("%d types in groups are all of them", (count) => {
  const groups = typeGroups(count);
  expect(groups.reduce((sum, { types }) => sum + types, 0)).toBe(count);
  expect(groups.reduce((sum, { types, share }) => sum + types * share, 0)).toBeCloseTo(1, 9);
  const shares = groups.map(({ share }) => share);
  expect(shares).toEqual([...shares].sort((a, b) => b - a));
});

it.each([1, 1.5, 3, 10])("a day whose peak is %d times its average", (peak) => {
  const curve = dayCurve(peak);
  expect(curve.reduce((sum, rate) => sum + rate, 0) / curve.length).toBeCloseTo(1, 9);
  expect(curve[0]).toBeLessThanOrEqual(peak * (1 + 1e-9));
  expect(curve[0]! / peak).toBeGreaterThan(0.7);
});

describe("a lake of 8.64 billion events a day", () => {
  const plan = growthPlan(large, inputs);

  it("has the bytes, objects and rows that paper has", () => {
    const { store } = plan;
    expect(store.bytes.raw / (8.64e9 * 365 * 200 * 0.084)).toBeCloseTo(1, 9);
    expect(store.bytes.log / (1e5 * 168 * 3600 * 200 * 0.25 * 3)).toBeCloseTo(1, 9);
    const ingest = plan.fleets.find(({ what }) => what === "ingest")!.processes;
    // A commit a second and process; folds of minutes, hours, days and months, and merges.
    const others = store.perDay.commits - ingest * 86_400;
    expect(others).toBeGreaterThan(1440 + 24);
    expect(others).toBeLessThan(86_400 / 4);
    const { files, statistics, snapshots, all } = store.catalogRows;
    expect(files).toBeGreaterThan(store.objects.windows);
    expect(files).toBeLessThan(store.objects.windows + store.objects.replaced * (1 + 1 / 24));
    expect(snapshots).toBeCloseTo((store.perDay.commits / 24) * 2, 3);
    expect(all).toBe(files + statistics + snapshots);
    // Files of raw events are of 4 MiB at least, and of less than sixteen times that.
    const fileBytes = store.bytes.raw / store.objects.raw;
    expect(fileBytes).toBeGreaterThan(4 * 2 ** 20);
    expect(fileBytes).toBeLessThan(64 * 2 ** 20);
  });

  it("has files of raw events as commits and merges make them", () => {
    // Two processes, no night: 50,000 events a second and process are files of 840 kB, sixteen of
    // which are one of 13 MB.
    const flat = { ...large, eventsPerSecondPeak: large.eventsPerSecond, retentionDays: 1 };
    const { objects, perDay } = growthStore(flat, inputs, 2);
    expect(objects.raw).toBeCloseTo((2 * 86_400) / 16, 6);
    // Every five seconds they are 4.2 MB: just large enough to stay.
    const slow = growthInputsWith({ checkpointSeconds: "5" });
    expect(growthStore(flat, slow, 2).objects.raw).toBeCloseTo((2 * 86_400) / 5, 6);
    // Ten processes have 10,000 a second each: sixteen of their files are merged once more.
    expect(growthStore(flat, inputs, 10).objects.raw).toBeCloseTo((10 * 86_400) / 256, 6);
    // Two hundred have 500 each: too few, so a file is 200,000 of the table.
    const many = growthStore(flat, inputs, 200);
    expect(many.objects.raw).toBeCloseTo(8.64e9 / 200_000 / 16, 6);
    expect(many.perDay.commits - perDay.commits).toBeGreaterThan(190 * 86_400);
  });

  it("costs what its parts cost", () => {
    const { cost, store, cores, diskBytes } = plan;
    expect(cost.cores).toBeCloseTo(cores * 730 * 0.0408, 6);
    expect(cost.disks).toBeCloseTo((diskBytes / 1e9) * 0.08, 6);
    expect(cost.objects).toBeCloseTo((store.objectBytes / 1e9) * 0.023, 6);
    const { all, ...parts } = cost;
    expect(all).toBeCloseTo(
      Object.values(parts).reduce((sum, one) => sum + one, 0),
      6,
    );
    const names = Object.keys(growthInputs).filter((name) => name.startsWith("price"));
    const free = Object.fromEntries(names.map((name) => [name, "0"]));
    expect(growthPlan(large, growthInputsWith(free)).cost.all).toBe(0);
  });

  it("reaches each limit at the size that is said", () => {
    for (const { what, eventsPerDayMax } of growthBreaks(large, inputs)) {
      if (eventsPerDayMax === null) continue;
      const shareAt = (factor: number) => {
        const load = scaledLoad(large, (eventsPerDayMax / plan.eventsPerDay) * factor);
        return growthLimits(load, inputs).find((limit) => limit.what === what)!.share;
      };
      expect(shareAt(0.8), what).toBeLessThan(1);
      expect(shareAt(1.25), what).toBeGreaterThan(1);
    }
  });

  it("is nearest to what is reached first, and gives way to its levers", () => {
    const [first] = growthBreaks(large, inputs);
    expect(first!.what).toBe("folding counts into minutes");
    const several = growthInputsWith({ foldProcesses: "2" });
    expect(growthLimits(large, several).filter(({ share }) => share > 1)).toEqual([]);
    const files = growthInputsWith({ rawSmallBytes: String(2 ** 26) });
    expect(growthPlan(large, files).store.objects.raw).toBeLessThan(plan.store.objects.raw / 3);
  });
});

function randomLoad(random: Random): Record<string, string> {
  return {
    eventsPerSecond: (10 ** (random.float() * 6)).toFixed(3),
    eventTypes: String(random.int(1, 300)),
    items: String(Math.round(10 ** (1 + random.float() * 7))),
    retentionDays: String(random.int(1, 800)),
    queriesPerSecond: (10 ** (random.float() * 3)).toFixed(2),
    aggregationWindow: random.pick(["60", "3600", "86400"]),
  };
}

it("takes no less where there is more of anything", () => {
  const random = randomFromEnvironment("growth");
  for (let n = 0; n < 25; n++) {
    const texts = randomLoad(random);
    const name = random.pick(["eventsPerSecond", "items", "retentionDays", "queriesPerSecond"]);
    const more = { ...texts, [name]: String(Math.ceil(Number(texts[name]) * random.int(2, 9))) };
    const size = (load: Load) => {
      const { cores, store, cost } = growthPlan(load, inputs);
      // Not objects: more events may make files so large that fewer are left.
      return [cores, store.objectBytes, store.countRows, store.perDay.deltaRows, cost.all];
    };
    const [before, after] = [size(parseLoad(texts)), size(parseLoad(more))];
    for (const [i, value] of before.entries()) {
      expect(value).toBeGreaterThan(0);
      const why = `${i} of ${JSON.stringify(texts)} with more ${name}`;
      expect(after[i], why).toBeGreaterThanOrEqual(value * (1 - 1e-6));
    }
  }
});

describe("inputs", () => {
  it("say what they are and where they are from", () => {
    for (const [name, { value, unit, what, from }] of Object.entries(growthInputs)) {
      expect(value, name).toBeGreaterThanOrEqual(0);
      expect(Math.min(what.length, from.length), name).toBeGreaterThan(5);
      expect(unit, name).not.toBe("");
    }
    const listed = Object.entries(growthInputs).filter(([, { kind }]) => kind === "list price");
    expect(listed.map(([name]) => name).filter((name) => !name.startsWith("price"))).toEqual([]);
    for (const [name, { from }] of listed) expect(from, name).toMatch(/20\d\d/);
  });

  it("take other values by name, and refuse what they can't be", () => {
    expect(growthInputsWith({ checkpointSeconds: "5" }).checkpointSeconds).toBe(5);
    expect(growthInputsWith({ pricePerOutGb: "0" }).pricePerOutGb).toBe(0);
    for (const [given, message] of [
      [{ checkpoint: "5" }, "there is no input checkpoint: expected one of catalogCommits"],
      [{ toString: "5" }, "there is no input toString"],
      [{ checkpointSeconds: "0" }, 'checkpointSeconds: expected a number above 0, got "0"'],
      [{ pricePerOutGb: "-1" }, 'pricePerOutGb: expected a number from 0 on, got "-1"'],
      [{ rawColumns: "" }, 'rawColumns: expected a number above 0, got ""'],
    ] as const) {
      const attempt = () => growthInputsWith({ ...given } as Record<string, string>);
      expect(attempt).toThrow(GrowthInputError);
      expect(attempt).toThrow(message);
    }
  });
});
