// The view: as an address, as parameters, and where nothing is chosen yet.
import { describe, expect, it } from "vitest";
import type { EventType } from "../../src/client/replies.ts";
import {
  addressOf,
  ownTimeZone,
  queryOf,
  questionOf,
  rangeQueryOf,
  rangeToShow,
  typeToShow,
  type View,
  viewOfAddress,
  viewToShow,
} from "../../src/web/view-state.ts";

const now = Date.UTC(2026, 10, 24, 12);
const type = (name: string, ageMs: number, total = 1) =>
  ({ name, total, lastSeen: new Date(now - ageMs).toISOString() }) as EventType;

describe("what is shown first", () => {
  it("is a live type, or the largest of the newest", () => {
    expect(typeToShow([])).toBeUndefined();
    const old = type("old", 3_600_000, 1_000_000);
    expect(typeToShow([old])?.name).toBe("old");
    const recent = [type("small", 10, 1), type("large", 5000, 9), old];
    expect(typeToShow(recent)?.name).toBe("large");
    expect(typeToShow([...recent, type("live_x", 500)])?.name).toBe("live_x");
    expect(typeToShow([...recent, type("live_x", 600_000)])?.name).toBe("large");
  });

  it("is a range that holds something", () => {
    expect(rangeToShow([], now)).toBe("last_hour");
    expect(rangeToShow([type("a", 1000)], now)).toBe("last_hour");
    expect(rangeToShow([type("a", 5 * 3_600_000)], now)).toBe("last_24_hours");
    expect(rangeToShow([type("a", 40 * 86_400_000)], now)).toBe("all");
    expect(rangeToShow([type("a", 40 * 86_400_000), type("b", 1000)], now)).toBe("last_hour");
  });

  it("stays as it was chosen while the address leaves it open", () => {
    const types = [type("a", 1000)];
    expect(viewToShow(viewOfAddress(""), [], null, now)).toBeNull();
    const first = viewToShow(viewOfAddress(""), types, null, now)!;
    expect(first).toMatchObject({ eventTypes: ["a"], timeRange: "last_hour", k: "10" });
    const later = [type("b", 10), type("a", 40 * 86_400_000)];
    const again = viewToShow(viewOfAddress(""), later, first, now);
    expect(again).toEqual(first);
    const other = viewToShow(viewOfAddress("?eventType=a"), later, null, now);
    expect(other?.timeRange).toBe("all");
    const ends = viewToShow(viewOfAddress("?eventType=a&from=1&to=2"), later, first, now);
    expect(ends).toMatchObject({ timeRange: "", from: "1", to: "2" });
  });

  it("is of the reader's calendar, and says so in its address", () => {
    const days = viewToShow(viewOfAddress("?eventType=a&timeRange=today"), [], null, now)!;
    expect(days.timeZone).toBe(ownTimeZone());
    expect(addressOf(days)).toContain("timeZone=");
    const hours = viewToShow(viewOfAddress("?eventType=a&timeRange=last_hour"), [], null, now)!;
    expect(hours.timeZone).toBe("");
  });
});

const whole: View = {
  eventTypes: ["a&b=ü", "c"],
  timeRange: "PT3H",
  from: "",
  to: "",
  timeZone: "Asia/Kathmandu",
  k: "5",
  mode: "exact",
  by: "users",
  filters: [
    { name: "filter.country", value: "DE" },
    { name: "filter.country", value: "A&T" },
    { name: "filterNot.a.b", value: "x" },
    { name: "userId", value: "u 1" },
  ],
  isCompared: true,
  page: "trending",
  item: "+1",
  isEmbedded: true,
  theme: "dark",
};

describe("the address", () => {
  it("holds the whole view", () => {
    expect(viewOfAddress(addressOf(whole))).toEqual(whole);
    const ends: View = { ...whole, timeRange: "", from: "2026-01-01T00:00:00Z", to: "1" };
    expect(viewOfAddress(addressOf(ends))).toEqual(ends);
    expect(addressOf(viewOfAddress(""))).toBe("?");
  });

  it("is read whatever it says", () => {
    const view = viewOfAddress("?k=&other=1&timeRange=all&from=1&theme=red&view=x&embed=yes");
    expect(view).toEqual({ ...viewOfAddress(""), timeRange: "all" });
    expect(viewOfAddress("?eventType=a,b&eventType=b,,c").eventTypes).toEqual(["a", "b", "c"]);
  });

  it("is asked as parameters of a board, of the range alone, and as text", () => {
    expect(queryOf(whole)).toEqual({
      eventType: ["a&b=ü", "c"],
      timeRange: "PT3H",
      timeZone: "Asia/Kathmandu",
      k: "5",
      mode: "exact",
      by: "users",
      compare: "previous",
      "filter.country": ["DE", "A&T"],
      "filterNot.a.b": "x",
      userId: "u 1",
    });
    expect(rangeQueryOf(whole)).toEqual({ timeRange: "PT3H", timeZone: "Asia/Kathmandu" });
    const question = new URLSearchParams(questionOf(whole));
    expect(question.getAll("filter.country")).toEqual(["DE", "A&T"]);
    expect(question.has("theme")).toBe(false);
  });
});
