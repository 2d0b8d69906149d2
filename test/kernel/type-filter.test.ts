// Events of types that their sender may not send: refused line by line, and unknown ever after.
import { describe, expect, it } from "vitest";
import { Kernel } from "../../src/kernel/kernel.ts";
import { type KernelBuild, loadKernelModule } from "../../src/kernel/module.ts";
import { EventScanner } from "../../src/kernel/scanner.ts";
import { TypeDictionary } from "../../src/kernel/type-dictionary.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { receivedAt } from "./scan-support.ts";

const encoder = new TextEncoder();
const room = 6;

async function setUp(build: KernelBuild, errorsMax: number, hasTypes = true) {
  const bounds = { bodyBytesMax: 8e6, errorsMax, futureMsMax: 300_000 };
  const memoryBytes = EventScanner.memoryBytes(bounds) + TypeDictionary.memoryBytes(room);
  const kernel = await Kernel.load(await loadKernelModule(build), memoryBytes);
  const types = hasTypes ? new TypeDictionary(kernel, room) : null;
  return { types, scanner: new EventScanner(kernel, bounds, types) };
}

/** The same name, now and then with an escape in it. */
function nameText(name: string, isEscaped: boolean): string {
  const text = JSON.stringify(name);
  if (!isEscaped) return text;
  const code = name.charCodeAt(0).toString(16).padStart(4, "0");
  return `"\\u${code}${text.slice(2)}`;
}

describe.each<KernelBuild>(["simd", "scalar"])("events of foreign types (%s)", (build) => {
  it.each([
    ["ndjson", 100, 60],
    ["ndjson", 5, 40_000],
    ["json", 100, 20_000],
  ] as const)("are refused in %s, %i errors listed, %i events", async (format, listed, count) => {
    const random = randomFromEnvironment("type-filter");
    const { types, scanner } = await setUp(build, listed);
    const own = ["song_a", "song_b", "songé", "s"];
    const foreign = ["shop", "sonG_a", "song_", "x".repeat(128)];
    const mayUse = (name: string) => own.includes(name);
    const lines: string[] = [];
    const wanted: string[] = [];
    const errors: (readonly [number, string])[] = [];
    for (let line = 1; line <= count; line++) {
      const isBad = random.chance(0.01);
      const name = random.pick(random.chance(0.3) ? foreign : own);
      const text = `{"eventId":"i${line}","eventType":${nameText(name, random.chance(0.2))}}`;
      lines.push(isBad ? "{}" : text);
      if (isBad) errors.push([line, "missing_field"]);
      else if (mayUse(name)) wanted.push(text);
      else errors.push([line, "forbidden_event_type"]);
    }
    const body = encoder.encode(format === "json" ? `[${lines}]` : lines.join("\n"));
    for (const isReplay of [false, true]) {
      const batch = scanner.scanBatch(body, format, receivedAt, 3, isReplay, mayUse);
      expect([batch.accepted, batch.rejected]).toEqual([wanted.length, errors.length]);
      const forbidden = errors.filter(([, code]) => code === "forbidden_event_type");
      expect(batch.forbidden).toBe(forbidden.length);
      expect(batch.errors.map(({ line, code }) => [line, code])).toEqual(errors.slice(0, listed));
      const stored = batch.blocks.flatMap(({ value }) =>
        Buffer.from(value).toString().split("\n").slice(0, -1),
      );
      expect(stored.sort()).toEqual([...wanted].sort());
    }
    // They take no room of others.
    expect([...Array(types?.size)].map((_, i) => types?.name(i)).sort()).toEqual([...own].sort());
  });

  it("are told from those that find no room", async () => {
    const { scanner } = await setUp(build, 100);
    const names = ["a1", "b", "a2", "a3", "a4", "a5", "a6", "b", "a7"];
    const lines = names.map((name) => JSON.stringify({ eventId: "i", eventType: name }));
    const body = encoder.encode(lines.join("\n"));
    const mayUse = (name: string) => name.startsWith("a");
    const batch = scanner.scanBatch(body, "ndjson", receivedAt, 1, false, mayUse);
    expect([batch.accepted, batch.rejected, batch.forbidden]).toEqual([6, 3, 2]);
    expect(batch.errors).toMatchObject([
      {
        line: 2,
        field: "eventType",
        code: "forbidden_event_type",
        message: "eventType: the key is not for this event type: b",
      },
      { line: 8, code: "forbidden_event_type" },
      { line: 9, code: "too_many_event_types" },
    ]);
  });

  it("are refused where types are not known, too", async () => {
    const { scanner } = await setUp(build, 100, false);
    const body = encoder.encode(
      '{"eventId":"i","eventType":"a"}\n{"eventId":"i","eventType":"b"}',
    );
    const batch = scanner.scanBatch(body, "ndjson", receivedAt, 1, false, (name) => name === "b");
    expect([batch.accepted, batch.rejected, batch.forbidden]).toEqual([1, 1, 1]);
  });
});
