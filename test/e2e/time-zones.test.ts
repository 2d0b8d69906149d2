// Days of the real service across changes of the clock, against bounds worked out by hand, and
// calendar words against the zone's own wall clock.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const quarterMs = 15 * 60_000;

interface Case {
  what: string;
  zone: string;
  /** Beginnings of consecutive days, and the end of the last. */
  days: string[];
  /** How long each is, in quarters of an hour. */
  quarters: number[];
}

const cases: Case[] = [
  {
    what: "Berlin in spring: 29 March 2026 has 23 hours",
    zone: "Europe/Berlin",
    days: ["2026-03-27T23:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z", "2026-03-30T22:00Z"],
    quarters: [96, 92, 96],
  },
  {
    what: "Berlin in autumn: 25 October 2026 has 25 hours",
    zone: "Europe/Berlin",
    days: ["2026-10-23T22:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z", "2026-10-26T23:00Z"],
    quarters: [96, 100, 96],
  },
  {
    what: "New York in spring: 8 March 2026 has 23 hours",
    zone: "America/New_York",
    days: ["2026-03-07T05:00Z", "2026-03-08T05:00Z", "2026-03-09T04:00Z", "2026-03-10T04:00Z"],
    quarters: [96, 92, 96],
  },
  {
    what: "New York in autumn: 1 November 2026 has 25 hours",
    zone: "America/New_York",
    days: ["2026-10-31T04:00Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z", "2026-11-03T05:00Z"],
    quarters: [96, 100, 96],
  },
  {
    what: "Lord Howe in April: 5 April 2026 has half an hour more",
    zone: "Australia/Lord_Howe",
    days: ["2026-04-03T13:00Z", "2026-04-04T13:00Z", "2026-04-05T13:30Z", "2026-04-06T13:30Z"],
    quarters: [96, 98, 96],
  },
  {
    what: "Lord Howe in October: 4 October 2026 has half an hour less",
    zone: "Australia/Lord_Howe",
    days: ["2026-10-02T13:30Z", "2026-10-03T13:30Z", "2026-10-04T13:00Z", "2026-10-05T13:00Z"],
    quarters: [96, 94, 96],
  },
  {
    what: "Kathmandu, at a quarter past the hour of UTC",
    zone: "Asia/Kathmandu",
    days: ["2026-10-31T18:15Z", "2026-11-01T18:15Z", "2026-11-02T18:15Z"],
    quarters: [96, 96],
  },
  {
    what: "Apia, whose 30 December 2011 never was",
    zone: "Pacific/Apia",
    days: ["2011-12-28T10:00Z", "2011-12-29T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z"],
    quarters: [96, 96, 96],
  },
];

/** One event every quarter of an hour from the first day's beginning to the last one's end. */
function quartersOf({ days }: Case): number[] {
  const [first, end] = [Date.parse(days[0]!), Date.parse(days.at(-1)!)];
  return Array.from({ length: (end - first) / quarterMs }, (_, i) => first + i * quarterMs);
}

const typeOf = ({ zone, days }: Case) => `${zone} ${days[0]}`;

describe("days", () => {
  let service: RankstreamProcess;
  beforeAll(async () => {
    service = await startRankstream({
      args: ["--seal-interval-ms", "100", "--seal-quiet-ms", "0"],
    });
    for (const one of cases) {
      const lines = quartersOf(one).map((timestamp, i) =>
        JSON.stringify({ eventId: `q${i % 3}`, eventType: typeOf(one), timestamp }),
      );
      expect((await service.post(lines.join("\n"))).status).toBe(202);
    }
  });
  afterAll(() => service.stop());

  it.each(cases)("of $what", async (one) => {
    const { zone, days, quarters } = one;
    const iso = (text: string) => new Date(text).toISOString();
    const [from, to] = [iso(days[0]!), iso(days.at(-1)!)];
    const path = `/event-types/${encodeURIComponent(typeOf(one))}/series`;
    const range = { from, to, timeZone: zone };
    const { body } = await service.get(path, { ...range, step: "day" });
    expect(body.points.map((point: { from: string; to: string; total: number }) => point)).toEqual(
      quarters.map((total, i) =>
        expect.objectContaining({ from: iso(days[i]!), to: iso(days[i + 1]!), total }),
      ),
    );
    const item = await service.get("/items", {
      eventType: typeOf(one),
      eventId: "q0",
      ...range,
      step: "day",
    });
    expect(item.body.history.map(({ from: at }: { from: string }) => at)).toEqual(
      days.slice(0, -1).map(iso),
    );
    const times = quartersOf(one);
    for (const [i, total] of quarters.entries()) {
      const day = { from: iso(days[i]!), to: iso(days[i + 1]!) };
      for (const mode of ["exact", "approx"]) {
        const board = await service.get("/leaderboard", { eventType: typeOf(one), ...day, mode });
        expect([board.body.total, mode]).toEqual([total, mode]);
      }
      const [low, high] = [Date.parse(day.from), Date.parse(day.to)];
      const own = times.flatMap((at, n) => (at >= low && at < high && n % 3 === 0 ? [n] : []));
      expect(item.body.history[i].count).toBe(own.length);
    }
    const hours = await service.get(path, { ...range, step: "hour" });
    const sums = hours.body.points.map(({ total }: { total: number }) => total);
    expect(sums.reduce((sum: number, total: number) => sum + total, 0)).toBe(times.length);
    // An hour that the clock sets back or forward inside itself has more or fewer quarters.
    expect(sums.filter((total: number) => total !== 4).length).toBeLessThanOrEqual(2);
  });

  it.each([...new Set(cases.map(({ zone }) => zone)), "America/St_Johns", "UTC"])(
    "that words name are those of the clock in %s",
    async (timeZone) => {
      const clock = new Intl.DateTimeFormat("en-CA", {
        timeZone,
        dateStyle: "short",
        timeStyle: "medium",
        hourCycle: "h23",
      });
      const shown = (at: string) => clock.format(Date.parse(at)).replace(", ", " ");
      const ask = async (timeRange: string) =>
        (await service.get("/leaderboard", { eventType: "none", timeRange, timeZone })).body;
      const today = shown(new Date().toISOString()).slice(0, 10);
      const bounds = await ask("today");
      expect(shown(bounds.from)).toBe(`${today} 00:00:00`);
      expect(shown(bounds.to).slice(11)).toBe("00:00:00");
      const yesterday = await ask("yesterday");
      expect(yesterday.to).toBe(bounds.from);
      expect(shown(yesterday.from).slice(11)).toBe("00:00:00");
      const week = await ask("this_week");
      const weekday = new Intl.DateTimeFormat("en", { timeZone, weekday: "long" });
      expect(weekday.format(Date.parse(week.from))).toBe("Monday");
      expect(shown(week.from).slice(11)).toBe("00:00:00");
      const month = await ask("previous_month");
      expect(shown(month.from).slice(8)).toBe("01 00:00:00");
      expect(shown(month.to).slice(8)).toBe("01 00:00:00");
    },
  );
});
