/** Answers kept in the store, against a plain list of what must still be there. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { regionTypeName } from "../../src/model-regions.ts";
import type { Touched } from "../../src/store/changes.ts";
import { rowsOf } from "../../src/store/database.ts";
import { KeptAnswers, type KeptRow } from "../../src/store/kept-answers.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { randomFromEnvironment } from "../support/random.ts";

let database: LocalDatabase;
const options = { bytesMax: 100_000, madeBy: "1.0" };

beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 4, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
});
afterEach(() => database.close());

function row(key: string, over: Partial<KeptRow> = {}): KeptRow {
  const text = JSON.stringify({ key });
  return {
    key,
    text,
    etag: '"e"',
    madeAt: 5,
    tookMs: 7.4,
    eventTypes: ["a"],
    from: 0,
    to: 10,
    ...over,
  };
}

async function commit(kept: KeptAnswers, version: number, touched: Touched[], fails = false) {
  const done = database.write(async (connection) => {
    await kept.dropTouched(connection, touched);
    if (fails) throw new Error("on purpose");
  });
  await (fails ? expect(done).rejects.toThrow("on purpose") : done);
  if (!fails) kept.note(version, touched);
}

async function keys(): Promise<string[]> {
  const rows = await rowsOf(database.writer, "SELECT key FROM kept_answers ORDER BY key");
  return rows.map(({ key }) => String(key));
}

describe("answers in the store", () => {
  it("come back as they were, after a restart too, but not to another program", async () => {
    const kept = await KeptAnswers.load(database, options, 1);
    const given = row("k,'1", { eventTypes: ["a,b", "ü'"], text: '{"x":"\'\\u0000ü"}' });
    expect(await kept.put(given, 1)).toBe(true);
    expect(await kept.get("k,'1")).toEqual({ ...given, tookMs: 7 });
    expect(await kept.get("other")).toBeNull();
    const again = await KeptAnswers.load(database, options, 9);
    expect(await again.get("k,'1")).toEqual({ ...given, tookMs: 7 });
    expect([again.size, again.bytes]).toEqual([kept.size, kept.bytes]);
    await commit(again, 10, [{ eventType: "ü'", from: 9, to: 10 }]);
    expect(await keys()).toEqual([]);
    await again.put(given, 10);
    expect((await KeptAnswers.load(database, { ...options, madeBy: "1.1" }, 10)).size).toBe(0);
    await again.put(given, 10);
    expect((await KeptAnswers.load(database, { ...options, bytesMax: 0 }, 10)).size).toBe(0);
    expect(await keys()).toEqual([]);
  });

  it("are dropped by just what touches them, with its transaction", async () => {
    const kept = await KeptAnswers.load(database, options, 1);
    await kept.put(row("a"), 1);
    await kept.put(row("b", { eventTypes: ["b"] }), 1);
    await kept.put(row("later", { from: 10, to: 20 }), 1);
    await commit(kept, 2, [{ eventType: "a", from: 0, to: 10 }], true);
    expect(await kept.get("a")).not.toBeNull();
    expect(await keys()).toEqual(["a", "b", "later"]);
    await commit(kept, 2, [{ eventType: "a", from: 9, to: 10 }]);
    expect(await kept.get("a")).toBeNull();
    expect(await keys()).toEqual(["b", "later"]);
  });

  it("are dropped by what another region counted of their types", async () => {
    const kept = await KeptAnswers.load(database, options, 1);
    for (const key of ["x", "y"]) await kept.put(row(key, { eventTypes: [key] }), 1);
    const touched = [{ eventType: regionTypeName("us", "x"), from: 9, to: 10 }];
    await commit(kept, 2, touched);
    expect(await keys()).toEqual(["y"]);
    // Made before it came.
    expect(await kept.put(row("late", { eventTypes: ["x"] }), 1)).toBe(false);
  });

  it("are not kept when something of theirs has changed meanwhile", async () => {
    const kept = await KeptAnswers.load(database, options, 4);
    await commit(kept, 5, [{ eventType: "a", from: 3, to: 4 }]);
    expect(await kept.put(row("old"), 4)).toBe(false);
    expect(await kept.put(row("before the start", { eventTypes: ["b"] }), 3)).toBe(false);
    expect(await kept.put(row("new"), 5)).toBe(true);
    expect(await kept.put(row("elsewhere", { from: 4 }), 4)).toBe(true);
    expect(await keys()).toEqual(["elsewhere", "new"]);
  });

  it("give way to newer ones where there is no room", async () => {
    const kept = await KeptAnswers.load(database, { ...options, bytesMax: 1600 }, 1);
    const text = "x".repeat(90);
    for (let i = 10; i < 30; i++) await kept.put(row(`k${i}`, { text }), 1);
    expect(kept.bytes).toBeLessThanOrEqual(1600);
    expect(await keys()).toEqual(Array.from({ length: 17 }, (_, i) => `k${i + 13}`));
    expect(await kept.put(row("big", { text: "x".repeat(100) }), 1)).toBe(false);
    await kept.put(row("k13", { text }), 1);
    await kept.put(row("k30", { text }), 1);
    expect((await keys()).slice(0, 2)).toEqual(["k13", "k15"]);
  });

  it("are dropped by hand: of a type, of a range, naming an item", async () => {
    const kept = await KeptAnswers.load(database, options, 1);
    await kept.put(row("a", { text: '{"eventId":"x\\"1"}' }), 1);
    await kept.put(row("b", { eventTypes: ["b"] }), 1);
    await kept.put(row("late", { from: 10, to: 20 }), 1);
    const all = { eventType: null, from: null, to: null };
    expect(await kept.drop({ ...all, eventId: 'x"' })).toBe(0);
    expect(await kept.drop({ ...all, eventId: 'x"1', from: 10 })).toBe(0);
    expect(await kept.drop({ ...all, eventId: 'x"1' })).toBe(1);
    expect(await kept.drop({ ...all, eventType: "a", to: 10 })).toBe(0);
    expect(await kept.drop({ ...all, eventType: "b" })).toBe(1);
    // Also what was still on its way when it was asked.
    const [, dropped] = await Promise.all([kept.put(row("new"), 1), kept.drop(all)]);
    expect(dropped).toBe(2);
    expect([await keys(), kept.size, kept.bytes]).toEqual([[], 0, 0]);
  });

  it("are what a plain list says, whatever happens in whatever order", async () => {
    const random = randomFromEnvironment("kept answers");
    let version = 1;
    let kept = await KeptAnswers.load(database, options, version);
    const model = new Map<string, KeptRow>();
    for (let step = 0; step < 400; step++) {
      const [from, length] = [random.int(0, 50), random.int(1, 10)];
      const eventTypes = random.pick([["a"], ["b"], ["a", "b"]]);
      const chance = random.int(0, 9);
      if (chance < 5) {
        const given = row(`k${random.int(0, 30)}`, { from, to: from + length, eventTypes });
        expect(await kept.put(given, version)).toBe(true);
        model.set(given.key, given);
      } else if (chance < 9) {
        const touched = eventTypes.map((eventType) => ({ eventType, from, to: from + length }));
        const fails = chance === 5;
        await commit(kept, fails ? version : ++version, touched, fails);
        for (const [key, one] of fails ? [] : model) {
          const isIn = one.from < from + length && from < one.to;
          if (isIn && one.eventTypes.some((name) => eventTypes.includes(name))) model.delete(key);
        }
      } else kept = await KeptAnswers.load(database, options, version);
      expect(await keys()).toEqual([...model.keys()].sort());
      expect(kept.size).toBe(model.size);
    }
  });
});
