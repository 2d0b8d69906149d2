// What our records carry beside their lines, and how a block is cut into several records: both
// against plain re-implementations, on random input.
import { describe, expect, it } from "vitest";
import {
  cutBlock,
  decodeRecord,
  encodeRecordHeader,
  recordHeaderBytes,
} from "../../src/log/kafka-record.ts";
import type { BatchHeader } from "../../src/model.ts";
import { Random, randomFromEnvironment } from "../support/random.ts";

const rounds = 400;
const place = { partition: 3, offset: 12, appendedAt: 1_780_000_000_000 };
const keys = ["a", "producer/7", "ü".repeat(128), `edge-${"0".repeat(36)}.4/12`];

function randomHeader(random: Random): BatchHeader {
  const key = random.chance(0.2) ? null : random.pick(keys);
  const from = random.int(0, 2 ** 52);
  return {
    key,
    digest: random.chance(0.5) ? random.bytes(16) : null,
    receivedAt: random.int(0, 2 ** 53 - 1),
    partitionCount: random.int(1, 256),
    seen: random.chance(0.5) ? { from, to: from + random.int(0, 2 ** 40) } : null,
  };
}

/** Numbers in seven bits a byte, the last one's eighth bit clear. */
function writeNumbers(numbers: number[]): Uint8Array {
  const bytes: number[] = [];
  for (const number of numbers) {
    let rest = BigInt(number);
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
    bytes.push(Number(rest));
  }
  return Uint8Array.from(bytes);
}

function readNumbers(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let [value, shift] = [0n, 0n];
  for (const byte of bytes) {
    value += BigInt(byte % 128) << shift;
    shift += 7n;
    if (byte > 127) continue;
    numbers.push(Number(value));
    [value, shift] = [0n, 0n];
  }
  return numbers;
}

/** Line numbers as they are from differences to the one before. */
function summed(differences: number[]): number[] {
  let sum = 0;
  return differences.map((difference) => {
    sum += difference;
    return sum;
  });
}

describe("a record's header", () => {
  it("is read as it was written", () => {
    const random = randomFromEnvironment("kafka record");
    for (let round = 0; round < rounds; round++) {
      const header = randomHeader(random);
      const lines = random.bytes(random.int(0, 40));
      const value = Buffer.from(random.bytes(random.int(0, 40)));
      const piece = random.int(0, 5);
      const encoded = encodeRecordHeader(header, piece, lines);
      expect(encoded.length).toBe(recordHeaderBytes(header) + lines.length);
      const read = decodeRecord({ ...place, value, header: encoded });
      const { digest, marks, ...rest } = read;
      expect({ ...rest, lines: [...rest.lines], value: [...rest.value] }).toEqual({
        ...place,
        key: header.key,
        receivedAt: header.receivedAt,
        partitionCount: header.partitionCount,
        seen: header.seen,
        trace: null,
        piece,
        lines: [...lines],
        value: [...value],
      });
      expect(digest && [...digest]).toEqual(header.digest && [...header.digest]);
      expect(marks?.length).toBe(0);
    }
  });

  it("that is cut off, longer, or of somebody else makes a foreign record", () => {
    const random = randomFromEnvironment("kafka record, damaged");
    const value = Buffer.from("{}\n");
    const foreign = { key: null, isForeign: true, receivedAt: place.appendedAt };
    for (let round = 0; round < rounds; round++) {
      const encoded = encodeRecordHeader(randomHeader(random), 0, random.bytes(9));
      const damaged = random.pick([
        encoded.subarray(0, random.int(0, encoded.length - 1)),
        Buffer.concat([encoded, random.bytes(random.int(1, 9))]),
        Buffer.concat([random.bytes(4), encoded.subarray(4)]),
        Buffer.from(random.bytes(random.int(0, 90))),
      ]);
      expect(decodeRecord({ ...place, value, header: damaged })).toMatchObject(foreign);
    }
    expect(decodeRecord({ ...place, value, header: undefined })).toMatchObject(foreign);
    const none = decodeRecord({ ...place, appendedAt: -1, value: null, header: undefined });
    expect(none).toMatchObject({ receivedAt: 0, isForeign: true });
    expect(none.value.length).toBe(0);
  });

  it("leaves the trace to the header that all programs know, if it is sampled", () => {
    const [id, span] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
    const encoded = encodeRecordHeader(randomHeader(new Random(1)), 0, Uint8Array.of(1));
    const traceOf = (text: string | undefined, header: Buffer | undefined) => {
      const traceparent = text === undefined ? undefined : Buffer.from(text);
      return decodeRecord({ ...place, value: Buffer.from("x"), header, traceparent }).trace;
    };
    for (const header of [encoded, undefined]) {
      expect(traceOf(`00-${id}-${span}-01`, header)).toBe(`00-${id}-${span}-01`);
      const others = [`00-${id}-${span}-00`, `00-${"0".repeat(32)}-${span}-01`, "", undefined];
      for (const other of [...others, `ff-${id}-${span}-01`, `00-${id}-${span}-01-more`]) {
        expect(traceOf(other, header)).toBe(null);
      }
    }
  });

  it("of a later version is refused: it may mean anything", () => {
    const header: BatchHeader = { key: "k", digest: null, receivedAt: 1, partitionCount: 1 };
    const encoded = encodeRecordHeader(header, 0, Uint8Array.of(1));
    const later = Uint8Array.from(encoded);
    later[4] = 2;
    const raw = { ...place, value: Buffer.from("x"), header: Buffer.from(later) };
    expect(() => decodeRecord(raw)).toThrow(
      expect.objectContaining({
        code: "log_mismatch",
        message: expect.stringMatching(/partition 3, offset 12.*format 2, expected 1/),
      }),
    );
  });
});

describe("a block's pieces", () => {
  it("are its lines with their numbers, none too long, none longer than it has to be", () => {
    const random = randomFromEnvironment("cut block");
    let cut = 0;
    for (let round = 0; round < rounds; round++) {
      const count = random.int(1, 60);
      const texts = Array.from({ length: count }, () => `${"x".repeat(random.int(1, 30))}\n`);
      const steps = texts.map(() => random.pick([1, 1, 2, 100, 127, 128, 70_000, 2 ** 31]));
      const numbers = summed(steps);
      const value = Buffer.from(texts.join(""));
      const bytesMax = random.int(31, 200);
      const pieces = cutBlock(value, writeNumbers(steps), bytesMax);
      if (pieces.length > 1) cut++;
      const together = pieces.map((piece) => Buffer.from(piece.value).toString());
      expect(together.join("")).toBe(texts.join(""));
      const found = pieces.flatMap((piece) => summed(readNumbers(piece.lines)));
      expect(found).toEqual(numbers);
      for (const [index, piece] of pieces.entries()) {
        const lines = together[index]!.split("\n").length - 1;
        expect(readNumbers(piece.lines).length).toBe(lines);
        expect(piece.value.length).toBeLessThanOrEqual(bytesMax);
        const next = together[index + 1]?.split("\n")[0];
        if (next === undefined) continue;
        expect(piece.value.length + next.length + 1).toBeGreaterThan(bytesMax);
      }
    }
    expect(cut).toBeGreaterThan(rounds / 4);
  });

  it("can't be made of a line that is longer", () => {
    const value = Buffer.from(`${"x".repeat(50)}\nyy\n`);
    expect(() => cutBlock(value, Uint8Array.of(1, 1), 40)).toThrow(/more than 40 bytes/);
  });
});
