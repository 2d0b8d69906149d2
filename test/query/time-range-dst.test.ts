// Where the clock changes. Every expected instant below was worked out from the zone database
// itself (Python's zoneinfo, walking the local clock in steps of 30 seconds), none by the code
// under test.
import { describe, expect, it } from "vitest";
import { type Step, stepsOf } from "../../src/query/steps.ts";
import { parseTimeRange } from "../../src/query/time-range.ts";

const at = (text: string) => Date.parse(text);
const iso = (epochMs: number) => new Date(epochMs).toISOString();

/** Where steps begin inside a range. */
function starts(step: Step, timeZone: string, from: string, to: string): string[] {
  const { bounds } = stepsOf(at(from), at(to), step, timeZone);
  expect([bounds[0], bounds.at(-1)]).toEqual([at(from), at(to)]);
  return bounds.slice(1, -1).map(iso);
}

const times = (list: readonly string[]) => list.map((text) => iso(at(text)));

const days: [string, string, string, string[]][] = [
  // 23 and 25 hours.
  [
    "Europe/Berlin",
    "2026-03-27T00:00Z",
    "2026-03-31T00:00Z",
    ["2026-03-27T23:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z", "2026-03-30T22:00Z"],
  ],
  [
    "Europe/Berlin",
    "2026-10-23T00:00Z",
    "2026-10-27T00:00Z",
    ["2026-10-23T22:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z", "2026-10-26T23:00Z"],
  ],
  [
    "America/New_York",
    "2026-03-06T12:00Z",
    "2026-03-10T00:00Z",
    ["2026-03-07T05:00Z", "2026-03-08T05:00Z", "2026-03-09T04:00Z"],
  ],
  [
    "America/New_York",
    "2026-10-30T12:00Z",
    "2026-11-03T00:00Z",
    ["2026-10-31T04:00Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"],
  ],
  // 24.5 and 23.5 hours.
  [
    "Australia/Lord_Howe",
    "2026-04-03T00:00Z",
    "2026-04-07T00:00Z",
    ["2026-04-03T13:00Z", "2026-04-04T13:00Z", "2026-04-05T13:30Z", "2026-04-06T13:30Z"],
  ],
  [
    "Australia/Lord_Howe",
    "2026-10-02T00:00Z",
    "2026-10-06T00:00Z",
    ["2026-10-02T13:30Z", "2026-10-03T13:30Z", "2026-10-04T13:00Z", "2026-10-05T13:00Z"],
  ],
  // From +05:30 to +05:45: a day of 23 hours and 45 minutes.
  [
    "Asia/Kathmandu",
    "1985-12-30T00:00Z",
    "1986-01-03T00:00Z",
    ["1985-12-30T18:30Z", "1985-12-31T18:30Z", "1986-01-01T18:15Z", "1986-01-02T18:15Z"],
  ],
  // 30 December never was.
  [
    "Pacific/Apia",
    "2011-12-28T00:00Z",
    "2012-01-01T00:00Z",
    ["2011-12-28T10:00Z", "2011-12-29T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z"],
  ],
  [
    "Pacific/Kwajalein",
    "1993-08-20T00:00Z",
    "1993-08-23T00:00Z",
    ["1993-08-20T12:00Z", "1993-08-21T12:00Z", "1993-08-22T12:00Z"],
  ],
  // No midnight on 4 November; in February the clock goes back at midnight, to 23:00.
  [
    "America/Sao_Paulo",
    "2018-11-02T12:00Z",
    "2018-11-06T00:00Z",
    ["2018-11-03T03:00Z", "2018-11-04T03:00Z", "2018-11-05T02:00Z"],
  ],
  [
    "America/Sao_Paulo",
    "2018-02-16T12:00Z",
    "2018-02-20T00:00Z",
    ["2018-02-17T02:00Z", "2018-02-18T03:00Z", "2018-02-19T03:00Z"],
  ],
  // Back from 00:01 to 23:01, so midnight comes twice: the day begins at the first.
  [
    "America/St_Johns",
    "2006-10-27T12:00Z",
    "2006-10-31T00:00Z",
    ["2006-10-28T02:30Z", "2006-10-29T02:30Z", "2006-10-30T03:30Z"],
  ],
  // Back from 01:00 to 00:00.
  [
    "America/Havana",
    "2026-10-30T12:00Z",
    "2026-11-03T00:00Z",
    ["2026-10-31T04:00Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"],
  ],
  // An offset of −00:44:30 until 7 January 1972.
  [
    "Africa/Monrovia",
    "1972-01-05T12:00Z",
    "1972-01-08T12:00Z",
    ["1972-01-06T00:44:30Z", "1972-01-07T00:44:30Z", "1972-01-08T00:00Z"],
  ],
  [
    "Asia/Pyongyang",
    "2018-05-03T00:00Z",
    "2018-05-07T00:00Z",
    ["2018-05-03T15:30Z", "2018-05-04T15:00Z", "2018-05-05T15:00Z", "2018-05-06T15:00Z"],
  ],
  [
    "Pacific/Chatham",
    "2026-04-03T00:00Z",
    "2026-04-07T00:00Z",
    ["2026-04-03T10:15Z", "2026-04-04T10:15Z", "2026-04-05T11:15Z", "2026-04-06T11:15Z"],
  ],
  // Two hours of daylight saving.
  [
    "Antarctica/Troll",
    "2026-03-28T12:00Z",
    "2026-03-31T00:00Z",
    ["2026-03-29T00:00Z", "2026-03-29T22:00Z", "2026-03-30T22:00Z"],
  ],
];

