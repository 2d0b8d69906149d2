import { describe, expect, it } from "vitest";
import { readDeleteRequest } from "../../src/api/deletes.ts";
import type { DeleteRequest } from "../../src/query/deletes.ts";
import { makeApi } from "./api-fixture.ts";

const now = Date.UTC(2026, 10, 24, 12);

async function makeDeletingApi() {
  const asked: DeleteRequest[] = [];
  const { app } = await makeApi({
    deleteEvents: async (request) => {
      asked.push(request);
      return { events: 1 };
    },
  });
  const send = async (url: string, headers: Record<string, string> = {}) => {
    const reply = await app.inject({ method: "DELETE", url, headers });
    return { status: reply.statusCode, body: reply.json() };
  };
  return { asked, send };
}

describe("DELETE", () => {
  it("takes a type, a range of one, an item, and an item's range", async () => {
    const { asked, send } = await makeDeletingApi();
    const range = "from=2026-11-24T10:00:00Z&to=2026-11-24T11:00:00Z";
    const urls = [
      "/event-types/song%2Fplay",
      `/event-types/play/events?${range}&dryRun=true`,
      "/items/play/a%20b?dryRun=false",
      `/items/play/a?${range}`,
      `/items?eventType=play&eventId=..&${range}`,
      "/items?eventType=play&eventId=.",
    ];
    for (const url of urls) expect(await send(url)).toEqual({ status: 200, body: { events: 1 } });
    const hour = { from: now - 7_200_000, to: now - 3_600_000 };
    expect(asked).toEqual([
      { eventType: "song/play", eventId: null, range: null, isDryRun: false },
      { eventType: "play", eventId: null, range: hour, isDryRun: true },
      { eventType: "play", eventId: "a b", range: null, isDryRun: false },
      { eventType: "play", eventId: "a", range: hour, isDryRun: false },
      { eventType: "play", eventId: "..", range: hour, isDryRun: false },
      { eventType: "play", eventId: ".", range: null, isDryRun: false },
    ]);
  });

  it.each([
    ["/event-types/play/events", 400, "invalid_time_range"],
    ["/event-types/play/events?timeZone=UTC", 400, "invalid_time_range"],
    ["/event-types/play/events?from=2026-11-24T10:00:00Z", 400, "invalid_time_range"],
    ["/event-types/play/events?timeRange=yesterday&from=1&to=2", 400, "invalid_time_range"],
    [
      "/event-types/play/events?from=2026-11-24T10:00:00Z&to=2026-11-24T09:00:00Z",
      400,
      "invalid_time_range",
    ],
    ["/event-types/play/events?timeRange=lastweek", 400, "invalid_time_range"],
    ["/items/play/a?timeZone=Europe/Berlin", 400, "invalid_time_range"],
    // A range that would be ignored takes everything.
    ["/event-types/play?timeRange=yesterday", 400, "unknown_parameter"],
    ["/event-types/play?dryrun=true", 400, "unknown_parameter"],
    ["/event-types/play?dryRun=yes", 400, "invalid_parameter"],
    ["/event-types/play?dryRun=true&dryRun=false", 400, "invalid_parameter"],
    ["/items?eventType=play", 400, "invalid_parameter"],
    ["/items?eventId=a", 400, "invalid_parameter"],
    [`/event-types/${"x".repeat(129)}`, 400, "invalid_parameter"],
    ["/event-types/", 400, "invalid_parameter"],
    ["/event-types", 405, "method_not_allowed"],
  ])("refuses %s", async (url, status, code) => {
    const { asked, send } = await makeDeletingApi();
    expect(await send(url)).toMatchObject({ status, body: { code } });
    expect(asked).toEqual([]);
  });

  it("is refused to pages of other origins", async () => {
    const { asked, send } = await makeDeletingApi();
    const foreign = { origin: "https://evil.example", host: "here:8080" };
    for (const url of ["/event-types/play", "/items/play/a", "/items?eventType=t&eventId=a"]) {
      expect(await send(url, foreign)).toMatchObject({
        status: 403,
        body: { code: "forbidden_origin" },
      });
    }
    expect(await send("/event-types/play", { ...foreign, origin: "null" })).toMatchObject({
      status: 403,
    });
    expect(asked).toEqual([]);
    const own = { origin: "http://here:8080", host: "here:8080" };
    expect(await send("/event-types/play", own)).toMatchObject({ status: 200 });
  });
});

it("reads ranges that roll back from now", () => {
  const address = { eventType: "play" };
  const { range } = readDeleteRequest(address, { timeRange: "last_2_hours" }, now);
  expect(range).toEqual({ from: now + 1 - 7_200_000, to: now + 1 });
});
