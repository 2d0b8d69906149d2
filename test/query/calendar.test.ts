// Periods of all zones, held against the runtime's own formatter of dates.
import { describe, expect, it } from "vitest";
import { type Period, periodAt, periodBefore } from "../../src/query/calendar.ts";
import { stepsOf } from "../../src/query/steps.ts";
import { randomFromEnvironment } from "../support/random.ts";

const iso = (epochMs: number) => new Date(epochMs).toISOString();

/** The local date and hour, by the runtime's formatter. */
function localClock(timeZone: string) {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  return (epochMs: number) => {
    const parts = Object.fromEntries(
      format.formatToParts(epochMs).map(({ type, value }) => [type, value]),
    );
    const { year, month, day, hour, minute, second, weekday } = parts;
    return { date: `${year}-${month}-${day}`, weekday, time: `${hour}:${minute}:${second}` };
  };
}

describe("periods of any zone", () => {
  const zones = Intl.supportedValuesOf("timeZone");
  const zonesTried = 30;
  const instantsEach = 12;
  const dayMs = 86_400_000;
  const daysOf: Record<Exclude<Period, "hour">, [number, number]> = {
    day: [1, 1],
    week: [7, 7],
    month: [28, 31],
    year: [365, 366],
  };

  it("hold their instant, begin with a new date and end where the next begins", () => {
    const random = randomFromEnvironment("periods");
    for (let i = 0; i < zonesTried; i++) {
      const timeZone = random.pick(zones);
      const clock = localClock(timeZone);
      for (let n = 0; n < instantsEach; n++) {
        const now = random.int(Date.UTC(1975, 0), Date.UTC(2037, 0));
        const period = random.pick(["day", "week", "month", "year"] as const);
        const said = `${period} of ${timeZone} at ${iso(now)}`;
        const { from, to } = periodAt(now, period, timeZone);
        expect(from <= now && now < to, said).toBe(true);
        expect(periodBefore(to, period, timeZone), said).toEqual({ from, to });
        expect(periodAt(to, period, timeZone).from, said).toBe(to);
        expect(periodAt(to - 1, period, timeZone), said).toEqual({ from, to });
        const first = clock(from);
        // Years like 1994 of Kiritimati may lack their last day: then the next begins as ever.
        if (period === "week") expect(first.weekday, said).toBe("Mon");
        if (period === "month") expect(first.date.slice(8), said).toBe("01");
        if (period === "year") expect(first.date.slice(5), said).toBe("01-01");
        expect(clock(from - 1).date < first.date, said).toBe(true);
        if (first.time !== "00:00:00") {
          // Only where the clock jumped over midnight.
          expect(Number(first.time.slice(0, 2)), said).toBeLessThanOrEqual(3);
        }
        const [least, most] = daysOf[period];
        expect(to - from, said).toBeGreaterThan((least - 1.2) * dayMs);
        expect(to - from, said).toBeLessThan((most + 0.2) * dayMs);
      }
    }
  });

  it("are the steps of a series", () => {
    const random = randomFromEnvironment("steps");
    for (let i = 0; i < 100; i++) {
      const timeZone = random.pick(zones);
      const step = random.pick(["hour", "day", "week", "month"] as const);
      const size = { hour: dayMs / 24, day: dayMs, week: 7 * dayMs, month: 30 * dayMs }[step];
      const from = random.int(Date.UTC(1971, 0), Date.UTC(2037, 0));
      const to = from + random.int(1, 40 * size);
      const { bounds } = stepsOf(from, to, step, timeZone);
      const said = `${step}s of ${timeZone} from ${iso(from)} to ${iso(to)}`;
      expect([bounds[0], bounds.at(-1)], said).toEqual([from, to]);
      for (const [k, start] of bounds.slice(0, -1).entries()) {
        const end = bounds[k + 1]!;
        const whole = periodAt(start, step, timeZone);
        expect(Math.max(whole.from, from), said).toBe(start);
        expect(Math.min(whole.to, to), said).toBe(end);
      }
    }
  });
});
