/** Frames of versions before are read as they were written: without a trace, without marks. */
import { expect, it } from "vitest";
import {
  assertFrameVersion,
  chunkOf,
  claimedFrameBytes,
  encodeFrame,
  type Frame,
  frameIsSound,
  stampFrame,
  visitRecords,
} from "../../src/log/frame.ts";
import type { LogRecord } from "../../src/model.ts";
import { randomFromEnvironment } from "../support/random.ts";

const header = { key: "k", digest: null, receivedAt: 1_780_000_000_000, partitionCount: 2 };
const blocks = [
  { partition: 0, value: Buffer.from("one\n"), events: 1, lines: Uint8Array.of(1) },
  { partition: 1, value: Buffer.from("two\nthree\n"), events: 2, lines: Uint8Array.of(2, 1) },
];

function recordsOf(bytes: Uint8Array): LogRecord[] {
  const records: LogRecord[] = [];
  const chunk = chunkOf(bytes, 0);
  assertFrameVersion(chunk, 0, "a file");
  visitRecords(chunk, 0, (_partition, _offset, record) => records.push(record()));
  return records;
}

/** The frame as version 1 had it: records' headers end after valueBytes. */
function asVersion1({ bytes, recordStarts }: Frame): Buffer {
  const pieces = [bytes.subarray(0, recordStarts[0])];
  for (const [i, start] of recordStarts.entries()) {
    pieces.push(bytes.subarray(start, start + 20));
    pieces.push(bytes.subarray(start + 24, recordStarts[i + 1] ?? bytes.length));
  }
  const old = Buffer.concat(pieces);
  old[12] = 1;
  old.writeUInt32LE(old.length, 8);
  return old;
}

const seen = (records: LogRecord[]) =>
  records.map(({ partition, value, lines, marks }) => {
    return [partition, String(value), [...lines], [...marks!]];
  });

it("are read back with their marks", () => {
  const marked = blocks.map((block, i) => ({ ...block, marks: Uint8Array.of(7, i) }));
  expect(seen(recordsOf(encodeFrame(header, marked).bytes))).toEqual([
    [0, "one\n", [1], [7, 0]],
    [1, "two\nthree\n", [2, 1], [7, 1]],
  ]);
});

it("of version 1 are read back without", () => {
  const frame = encodeFrame(header, blocks);
  expect(frame.bytes[12]).toBe(2);
  const expected = [
    [0, "one\n", [1], []],
    [1, "two\nthree\n", [2, 1], []],
  ];
  expect(seen(recordsOf(frame.bytes))).toEqual(expected);
  expect(seen(recordsOf(asVersion1(frame)))).toEqual(expected);
});

const trace = `00-${"4bf92f3577b34da6a3ce929d0e0e4736"}-00f067aa0ba902b7-01`;

it("carry a trace only where there is one: programs before read all others", () => {
  const plain = encodeFrame(header, blocks);
  const traced = encodeFrame({ ...header, trace }, blocks);
  expect([plain.bytes[12], traced.bytes[12]]).toEqual([2, 3]);
  expect(traced.bytes.length).toBe(plain.bytes.length + trace.length);
  expect(recordsOf(traced.bytes).map((record) => record.trace)).toEqual([trace, trace]);
  expect(recordsOf(plain.bytes).map((record) => record.trace)).toEqual([null, null]);
  expect(seen(recordsOf(traced.bytes))).toEqual(seen(recordsOf(plain.bytes)));
});

it("of all versions are read back from one chunk, whatever else their headers hold", () => {
  const random = randomFromEnvironment("frame versions");
  for (let round = 0; round < 200; round++) {
    const made = {
      key: random.chance(0.5) ? null : "k".repeat(random.int(1, 40)),
      digest: random.chance(0.5) ? null : random.bytes(16),
      receivedAt: random.int(0, 2 ** 53 - 1),
      partitionCount: random.int(1, 256),
      seen: random.chance(0.5) ? null : { from: 1, to: random.int(1, 2 ** 40) },
      trace: random.chance(0.5) ? null : trace,
    };
    const marked = blocks.map((block) => ({ ...block, marks: random.bytes(random.int(0, 9)) }));
    const [first] = recordsOf(encodeFrame(made, marked).bytes);
    const { key, digest, receivedAt, partitionCount } = first!;
    const rest = { key, receivedAt, partitionCount, seen: first!.seen, trace: first!.trace };
    expect({ ...rest, digest: digest && [...digest] }).toEqual({
      ...made,
      digest: made.digest && [...made.digest],
    });
    const own = recordsOf(encodeFrame(made, marked).bytes);
    expect(seen(own)).toEqual(
      marked.map(({ partition, value, lines, marks }) => {
        return [partition, String(value), [...lines], [...marks]];
      }),
    );
    const old = asVersion1(encodeFrame({ ...made, trace: null }, blocks));
    expect(seen(recordsOf(old))).toEqual(seen(recordsOf(encodeFrame(header, blocks).bytes)));
  }
});

it("take no trace of another length", () => {
  const given = { ...header, trace: `${trace}-more` };
  expect(() => encodeFrame(given, blocks)).toThrow("a traceparent of 60 bytes, 55 expected");
});

it("of a later version are refused by name", () => {
  const { bytes } = encodeFrame(header, blocks);
  bytes[12] = 4;
  expect(() => recordsOf(bytes)).toThrow("record format 4; this version reads formats 1 to 3");
});

/** As the program wrote it that knew of no traces: one record, with the CRC of seed 5. */
const writtenBefore = Buffer.from(
  [
    "ff524b462805f2f667000000020701000000000000000000008844709e010000",
    "0200000001000000000102030405060708090a0b0c0d0e0f0300000000000000",
    "09000000000000006b010000000100000004000000000000000400000001000000",
    "020774776f0a",
  ].join(""),
  "hex",
);

it("that an earlier program wrote are read, and written the same way again", () => {
  const chunk = chunkOf(Uint8Array.from(writtenBefore), 0);
  expect(claimedFrameBytes(chunk, 0)).toBe(writtenBefore.length);
  expect(frameIsSound(chunk, 0, writtenBefore.length, 5)).toBe(true);
  const [record] = recordsOf(Uint8Array.from(writtenBefore));
  expect(record).toMatchObject({ partition: 1, offset: 4, key: "k", seen: { from: 3, to: 9 } });
  expect([String(record!.value), record!.trace]).toEqual(["two\n", null]);
  const { key, digest, receivedAt, partitionCount, seen, value, lines, marks } = record!;
  const own = { key, digest, receivedAt, partitionCount, seen: seen ?? null };
  const again = encodeFrame(own, [{ partition: 1, events: 1, value, lines, marks: marks! }]);
  stampFrame(again, { position: 0, syncedThrough: 0, seed: 5 }, [0, 4]);
  expect(again.bytes.equals(writtenBefore)).toBe(true);
});
