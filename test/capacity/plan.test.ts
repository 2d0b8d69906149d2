// The maths: against numbers worked out here by hand, and what must hold for any load.
import { describe, expect, it } from "vitest";
import { exampleLoads, type Load, parseLoad } from "../../src/capacity/load.ts";
import { measured } from "../../src/capacity/measured.ts";
import { type Plan, type PlannedStep, planFor } from "../../src/capacity/plan.ts";
import { stepNames } from "../../src/capacity/steps.ts";
import { bytesText, countText, moneyText, percentText } from "../../src/capacity/words.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

const stepOf = (plan: Plan, name: string): PlannedStep =>
  plan.steps.find((step) => step.name === name)!;
const planOf = (texts: Record<string, string>): Plan => planFor(parseLoad(texts));

describe("a billion events of 200 bytes a day for a year", () => {
  const items = {
    itemsPerMinute: "100000",
    itemsPerHour: "500000",
    itemsPerDay: "1000000",
    itemsPerMonth: "2000000",
  };
  const plan = planOf({ eventsPerSecond: "11574.074", idBytes: "10", ...items });
  const { disk } = stepOf(plan, "mvp");

  it("has the raw events, counts and files that paper has", () => {
    // 3.65e11 events × 200 × 0.084 bytes.
    expect(disk.rawBytes / 6.132e12).toBeCloseTo(1, 4);
    // 7.3 bytes a row: 4 + 0.33 × 10. Minutes: 525,600 × 100,000 rows.
    expect(disk.countBytes.minute / (525_600 * 100_000 * 7.3)).toBeCloseTo(1, 9);
    expect(disk.countBytes.hour / (8760 * 500_000 * 7.3)).toBeCloseTo(1, 9);
    expect(disk.countBytes.day / (365 * 1_000_000 * 7.3)).toBeCloseTo(1, 9);
    expect(disk.countBytes.month / ((365 / 30) * 2_000_000 * 7.3)).toBeCloseTo(1, 9);
    expect(disk.rawFiles).toBe(Math.ceil(disk.rawBytes / 8_388_608) + 8760);
    // Minutes: 10,000 items of a type, 6,000 off the list, 1.21 bytes each, for 48 hours.
    const minutes = 2880 * 10 * 6000 * 1.21;
    const hours = 60 * 24 * 10 * 46_000 * 1.21;
    const days = 365 * 10 * 96_000 * 1.21;
    const months = (365 / 30) * 10 * 196_000 * 1.21;
    expect(disk.sketchBytes / (minutes + hours + days + months)).toBeCloseTo(1, 9);
    expect(disk.storeRoomBytes).toBe(disk.storeBytes * 1.5);
  });

  it("is 700 TB and 20 + 5 nodes by the usual estimate", () => {
    expect(plan.classic.storedBytes / 700e12).toBeCloseTo(1, 6);
    expect([plan.classic.ingestNodes, plan.classic.queryNodes]).toEqual([20, 5]);
    expect(plan.classic.copiedBytes / (3.65e11 * 600)).toBeCloseTo(1, 6);
    expect(plan.reductions.map(({ bytes }) => bytes)).toEqual([
      plan.classic.copiedBytes,
      plan.classic.jsonBytes,
      disk.rawBytes,
      disk.storeBytes,
      disk.storeRoomBytes,
    ]);
  });

  it("has the limits that paper has", () => {
    const limits = new Map(stepOf(plan, "mvp").limits.map((limit) => [limit.what, limit]));
    // Three times the average, 200 of 196 bytes, 70 % of 781,689 events/s.
    const peak = 3 * 11_574.074;
    expect(limits.get("events into one store")!.share).toBeCloseTo(
      (peak * 200) / (781_689 * 196 * 0.7),
      9,
    );
    expect(limits.get("bytes into the log's file")!.load).toBeCloseTo(peak * 200 * 1.24, 3);
    expect(limits.get("requests with events")!.load).toBeCloseTo(peak / 100, 6);
    // Two readers, 36 ms each.
    expect(limits.get("answers that are made")!.limit).toBeCloseTo((0.7 * 2) / 0.036, 9);
    expect(limits.get("answers that are made")!.load).toBeCloseTo(20 * 0.22, 9);
  });

  it("costs what cores, memory and disk cost", () => {
    const step = stepOf(plan, "scale");
    const sum = (of: (fleet: PlannedStep["fleets"][number]) => number) =>
      step.fleets.reduce((all, fleet) => all + fleet.processes * of(fleet), 0);
    expect(step.cost.cores).toBeCloseTo(sum(({ cores }) => cores) * 730 * 0.04, 6);
    const memory = sum(({ memoryBytes }) => memoryBytes) / 2 ** 30;
    expect(step.cost.memory).toBeCloseTo(memory * 730 * 0.005, 6);
    const disk = sum(({ diskBytes }) => diskBytes) / 2 ** 30;
    expect(step.cost.disk).toBeCloseTo(disk * 0.1, 6);
    // In: a third of the peak all the time; out: 20 answers of 2 KiB, as the events' share.
    const moved = (11_574.074 * 200 + (20 * 2048) / 3) * 730 * 3600;
    expect(step.cost.traffic).toBeCloseTo((moved / 2 ** 30) * 0.01, 4);
  });
});

