// The expected instants were taken from the system's zone database (zdump, Python's zoneinfo)
// and from a paper calendar, not from the library under test.
import { describe, expect, it } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import { parseTimeRange, type TimeRangeInput } from "../../src/query/time-range.ts";

const at = (text: string) => Date.parse(text);
/** A Tuesday. */
const now = at("2026-11-24T10:30:15.250Z");

function label(timeRange: string | undefined, when: number | string = now, timeZone?: string) {
  const clock = typeof when === "string" ? at(when) : when;
  return parseTimeRange({ timeRange, timeZone, now: clock }).label;
}

/** As asked in the millisecond that the clock shows. */
function labelAt(clock: number | string, timeRange: string, timeZone?: string) {
  return label(timeRange, (typeof clock === "string" ? at(clock) : clock) + 1, timeZone);
}

/** "A to B" with the ms and the seconds that are zero left out by the writer of the test. */
function span(from: string, to: string) {
  return `${new Date(from).toISOString()} to ${new Date(to).toISOString()}`;
}

function refusal(input: Omit<TimeRangeInput, "now">) {
  try {
    const range = parseTimeRange({ ...input, now });
    return `taken as ${range.label}`;
  } catch (error) {
    if (!(error instanceof RankstreamError)) throw error;
    expect(error.status).toBe(400);
    return `${error.code}: ${error.message}`;
  }
}

describe("ranges that roll back from now", () => {
  it.each([
    ["last_90_seconds", "2026-11-24T10:28:45.250Z"],
    ["last_1_second", "2026-11-24T10:30:14.250Z"],
    ["last_second", "2026-11-24T10:30:14.250Z"],
    ["last_5_minutes", "2026-11-24T10:25:15.250Z"],
    ["last_minute", "2026-11-24T10:29:15.250Z"],
    ["last_hour", "2026-11-24T09:30:15.250Z"],
    ["last_1_hour", "2026-11-24T09:30:15.250Z"],
    ["last_3_hours", "2026-11-24T07:30:15.250Z"],
    ["last_24_hours", "2026-11-23T10:30:15.250Z"],
    ["last_day", "2026-11-23T10:30:15.250Z"],
    ["last_30_days", "2026-10-25T10:30:15.250Z"],
    ["last_week", "2026-11-17T10:30:15.250Z"],
    ["last_2_weeks", "2026-11-10T10:30:15.250Z"],
    ["last_month", "2026-10-24T10:30:15.250Z"],
    ["last_12_months", "2025-11-24T10:30:15.250Z"],
    ["PT3H", "2026-11-24T07:30:15.250Z"],
    ["P1Y2M3W4DT5H6M7.089S", "2025-08-30T05:24:08.161Z"],
  ])("%s", (text, from) => {
    expect(label(text)).toBe(span(from, "2026-11-24T10:30:15.250Z"));
  });

  it("means the last 24 hours when nothing is said", () => {
    expect(label(undefined)).toBe("2026-11-23T10:30:15.250Z to 2026-11-24T10:30:15.250Z");
  });

  it.each([
    ["last_month", "2026-03-31T12:00:00Z", "2026-02-28T12:00:00Z"],
    ["last_1_months", "2028-03-31T12:00:00Z", "2028-02-29T12:00:00Z"],
    ["last_13_months", "2026-03-31T12:00:00Z", "2025-02-28T12:00:00Z"],
    ["last_month", "2026-07-31T00:00:00Z", "2026-06-30T00:00:00Z"],
    ["last_12_months", "2028-02-29T00:00:00Z", "2027-02-28T00:00:00Z"],
    ["P1M1D", "2026-03-31T12:00:00Z", "2026-02-27T12:00:00Z"],
  ])("%s of %s clamps to the month's end", (text, when, from) => {
    expect(label(text, when)).toBe(span(from, when));
  });

  it("counts days as 24 hours in UTC, whatever the zone", () => {
    const when = "2026-03-30T10:00:00Z";
    expect(label("last_7_days", when, "Europe/Berlin")).toBe(span("2026-03-23T10:00:00Z", when));
  });

  it.each([
    ["last_0_hours", 'expected a number from 1, got "last_0_hours"'],
    ["last_hours", "expected last_<n>_"],
    ["last_-3_hours", "expected last_<n>_"],
    ["last_1.5_hours", "expected last_<n>_"],
    ["last_3_years", "expected last_<n>_"],
    ["LAST_3_HOURS", "expected last_<n>_"],
    [" last_3_hours", "expected last_<n>_"],
    ["toString", "expected last_<n>_"],
    ["", 'got ""'],
    ["last_9999999999999_days", "expected a reach of at most 10000 years"],
    ["last_120001_months", "expected a reach of at most 10000 years"],
    [`last_${"9".repeat(300)}_days`, "expected 128 characters at most"],
  ])("refuses %s", (text, message) => {
    const said = refusal({ timeRange: text });
    expect(said).toContain("invalid_time_range: ");
    expect(said).toContain(message);
    expect(said.length).toBeLessThan(420);
  });

  it("clips what lies before the first moment an event can have", () => {
    const range = parseTimeRange({ timeRange: "last_1000_months", now });
    expect(range.label).toBe("1943-07-24T10:30:15.250Z to 2026-11-24T10:30:15.250Z");
    expect(range.effectiveFrom).toBe(0);
    expect(range.effectiveTo).toBe(now);
  });
});

