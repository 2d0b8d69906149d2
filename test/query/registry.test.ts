/** Settings of event types over a store that is a map: what is kept, told and clipped. */
import { describe, expect, it } from "vitest";
import { Registry } from "../../src/query/registry.ts";
import type { EventTypeInfo } from "../../src/store/store.ts";
import { noTypeSettings, type TypeSettings } from "../../src/store/type-settings.ts";
import { until } from "../support/until.ts";

const dayMs = 86_400_000;
const noon = Date.UTC(2026, 10, 24, 12);

async function setUp(kept = new Map<string, TypeSettings>(), typesMax = 3) {
  const told: [string, number | null, number | null][] = [];
  const state = {
    now: noon + 30_500,
    fails: false,
    hasRoom: true,
    infos: [] as EventTypeInfo[],
    /** Another process has set something. */
    tell: (): void => undefined,
  };
  const registry = await Registry.open({
    store: {
      loadTypeSettings: async () => [...kept.values()],
      putTypeSettings: async (change) => {
        if (state.fails) throw new Error("disk");
        const all = { ...noTypeSettings, ...kept.get(change.name), ...change };
        kept.set(change.name, all);
        return all;
      },
      shares: {
        onRows: (listener) => {
          state.tell = () => listener("type_settings");
        },
      },
      dropTypeSettings: async (name) => {
        kept.delete(name);
        return null;
      },
      eventTypes: async () => state.infos,
    },
    onChange: (...change) => {
      told.push(change);
      return state.hasRoom;
    },
    onFailure: (error) => {
      throw error;
    },
    typesMax,
    now: () => state.now,
  });
  return { registry, told, state, kept };
}

const range = (from: number, to: number) => {
  return { from, to, effectiveFrom: from, effectiveTo: to, label: "" };
};

describe("the registry", () => {
  it("follows what other processes set, and sets no more than it is asked", async () => {
    const { registry, told, state, kept } = await setUp();
    await registry.put("a", { retentionDays: 7 });
    // Nobody has told yet: what the other set is not lost all the same.
    kept.set("a", { ...kept.get("a")!, description: "by another", retentionDays: 3 });
    await registry.put("a", { aggregationWindow: 3600 });
    expect(kept.get("a")).toMatchObject({ description: "by another", retentionDays: 3 });
    expect(told.at(-1)).toEqual(["a", 3 * dayMs, null]);
    kept.set("b", { ...noTypeSettings, name: "b", retentionDays: 2 });
    kept.delete("a");
    state.tell();
    await until(async () => expect(registry.expiring()).toEqual(["b"]), 10_000);
    expect(registry.horizonOf("a")).toBe(0);
    expect(told.slice(-2)).toEqual([
      ["b", 2 * dayMs, null],
      ["a", null, null],
    ]);
  });

  it("keeps what is set, lets the rest be, and tells of types without events", async () => {
    const { registry, state, kept } = await setUp();
    state.infos = [{ name: "a", total: 3, firstSeen: noon - 1000, lastSeen: noon }];
    await registry.put("a", { description: "plays", retentionDays: 7 });
    await registry.put("b", { retentionDays: 30 });
    await registry.put("a", { description: null });
    expect(await registry.list()).toEqual([
      {
        name: "a",
        total: 3,
        firstSeen: "2026-11-24T11:59:59.000Z",
        lastSeen: "2026-11-24T12:00:00.000Z",
        description: null,
        retentionDays: 7,
        aggregationWindow: 60,
      },
      {
        name: "b",
        total: 0,
        firstSeen: null,
        lastSeen: null,
        description: null,
        retentionDays: 30,
        aggregationWindow: 60,
      },
    ]);
    await expect(registry.get("c")).rejects.toMatchObject({ code: "event_type_not_found" });
    const again = await setUp(kept);
    expect(again.told).toEqual([
      ["a", 7 * dayMs, null],
      ["b", 30 * dayMs, null],
    ]);
    await again.registry.remove("b");
    expect([...kept.keys()]).toEqual(["a"]);
    expect(again.told.at(-1)).toEqual(["b", null, null]);
  });

  it("clips to the minute, to the latest horizon of several, and never goes back", async () => {
    const { registry, state } = await setUp();
    const all = range(0, noon);
    expect(registry.clip(["a"], all)).toBe(all);
    await registry.put("a", { retentionDays: 7 });
    await registry.put("b", { retentionDays: 1 });
    expect(registry.clip(["a"], all).effectiveFrom).toBe(noon - 7 * dayMs);
    expect(registry.clip(["a", "b", "c"], all)).toEqual({ ...all, effectiveFrom: noon - dayMs });
    expect(registry.clip(["b"], range(0, 1000)).effectiveFrom).toBe(1000);
    await registry.noteExpired("b", noon - dayMs);
    await registry.noteExpired("b", noon - 2 * dayMs);
    await registry.put("b", { retentionDays: 30 });
    expect(registry.clip(["b"], all).effectiveFrom).toBe(noon - dayMs);
    await registry.put("b", { retentionDays: null });
    expect(registry.clip(["b"], all).effectiveFrom).toBe(noon - dayMs);
    state.now += 10 * dayMs;
    expect(registry.clip(["a"], range(0, state.now)).effectiveFrom).toBe(noon + 3 * dayMs);
    expect(registry.clip(["b"], range(0, state.now)).effectiveFrom).toBe(noon - dayMs);
  });

  it("changes nothing that can't be kept", async () => {
    const { registry, told, state } = await setUp(new Map(), 1);
    state.fails = true;
    await expect(registry.put("a", { retentionDays: 1 })).rejects.toThrow("disk");
    expect(told.at(-1)).toEqual(["a", null, null]);
    expect(registry.expiring()).toEqual([]);
    state.fails = false;
    state.hasRoom = false;
    const full = { code: "too_many_event_types" };
    await expect(registry.put("a", { retentionDays: 1 })).rejects.toMatchObject(full);
    state.hasRoom = true;
    await registry.put("a", { retentionDays: 1 });
    await expect(registry.put("b", { retentionDays: 1 })).rejects.toMatchObject(full);
    expect(registry.expiring()).toEqual(["a"]);
  });
});
