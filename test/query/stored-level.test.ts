/** The level in the store: which answers go there, and as of when what comes back holds. */
import { describe, expect, it } from "vitest";
import type { KeptAnswer } from "../../src/query/answer-level.ts";
import { StoredLevel } from "../../src/query/stored-level.ts";
import type { KeptRow } from "../../src/store/kept-answers.ts";
import { silentLogger } from "../../src/telemetry.ts";

const hourMs = 3_600_000;
const now = 100 * hourMs;

function setUp() {
  const rows = new Map<string, KeptRow>();
  const puts: number[] = [];
  const state = { version: 7, isBroken: false };
  const broken = () => {
    if (state.isBroken) throw new Error("the store is gone");
  };
  const level = new StoredLevel({
    store: {
      keptAnswer: async (key) => {
        broken();
        return rows.get(key) ?? null;
      },
      keepAnswer: async ({ row, version }) => {
        broken();
        rows.set(row.key, row);
        puts.push(version);
        return true;
      },
      dropKeptAnswers: async () => {
        broken();
        return rows.size;
      },
    },
    changes: {
      get version() {
        return state.version;
      },
    },
    logger: silentLogger,
    now: () => now,
  });
  return { level, rows, puts, state };
}

function answer(to: number, version = 3): KeptAnswer {
  const stretch = { eventTypes: ["a"], from: 0, to };
  return { text: "{}", etag: '"x"', version, madeAt: 1, tookMs: 50, stretch };
}

describe("the level in the store", () => {
  it("keeps answers about hours that are over, with their version", async () => {
    const { level, rows, puts } = setUp();
    level.set("past", answer(99 * hourMs), hourMs);
    level.set("running", answer(99 * hourMs + 1), hourMs);
    level.set("open", answer(Number.MAX_SAFE_INTEGER), hourMs);
    level.set("uncertain", answer(99 * hourMs), 60_000);
    expect([...rows.keys()]).toEqual(["past"]);
    expect(puts).toEqual([3]);
  });

  it("gives them as of the version before the reading", async () => {
    const { level, state } = setUp();
    const { stretch } = answer(hourMs);
    level.set("past", answer(hourMs), hourMs);
    const asked = level.get("past", stretch);
    state.version = 8;
    expect(await asked).toEqual({ ...answer(hourMs), version: 7 });
    expect(await level.get("other", stretch)).toBeUndefined();
    expect(await level.get("past", { ...stretch, to: now })).toBeUndefined();
  });

  it("has nothing where the store fails", async () => {
    const { level, state } = setUp();
    level.set("past", answer(hourMs), hourMs);
    state.isBroken = true;
    level.set("past", answer(hourMs), hourMs);
    expect(await level.get("past", answer(hourMs).stretch)).toBeUndefined();
    expect(await level.invalidate({ eventType: null, from: null, to: null })).toBe(0);
  });
});
