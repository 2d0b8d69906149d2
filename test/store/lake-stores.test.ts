// What processes that share a lake know of each other's settings and labels, and who of them does
// what only one does.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LocalStore } from "../../src/store/local-store.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { openLakeStore } from "../support/lake-stores.ts";
import { until } from "../support/until.ts";

const msMax = 120_000;

describe.skipIf(!hasLake())("stores over one lake", () => {
  let one: LocalStore;
  let other: LocalStore;

  beforeAll(async () => {
    const place = (await startLake()).placeInFolder();
    one = await openLakeStore(place, true);
    other = await openLakeStore(place, false);
  }, msMax);
  afterAll(() => Promise.all([one?.close(), other?.close()]));

  it("tell each other of settings and labels, and lose none", { timeout: msMax }, async () => {
    const told: string[] = [];
    other.shares.onRows((table) => told.push(table));
    await one.putTypeSettings({ name: "a", description: "plays" });
    await until(async () => expect(told).toContain("type_settings"), msMax);
    // At the same time: neither knows of the other's.
    await Promise.all([
      one.putTypeSettings({ name: "a", retentionDays: 7 }),
      other.putTypeSettings({ name: "a", expiredThrough: 1000 }),
      one.putTypeSettings({ name: "b", expiredThrough: 5 }),
    ]);
    const kept = await other.putTypeSettings({ name: "a", expiredThrough: 10 });
    expect(kept).toEqual({
      name: "a",
      description: "plays",
      retentionDays: 7,
      expiredThrough: 1000,
      aggregationWindow: null,
    });
    await until(async () => expect(await one.loadTypeSettings()).toContainEqual(kept), msMax);
    told.length = 0;
    await one.putLabels([{ eventType: "a", eventId: "x", label: "X" }]);
    await until(async () => expect(told).toContain("item_labels"), msMax);
    expect(await other.labelledTypes()).toEqual(["a"]);
  });

  it("have one that deletes what has expired", { timeout: msMax }, async () => {
    await until(async () => expect(one.shares.maintains).toBe(true), msMax);
    expect(other.shares.maintains).toBe(false);
  });
});
