import { describe, expect, test } from "vitest";
import { Aggregator } from "../../src/kernel/aggregator.ts";
import { ChunkScanner, inputPaddingBytes } from "../../src/kernel/chunk-scanner.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { layout } from "../../src/kernel/layout.ts";
import { type KernelBuild, loadKernelModule } from "../../src/kernel/module.ts";
import { randomFromEnvironment } from "../support/random.ts";

interface PlainEvent {
  eventId: string;
  eventType: string;
  timestamp: number;
  weight: number;
  userId?: string;
  metadata?: Record<string, string>;
}

const receivedAt = Date.UTC(2026, 10, 24);

/** Reads the strings of a chunk as DuckDB would: inline up to 12 bytes, else from the heap. */
function readString(chunk: ArrayBuffer, rowAt: number, heapAt: number): string {
  const view = new DataView(chunk);
  const length = view.getUint32(rowAt, true);
  const at = length <= 12 ? rowAt + 4 : heapAt + view.getUint32(rowAt + 8, true);
  const bytes = new Uint8Array(chunk, at, length);
  const prefix = new Uint8Array(chunk, rowAt + 4, Math.min(4, length));
  if (!prefix.every((byte, i) => byte === bytes[i])) throw new Error(`wrong prefix at ${rowAt}`);
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

const align16 = (n: number) => (n + 15) & ~15;

/** minute/type/partition/id → count, from chunks. */
function readCounts(chunks: ArrayBuffer[], typeNames: Map<number, string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const chunk of chunks) {
    const view = new DataView(chunk);
    const rows = view.getUint32(0, true);
    const minutes: number = layout.COUNTS_HEADER_SIZE;
    const types = minutes + align16(rows * 4);
    const partitions = types + align16(rows * 4);
    const sums = partitions + align16(rows * 4);
    const ids = sums + align16(rows * 8);
    for (let row = 0; row < rows; row++) {
      const id = readString(chunk, ids + row * 16, view.getUint32(8, true));
      const type = typeNames.get(view.getUint32(types + row * 4, true));
      const partition = view.getUint32(partitions + row * 4, true);
      const key = `${view.getInt32(minutes + row * 4, true)}/${type}/${partition}/${id}`;
      counts.set(key, (counts.get(key) ?? 0) + Number(view.getBigInt64(sums + row * 8, true)));
    }
  }
  return counts;
}

/** The raw rows of chunks, in order. */
function readRaw(chunks: ArrayBuffer[]): object[] {
  const found: object[] = [];
  for (const chunk of chunks) {
    const view = new DataView(chunk);
    const rows = view.getUint32(0, true);
    const times: number = layout.RAW_HEADER_SIZE;
    const received = times + align16(rows * 8);
    const weights = received + align16(rows * 8);
    const strings = weights + align16(rows * 4);
    const validity = strings + 5 * rows * 16;
    const text = (column: number, row: number): string | null => {
      const bits = view.getUint8(validity + column * 256 + (row >> 3));
      if ((bits & (1 << (row & 7))) === 0) return null;
      const heap = view.getUint32(24 + column * 12, true);
      return readString(chunk, strings + (column * rows + row) * 16, heap);
    };
    for (let row = 0; row < rows; row++) {
      found.push({
        timestamp: Number(view.getBigInt64(times + row * 8, true)),
        receivedAt: Number(view.getBigInt64(received + row * 8, true)),
        weight: view.getInt32(weights + row * 4, true),
        eventType: text(0, row),
        eventId: text(1, row),
        userId: text(2, row),
        sessionId: text(3, row),
        metadata: text(4, row),
      });
    }
  }
  return found;
}

const random = randomFromEnvironment("aggregator");

function randomEvent(idsMax: number): PlainEvent {
  const number = random.int(0, idsMax);
  const event: PlainEvent = {
    // Lengths on both sides of what a string_t holds inline, with a shared prefix.
    eventId: `item${"x".repeat(number % 23)}${number}`,
    eventType: random.pick(["play", "view", "a-type-longer-than-twelve", "ü"]),
    timestamp: receivedAt - random.int(0, 5 * 60_000),
    weight: random.pick([1, 1, 1, 2, 1_000_000]),
  };
  if (random.int(0, 3) > 0) event.userId = `user-${random.int(0, 1e6)}-with-a-long-name`;
  if (random.int(0, 2) > 0) event.metadata = { country: random.pick(["DE", "FR"]) };
  return event;
}