describe("the smallest step", () => {
  const cases: [string, Record<string, string>, string | null, string?][] = [
    ["little", { eventsPerSecond: "1" }, "mvp"],
    [
      "little that goes on without a node",
      { eventsPerSecond: "1", mustSurvive: "node" },
      "growth",
    ],
    ["little that goes on without a machine", { mustSurvive: "machine" }, "scale"],
    [
      "more kept answers than one process gives",
      { queriesPerSecond: "3000", keptShare: "0.999" },
      "growth",
      "answers that are kept",
    ],
    [
      "more single requests than one process takes",
      { eventsPerSecond: "8000", eventsPerRequest: "1" },
      "scale",
      "requests with events",
    ],
    [
      "more events than one store takes",
      { eventsPerSecond: "300000", retentionDays: "5" },
      "enterprise",
      "events into one store",
    ],
    ["more disk than a machine has", { eventBytes: "1500" }, "enterprise", "disk of the store"],
    ["the same of one type", { eventBytes: "1500", eventTypes: "1" }, null, "disk of the store"],
  ];
  it.each(cases)("for %s", (_, texts, smallest, first) => {
    const plan = planOf(texts);
    expect(plan.smallest).toBe(smallest);
    if (first === undefined) return;
    expect(stepOf(plan, "mvp").first.what).toBe(first);
    expect(stepOf(plan, "mvp").first.share).toBeGreaterThan(1);
  });

  it("is, for the four examples, the one they are named after", () => {
    const smallest = Object.values(exampleLoads).map((texts) => planOf(texts).smallest);
    expect(smallest).toEqual([...stepNames]);
  });
});

function randomLoad(random: Random): Record<string, string> {
  const logUniform = (low: number, high: number) =>
    Math.exp(Math.log(low) + random.float() * Math.log(high / low));
  return {
    eventsPerSecond: logUniform(0.01, 1e6).toFixed(3),
    eventBytes: String(Math.round(logUniform(100, 5000))),
    eventsPerRequest: String(Math.round(logUniform(1, 5000))),
    eventTypes: String(Math.round(logUniform(1, 5000))),
    items: String(Math.round(logUniform(10, 1e9))),
    retentionDays: String(random.int(1, 2000)),
    aggregationWindow: random.pick(["60", "3600", "86400"]),
    queriesPerSecond: logUniform(0.1, 5000).toFixed(2),
    mustSurvive: random.pick(["restart", "node", "machine"]),
    ids: random.pick(["names", "random"]),
  };
}

const grows: (keyof Load)[] = [
  "eventsPerSecond",
  "eventBytes",
  "retentionDays",
  "items",
  "queriesPerSecond",
];

function sizes(step: PlannedStep): Record<string, number> {
  const { cores, memoryBytes, diskBytes, disk, first, cost } = step;
  return { cores, memoryBytes, diskBytes, raw: disk.rawBytes, share: first.share, cost: cost.all };
}

describe("any load", () => {
  const random = randomFromEnvironment("capacity");

  it("takes no less when there is more of anything", () => {
    for (let n = 0; n < 150; n++) {
      const texts = randomLoad(random);
      const name = random.pick(grows);
      const more = { ...texts, [name]: String(Math.ceil(Number(texts[name]) * random.int(2, 9))) };
      const [before, after] = [planOf(texts), planOf(more)];
      // Of several stores each may have less when their number grows.
      for (const step of ["mvp", "growth", "scale"]) {
        const [least, most] = [sizes(stepOf(before, step)), sizes(stepOf(after, step))];
        for (const [size, value] of Object.entries(least)) {
          const why = `${step} ${size} of ${JSON.stringify(texts)} with more ${name}`;
          expect(most[size]!, why).toBeGreaterThanOrEqual(value * (1 - 1e-9));
        }
      }
      const place = (plan: Plan) =>
        plan.smallest === null ? stepNames.length : stepNames.indexOf(plan.smallest);
      expect(place(after)).toBeGreaterThanOrEqual(place(before));
    }
  });

  it("names as first what is nearest to its limit, and carries what is within all", () => {
    for (let n = 0; n < 100; n++) {
      const plan = planOf(randomLoad(random));
      for (const step of plan.steps) {
        const shares = step.limits.map(({ share }) => share);
        expect(step.first.share).toBe(Math.max(...shares));
        expect(step.carries).toBe(step.lacks === null && shares.every((share) => share <= 1));
        const all = Object.values(sizes(step));
        expect(all.every((value) => Number.isFinite(value) && value > 0)).toBe(true);
      }
      const larger = [plan.classic.copiedBytes, plan.classic.jsonBytes];
      expect(plan.reductions[2]!.bytes).toBeLessThan(Math.min(...larger));
    }
  });
});

it("says of each measured figure where it is from", () => {
  for (const { value, unit, what, from } of Object.values(measured)) {
    expect(value).toBeGreaterThan(0);
    expect(Math.min(what.length, from.length)).toBeGreaterThan(6);
    expect(unit).not.toBe("");
  }
});

it("writes numbers as they are read", () => {
  expect([0, 999, 1000, 999_999, 6_132_000_000_000].map(bytesText)).toEqual([
    "0 bytes",
    "999 bytes",
    "1 kB",
    "1 MB",
    "6.13 TB",
  ]);
  expect([0.5, 12, 11_574, 781_689].map(countText)).toEqual([
    "0.5",
    "12",
    "11.6 thousand",
    "782 thousand",
  ]);
  expect([0, 0.0001, 0.059, 3.99].map(percentText)).toEqual(["0 %", "< 0.1 %", "5.9 %", "399 %"]);
  expect([1.5, 1094.4].map(moneyText)).toEqual(["1.50", "1,094"]);
});
