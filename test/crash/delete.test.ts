// kill -9 within a delete: before its commit nothing is gone, after it everything; and while files
// are written anew without what was deleted.
import { expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const eventType = "doomed";
/** More than go to a file by themselves: some are in a file, the rest beside. */
const filed = 33_000;
const beside = 500;
const exitMsMax = 20_000;
const minute = Date.UTC(2026, 9, 1, 12);
const cutAt = minute + 30_000;

function eventsOf(n: number) {
  return Array.from({ length: n }, (_, i) => {
    return { eventId: `item-${i % 50}`, eventType, timestamp: minute + ((i * 37) % 60_000) };
  });
}

const lines = (n: number) => eventsOf(n).map((event) => JSON.stringify(event));

async function totals(service: RankstreamProcess) {
  const range = { eventType, from: minute, to: minute + 60_000, k: 1, mode: "exact" };
  const whole = await service.get("/leaderboard", range);
  // Of half a minute only raw events know.
  const cut = await service.get("/leaderboard", { ...range, to: cutAt });
  const item = await service.get("/leaderboard", { ...range, include: "item-7" });
  return { whole: whole.body.total, cut: cut.body.total, item: item.body.total };
}

const events = [...eventsOf(filed), ...eventsOf(beside)];
const sumsOf = (left: typeof events) => ({
  whole: left.length,
  cut: left.filter(({ timestamp }) => timestamp < cutAt).length,
  item: left.filter(({ eventId }) => eventId === "item-7").length,
});
const all = sumsOf(events);
const withoutItem = sumsOf(events.filter(({ eventId }) => eventId !== "item-7"));
const nothing = sumsOf([]);

it.each<[FailPointName, string, object]>([
  ["delete.in_transaction", `/items/${eventType}/item-7`, all],
  ["delete.before_commit", `/event-types/${eventType}`, all],
  ["delete.after_commit", `/event-types/${eventType}`, nothing],
  ["raw.before_replace_commit", `/items/${eventType}/item-7`, withoutItem],
])("killed at %s of DELETE %s", { timeout: 60_000 }, async (point, path, expected) => {
  const dataDir = temporaryFolder();
  const service = new RankstreamProcess({ dataDir, failPoint: point });
  await service.ready();
  expect((await service.post(lines(filed).join("\n"))).body.accepted).toBe(filed);
  await totals(service);
  expect((await service.post(lines(beside).join("\n"))).body.accepted).toBe(beside);
  expect(await totals(service)).toEqual(all);
  const deleted = service.request(path, { method: "DELETE" });
  // Files are written anew after the reply.
  if (point === "raw.before_replace_commit") expect((await deleted).status).toBe(200);
  else await expect(deleted).rejects.toThrow();
  const timer = setTimeout(() => service.child.kill("SIGTERM"), exitMsMax);
  expect(await service.exited, service.output()).toEqual({ code: null, signal: "SIGKILL" });
  clearTimeout(timer);
  const survivor = await startRankstream({ dataDir });
  expect(await totals(survivor)).toEqual(expected);
  await survivor.stop();
});