const hours: [string, string, string, string[]][] = [
  [
    "Europe/Berlin",
    "2026-03-28T23:30Z",
    "2026-03-29T02:30Z",
    ["2026-03-29T00:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z"],
  ],
  // Two o'clock comes twice.
  [
    "Europe/Berlin",
    "2026-10-24T23:30Z",
    "2026-10-25T02:30Z",
    ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"],
  ],
  [
    "America/New_York",
    "2026-11-01T04:30Z",
    "2026-11-01T07:30Z",
    ["2026-11-01T05:00Z", "2026-11-01T06:00Z", "2026-11-01T07:00Z"],
  ],
  // An hour of 90 minutes, and one of 30.
  [
    "Australia/Lord_Howe",
    "2026-04-04T13:30Z",
    "2026-04-04T17:00Z",
    ["2026-04-04T14:00Z", "2026-04-04T15:30Z", "2026-04-04T16:30Z"],
  ],
  [
    "Australia/Lord_Howe",
    "2026-10-03T14:00Z",
    "2026-10-03T17:30Z",
    ["2026-10-03T14:30Z", "2026-10-03T15:30Z", "2026-10-03T16:00Z", "2026-10-03T17:00Z"],
  ],
  [
    "Asia/Kathmandu",
    "1985-12-31T17:00Z",
    "1985-12-31T20:00Z",
    ["1985-12-31T17:30Z", "1985-12-31T18:30Z", "1985-12-31T19:15Z"],
  ],
  [
    "Pacific/Apia",
    "2011-12-30T08:30Z",
    "2011-12-30T11:30Z",
    ["2011-12-30T09:00Z", "2011-12-30T10:00Z", "2011-12-30T11:00Z"],
  ],
  // Of the midnight hour one minute, then once more from 23:01 on.
  [
    "America/St_Johns",
    "2006-10-29T01:00Z",
    "2006-10-29T05:00Z",
    [
      "2006-10-29T01:30Z",
      "2006-10-29T02:30Z",
      "2006-10-29T02:31Z",
      "2006-10-29T03:30Z",
      "2006-10-29T04:30Z",
    ],
  ],
  [
    "Africa/Monrovia",
    "1972-01-06T23:30Z",
    "1972-01-07T02:30Z",
    ["1972-01-06T23:44:30Z", "1972-01-07T00:44:30Z", "1972-01-07T01:00Z", "1972-01-07T02:00Z"],
  ],
];

const longer: [Step, string, string, string, string[]][] = [
  // A week of six days, and a month of thirty.
  [
    "week",
    "Pacific/Apia",
    "2011-12-20T00:00Z",
    "2012-01-12T00:00Z",
    ["2011-12-26T10:00Z", "2012-01-01T10:00Z", "2012-01-08T10:00Z"],
  ],
  [
    "month",
    "Pacific/Apia",
    "2011-11-15T00:00Z",
    "2012-02-15T00:00Z",
    ["2011-12-01T10:00Z", "2011-12-31T10:00Z", "2012-01-31T10:00Z"],
  ],
  [
    "week",
    "Europe/Berlin",
    "2026-03-10T00:00Z",
    "2026-04-10T00:00Z",
    ["2026-03-15T23:00Z", "2026-03-22T23:00Z", "2026-03-29T22:00Z", "2026-04-05T22:00Z"],
  ],
  [
    "month",
    "America/New_York",
    "2026-10-15T00:00Z",
    "2026-12-05T00:00Z",
    ["2026-11-01T04:00Z", "2026-12-01T05:00Z"],
  ],
  [
    "month",
    "Australia/Lord_Howe",
    "2026-03-15T00:00Z",
    "2026-05-05T00:00Z",
    ["2026-03-31T13:00Z", "2026-04-30T13:30Z"],
  ],
  [
    "month",
    "Asia/Kathmandu",
    "1985-11-15T00:00Z",
    "1986-02-15T00:00Z",
    ["1985-11-30T18:30Z", "1985-12-31T18:30Z", "1986-01-31T18:15Z"],
  ],
  [
    "week",
    "Asia/Kathmandu",
    "1985-12-20T00:00Z",
    "1986-01-10T00:00Z",
    ["1985-12-22T18:30Z", "1985-12-29T18:30Z", "1986-01-05T18:15Z"],
  ],
  [
    "month",
    "Africa/Monrovia",
    "1971-11-15T00:00Z",
    "1972-02-15T00:00Z",
    ["1971-12-01T00:44:30Z", "1972-01-01T00:44:30Z", "1972-02-01T00:00Z"],
  ],
];

