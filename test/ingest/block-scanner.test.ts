/** Records of every size through one small input region: each event located once, in order. */
import { beforeEach, describe, expect, it } from "vitest";
import { BlockScanner } from "../../src/ingest/block-scanner.ts";
import type { Aggregator } from "../../src/kernel/aggregator.ts";
import { ChunkScanner } from "../../src/kernel/chunk-scanner.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { layout } from "../../src/kernel/layout.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import type { LogRecord } from "../../src/model.ts";
import { randomFromEnvironment } from "../support/random.ts";

const inputBytesMax = 8192;
const eventsMax = 70;

interface Located {
  eventId: string;
  timestamp: number;
  partition: number;
  receivedAt: number;
}

let scanner: BlockScanner;
let located: Located[];
let adds: number[];

beforeEach(async () => {
  const bounds = { eventsMax, errorsMax: 1, futureMsMax: Number.MAX_SAFE_INTEGER };
  const memoryBytes = ChunkScanner.memoryBytes(bounds) + inputBytesMax + 4096;
  const kernel = await Kernel.load(await loadKernelModule(), memoryBytes);
  located = [];
  adds = [];
  const aggregator = {
    add(events: number, n: number) {
      adds.push(n);
      for (let event = events; n > 0; n--, event += layout.EVENT_SIZE) {
        const ptr = kernel.view.getUint32(event + layout.EVENT_ID_PTR, true);
        const length = kernel.view.getUint32(event + layout.EVENT_ID_LEN, true);
        located.push({
          eventId: Buffer.from(kernel.bytes.buffer, ptr, length).toString(),
          timestamp: Number(kernel.view.getBigInt64(event + layout.EVENT_TIMESTAMP, true)),
          partition: kernel.view.getUint32(event + layout.EVENT_PARTITION, true),
          receivedAt: Number(kernel.view.getBigInt64(event + layout.EVENT_RECEIVED_AT, true)),
        });
      }
    },
  } as unknown as Aggregator;
  const chunks = new ChunkScanner(kernel, bounds);
  scanner = new BlockScanner(kernel, chunks, aggregator, inputBytesMax);
});

const startMs = Date.UTC(2026, 10, 24);
let ids = 0;

/** A record of these ids; every event without timestamp, so that its receipt shows. */
function record(eventIds: string[], partition: number, end = "\n"): LogRecord {
  const lines = eventIds.map((eventId) => JSON.stringify({ eventId, eventType: "t" }));
  return {
    key: null,
    digest: null,
    receivedAt: startMs + ids++,
    partitionCount: 4,
    partition,
    offset: 0,
    value: Buffer.from(lines.join("\n") + (lines.length > 0 ? end : "")),
    lines: new Uint8Array(),
  };
}

function expectedOf(records: LogRecord[], eventIds: string[][]): Located[] {
  return records.flatMap(({ partition, receivedAt }, i) =>
    eventIds[i]!.map((eventId) => ({ eventId, timestamp: receivedAt, partition, receivedAt })),
  );
}

describe("the block scanner", () => {
  it("locates the events of records of every size, in order, each with its own receipt", () => {
    const random = randomFromEnvironment("block scanner");
    const lists: string[][] = [];
    const records: LogRecord[] = [];
    for (let i = 0; i < 400; i++) {
      const size = random.pick([0, 1, 1, 1, 2, 5, 40, 700]);
      const width = random.pick([3, 20, 400]);
      const list = Array.from({ length: size }, () => `id-${ids++}-`.padEnd(width, 'é\\" x'));
      lists.push(list);
      records.push(record(list, random.int(0, 3), random.pick(["\n", ""])));
      expect(scanner.take(records.at(-1)!)).toMatchObject({ events: size, refused: 0, slow: 0 });
      if (random.chance(0.05)) scanner.finish();
    }
    scanner.finish();
    expect(located).toEqual(expectedOf(records, lists));
    // The list filled up at times, and so did the region.
    expect(Math.max(...adds)).toBe(eventsMax);
    expect(Math.max(...records.map(({ value }) => value.length))).toBeGreaterThan(inputBytesMax);
  });

  it("hands many tiny records over together", () => {
    const lists = Array.from({ length: 90 }, (_, i) => [`tiny-${i}`]);
    const records = lists.map((list, i) => record(list, i % 4));
    for (const one of records) scanner.take(one);
    expect(adds.length).toBeLessThan(3);
    scanner.finish();
    scanner.finish();
    expect(adds.length).toBeLessThan(4);
    expect(located).toEqual(expectedOf(records, lists));
  });

  it("counts what is no event, also in a line longer than the region", () => {
    const bad = record([], 0);
    const value = Buffer.from(
      `{"eventId":"a","eventType":"t"}\n{}\nhello\n"${"x".repeat(inputBytesMax)}"\n` +
        '{"eventId":"b","eventType":"t"}\n',
    );
    const counts = scanner.take({ ...bad, value });
    scanner.finish();
    expect(counts.events).toBe(2);
    expect(counts.refused).toBeGreaterThanOrEqual(3);
    expect(counts.slow).toBeGreaterThanOrEqual(3);
    expect(located.map(({ eventId }) => eventId)).toEqual(["a", "b"]);
  });

  it("takes times of receipt beyond 32 bits of milliseconds", () => {
    const one = { ...record(["late"], 3), receivedAt: 253_402_300_799_999 };
    scanner.take(one);
    scanner.finish();
    expect(located).toEqual(expectedOf([one], [["late"]]));
  });
});