describe("calendar words", () => {
  it.each([
    ["today", "2026-11-24", "2026-11-25"],
    ["yesterday", "2026-11-23", "2026-11-24"],
    ["previous_day", "2026-11-23", "2026-11-24"],
    ["this_week", "2026-11-23", "2026-11-30"],
    ["previous_week", "2026-11-16", "2026-11-23"],
    ["this_month", "2026-11-01", "2026-12-01"],
    ["previous_month", "2026-10-01", "2026-11-01"],
    ["this_year", "2026-01-01", "2027-01-01"],
    ["previous_hour", "2026-11-24T09:00Z", "2026-11-24T10:00Z"],
  ])("%s in UTC", (text, from, to) => {
    expect(labelAt(now, text)).toBe(span(from, to));
    expect(labelAt(now, text, "utc")).toBe(span(from, to));
  });

  it("takes an instant on an edge as the new period's", () => {
    expect(labelAt("2026-11-23T00:00:00Z", "today")).toBe(span("2026-11-23", "2026-11-24"));
    expect(labelAt("2026-11-23T00:00:00Z", "this_week")).toBe(span("2026-11-23", "2026-11-30"));
    expect(labelAt("2026-11-22T23:59:59.999Z", "this_week")).toBe(
      span("2026-11-16", "2026-11-23"),
    );
    expect(labelAt("2026-01-01T00:00:00Z", "previous_month")).toBe(
      span("2025-12-01", "2026-01-01"),
    );
  });

  it.each([
    // Days of 23 and 25 hours; week and months across the change.
    ["Europe/Berlin", "today", "2026-03-29T12:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z"],
    ["Europe/Berlin", "yesterday", "2026-10-26T12:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z"],
    ["Europe/Berlin", "this_week", "2026-10-25T22:59Z", "2026-10-18T22:00Z", "2026-10-25T23:00Z"],
    ["Europe/Berlin", "this_month", "2026-03-15T00:00Z", "2026-02-28T23:00Z", "2026-03-31T22:00Z"],
    ["Europe/Berlin", "this_year", "2026-06-01T00:00Z", "2025-12-31T23:00Z", "2026-12-31T23:00Z"],
    ["Europe/Berlin", "today", "2026-11-24T23:30Z", "2026-11-24T23:00Z", "2026-11-25T23:00Z"],
    ["America/New_York", "today", "2026-03-08T12:00Z", "2026-03-08T05:00Z", "2026-03-09T04:00Z"],
    ["America/New_York", "today", "2026-11-02T04:59Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"],
    [
      "America/New_York",
      "previous_month",
      "2026-12-01T05:00Z",
      "2026-11-01T04:00Z",
      "2026-12-01T05:00Z",
    ],
    // Half an hour of daylight saving: days of 24.5 and 23.5 hours.
    [
      "Australia/Lord_Howe",
      "today",
      "2026-04-05T00:00Z",
      "2026-04-04T13:00Z",
      "2026-04-05T13:30Z",
    ],
    [
      "Australia/Lord_Howe",
      "today",
      "2026-10-04T00:00Z",
      "2026-10-03T13:30Z",
      "2026-10-04T13:00Z",
    ],
    ["Asia/Kathmandu", "today", "2026-11-24T10:30Z", "2026-11-23T18:15Z", "2026-11-24T18:15Z"],
    // 30 December 2011 never was there.
    ["Pacific/Apia", "today", "2011-12-30T09:59Z", "2011-12-29T10:00Z", "2011-12-30T10:00Z"],
    ["Pacific/Apia", "today", "2011-12-30T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z"],
    ["Pacific/Apia", "yesterday", "2011-12-30T12:00Z", "2011-12-29T10:00Z", "2011-12-30T10:00Z"],
    ["Pacific/Apia", "this_week", "2011-12-30T12:00Z", "2011-12-26T10:00Z", "2012-01-01T10:00Z"],
    ["Pacific/Apia", "this_month", "2011-12-30T12:00Z", "2011-12-01T10:00Z", "2011-12-31T10:00Z"],
    // Midnight is skipped: the day begins at one o'clock and has 23 hours.
    ["America/Santiago", "today", "2026-09-06T12:00Z", "2026-09-06T04:00Z", "2026-09-07T03:00Z"],
    ["Asia/Beirut", "today", "2026-03-29T12:00Z", "2026-03-28T22:00Z", "2026-03-29T21:00Z"],
    ["+05:30", "today", "2026-11-24T18:29Z", "2026-11-23T18:30Z", "2026-11-24T18:30Z"],
  ])("%s: %s at %s", (timeZone, text, when, from, to) => {
    expect(labelAt(when, text, timeZone)).toBe(span(from, to));
  });

  it.each([
    ["Asia/Kathmandu", "2026-11-24T10:30Z", "2026-11-24T09:15Z", "2026-11-24T10:15Z"],
    // Two o'clock comes twice: each is an hour of its own.
    ["Europe/Berlin", "2026-10-25T01:30Z", "2026-10-25T00:00Z", "2026-10-25T01:00Z"],
    ["Europe/Berlin", "2026-10-25T02:30Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"],
    ["Europe/Berlin", "2026-03-29T01:30Z", "2026-03-29T00:00Z", "2026-03-29T01:00Z"],
    // The clock goes from 01:59 back to 01:30: one hour of 90 minutes.
    ["Australia/Lord_Howe", "2026-04-04T15:40Z", "2026-04-04T14:00Z", "2026-04-04T15:30Z"],
    // And from 02:00 to 02:30: one of 30 minutes.
    ["Australia/Lord_Howe", "2026-10-03T16:10Z", "2026-10-03T15:30Z", "2026-10-03T16:00Z"],
  ])("%s: previous_hour at %s", (timeZone, when, from, to) => {
    expect(labelAt(when, "previous_hour", timeZone)).toBe(span(from, to));
  });

  it.each([
    "Nowhere/City",
    "",
    "Europe/Berlin ",
    "2020-01-01T00:00Z[Europe/Berlin]",
    "x".repeat(99),
  ])("refuses the zone %j, also where no calendar word needs it", (timeZone) => {
    const said = refusal({ timeRange: "last_hour", timeZone });
    expect(said).toContain("invalid_time_zone: timeZone: expected an IANA name");
    expect(said).toContain(JSON.stringify(timeZone).slice(0, 30));
  });
});

