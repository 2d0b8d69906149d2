/** The change map against a plain list of all changes; and what it does at its bounds. */
import { describe, expect, it } from "vitest";
import { ChangeMap } from "../../src/query/change-map.ts";
import type { Touched } from "../../src/store/changes.ts";
import { heapBytesOf } from "../support/heap.ts";
import { randomFromEnvironment } from "../support/random.ts";

const hourMs = 3_600_000;

describe("the change map", () => {
  it("knows what changed since, as a list of all changes does", () => {
    const random = randomFromEnvironment("change map");
    const map = new ChangeMap(100);
    const all: (Touched & { version: number })[] = [];
    const names = ["a", "b", "c"];
    const hour = () => random.int(0, 2000) * hourMs;
    let version = 100;
    const answers = { yes: 0, no: 0 };
    for (let round = 0; round < 400; round++) {
      version += random.int(1, 50);
      const touched = Array.from({ length: random.int(0, 3) }, () => {
        const from = hour();
        const hours = random.pick([1, 1, 1, 5, 30, 900]);
        return { eventType: random.pick(names), from, to: from + hours * hourMs };
      });
      map.note(version, touched);
      all.push(...touched.map((one) => ({ ...one, version })));
      for (let i = 0; i < 10; i++) {
        const [x, y] = [hour() + random.int(0, hourMs), hour() + random.int(0, hourMs)];
        const stretch = {
          eventTypes: random.shuffle([...names, "d"]).slice(0, random.int(1, 2)),
          from: Math.min(x, y),
          to: Math.max(x, y) + random.pick([0, 1, hourMs]),
        };
        const since = Math.max(100, random.pick([version, version - random.int(0, 300), 100]));
        const truth = all.some(
          (one) =>
            one.version > since &&
            stretch.eventTypes.includes(one.eventType) &&
            // Whole hours are told, so the stretch is taken out to whole hours, too.
            one.from < Math.ceil(stretch.to / hourMs) * hourMs &&
            one.to > Math.floor(stretch.from / hourMs) * hourMs &&
            stretch.from < stretch.to,
        );
        const said = map.changedSince(since, stretch);
        expect(said, JSON.stringify({ since, stretch, version })).toBe(truth);
        answers[said ? "yes" : "no"]++;
      }
    }
    expect(Math.min(answers.yes, answers.no)).toBeGreaterThan(400);
    expect(map.since(version)).toEqual([]);
    const recent = all.filter((one) => one.version > version - 200);
    expect(map.since(version - 200)).toEqual(recent);
  });

  it("knows of which types something was taken back, and since when", () => {
    const map = new ChangeMap(1, 5);
    const touch = (eventType: string, version: number, more: object = {}) =>
      map.note(version, [{ eventType, from: 0, to: hourMs, ...more }]);
    touch("a", 2, { undoes: true });
    touch("a", 3);
    touch("b", 4);
    expect([1, 2, 3].map((version) => map.undoneSince(version, ["b", "a"]))).toEqual([
      true,
      false,
      false,
    ]);
    expect(map.undoneSince(1, ["b", "c"])).toBe(false);
    map.reset(9);
    expect([map.undoneSince(8, ["c"]), map.undoneSince(9, ["a"])]).toEqual([true, false]);
  });

  it("takes for changed what it does not know any more", () => {
    const map = new ChangeMap(10, 5, 4);
    const stretch = { eventTypes: ["a"], from: 0, to: 1 };
    expect(map.changedSince(9, stretch)).toBe(true);
    expect(map.changedSince(10, stretch)).toBe(false);
    for (let i = 0; i < 5; i++) {
      map.note(11 + i, [{ eventType: "b", from: i * hourMs, to: (i + 1) * hourMs }]);
    }
    expect(map.changedSince(10, stretch)).toBe(false);
    expect(map.since(10)).toBe(null);
    expect(map.since(13)?.map(({ version }) => version)).toEqual([14, 15]);
    map.note(16, [{ eventType: "b", from: 9 * hourMs, to: 10 * hourMs }]);
    expect(map.changedSince(10, stretch)).toBe(true);
    expect(map.changedSince(16, stretch)).toBe(false);
    map.note(17, [{ eventType: "c", from: 0, to: Date.UTC(9999, 0) }]);
    expect(map.changedSince(16, { eventTypes: ["c"], from: 5, to: 6 })).toBe(true);
    expect(map.changedSince(16, stretch)).toBe(false);
    expect(() => map.note(17, [{ eventType: "c", from: 0, to: 1 }])).toThrow(RangeError);
  });
});

it("takes little memory of each change", () => {
  const changes = 40_000;
  const bytes = heapBytesOf(() => {
    const map = new ChangeMap(0, undefined, changes);
    for (let i = 1; i <= changes; i++) {
      // As they come from the store's thread.
      const touched = structuredClone([{ eventType: "play", from: i % 2, to: hourMs + i }]);
      map.note(i, touched);
    }
    return map;
  });
  expect(bytes / changes).toBeLessThan(250);
});
