/** The period before a range: literal values, also across changes of the clock. */
import { describe, expect, it } from "vitest";
import { previousRange } from "../../src/query/previous-range.ts";
import { parseTimeRange } from "../../src/query/time-range.ts";

function labelBefore(now: string, timeRange: string, timeZone = "UTC"): string {
  const range = parseTimeRange({ timeRange, timeZone, now: Date.parse(now) });
  return previousRange({ timeRange, timeZone }, range).label;
}

describe("the period before", () => {
  it.each([
    ["last_3_hours", "2026-11-24T06:30:00.000Z to 2026-11-24T09:30:00.000Z"],
    ["today", "2026-11-23T00:00:00.000Z to 2026-11-24T00:00:00.000Z"],
    ["yesterday", "2026-11-22T00:00:00.000Z to 2026-11-23T00:00:00.000Z"],
    ["this_week", "2026-11-16T00:00:00.000Z to 2026-11-23T00:00:00.000Z"],
    ["this_month", "2026-10-01T00:00:00.000Z to 2026-11-01T00:00:00.000Z"],
    ["this_year", "2025-01-01T00:00:00.000Z to 2026-01-01T00:00:00.000Z"],
    ["previous_hour", "2026-11-24T10:00:00.000Z to 2026-11-24T11:00:00.000Z"],
    ["previous_month", "2026-09-01T00:00:00.000Z to 2026-10-01T00:00:00.000Z"],
    ["2026-03-01T00:00:00Z/P1D", "2026-02-28T00:00:00.000Z to 2026-03-01T00:00:00.000Z"],
  ])("of %s", (timeRange, label) => {
    expect(labelBefore("2026-11-24T12:30:00Z", timeRange)).toBe(label);
  });

  it("is as long as the calendar has it where the clock changes", () => {
    // 25 October 2026 has 25 hours in Berlin, 29 March 23.
    expect(labelBefore("2026-10-26T12:00:00Z", "today", "Europe/Berlin")).toBe(
      "2026-10-24T22:00:00.000Z to 2026-10-25T23:00:00.000Z",
    );
    expect(labelBefore("2026-03-31T12:00:00Z", "yesterday", "Europe/Berlin")).toBe(
      "2026-03-28T23:00:00.000Z to 2026-03-29T22:00:00.000Z",
    );
    // 30 December 2011 is missing in Apia: before the 31st comes the 29th.
    expect(labelBefore("2011-12-31T05:00:00Z", "today", "Pacific/Apia")).toBe(
      "2011-12-29T10:00:00.000Z to 2011-12-30T10:00:00.000Z",
    );
  });
});