describe("all", () => {
  it("holds every event that can have been taken, and ends on a whole minute", () => {
    expect(labelAt(now, "all")).toBe("1970-01-01T00:00:00.000Z to 2026-11-24T10:36:00.000Z");
    // An event may lie exactly five minutes ahead.
    expect(labelAt("2026-11-24T10:30:00.000Z", "all")).toBe(
      "1970-01-01T00:00:00.000Z to 2026-11-24T10:36:00.000Z",
    );
    expect(labelAt("2026-11-24T10:29:59.999Z", "all")).toBe(
      "1970-01-01T00:00:00.000Z to 2026-11-24T10:35:00.000Z",
    );
  });
});

describe("ISO 8601 intervals", () => {
  const from = "2026-01-31T10:00:00Z";
  it.each([
    [`${from}/2026-02-01T00:00:00Z`, from, "2026-02-01T00:00:00Z"],
    ["2026-01-31T11:00:00+01:00/2026-02-01 01:00:00.5+0100", from, "2026-02-01T00:00:00.500Z"],
    [`${from}/PT3H`, from, "2026-01-31T13:00:00Z"],
    [`${from}/P1M`, from, "2026-02-28T10:00:00Z"],
    [`${from}/P1W`, from, "2026-02-07T10:00:00Z"],
    [`${from}/PT0,25S`, from, "2026-01-31T10:00:00.250Z"],
    ["PT90M/2026-01-31T11:30:00Z", from, "2026-01-31T11:30:00Z"],
    ["P1M/2026-03-31T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"],
  ])("%s", (text, start, end) => {
    expect(label(text)).toBe(span(start, end));
  });

  it.each([
    [`${from}/${from}`, "invalid_time_range: expected from before to"],
    [`${from}/2026-01-30T10:00:00Z`, "invalid_time_range: expected from before to"],
    [`${from}/PT0S`, "invalid_time_range: expected from before to"],
    ["PT0S", "invalid_time_range: expected from before to"],
    ["PT1H/PT2H", "invalid_time_range: timeRange: expected a time on one side"],
    [`${from}/PT1H/PT1H`, 'invalid_time_range: timeRange: expected one "/"'],
    ["P", "invalid_time_range: timeRange: expected an ISO 8601 duration"],
    ["PT", "invalid_time_range: timeRange: expected an ISO 8601 duration"],
    ["P1H", "invalid_time_range: timeRange: expected an ISO 8601 duration"],
    ["PT1.5H", "invalid_time_range: timeRange: expected an ISO 8601 duration"],
    ["P10001Y", "invalid_time_range: timeRange: expected a reach"],
    [`${from}/PT999999999999999H`, "invalid_time_range: timeRange: expected a reach"],
    [`${from}/`, "invalid_timestamp: timeRange's end: expected RFC 3339"],
    [`/${from}`, "invalid_timestamp: timeRange's start: expected RFC 3339"],
    ["1764000000000/1764003600000", "invalid_timestamp: timeRange's start: expected RFC 3339"],
    ["2026-01-31T10:00:00/PT1H", "invalid_timestamp: timeRange's start: expected a zone"],
  ])("refuses %s", (timeRange, message) => {
    expect(refusal({ timeRange })).toContain(message);
  });
});

