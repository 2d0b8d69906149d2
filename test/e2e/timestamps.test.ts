// Every form of a timestamp that is taken, counted at its very millisecond, and those refused.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

let service: RankstreamProcess;
beforeAll(async () => {
  service = await startRankstream();
});
afterAll(() => service.stop());

let types = 0;

const base = Date.UTC(2026, 1, 3, 4, 5, 6);
const accepted: [string | number, number][] = [
  ["2026-02-03T04:05:06Z", base],
  ["2026-02-03t04:05:06z", base],
  ["2026-02-03 04:05:06Z", base],
  ["2026-02-03T04:05:06+00:00", base],
  ["2026-02-03T04:05:06-00:00", base],
  ["2026-02-03T06:05:06+02:00", base],
  ["2026-02-03T06:05:06+0200", base],
  ["2026-02-02T20:35:06-07:30", base],
  ["2026-02-02T05:06:06-22:59", base],
  ["2026-02-03T04:05:06.7Z", base + 700],
  ["2026-02-03T04:05:06.789Z", base + 789],
  ["2026-02-03T04:05:06.789999999Z", base + 789],
  ["2026-02-03T04:05:06.000999999Z", base],
  ["2026-02-03T06:05:06.789+02:00", base + 789],
  ["1970-01-01T00:00:00Z", 0],
  ["1970-01-01T01:00:00+01:00", 0],
  ["2000-02-29T23:59:59.999Z", Date.UTC(2000, 1, 29, 23, 59, 59, 999)],
  ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
  [base, base],
  [base + 1, base + 1],
  [100_000_000_000, 100_000_000_000],
];

it.each(accepted)("%j is taken", async (timestamp, epochMs) => {
  const eventType = `type-${types++}`;
  const { status } = await service.post({ eventId: "a", eventType, timestamp });
  expect(status).toBe(202);
  const total = async (from: number, to: number) => {
    const query = { eventType, from, to, mode: "exact" };
    return (await service.get("/leaderboard", query)).body.total;
  };
  expect(await total(epochMs, epochMs + 1)).toBe(1);
  expect(await total(epochMs - 1, epochMs)).toBe(0);
  expect(await total(epochMs + 1, epochMs + 2)).toBe(0);
  const { body } = await service.get("/event-types");
  const found = body.eventTypes.find(({ name }: { name: string }) => name === eventType);
  expect(found.firstSeen).toBe(new Date(epochMs).toISOString());
});

/** What JSON can write and JavaScript would not keep. */
const refused: [string, string][] = [
  ['"2026-02-30T00:00:00Z"', "invalid_timestamp"],
  ['"2026-02-29T00:00:00Z"', "invalid_timestamp"],
  ['"2100-02-29T00:00:00Z"', "invalid_timestamp"],
  ['"2026-04-31T00:00:00Z"', "invalid_timestamp"],
  ['"2026-00-01T00:00:00Z"', "invalid_timestamp"],
  ['"2026-13-01T00:00:00Z"', "invalid_timestamp"],
  ['"2026-02-03T24:00:00Z"', "invalid_timestamp"],
  ['"2026-02-03T04:60:00Z"', "invalid_timestamp"],
  ['"2026-02-03T04:05:60Z"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06"', "invalid_timestamp"],
  ['"2026-02-03T04:05Z"', "invalid_timestamp"],
  ['"2026-02-03"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06.Z"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06.1234567890Z"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06,5Z"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06+24:00"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06+02"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06 CET"', "invalid_timestamp"],
  ['" 2026-02-03T04:05:06Z"', "invalid_timestamp"],
  ['"2026-02-03T04:05:06Z "', "invalid_timestamp"],
  ['"2026-2-3T04:05:06Z"', "invalid_timestamp"],
  ['"20260203T040506Z"', "invalid_timestamp"],
  ['"1969-12-31T23:59:59Z"', "invalid_timestamp"],
  ['"1970-01-01T00:00:00+01:00"', "invalid_timestamp"],
  ['"+12026-02-03T04:05:06Z"', "invalid_timestamp"],
  ['"Tue, 03 Feb 2026 04:05:06 GMT"', "invalid_timestamp"],
  ['"yesterday"', "invalid_timestamp"],
  ['""', "invalid_timestamp"],
  ['"1770091506000"', "invalid_timestamp"],
  ['"1770091506"', "invalid_timestamp"],
  ["1770091506", "invalid_timestamp"],
  ["99999999999", "invalid_timestamp"],
  ["0", "invalid_timestamp"],
  ["-1", "invalid_timestamp"],
  ["1770091506000.5", "invalid_timestamp"],
  ["1.770091506e12", "invalid_timestamp"],
  ["1770091506000000", "invalid_timestamp"],
  ["null", "wrong_type"],
  ["true", "wrong_type"],
  ["[]", "wrong_type"],
  ["{}", "wrong_type"],
  ['"9999-12-31T23:59:59Z"', "future_timestamp"],
  ["4102444800000", "future_timestamp"],
];

it.each(refused)("%s is refused", async (text, code) => {
  const line = `{"eventId":"a","eventType":"refused","timestamp":${text}}`;
  const { status, body } = await service.post(line);
  expect([status, body.code]).toEqual([400, "no_valid_events"]);
  const [{ message, ...error }] = body.errors;
  // What lies beyond the years that are taken is no moment at all, or one in the future.
  const codes = text === "1770091506000000" ? ["invalid_timestamp", "future_timestamp"] : [code];
  expect(codes).toContain(error.code);
  expect(error).toMatchObject({ line: 1, field: "timestamp" });
  expect(message).toMatch(/^timestamp: .*, got /);
  const query = { eventType: "refused", timeRange: "all", mode: "exact" };
  expect((await service.get("/leaderboard", query)).body.total).toBe(0);
});

it("five minutes ahead of receipt is taken, much more is not", async () => {
  const post = (aheadMs: number) =>
    service.post({ eventId: "a", eventType: "ahead", timestamp: Date.now() + aheadMs });
  expect((await post(4.9 * 60_000)).status).toBe(202);
  expect((await post(5.2 * 60_000)).body.errors[0].code).toBe("future_timestamp");
});
