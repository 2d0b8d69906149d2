// What the long run calls "of one size": a leak must not pass for it, a full cache must.
import { describe, expect, it } from "vitest";
import { randomFromEnvironment } from "../support/random.ts";
import { growthOf } from "./fuzz-memory.ts";

const MiB = 1024 * 1024;
const batches = 100;

describe("growth of a series of measures", () => {
  const random = randomFromEnvironment("growth");
  const noise = () => (random.float() - 0.5) * 40 * MiB;
  const series = (at: (i: number) => number) =>
    Array.from({ length: batches }, (_, i) => 400 * MiB + at(i) + noise());

  it("is that of a steady leak, in spite of noise", () => {
    const grown = growthOf(series((i) => i * 2 * MiB));
    expect(grown).toBeGreaterThan(90 * MiB);
    expect(grown).toBeLessThan(145 * MiB);
  });

  it("is next to none where something filled up and stays", () => {
    const filling = growthOf(series((i) => Math.min(i, 30) * 5 * MiB));
    expect(Math.abs(filling)).toBeLessThan(25 * MiB);
  });

  it("is next to none where peaks come and go", () => {
    const peaks = growthOf(series((i) => (i % 9 === 8 ? 300 * MiB : 0)));
    expect(Math.abs(peaks)).toBeLessThan(25 * MiB);
  });

  it("is none of a single measure", () => {
    expect(growthOf([MiB])).toBe(0);
  });
});
