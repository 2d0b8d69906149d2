/** Differential fuzz: both builds of the scanner against the oracle. */
import { beforeAll, describe, expect, it } from "vitest";
import { type OracleBatch, oracleJson, oracleNdjson } from "../oracles/event-oracle.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { loadRig, mutate, type Rig, randomEvent, receivedAt, scanBody } from "./scan-support.ts";

const batches = 100;
const linesPerBatch = 400;
const encoder = new TextEncoder();
let rigs: Rig[];

beforeAll(async () => {
  rigs = [await loadRig("simd"), await loadRig("scalar"), await loadRig("simd", 7)];
});

function compare(body: Uint8Array, format: "ndjson" | "json", alignment: number, after: number) {
  const judge = format === "json" ? oracleJson : oracleNdjson;
  const expected: OracleBatch = judge(body, receivedAt);
  for (const rig of rigs) {
    const found = scanBody(rig, body, format, alignment, after);
    // toEqual walks slowly: only when they differ, to say where.
    if (JSON.stringify(found) === JSON.stringify(expected)) continue;
    for (let i = 0; i < expected.errors.length; i++) {
      expect(found.errors[i], rig.build).toEqual(expected.errors[i]);
    }
    const where = `${rig.build}: ${JSON.stringify(Buffer.from(body).toString("latin1"))}`;
    expect(found, where.slice(0, 3000)).toEqual(expected);
  }
  return expected;
}

describe("scanner against oracle", () => {
  it("accepts valid NDJSON and locates the same fields", () => {
    const random = randomFromEnvironment("valid events");
    for (let batch = 0; batch < batches; batch++) {
      const lines = Array.from({ length: linesPerBatch }, () => randomEvent(random));
      const body = encoder.encode(lines.join(random.pick(["\n", "\r\n"])));
      const expected = compare(body, "ndjson", batch % 64, random.int(0, 255));
      expect(expected.errors).toEqual([]);
      expect(expected.events.length).toBe(linesPerBatch);
      for (const rig of rigs) expect(rig.scanner.slowLines / linesPerBatch).toBeLessThan(0.01);
    }
  });

  it("refuses odd events for the same reason", () => {
    const random = randomFromEnvironment("odd events");
    let refused = 0;
    for (let batch = 0; batch < batches * 2; batch++) {
      const lines = Array.from({ length: linesPerBatch }, () => randomEvent(random, 0.06));
      const body = encoder.encode(`${lines.join("\n")}\n`);
      refused += compare(body, "ndjson", batch % 64, random.int(0, 255)).errors.length;
    }
    expect(refused).toBeGreaterThan(1000);
  });

  it("refuses damaged bytes for the same reason", () => {
    const random = randomFromEnvironment("damaged events");
    for (let batch = 0; batch < batches * 2; batch++) {
      const lines = Array.from({ length: linesPerBatch }, () =>
        mutate(random, encoder.encode(randomEvent(random, 0.01))),
      );
      const body = Buffer.concat(lines.flatMap((line) => [line, Uint8Array.of(10)]));
      compare(Uint8Array.from(body), "ndjson", batch % 64, random.int(0, 255));
    }
  });

  it("judges JSON bodies alike, damaged or not", () => {
    const random = randomFromEnvironment("JSON bodies");
    let malformed = 0;
    for (let round = 0; round < 5000; round++) {
      const oddity = random.pick([0, 0.01, 0.05]);
      const events = Array.from({ length: random.int(0, 5) }, () =>
        randomEvent(random, oddity, true),
      );
      const mark = random.chance(0.1) ? "\ufeff" : "";
      const whole = events.length === 1 && random.chance(0.5);
      const text = whole ? events[0]! : `[${events.join(random.pick([",", " ,\n "]))}]`;
      let body: Uint8Array = encoder.encode(`${mark}${text}${random.pick(["", " ", "\n"])}`);
      if (random.chance(0.5)) body = mutate(random, body);
      if (compare(body, "json", round % 64, random.int(0, 255)).malformed) malformed++;
    }
    expect(malformed).toBeGreaterThan(100);
  });
});