async function setUp(build: KernelBuild, countSlots: number, typesMax = 100) {
  const options = {
    countSlots,
    countHeapBytes: 1 << 20,
    typesMax,
    stringBytesMax: 10 << 20,
    seed: { low: 1, high: 2 },
  };
  const inputBytes = 4 << 20;
  const bytes = Aggregator.memoryBytes(options) + ChunkScanner.memoryBytes() + inputBytes + 65_536;
  const kernel = await Kernel.load(await loadKernelModule(build), bytes);
  const scanner = new ChunkScanner(kernel);
  const aggregator = new Aggregator(kernel, options);
  return { kernel, scanner, aggregator, input: kernel.allocate(inputBytes + inputPaddingBytes) };
}

describe.each<KernelBuild>(["simd", "scalar"])("aggregator (%s)", (build) => {
  test.each([
    { name: "roomy table", countSlots: 1 << 16, idsMax: 5000 },
    { name: "table that fills up and spills", countSlots: 1 << 8, idsMax: 5000 },
    { name: "few ids", countSlots: 1 << 8, idsMax: 10 },
  ])("counts and columns equal a Map's: $name", async ({ countSlots, idsMax }) => {
    const { kernel, scanner, aggregator, input } = await setUp(build, countSlots);
    for (let round = 0; round < 2; round++) {
      const expected = new Map<string, number>();
      const rows: object[] = [];
      for (let batch = 0; batch < 4; batch++) {
        const events = Array.from({ length: random.int(1, 3000) }, () => randomEvent(idsMax));
        const bytes = Buffer.from(events.map((event) => JSON.stringify(event)).join("\n"));
        kernel.bytes.set(bytes, input);
        scanner.clear();
        expect(scanner.scanChunk(input, bytes.length, receivedAt)).toBe("done");
        expect(scanner.events).toBe(events.length);
        const partition = batch % 3;
        const low = receivedAt >>> 0;
        const high = Math.floor(receivedAt / 2 ** 32);
        kernel.exports["stampEvents"]!(scanner.eventsPtr, events.length, partition, low, high);
        aggregator.add(scanner.eventsPtr, events.length);
        for (const event of events) {
          const minute = Math.floor(event.timestamp / 60_000);
          const key = `${minute}/${event.eventType}/${partition}/${event.eventId}`;
          expected.set(key, (expected.get(key) ?? 0) + event.weight);
          rows.push({
            timestamp: event.timestamp,
            receivedAt,
            weight: event.weight,
            eventType: event.eventType,
            eventId: event.eventId,
            userId: event.userId ?? null,
            sessionId: null,
            metadata: event.metadata === undefined ? null : JSON.stringify(event.metadata),
          });
        }
      }
      const taken = aggregator.take();
      const names = new Map(taken.notes.map((note) => [note.index, note.name]));
      expect(taken.rawRows).toBe(rows.length);
      expect(readCounts(taken.counts, names)).toEqual(expected);
      expect(readRaw(taken.raw)).toEqual(rows);
      const total = [...expected.values()].reduce((sum, count) => sum + count, 0);
      expect(taken.notes.reduce((sum, note) => sum + note.total, 0)).toBe(total);
    }
  });
});

test("of many types none is taken for another's in another partition", async () => {
  const { kernel, scanner, aggregator, input } = await setUp("simd", 1 << 8, 2 ** 17);
  for (let i = 0; i < 2 ** 17; i++) aggregator.types.indexOf(`type-${i}`);
  const expected = new Map<string, number>();
  for (const partition of [0, 1, 2, 255, 4095]) {
    const types = [3, 2 ** 16 + 3, 2 ** 17 - 1, 2 ** 16 - 1];
    const text = types
      .map((type) =>
        JSON.stringify({ eventId: "x", eventType: `type-${type}`, timestamp: receivedAt }),
      )
      .join("\n");
    const bytes = Buffer.from(text);
    kernel.bytes.set(bytes, input);
    scanner.clear();
    expect(scanner.scanChunk(input, bytes.length, receivedAt)).toBe("done");
    kernel.exports["stampEvents"]!(scanner.eventsPtr, types.length, partition, 0, 0);
    aggregator.add(scanner.eventsPtr, types.length);
    for (const type of types) {
      expected.set(`${receivedAt / 60_000}/type-${type}/${partition}/x`, 1);
    }
  }
  const { notes, counts } = aggregator.take();
  const names = new Map(notes.map((note) => [note.index, note.name]));
  expect(readCounts(counts, names)).toEqual(expected);
});

test("types beyond the dictionary's bound are refused by the kernel", async () => {
  const { aggregator } = await setUp("simd", 1 << 8);
  for (let i = 0; i < 100; i++) expect(aggregator.types.indexOf(`type-${i}`)).toBe(i);
  expect(aggregator.types.indexOf("type-7")).toBe(7);
  expect(aggregator.types.indexOf("one-too-many")).toBe(null);
});
