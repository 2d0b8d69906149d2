/** Event types beyond the bound: refused line by line, in order, and in no block. */
import { describe, expect, it } from "vitest";
import { Kernel } from "../../src/kernel/kernel.ts";
import { type KernelBuild, loadKernelModule } from "../../src/kernel/module.ts";
import { EventScanner } from "../../src/kernel/scanner.ts";
import { TypeDictionary } from "../../src/kernel/type-dictionary.ts";
import { oracleJson, oracleNdjson } from "../oracles/event-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { receivedAt } from "./scan-support.ts";

const encoder = new TextEncoder();

async function setUp(build: KernelBuild, typesMax: number, errorsMax = 100, bodyBytesMax = 8e6) {
  const bounds = { bodyBytesMax, errorsMax, futureMsMax: 300_000 };
  const memoryBytes = EventScanner.memoryBytes(bounds) + TypeDictionary.memoryBytes(typesMax);
  const kernel = await Kernel.load(await loadKernelModule(build), memoryBytes);
  const types = new TypeDictionary(kernel, typesMax);
  return { types, scanner: new EventScanner(kernel, bounds, types) };
}

const event = (eventId: string, eventType: string) => JSON.stringify({ eventId, eventType });

function linesOf(value: Uint8Array): string[] {
  return Buffer.from(value).toString().split("\n").slice(0, -1);
}

/** Names of 1 to 128 bytes, many of them equal in length and first bytes. */
function typeNames(random: Random, count: number): string[] {
  const lengths = [1, 8, 15, 16, 17, 100, 126];
  return Array.from({ length: count }, (_, i) => {
    return `${"t".repeat(random.pick(lengths))}${String.fromCharCode(97 + i)}`;
  });
}

/** A batch with bad lines among good ones, and more types than there is room for. */
function randomBatch(random: Random, names: string[], count: number, format: "ndjson" | "json") {
  const newTypes = random.float() * 0.01;
  const events = Array.from({ length: count }, (_, i) => {
    if (random.chance(0.002)) return "{}";
    const name = random.chance(newTypes) ? random.pick(names) : names[i % 3]!;
    return event(`item-${random.int(0, 999)}`, name);
  });
  return encoder.encode(format === "json" ? `[${events.join(",")}]` : events.join("\n"));
}