describe("steps where the clock changes", () => {
  it.each(days)("days of %s from %s to %s", (timeZone, from, to, expected) => {
    expect(starts("day", timeZone, from, to)).toEqual(times(expected));
  });

  it.each(hours)("hours of %s from %s to %s", (timeZone, from, to, expected) => {
    expect(starts("hour", timeZone, from, to)).toEqual(times(expected));
  });

  it.each(longer)("each %s of %s from %s to %s", (step, timeZone, from, to, expected) => {
    expect(starts(step, timeZone, from, to)).toEqual(times(expected));
  });
});

describe("range words where the clock changes", () => {
  it.each([
    // The last millisecond of a day and the first of the next, on both sides of each change.
    ["Europe/Berlin", "today", "2026-03-29T21:59:59.999Z", "2026-03-28T23:00Z/2026-03-29T22:00Z"],
    ["Europe/Berlin", "today", "2026-03-29T22:00Z", "2026-03-29T22:00Z/2026-03-30T22:00Z"],
    ["Europe/Berlin", "yesterday", "2026-03-29T22:00Z", "2026-03-28T23:00Z/2026-03-29T22:00Z"],
    ["Europe/Berlin", "today", "2026-10-25T22:59:59.999Z", "2026-10-24T22:00Z/2026-10-25T23:00Z"],
    ["Europe/Berlin", "yesterday", "2026-10-25T23:00Z", "2026-10-24T22:00Z/2026-10-25T23:00Z"],
    ["Europe/Berlin", "this_week", "2026-03-29T12:00Z", "2026-03-22T23:00Z/2026-03-29T22:00Z"],
    ["Europe/Berlin", "previous_week", "2026-04-01T12:00Z", "2026-03-22T23:00Z/2026-03-29T22:00Z"],
    [
      "America/New_York",
      "previous_day",
      "2026-03-09T04:00Z",
      "2026-03-08T05:00Z/2026-03-09T04:00Z",
    ],
    [
      "America/New_York",
      "today",
      "2026-11-02T04:59:59.999Z",
      "2026-11-01T04:00Z/2026-11-02T05:00Z",
    ],
    ["America/New_York", "this_month", "2026-11-15T00:00Z", "2026-11-01T04:00Z/2026-12-01T05:00Z"],
    [
      "Australia/Lord_Howe",
      "yesterday",
      "2026-04-05T13:30Z",
      "2026-04-04T13:00Z/2026-04-05T13:30Z",
    ],
    ["Australia/Lord_Howe", "today", "2026-10-04T12:59Z", "2026-10-03T13:30Z/2026-10-04T13:00Z"],
    [
      "Australia/Lord_Howe",
      "previous_month",
      "2026-05-01T00:00Z",
      "2026-03-31T13:00Z/2026-04-30T13:30Z",
    ],
    ["Asia/Kathmandu", "today", "1986-01-01T12:00Z", "1985-12-31T18:30Z/1986-01-01T18:15Z"],
    ["Asia/Kathmandu", "yesterday", "1986-01-01T18:15Z", "1985-12-31T18:30Z/1986-01-01T18:15Z"],
    ["Asia/Kathmandu", "this_year", "1986-06-01T00:00Z", "1985-12-31T18:30Z/1986-12-31T18:15Z"],
    ["Pacific/Apia", "yesterday", "2011-12-30T10:00Z", "2011-12-29T10:00Z/2011-12-30T10:00Z"],
    ["Pacific/Apia", "yesterday", "2011-12-31T10:00Z", "2011-12-30T10:00Z/2011-12-31T10:00Z"],
    ["Pacific/Apia", "previous_week", "2012-01-02T00:00Z", "2011-12-26T10:00Z/2012-01-01T10:00Z"],
    ["Pacific/Apia", "previous_month", "2012-01-15T00:00Z", "2011-12-01T10:00Z/2011-12-31T10:00Z"],
    ["America/Sao_Paulo", "today", "2018-11-04T12:00Z", "2018-11-04T03:00Z/2018-11-05T02:00Z"],
    ["America/Sao_Paulo", "yesterday", "2018-11-04T12:00Z", "2018-11-03T03:00Z/2018-11-04T03:00Z"],
    // Half past eleven in the evening, after midnight was there before.
    ["America/St_Johns", "today", "2006-10-29T03:00Z", "2006-10-29T02:30Z/2006-10-30T03:30Z"],
    ["America/St_Johns", "yesterday", "2006-10-29T03:00Z", "2006-10-28T02:30Z/2006-10-29T02:30Z"],
  ])("%s: %s at %s", (timeZone, timeRange, clock, expected) => {
    const { label } = parseTimeRange({ timeRange, timeZone, now: at(clock) + 1 });
    expect(label).toBe(times(expected.split("/")).join(" to "));
  });
});
