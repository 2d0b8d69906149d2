import { describe, expect, it } from "vitest";
import { Random, randomFromEnvironment, ZipfSampler } from "./random.ts";

describe("Random", () => {
  it("repeats with its seed and differs without", () => {
    const draw = (seed: number) =>
      Array.from(
        { length: 8 },
        (
          (r) => () =>
            r.uint32()
        )(new Random(seed)),
      );
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const parent = new Random(7);
    expect(parent.fork(1).uint32()).toBe(new Random(7).fork(1).uint32());
    expect(parent.fork(1).uint32()).not.toBe(parent.fork(2).uint32());
  });

  it("reaches both ends of a range evenly", () => {
    const random = randomFromEnvironment("random ints");
    const seen = new Map<number, number>();
    for (let i = 0; i < 60_000; i++) {
      const value = random.int(-1, 4);
      seen.set(value, (seen.get(value) ?? 0) + 1);
    }
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2, 3, 4]);
    for (const count of seen.values()) expect(Math.abs(count - 10_000)).toBeLessThan(600);
  });

  it("shuffles without loss", () => {
    const values = Array.from({ length: 100 }, (_, i) => i);
    const shuffled = new Random(3).shuffle([...values]);
    expect(shuffled).not.toEqual(values);
    expect(shuffled.sort((a, b) => a - b)).toEqual(values);
  });
});

describe("ZipfSampler", () => {
  it.each([1, 0.5, 0])("draws ranks by their weight, exponent %s", (exponent) => {
    const random = randomFromEnvironment(`zipf ${exponent}`);
    const size = 50;
    const draws = 200_000;
    const counts = new Float64Array(size);
    const sampler = new ZipfSampler(size, exponent);
    for (let i = 0; i < draws; i++) counts[sampler.draw(random)]!++;
    const weights = Array.from({ length: size }, (_, i) => (i + 1) ** -exponent);
    const sum = weights.reduce((a, b) => a + b, 0);
    for (let rank = 0; rank < size; rank++) {
      const mean = (draws * weights[rank]!) / sum;
      // Six standard deviations: once in some ten million runs by chance.
      expect(Math.abs(counts[rank]! - mean)).toBeLessThan(6 * Math.sqrt(mean));
    }
  });

  it("stays quick with five million ids", () => {
    const sampler = new ZipfSampler(5_000_000, 1);
    const random = new Random(1);
    let first = 0;
    for (let i = 0; i < 100_000; i++) if (sampler.draw(random) === 0) first++;
    // 1 / H(5,000,000) = 1 / 16.0021
    expect(Math.abs(first - 100_000 / 16.0021)).toBeLessThan(500);
  });
});