describe("from and to", () => {
  const to = "2026-11-24T12:00:00Z";
  it.each([
    ["2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"],
    ["2026-11-24t10:00:00z", "2026-11-24T10:00:00Z"],
    ["2026-11-24 10:00:00.1Z", "2026-11-24T10:00:00.100Z"],
    ["2026-11-24T10:00:00.123999999Z", "2026-11-24T10:00:00.123Z"],
    ["2026-11-24T10:00:00-01:30", "2026-11-24T11:30:00Z"],
    ["2026-11-24T10:00:00+0545", "2026-11-24T04:15:00Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
    ["1970-01-01T00:00:00+01:00", "1969-12-31T23:00:00Z"],
    ["1763980200000", "2025-11-24T10:30:00Z"],
    [1763980200000, "2025-11-24T10:30:00Z"],
    ["0", "1970-01-01T00:00:00Z"],
    ["-1", "1969-12-31T23:59:59.999Z"],
    [-86_400_000, "1969-12-31T00:00:00Z"],
    ["1763980200", "1970-01-21T09:59:40.200Z"],
  ])("take %s", (from, expected) => {
    const range = parseTimeRange({ from, to, now });
    expect(range.label).toBe(span(expected, to));
    expect(range.from).toBe(at(expected));
    expect(range.to).toBe(at(to));
    expect(range.effectiveFrom).toBe(Math.max(0, at(expected)));
  });

  it.each([
    ["2026-11-24T10:00:00", "a zone at its end"],
    ["2026-11-24T10:00:00 01:00", "%2B"],
    ["2026-02-30T00:00:00Z", "a day of that month from 1 to 28 (not 30)"],
    ["2100-02-29T00:00:00Z", "a day of that month from 1 to 28 (not 29)"],
    ["2026-04-31T00:00:00Z", "a day of that month from 1 to 30"],
    ["2026-13-01T00:00:00Z", "a month from 1 to 12"],
    ["2026-11-00T00:00:00Z", "a day of that month from 1"],
    ["2026-11-24T24:00:00Z", "an hour from 0 to 23"],
    ["2026-11-24T23:60:00Z", "a minute"],
    ["2026-11-24T23:59:60Z", "a second"],
    ["2026-11-24T10:00:00+24:00", "the zone's hour"],
    ["2026-11-24T10:00:00+10:60", "the zone's minute"],
    ["1969-12-31T23:59:59Z", "a year from 1970"],
    ["2026-11-24", "RFC 3339"],
    ["2026-11-24T10:00Z", "RFC 3339"],
    ["2026-11-24T10:00:00.Z", "RFC 3339"],
    ["2026-11-24T10:00:00.1234567890Z", "RFC 3339"],
    ["2026-11-24T10:00:00Z ", "RFC 3339"],
    ["", "RFC 3339"],
    ["1e12", "RFC 3339"],
    ["1.5", "RFC 3339"],
    [1.5, "an integer of epoch ms"],
    [Number.NaN, "an integer of epoch ms"],
    ["8640000000000001", "an integer of epoch ms within"],
    [`9${"9".repeat(200)}`, "RFC 3339"],
  ])("refuse %s", (from, expected) => {
    const said = refusal({ from, to });
    expect(said).toContain("invalid_timestamp: from: expected");
    expect(said).toContain(expected);
    expect(said.length).toBeLessThan(240);
  });

  it("come together, alone, and in order", () => {
    const from = "2026-11-24T10:00:00Z";
    expect(refusal({ from })).toContain("invalid_time_range: to: expected beside from");
    expect(refusal({ to })).toContain("invalid_time_range: from: expected beside to");
    expect(refusal({ from, to, timeRange: "today" })).toContain("got both");
    expect(refusal({ from, timeRange: "today" })).toContain("got both");
    expect(refusal({ from: to, to: from })).toContain("expected from before to");
    expect(refusal({ from, to: from })).toContain("expected from before to");
  });

  it("clip to where events can be, on both sides", () => {
    const before = parseTimeRange({ from: -2000, to: -1000, now });
    expect([before.effectiveFrom, before.effectiveTo]).toEqual([0, 0]);
    const far = parseTimeRange({ from: 0, to: 8_640_000_000_000_000, now });
    expect(far.effectiveTo).toBe(at("9999-12-31T23:59:59.999Z") + 1);
    expect(far.label).toBe("1970-01-01T00:00:00.000Z to +275760-09-13T00:00:00.000Z");
  });
});
