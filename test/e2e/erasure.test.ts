// A user is erased from a real service: questions, boards that are watched, exports and jobs
// follow, counts stay, and neither files nor lines of the log hold the id.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RankstreamClient } from "../../src/client/client.ts";
import { filesBelow, filesHolding } from "../support/folder-scan.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { inStoreOf, isLakeRun } from "../support/service-store.ts";

const eventType = "heard";
const day = Date.UTC(2026, 8, 3);
const userId = "user-0815-of-the-secret-list";
const sessionId = "session-of-the-secret-list";
/** A lake commits more slowly. */
const waitMsMax = isLakeRun ? 120_000 : 30_000;
const testMsMax = isLakeRun ? 360_000 : 90_000;

const event = (i: number, who: object) => ({
  eventId: `item-${i % 5}`,
  eventType,
  timestamp: day + i * 1000,
  ...who,
});
const own = { userId, sessionId, metadata: { email: "mail-of-the-secret-list", plan: "a" } };
const isOwn = (i: number) => i % 4 === 0;
const events = Array.from({ length: 200 }, (_, i) =>
  event(i, isOwn(i) ? own : { userId: `other-${i % 3}`, metadata: { plan: "a" } }),
);
const range = { from: new Date(day).toISOString(), to: new Date(day + 86_400_000).toISOString() };

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitMsMax;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error("it does not come to be so");
    await sleep(50);
  }
}

describe("an erased user", () => {
  let service: RankstreamProcess;
  let client: RankstreamClient;
  beforeAll(async () => {
    const args = ["--personal-metadata-keys", "email, phone"];
    service = await startRankstream({ args });
    client = new RankstreamClient({ url: service.url });
  });
  afterAll(async () => {
    await client.close();
    await service.stop();
  });

  const total = async (more: Record<string, string> = {}) =>
    (await service.get("/leaderboard", { eventType, ...range, mode: "exact", ...more })).body
      .total;

  it("is in nothing any more", { timeout: testMsMax }, async () => {
    expect((await service.post(events)).body.accepted).toBe(200);
    const before = await total({ mode: "exact" });
    expect(await total({ by: "users" })).toBe(4);
    expect(await total({ userId })).toBe(50);
    const watched: number[] = [];
    const subscription = client.subscribe(
      { eventType, ...range, by: "users" },
      { onBoard: (board) => watched.push(board.total) },
    );
    await until(async () => watched.at(-1) === 4);
    const job = await client.leaderboardJob({ eventType, ...range, userId });
    await until(async () => (await client.job(job.id)).status === "done");
    const mine = await service.request(`/users/${userId}/events`);
    expect(mine.body.trim().split("\n").map(JSON.parse)).toMatchObject(
      events.filter((_, i) => isOwn(i)).map(({ eventId }) => ({ eventId, ...own })),
    );

    const said = await client.users.erase(userId, { dryRun: true });
    expect(said).toMatchObject({ dryRun: true, events: 50, metadataKeys: ["email", "phone"] });
    expect(await total({ userId })).toBe(50);
    const shares: number[] = [];
    const reply = await client.users.erase(userId, {
      metadata: ["none such"],
      onProgress: (share) => shares.push(share),
    });
    expect(reply).toMatchObject({
      dryRun: false,
      events: 50,
      eventTypes: [eventType],
      firstSeen: new Date(day).toISOString(),
      metadataKeys: ["email", "phone", "none such"],
      snapshots: [],
      log: { kind: "embedded", holds: false },
    });

    const metrics = String((await service.get("/metrics")).body);
    for (const [status, many] of Object.entries({ finding: 0, removing: 0, done: 1 })) {
      expect(metrics).toContain(`\nrankstream_erasures{status="${status}"} ${many}\n`);
    }
    expect(metrics).toContain("\nrankstream_erasures_failing 0\n");
    expect(metrics).toContain("\nrankstream_erasures_oldest_seconds 0\n");
    expect(await total({ mode: "exact" })).toBe(before);
    expect(await total({ by: "users" })).toBe(3);
    expect(await total({ userId })).toBe(0);
    expect(await total({ sessionId })).toBe(0);
    expect(await total({ "filter.plan": "a" })).toBe(200);
    expect(await total({ "filter.email": own.metadata.email })).toBe(0);
    await until(async () => watched.at(-1) === 3);
    subscription.close();
    await expect(client.job(job.id)).rejects.toMatchObject({ code: "job_not_found" });
    expect((await service.request(`/users/${userId}/events`)).body).toBe("");
    const kept = (await service.get("/export", { eventType, ...range })).body;
    expect(kept.trim().split("\n").length).toBe(200);
    // Its links go a moment after its last byte.
    const exports = join(service.dataDir, "exports");
    await until(async () => filesBelow(exports).length === 0);
    for (const text of [userId, sessionId, own.metadata.email]) {
      expect(kept).not.toContain(text);
      expect(await filesHolding(service.dataDir, text), text).toEqual([]);
      for (const path of ["/jobs", "/metrics", "/status", "/metrics/history?name=*"]) {
        expect(JSON.stringify((await service.get(path)).body), path).not.toContain(text);
      }
    }
    expect(service.output()).not.toContain("secret-list");
  });

  it("is kept again from then on, and may be erased by a job", {
    timeout: testMsMax,
  }, async () => {
    expect((await service.post([event(1, own), event(2, own)])).body.accepted).toBe(2);
    expect(await total({ userId })).toBe(2);
    const path = `/users/${userId}`;
    const accepted = await service.request(`${path}?async=true`, { method: "DELETE" });
    const { body, status, headers } = accepted;
    // It may be done by then.
    if (status === 202) {
      expect(body.job).toMatchObject({ kind: "erasure", status: "running" });
      expect(headers.get("location")).toBe(`/jobs/${body.job.id}`);
      await until(async () => (await client.job(body.job.id)).status === "done");
      expect((await client.job(body.job.id)).result).toMatchObject({ events: 2 });
      expect((await client.cancelJob(body.job.id)).status).toBe("done");
      await expect(client.job(body.job.id)).rejects.toMatchObject({ code: "job_not_found" });
    }
    expect(await total({ userId })).toBe(0);
  });
});

