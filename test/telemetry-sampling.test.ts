// Which requests are traced: by their caller's choice, by chance, and within a rate.
import { expect, it } from "vitest";
import { Sampling } from "../src/telemetry-sampling.ts";
import { randomFromEnvironment } from "./support/random.ts";

const [traceId, spanId] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
const sampled = `00-${traceId}-${spanId}-01`;
const unsampled = `00-${traceId}-${spanId}-00`;

function chosen(sampling: Sampling, traceparents: (string | undefined)[]): number {
  return traceparents.filter((text) => sampling.choose(text) !== null).length;
}

const times = (count: number, text?: string) => Array.from({ length: count }, () => text);

it.each([0, 0.01, 0.25, 1])("takes a share of %d of those without a trace", (ratio) => {
  const random = randomFromEnvironment("sampling");
  const sampling = new Sampling({ ratio, perSecondMax: 1e9, random: () => random.float() });
  const count = 20_000;
  const share = chosen(sampling, times(count)) / count;
  // Six standard deviations.
  const margin = 6 * Math.sqrt((ratio * (1 - ratio)) / count);
  expect(Math.abs(share - ratio)).toBeLessThanOrEqual(margin);
});

it("does what the caller decided, whatever the share", () => {
  for (const ratio of [0, 1]) {
    const sampling = new Sampling({ ratio, perSecondMax: 1e9 });
    expect(sampling.choose(sampled)).toEqual({ parent: { traceId, spanId, isSampled: true } });
    expect(sampling.choose(unsampled)).toBe(null);
  }
  const all = new Sampling({ ratio: 1, perSecondMax: 1e9 });
  expect(all.choose("nonsense")).toEqual({ parent: null });
});

it("takes no more than the rate, of both kinds together, and counts the rest", () => {
  let now = 0;
  const sampling = new Sampling({ ratio: 1, perSecondMax: 10, now: () => now });
  expect(chosen(sampling, [...times(8), ...times(8, sampled)])).toBe(10);
  expect(sampling.limited).toBe(6);
  now += 500;
  expect(chosen(sampling, times(20, sampled))).toBe(5);
  // What was not used is not saved up for more than a second.
  now += 60_000;
  expect(chosen(sampling, times(50))).toBe(10);
  // What would not have been traced anyhow is not counted.
  const before = sampling.limited;
  expect(chosen(sampling, times(5, unsampled))).toBe(0);
  expect(sampling.limited).toBe(before);
});
