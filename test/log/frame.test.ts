/** Frames of the version before are read as they were written: without marks. */
import { expect, it } from "vitest";
import {
  assertFrameVersion,
  chunkOf,
  encodeFrame,
  type Frame,
  visitRecords,
} from "../../src/log/frame.ts";
import type { LogRecord } from "../../src/model.ts";

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

it("of a later version are refused by name", () => {
  const { bytes } = encodeFrame(header, blocks);
  bytes[12] = 3;
  expect(() => recordsOf(bytes)).toThrow("record format 3, expected 2");
});
