// What fuzzed requests are made of: texts that have broken parsers before, and mutations.
import { gzipSync } from "node:zlib";
import type { Random } from "../support/random.ts";

/** Never of the type whose events are counted (fuzz-bodies.ts). */
export const fuzzTypes = ["fz_a", "fz_b", "fz_ü", "fz c/d", 'fz"e'];

const oddTexts = [
  "",
  " ",
  "0",
  "-1",
  "1e400",
  "NaN",
  "null",
  "true",
  "[]",
  "{}",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "%00",
  "%",
  "%ff",
  "'; drop table raw; --",
  '" or ""="',
  "{{7*7}}",
  "<script>alert(1)</script>",
  "\u0000",
  "\u202e",
  "\ud800",
  "é".repeat(300),
  "x".repeat(600),
  "x".repeat(5000),
  "9".repeat(400),
  "2026-02-30T25:61:61Z",
  "2026-11-24T10:30:00Z",
  "9999-12-31T23:59:59.999999999Z",
  "-271821-04-20T00:00:00Z",
  "P1D/2026-11-24",
  "last_0_hours",
  "last_99999999999_years",
  "today",
  "Europe/Berlin",
  "Etc/GMT+25",
] as const;

export function oddText(random: Random): string {
  return random.pick(oddTexts);
}

/** A text that is nearly always fine. */
export function plainText(random: Random): string {
  return `t${random.int(0, 5000)}`;
}

/** Any bytes but those that end a header's line. */
export function rubbish(random: Random, lengthMax: number): Buffer {
  const bytes = Buffer.from(random.bytes(random.int(0, lengthMax)));
  return Buffer.from(bytes.map((byte) => (byte === 10 || byte === 13 ? 46 : byte)));
}

/** Bytes flipped, cut out, doubled, or put in. */
export function mutated(random: Random, bytes: Buffer): Buffer {
  let made = Buffer.from(bytes);
  for (let left = random.int(1, 4); left > 0; left--) {
    const at = random.int(0, Math.max(0, made.length - 1));
    const length = random.int(1, 16);
    const kind = random.int(0, 4);
    if (kind === 0 && made.length > 0) made[at] = made[at]! ^ (1 << random.int(0, 7));
    else if (kind === 1) made = Buffer.concat([made.subarray(0, at), made.subarray(at + length)]);
    else if (kind === 2) {
      const twice = made.subarray(at, at + length);
      made = Buffer.concat([made.subarray(0, at), twice, made.subarray(at)]);
    } else if (kind === 3) {
      made = Buffer.concat([made.subarray(0, at), random.bytes(length), made.subarray(at)]);
    } else made = made.subarray(0, at);
  }
  return made;
}

/** The same body, packed; now and then not as it should be. */
export function packed(random: Random, body: Buffer): Buffer {
  const whole = gzipSync(body, { level: 1 });
  return random.chance(0.3) ? mutated(random, whole) : whole;
}
