import { describe, expect, it } from "vitest";
import { LineCutter } from "../../src/import/ndjson-events.ts";
import type { LineBatch } from "../../src/store/reader.ts";
import { Random, seedFromEnvironment } from "../support/random.ts";

const bounds = { rowsMax: 5, bytesMax: 100 };
const lineBytesMax = 400;

/** The batches of a text that comes in pieces ending at `cuts`. */
function cut(text: string, cuts: number[]): LineBatch[] {
  const cutter = new LineCutter(bounds, lineBytesMax);
  const bytes = Buffer.from(text);
  const batches: LineBatch[] = [];
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    batches.push(...cutter.push(bytes.subarray(from, to)));
    from = to;
  }
  return [...batches, ...cutter.end()];
}

const textOf = ({ body }: LineBatch) => Buffer.from(body).toString();

describe("the line cutter", () => {
  it("cuts the same wherever the pieces end, loses nothing, holds its bounds", () => {
    const random = new Random(seedFromEnvironment("line cutter"));
    for (let round = 0; round < 500; round++) {
      const lines = Array.from({ length: random.int(0, 30) }, () =>
        "é".repeat(random.chance(0.1) ? random.int(40, 150) : random.int(0, 20)),
      );
      const text = lines.join("\n");
      const length = Buffer.byteLength(text);
      const cuts = Array.from({ length: random.int(0, 10) }, () => random.int(0, length));
      const batches = cut(
        text,
        cuts.sort((a, b) => a - b),
      );
      expect(batches.map(textOf)).toEqual(cut(text, []).map(textOf));
      const whole = text === "" || text.endsWith("\n") ? text : `${text}\n`;
      expect(batches.map(textOf).join("")).toBe(whole);
      let row = 1;
      for (const [i, batch] of batches.entries()) {
        const next = batches[i + 1];
        const nextBytes = next === undefined ? 0 : next.body.indexOf(0x0a) + 1;
        const isFull = batch.rows === bounds.rowsMax || batch.body.length >= bounds.bytesMax;
        const fits = batch.body.length + nextBytes <= bounds.bytesMax;
        expect(next === undefined || isFull || !fits).toBe(true);
        expect(batch.firstRow).toBe(row);
        row += batch.rows;
        expect(textOf(batch).split("\n").length - 1).toBe(batch.rows);
        expect(batch.rows).toBeLessThanOrEqual(bounds.rowsMax);
        if (batch.rows > 1) expect(batch.body.length).toBeLessThanOrEqual(bounds.bytesMax);
      }
    }
  });

  it("refuses a line without end", () => {
    const text = `a\nb\n${"x".repeat(lineBytesMax + 1)}`;
    expect(() => cut(text, [])).toThrow("line 3 is longer than 400 bytes");
  });
});