describe.each<KernelBuild>(["simd", "scalar"])("the bound on event types (%s)", (build) => {
  it.each([
    ["ndjson", 100, 60],
    ["ndjson", 3, 40_000],
    ["json", 100, 20_000],
    ["json", 1, 500],
  ] as const)("is held in %s, %i errors listed, %i events", async (format, errorsMax, count) => {
    const random = randomFromEnvironment("types");
    const names = typeNames(random, 12);
    const { types, scanner } = await setUp(build, 7, errorsMax);
    const known = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const body = randomBatch(random, names, count, format);
      const oracle = (format === "json" ? oracleJson : oracleNdjson)(body, receivedAt);
      const taken: string[] = [];
      const errors = oracle.errors.map(({ line, code }) => [line, code]);
      for (const { line, eventType, text } of oracle.events) {
        if (known.size < 7) known.add(eventType);
        if (known.has(eventType)) taken.push(text);
        else errors.push([line, "too_many_event_types"]);
      }
      errors.sort((a, b) => Number(a[0]) - Number(b[0]));
      const batch = scanner.scanBatch(body, format, receivedAt, 3);
      expect([batch.accepted, batch.rejected]).toEqual([taken.length, errors.length]);
      expect(batch.errors.map(({ line, code }) => [line, code])).toEqual(
        errors.slice(0, errorsMax),
      );
      const stored = batch.blocks.flatMap(({ value }) => linesOf(value));
      expect(stored.sort()).toEqual(taken.sort());
      expect(batch.blocks.reduce((sum, block) => sum + block.events, 0)).toBe(taken.length);
      expect(types.size).toBe(known.size);
    }
  });

  it("says field, bound and type", async () => {
    const { scanner } = await setUp(build, 1);
    const body = encoder.encode(`${event("a", "t")}\n${event("a", "\u0007é")}\n`);
    expect(scanner.scanBatch(body, "ndjson", receivedAt, 1).errors).toEqual([
      {
        line: 2,
        field: "eventType",
        code: "too_many_event_types",
        message:
          "eventType: expected at most 1 event types (eventTypesMax), got another: \\u0007é",
      },
    ]);
  });

  it("is not used up by a body of which nothing counts", async () => {
    const { scanner, types } = await setUp(build, 3);
    const cutOff = encoder.encode(`[${event("a", "x")},${event("a", "y")},${event("a", "z")}`);
    for (let i = 0; i < 3; i++) {
      expect(scanner.scanBatch(cutOff, "json", receivedAt, 1).malformed?.code).toBe(
        "invalid_json",
      );
    }
    expect(types.size).toBe(0);
    const body = encoder.encode(["p", "q", "r", "s"].map((type) => event("a", type)).join("\n"));
    expect(scanner.scanBatch(body, "ndjson", receivedAt, 1)).toMatchObject({
      accepted: 3,
      rejected: 1,
    });
  });

  it("refuses in a replay what was refused before, though there is room now", async () => {
    const { scanner, types } = await setUp(build, 3);
    types.indexOf("p");
    const body = encoder.encode(`${event("a", "p")}\n${event("a", "q")}`);
    const scan = (isReplay: boolean) => scanner.scanBatch(body, "ndjson", receivedAt, 1, isReplay);
    expect(scan(true)).toMatchObject({ accepted: 1, rejected: 1, errors: [{ line: 2 }] });
    expect(types.size).toBe(1);
    expect(scan(false)).toMatchObject({ accepted: 2, rejected: 0 });
    expect(scan(true)).toMatchObject({ accepted: 2, rejected: 0 });
    // Whoever sets one between batches finds room for it.
    expect(types.setRetention("set by hand", null, null)).toBe(true);
  });

  it("takes any type where it is not asked for", async () => {
    const bounds = { bodyBytesMax: 1 << 20, errorsMax: 10, futureMsMax: 0 };
    const memoryBytes = EventScanner.memoryBytes(bounds);
    const kernel = await Kernel.load(await loadKernelModule(build), memoryBytes);
    const body = encoder.encode(
      Array.from({ length: 2000 }, (_, i) => event("a", `${i}`)).join("\n"),
    );
    const batch = new EventScanner(kernel, bounds).scanBatch(body, "ndjson", receivedAt, 2);
    expect([batch.accepted, batch.rejected]).toEqual([2000, 0]);
  });

  it("counts what is in the log, in pieces of the scanner's region", async () => {
    const { scanner, types } = await setUp(build, 60, 10, 1000);
    const value = Array.from({ length: 300 }, (_, i) => `${event("a", `t${i % 50}`)}\n`).join("");
    scanner.learnTypes(encoder.encode(value), receivedAt);
    expect(types.size).toBe(50);
    types.limit(2);
    const body = encoder.encode([event("a", "t49"), event("a", "new")].join("\n"));
    const batch = scanner.scanBatch(body, "ndjson", receivedAt, 1);
    expect(batch).toMatchObject({ accepted: 1, rejected: 1, errors: [{ line: 2 }] });
    expect(batch.errors[0]!.message).toContain("at most 2 event types");
    types.limit(100);
    const more = Array.from({ length: 11 }, (_, i) => `${event("a", `m${i}`)}\n`).join("");
    expect(() => scanner.learnTypes(encoder.encode(more), receivedAt)).toThrow(/100 event types/);
  });
});

