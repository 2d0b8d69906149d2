// kill -9 within an erasure, at each of its steps: once it is decided, a start goes on with it,
// and in the end no file holds the user, while everything is counted as before.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import { filesHolding } from "../support/folder-scan.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const eventType = "played";
/** More than go to a file by themselves: some are in a file, the rest beside. */
const filed = 33_000;
const beside = 300;
const exitMsMax = 30_000;
const doneMsMax = 60_000;
const start = Date.UTC(2026, 9, 1, 12);
const userId = "user-0815-of-the-secret-list";
const sessionId = "session-of-the-secret-list";
const own = { userId, sessionId, metadata: { email: "mail-of-the-secret-list", plan: "a" } };

const lines = (n: number) =>
  Array.from({ length: n }, (_, i) => {
    const who = i % 11 === 3 ? own : { userId: `other-${i % 7}` };
    const timestamp = start + ((i * 37) % 60_000);
    return JSON.stringify({ eventId: `item-${i % 50}`, eventType, timestamp, ...who });
  }).join("\n");
const ownEvents = (n: number) => Math.floor((n - 4) / 11) + 1;

async function totals(service: RankstreamProcess) {
  const ask = async (more: Record<string, string>) => {
    const query = { eventType, from: start, to: start + 60_000, k: 5, mode: "exact", ...more };
    const { results, total } = (await service.get("/leaderboard", query)).body;
    return { total, results: results.map((row: { count: number }) => row.count) };
  };
  return {
    all: await ask({}),
    // Half a minute: raw events tell.
    cut: await ask({ to: new Date(start + 30_000).toISOString() }),
    plan: await ask({ "filter.plan": "a" }),
    own: (await ask({ userId })).total,
    others: (await ask({ userId: "other-1" })).total,
  };
}

/** Waits until no erasure is under way; returns how many are known. */
async function settled(service: RankstreamProcess): Promise<number> {
  const until = Date.now() + doneMsMax;
  for (;;) {
    const { jobs } = (await service.get("/jobs")).body;
    if (jobs.every(({ status }: { status: string }) => status === "done")) return jobs.length;
    if (Date.now() > until) throw new Error(`not done: ${JSON.stringify(jobs)}`);
    await sleep(50);
  }
}

const undecided: FailPointName[] = ["erase.before_begin_commit"];
const decided: FailPointName[] = [
  "erase.after_begin_commit",
  "erase.before_mark_commit",
  "erase.after_mark_commit",
  "scrub.filled",
];
/** Beside the others where there is time (npm run test:crash). */
const further: FailPointName[] = [
  "erase.in_transaction",
  "raw.before_replace_commit",
  "scrub.tables_rewritten",
  "erase.before_done_commit",
];
const isLong = process.env["RANKSTREAM_CRASH_KILLS"] !== undefined;
const points = [...undecided, ...decided, ...(isLong ? further : [])];

it.each(points)("killed at %s", { timeout: 180_000 }, async (failPoint) => {
  const dataDir = temporaryFolder();
  const first = await startRankstream({ dataDir });
  expect((await first.post(lines(filed))).body.accepted).toBe(filed);
  await totals(first);
  expect((await first.post(lines(beside))).body.accepted).toBe(beside);
  // From now on some lie in blocks of the store's own file, which tables leave behind.
  await first.stop();
  const service = new RankstreamProcess({ dataDir, failPoint });
  await service.ready();
  const before = await totals(service);
  expect(before.own).toBe(ownEvents(filed) + ownEvents(beside));
  const erased = service.request(`/users/${userId}?metadata=email`, { method: "DELETE" });
  await expect(erased).rejects.toThrow();
  const timer = setTimeout(() => service.child.kill("SIGTERM"), exitMsMax);
  expect(await service.exited, service.output()).toEqual({ code: null, signal: "SIGKILL" });
  clearTimeout(timer);
  const survivor = await startRankstream({ dataDir });
  expect(await settled(survivor)).toBe(undecided.includes(failPoint) ? 0 : 1);
  if (undecided.includes(failPoint)) {
    expect(await totals(survivor)).toEqual(before);
    const again = await survivor.request(`/users/${userId}?metadata=email`, { method: "DELETE" });
    expect(again.body.events).toBe(before.own);
  }
  const after = { ...before, own: 0 };
  expect(await totals(survivor)).toEqual(after);
  expect(survivor.output()).not.toContain("secret-list");
  for (const text of [userId, sessionId, "mail-of-the-secret-list"]) {
    expect(await filesHolding(dataDir, text), text).toEqual([]);
  }
  await survivor.stop();
  for (const text of [userId, sessionId]) expect(await filesHolding(dataDir, text)).toEqual([]);
});
