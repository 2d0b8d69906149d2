import { describe, expect, it } from "vitest";
import { AppliedClock } from "../../src/ingest/applied-clock.ts";
import { randomFromEnvironment } from "../support/random.ts";

describe("the applied clock", () => {
  it("answers the newest note that every partition has passed", () => {
    const clock = new AppliedClock();
    expect(clock.tick(1000, [5, 5], [5, 4])).toBe(0);
    expect(clock.tick(2000, [6, 5], [5, 5])).toBe(1000);
    expect(clock.tick(3000, [6, 5], [6, 4])).toBe(1000);
    expect(clock.tick(4000, [6, 9], [6, 5])).toBe(3000);
    expect(clock.tick(5000, [6, 9], [6, 9])).toBe(5000);
    expect(clock.appliedThrough).toBe(5000);
  });

  it("is held up by a partition that nothing is known of", () => {
    const clock = new AppliedClock();
    expect(clock.tick(1000, [0, 1], [])).toBe(0);
    expect(clock.tick(2000, [0, 0], [])).toBe(0);
  });

  it("does not go back with the system's clock", () => {
    const clock = new AppliedClock();
    expect(clock.tick(9000, [1], [1])).toBe(9000);
    expect(clock.tick(4000, [1], [1])).toBe(9000);
    expect(clock.appliedThrough).toBe(9000);
  });

  it("keeps the oldest notes of a store that lags for long, and catches up", () => {
    const clock = new AppliedClock();
    for (let second = 1; second <= 5000; second++) clock.tick(second * 1000, [second], [0]);
    expect(clock.tick(5001_000, [5001], [1])).toBe(1000);
    expect(clock.tick(5002_000, [5002], [5001])).toBeGreaterThan(500_000);
    expect(clock.tick(5003_000, [5003], [5003])).toBe(5003_000);
  });

  it("never claims more than is committed", () => {
    const random = randomFromEnvironment("applied clock");
    const clock = new AppliedClock();
    const ends = [0, 0, 0];
    const committed = [0, 0, 0];
    const history: { at: number; ends: number[] }[] = [];
    let answered = 0;
    for (let now = 0; now < 5000; now += random.int(1, 10)) {
      for (let partition = 0; partition < 3; partition++) {
        ends[partition]! += random.pick([0, 0, 1, 2]);
        const lag = ends[partition]! - committed[partition]!;
        if (random.chance(0.4)) committed[partition]! += random.int(0, lag);
      }
      history.push({ at: now, ends: [...ends] });
      const through = clock.tick(now, [...ends], committed);
      const passed = history.filter(({ at }) => at <= through).at(-1);
      const isTrue = passed?.ends.every((end, partition) => committed[partition]! >= end);
      expect(through === 0 || isTrue, `at ${now}: ${through}`).toBe(true);
      if (through > answered) answered = through;
    }
    expect(answered).toBeGreaterThan(4000);
  });
});