describe.each<KernelBuild>(["simd", "scalar"])("the type dictionary (%s)", (build) => {
  it("forgets the newest types and keeps the others", async () => {
    const random = randomFromEnvironment("type dictionary");
    const { types } = await setUp(build, 64);
    const names = Array.from({ length: 200 }, (_, i) => `${"x".repeat(i % 40)}${i}`);
    let held: string[] = [];
    for (let step = 0; step < 3000; step++) {
      if (random.chance(0.03)) {
        held = held.slice(0, random.int(0, held.length));
        types.forgetFrom(held.length);
      }
      const name = random.pick(names);
      const at = held.indexOf(name);
      const isFull = at < 0 && held.length === 64;
      if (at < 0 && !isFull) held.push(name);
      const expected = isFull ? null : at < 0 ? held.length - 1 : at;
      expect(types.indexOf(name), `step ${step}`).toBe(expected);
      expect(types.size).toBe(held.length);
      const index = random.int(0, held.length - 1);
      expect(types.name(index)).toBe(held[index]);
    }
  });
});

describe.each<KernelBuild>(["simd", "scalar"])("retention (%s)", (build) => {
  const minute = receivedAt - (receivedAt % 60_000);
  const dated = (eventType: string, timestamp: number) =>
    JSON.stringify({ eventId: "x", eventType, timestamp });

  it("refuses what is older than its type is kept, to the millisecond", async () => {
    const { types, scanner } = await setUp(build, 2);
    types.setRetention("short", 3_600_000, null);
    expect(types.setRetention("floor", null, minute - 1000)).toBe(true);
    expect(types.setRetention("third", 1, null)).toBe(false);
    const body = [
      dated("short", minute - 3_600_000),
      dated("short", minute - 3_600_001),
      dated("floor", minute - 1000),
      dated("floor", minute - 1001),
      dated("third", receivedAt),
      "{}",
      event("now", "short"),
    ];
    const scan = scanner.scanBatch(encoder.encode(body.join("\n")), "ndjson", receivedAt, 1);
    expect([scan.accepted, scan.rejected]).toEqual([3, 4]);
    expect(scan.errors.map(({ line, code }) => [line, code])).toEqual([
      [2, "beyond_retention"],
      [4, "beyond_retention"],
      [5, "too_many_event_types"],
      [6, "missing_field"],
    ]);
    expect(scan.errors[0]).toMatchObject({
      field: "timestamp",
      message:
        "timestamp: expected an event within the retention of event type short, " +
        `got ${new Date(minute - 3_600_001).toISOString()}`,
    });
    expect(linesOf(scan.blocks[0]!.value)).toEqual([body[0], body[2], body[6]]);
    types.setRetention("short", null, null);
    types.setRetention("floor", null, null);
    const later = scanner.scanBatch(encoder.encode(body[1]!), "ndjson", receivedAt, 1);
    expect(later.accepted).toBe(1);
  });

  it("judges random events by their receipt, as often as they are read", async () => {
    const random = randomFromEnvironment("retention");
    const { types, scanner } = await setUp(build, 5);
    const retentions = [null, 60_000, 86_400_000, 7 * 86_400_000, 1];
    for (const [i, ms] of retentions.entries()) types.setRetention(`t${i}`, ms, null);
    for (let round = 0; round < 20; round++) {
      const received = receivedAt + random.int(0, 86_400_000);
      const events = Array.from({ length: 500 }, () => {
        const type = random.int(0, 4);
        const horizon = received - (received % 60_000) - (retentions[type] ?? 0);
        return { type, time: horizon + random.int(-3, 3) };
      });
      const isKept = events.map(({ type, time }) => {
        const ms = retentions[type];
        return ms === null || time >= received - (received % 60_000) - ms!;
      });
      const body = encoder.encode(
        events.map(({ type, time }) => dated(`t${type}`, time)).join("\n"),
      );
      for (const isReplay of [false, true]) {
        const scan = scanner.scanBatch(body, "ndjson", received, 1, isReplay);
        expect(scan.accepted).toBe(isKept.filter(Boolean).length);
        const refused = isKept.flatMap((kept, at) => (kept ? [] : [at + 1])).slice(0, 100);
        expect(scan.errors.map(({ line }) => line)).toEqual(refused);
      }
    }
  });
});
