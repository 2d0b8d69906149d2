/** A batch as the edge gets it: blocks, line numbers, messages, and batches refused as a whole. */
import { beforeAll, describe, expect, it } from "vitest";
import { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import { type BatchScan, EventScanner } from "../../src/kernel/scanner.ts";
import { oracleJson, oracleNdjson } from "../oracles/event-oracle.ts";
import { oracleMurmur2, oraclePartition } from "../oracles/event-partition.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { randomEvent, receivedAt } from "./scan-support.ts";

const bounds = { bodyBytesMax: 16 * 1024 * 1024, errorsMax: 100, futureMsMax: 300_000 };
const encoder = new TextEncoder();
let kernels: Kernel[];
let scanners: EventScanner[];

beforeAll(async () => {
  kernels = await Promise.all(
    (["simd", "scalar"] as const).map(async (build) =>
      Kernel.load(await loadKernelModule(build), EventScanner.memoryBytes(bounds) + 4096),
    ),
  );
  scanners = kernels.map((kernel) => new EventScanner(kernel, bounds));
});

function lineNumbers(bytes: Uint8Array): number[] {
  const found: number[] = [];
  let [line, step, shift] = [0, 0, 0];
  for (const byte of bytes) {
    step += (byte & 127) * 2 ** shift;
    shift += 7;
    if (byte & 128) continue;
    line += step;
    found.push(line);
    step = 0;
    shift = 0;
  }
  return found;
}

/** The batch's blocks as [line, partition, text], in the batch's order. */
function placed(batch: BatchScan): [number, number, string][] {
  const found: [number, number, string][] = [];
  for (const block of batch.blocks) {
    const lines = Buffer.from(block.value).toString("latin1").split("\n");
    expect(lines.pop()).toBe("");
    const numbers = lineNumbers(block.lines);
    expect(numbers.length).toBe(block.events);
    expect(lines.length).toBe(block.events);
    lines.forEach((text, index) => {
      found.push([numbers[index]!, block.partition, text]);
    });
  }
  return found.sort(([a], [b]) => a - b);
}

describe("blocks", () => {
  it.each([
    ["ndjson", 1, 500],
    ["ndjson", 4, 40_000],
    ["ndjson", 1024, 3000],
    ["json", 7, 20_000],
  ] as const)("of %s in %i partitions, %i events", (format, partitionCount, count) => {
    const random = randomFromEnvironment("blocks");
    const isJson = format === "json";
    const events = Array.from({ length: count }, () =>
      random.chance(0.01) ? "{}" : randomEvent(random, isJson ? 0 : 0.001, isJson),
    );
    const text = isJson ? `[${events.join(",")}]` : events.join("\n\n");
    const body = encoder.encode(text);
    const expected = (isJson ? oracleJson : oracleNdjson)(body, receivedAt);
    expect(expected.malformed).toBeNull();
    for (const scanner of scanners) {
      const batch = scanner.scanBatch(body, format, receivedAt, partitionCount);
      expect(batch.malformed).toBeUndefined();
      expect(batch.accepted).toBe(expected.events.length);
      expect(batch.rejected).toBe(expected.errors.length);
      expect(batch.lines).toBe(count);
      expect(placed(batch)).toEqual(
        expected.events.map((event) => [
          event.line,
          oraclePartition(event.eventId, partitionCount),
          event.text.replace(/[\r\n]/g, " "),
        ]),
      );
    }
  });

  it("keeps large events apart, whatever is behind them", () => {
    const big = (id: number) =>
      `{"eventId":"e${id}","eventType":"t","metadata":{"k":"${"x".repeat(16_000)}"}}`;
    const events = Array.from({ length: 600 }, (_, id) => big(id));
    const body = encoder.encode(events.join("\n"));
    expect(body.length).toBeGreaterThan(8 * 1024 * 1024);
    for (const scanner of scanners) {
      const batch = scanner.scanBatch(body, "ndjson", receivedAt, 3);
      expect(batch.errors).toEqual([]);
      expect(placed(batch).map(([, , text]) => text)).toEqual(events);
    }
  });
});

describe("murmur2", () => {
  it("agrees with Kafka", () => {
    const known: [string, number][] = [
      ["21", -973932308],
      ["foobar", -790332482],
      ["a-little-bit-long-string", -985981536],
      ["a-little-bit-longer-string", -1486304829],
      ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
      ["abc", 479470107],
    ];
    for (const kernel of kernels) {
      const ptr = kernel.allocate(128);
      for (const [text, hash] of known) {
        const bytes = encoder.encode(text);
        kernel.bytes.set(bytes, ptr);
        expect(kernel.exports["murmur2"]!(ptr, bytes.length)).toBe(hash);
        expect(oracleMurmur2(bytes)).toBe(hash);
      }
    }
  });
});

describe("batches refused as a whole", () => {
  it.each<[string, "ndjson" | "json", string, string]>([
    ["nothing", "ndjson", "", "empty_body"],
    ["blank lines", "ndjson", "\n \r\n", "empty_body"],
    ["an empty array", "json", " [ ]", "empty_body"],
    ["an array cut off", "json", '[{"eventId":"a","eventType":"b"},', "invalid_json"],
    ["bad UTF-8", "json", '[{"eventId":"\xff","eventType":"b"}]', "invalid_utf8"],
  ])("%s", (_, format, text, code) => {
    for (const scanner of scanners) {
      const batch = scanner.scanBatch(Buffer.from(text, "latin1"), format, receivedAt, 4);
      expect(batch.malformed?.code).toBe(code);
      expect({ ...batch, malformed: null }).toMatchObject({
        accepted: 0,
        rejected: 0,
        blocks: [],
      });
    }
  });

  it("stores nothing of an array that breaks after many good events", () => {
    const event = '{"eventId":"a","eventType":"b"}';
    const body = encoder.encode(`[${`${event},`.repeat(50_000)}{"eventId":"a"`);
    for (const scanner of scanners) {
      const batch = scanner.scanBatch(body, "json", receivedAt, 4);
      expect(batch).toMatchObject({ accepted: 0, blocks: [] });
      expect(batch.malformed).toEqual({
        code: "invalid_json",
        message: `not JSON: cut off at byte ${body.length + 1} of the body`,
      });
    }
  });

  it("throws for a body over its bound", () => {
    const body = new Uint8Array(bounds.bodyBytesMax + 1);
    expect(() => scanners[0]!.scanBatch(body, "ndjson", receivedAt, 4)).toThrow(RangeError);
    expect(() => scanners[0]!.scanBatch(encoder.encode("{}"), "ndjson", receivedAt, 0)).toThrow(
      RangeError,
    );
  });
});

describe("messages", () => {
  it("counts all refused lines and lists a hundred", () => {
    const body = encoder.encode("{}\n".repeat(250_000));
    for (const scanner of scanners) {
      const batch = scanner.scanBatch(body, "ndjson", receivedAt, 4);
      expect(batch.rejected).toBe(250_000);
      expect(batch.errors.length).toBe(100);
      expect(batch.errors[99]!.line).toBe(100);
    }
  });

  it.each<[string, string | undefined, string]>([
    ["{}", "eventId", "eventId: expected this field, the event has none at byte 1"],
    ['{"eventId":12}', "eventId", "eventId: expected a string, got 12 at byte 12"],
    [
      `{"eventId":"${"é".repeat(300)}"}`,
      "eventId",
      `eventId: expected at most 512 bytes in UTF-8, got 600: "${"é".repeat(19)}… at byte 12`,
    ],
    [
      '{"eventId":"a","eventType":"b","timestamp":"2026-02-30T00:00:00Z"}',
      "timestamp",
      'timestamp: there is no such day, got "2026-02-30T00:00:00Z" at byte 44',
    ],
    [
      '{"eventId":"a","eventType":"b","timestamp":1763980200}',
      "timestamp",
      "timestamp: expected epoch milliseconds, this looks like seconds, got 1763980200 at byte 44",
    ],
    ['{"eventId":"a', undefined, "not JSON: cut off at byte 14"],
    ['{"eventId":"a\x02"}', undefined, expect.stringContaining("0x02 written as \\u0002")],
    [
      '{"eventId":"a"} {',
      undefined,
      "not JSON: expected nothing after the value, got { at byte 17",
    ],
    [
      '{"col\\u00f6r\\n":1}',
      "colör\n",
      expect.stringMatching(/expected one of eventId, .*weight, got "col\\u00f6r\\n" at byte 2$/),
    ],
  ])("%s", (line, field, message) => {
    for (const scanner of scanners) {
      const { errors } = scanner.scanBatch(encoder.encode(line), "ndjson", receivedAt, 4);
      expect(errors[0]!.field).toBe(field);
      expect(errors[0]!.message).toEqual(message);
    }
  });
});