describe("events of before that are counted only after an erasure", () => {
  // As a log has them that is read again after a restore: many at once, and a few.
  it.each([40_000, 40])("%d of them come in erased", { timeout: testMsMax }, async (count) => {
    const dataDir = temporaryFolder();
    const args = ["--checkpoint-ms", "60000"];
    const first = await startRankstream({ dataDir, args });
    const lines = Array.from({ length: count }, (_, i) =>
      JSON.stringify(event(i % 200, i % 4 === 0 ? own : { userId: "other", sessionId: "s" })),
    );
    expect((await first.post(lines.join("\n"))).body.accepted).toBe(count);
    await first.kill();
    await inStoreOf(dataDir, async (connection) => {
      const keys = (await connection.runAndReadAll("SELECT key FROM erasure_key")).getRows();
      const hash = createHash("sha256").update(`${keys[0]![0]}${userId}`).digest("hex");
      const values = `'${hash}', ${Date.now()}, '"email":null', false, 1`;
      await connection.run(`INSERT INTO erased_users VALUES (${values})`);
    });

    const second = await startRankstream({ dataDir });
    // Exactly: of what was just accepted, however long its commit takes.
    const total = async (more: object) =>
      (await second.get("/leaderboard", { eventType, ...range, mode: "exact", ...more })).body
        .total;
    expect(await total({})).toBe(count);
    expect(await total({ userId })).toBe(0);
    expect(await total({ userId: "other" })).toBe((count * 3) / 4);
    expect(await total({ "filter.plan": "a" })).toBe(count / 4);
    expect(await total({ "filter.email": own.metadata.email })).toBe(0);
    // What comes now was received later.
    expect((await second.post([event(0, own)])).body.accepted).toBe(1);
    expect(await total({ userId })).toBe(1);
    await second.stop();
  });
});

it("takes what a clock that was set back dates before it, of its user alone", {
  timeout: testMsMax,
}, async () => {
  const dataDir = temporaryFolder();
  const first = await startRankstream({ dataDir });
  expect((await first.post(events)).body.accepted).toBe(200);
  const erased = await first.request(`/users/${userId}`, { method: "DELETE" });
  expect(erased.body.events).toBe(50);
  await first.stop();
  // Seen from now on the erasure is to come: by an hour the clock was set back.
  await inStoreOf(dataDir, (connection) =>
    connection.run("UPDATE erased_users SET erased_at = erased_at + 3600000"),
  );
  const second = await startRankstream({ dataDir });
  const total = async (more: object) =>
    (await second.get("/leaderboard", { eventType, ...range, mode: "exact", ...more })).body.total;
  expect((await second.post(events)).body.accepted).toBe(200);
  expect(await total({})).toBe(400);
  expect(await total({ userId })).toBe(0);
  const others = ["other-0", "other-1", "other-2"].map((one) => total({ userId: one }));
  expect((await Promise.all(others)).reduce((sum, one) => sum + one, 0)).toBe(300);
  expect(await total({ "filter.plan": "a" })).toBe(400);
  // Another one goes on from where the first was.
  const again = await second.request(`/users/${userId}`, { method: "DELETE" });
  expect(again.body.events).toBe(0);
  await second.stop();
});
