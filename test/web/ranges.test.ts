// Ranges as the page reckons them, against the service's own calendar and temporal-polyfill.
import { Temporal } from "temporal-polyfill";
import { describe, expect, it } from "vitest";
import { parseTimeRange } from "../../src/query/time-range.ts";
import {
  calendarRanges,
  endsOf,
  rangeText,
  rollingRanges,
  stepped,
  viewOfEnds,
} from "../../src/web/ranges.ts";
import { viewOfAddress } from "../../src/web/view-state.ts";
import {
  fieldOf,
  instantOf,
  instantOfField,
  timeZones,
  wallTimeOf,
} from "../../src/web/zoned-time.ts";
import { randomFromEnvironment } from "../support/random.ts";

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/Santiago",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "America/St_Johns",
];
const [start, end] = [Date.UTC(2005, 0), Date.UTC(2030, 0)];

describe("ranges by name", () => {
  it("begin and end where the service says, whenever and wherever", () => {
    const random = randomFromEnvironment("ranges by name");
    for (let round = 0; round < 1000; round++) {
      const now = random.int(start, end);
      const zone = random.pick(zones);
      const [timeRange] = random.pick([...rollingRanges, ...calendarRanges]);
      const ends = endsOf({ timeRange, from: "", to: "" }, now, zone);
      if (timeRange === "all") {
        expect(ends).toBeNull();
        continue;
      }
      const expected = parseTimeRange({ timeRange, timeZone: zone, now: now + 1 });
      // The service's rolling ranges include the very millisecond.
      const late = timeRange.startsWith("last_") ? 1 : 0;
      const place = `${timeRange} at ${new Date(now).toISOString()} in ${zone}`;
      expect(ends, place).toEqual({ from: expected.from - late, to: expected.to - late });
    }
  });

  it("that only the service knows have no ends here", () => {
    for (const timeRange of ["PT3H", "soon", "last_month", "toString", ""]) {
      expect(endsOf({ timeRange, from: "", to: "" }, end, "UTC"), timeRange).toBeNull();
    }
  });
});

describe("steps", () => {
  it("lead to the period that ends or begins there, and back", () => {
    const random = randomFromEnvironment("steps");
    for (let round = 0; round < 300; round++) {
      const zone = random.pick(zones);
      const word = random.pick(["today", "this_week", "this_month", "last_3_hours"]);
      const now = random.int(start, end);
      const ends = endsOf({ timeRange: word, from: "", to: "" }, now, zone)!;
      const before = stepped(ends, -1, zone);
      expect(before.to).toBe(ends.from);
      if (word !== "today" || zone !== "Pacific/Apia") {
        expect(stepped(before, 1, zone), `${word} of ${now} in ${zone}`).toEqual(ends);
      }
    }
  });

  it("of days and months are those of the calendar", () => {
    const zone = "Europe/Berlin";
    const at = (text: string) => Temporal.PlainDateTime.from(text).toZonedDateTime(zone);
    const ends = (from: string, to: string) => ({
      from: at(from).epochMilliseconds,
      to: at(to).epochMilliseconds,
    });
    expect(stepped(ends("2026-03-29", "2026-03-30"), 1, zone)).toEqual(
      ends("2026-03-30", "2026-03-31"),
    );
    expect(stepped(ends("2026-02-01", "2026-03-01"), 1, zone)).toEqual(
      ends("2026-03-01", "2026-04-01"),
    );
    expect(stepped(ends("2026-01-01", "2027-01-01"), -1, zone)).toEqual(
      ends("2025-01-01", "2026-01-01"),
    );
    expect(stepped(ends("2026-02-01T10:00", "2026-02-01T11:30"), -1, zone)).toEqual(
      ends("2026-02-01T08:30", "2026-02-01T10:00"),
    );
  });

  it("are written as moments, and read as they were meant", () => {
    const view = { ...viewOfAddress(""), ...viewOfEnds({ from: start, to: start + 3_600_000 }) };
    expect(endsOf(view, 0, "UTC")).toEqual({ from: start, to: start + 3_600_000 });
    expect(rangeText(view, "UTC")).toMatch(/2005.*12:00.*–.*1:00|2005.*00:00.*–.*01:00/);
    expect(rangeText({ ...view, timeRange: "last_3_hours" }, "UTC")).toBe("Last 3 hours");
    expect(rangeText({ ...view, timeRange: "PT9H" }, "UTC")).toBe("PT9H");
  });
});

describe("clocks", () => {
  it("show what temporal says, and are read back to the first such instant", () => {
    const random = randomFromEnvironment("clocks");
    for (let round = 0; round < 500; round++) {
      const zone = random.pick(zones);
      const instant = Math.floor(random.int(start, end) / 60_000) * 60_000;
      const expected = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone);
      const { year, month, day, hour, minute, second } = expected;
      const wall = { year, month, day, hour, minute, second };
      expect(wallTimeOf(instant, zone)).toEqual(wall);
      const first = expected
        .toPlainDateTime()
        .toZonedDateTime(zone, { disambiguation: "earlier" });
      expect(instantOf(wall, zone)).toBe(first.epochMilliseconds);
      expect(instantOfField(fieldOf(instant, zone), zone)).toBe(first.epochMilliseconds);
    }
  });

  it("that skip an hour have its end for it", () => {
    const skipped = instantOfField("2026-03-29T02:30", "Europe/Berlin");
    expect(skipped).toBe(Date.parse("2026-03-29T01:00:00Z"));
    const midnight = instantOfField("2026-09-06T00:00", "America/Santiago");
    expect(midnight).toBe(Date.parse("2026-09-06T04:00:00Z"));
    expect(instantOfField("2026-03", "UTC")).toBeNull();
  });

  it("are of every zone, the reader's own first", () => {
    const names = timeZones("Asia/Tokyo");
    expect(names.slice(0, 2)).toEqual(["Asia/Tokyo", "UTC"]);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(300);
  });
});
