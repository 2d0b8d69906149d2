// Answers kept in the store: there again after a stop and after a crash, and never when something
// of theirs has changed in between.
import { beforeAll, describe, expect, it } from "vitest";
import { RankstreamClient } from "../../src/client/client.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";

const hourMs = 3_600_000;
const base = Math.floor(Date.now() / hourMs) * hourMs - 50 * hourMs;
const env = { RANKSTREAM_CACHE_FAR_MS_MIN: "0" };
const nobody = "rankstream; fwd=miss";

const path = (from: number, to: number, more = "") =>
  `/leaderboard?eventType=play&from=${base + from * hourMs}&to=${base + to * hourMs}${more}`;
const whole = path(0, 10);
const exact = path(2, 4, "&mode=exact&filter.country=DE");
const other = path(6, 8);

// A lake keeps none: answers of the past are in memory and in Redis then.
describe.skipIf(isLakeRun)("answers in the store", () => {
  const dataDir = temporaryFolder();
  let service: RankstreamProcess;
  const asked = new Map<string, { etag: string | null; body: object }>();

  async function ask(question: string) {
    const { status, headers, body } = await service.get(question);
    expect(status).toBe(200);
    return { from: headers.get("cache-status"), etag: headers.get("etag"), body };
  }
  async function askAll() {
    for (const question of [whole, exact, other]) {
      const { from, etag, body } = await ask(question);
      expect(from).toBe(nobody);
      asked.set(question, { etag, body });
    }
    // Until they are on disk: the last of a queue of writes.
    const post = await service.post({ eventId: "x", eventType: "now" });
    expect(post.status).toBe(202);
    await service.get("/leaderboard?eventType=now&mode=exact");
  }
  const restart = async () => {
    service = await startRankstream({ dataDir, env });
  };
  const late = (hour: number) =>
    service.post({
      eventId: "late",
      eventType: "play",
      timestamp: base + hour * hourMs + 5,
      metadata: { country: "DE" },
    });

  beforeAll(async () => {
    await restart();
    const events = Array.from({ length: 300 }, (_, i) => ({
      eventId: `item-${i % 17}`,
      eventType: "play",
      timestamp: base + (i % 10) * hourMs + i,
      metadata: { country: i % 3 === 0 ? "DE" : "FR" },
    }));
    expect((await service.post(events)).status).toBe(202);
    await service.get("/leaderboard?eventType=play&timeRange=all&mode=exact");
    await askAll();
    await service.stop();
  });

  it("are there again after a stop, and then in memory", async () => {
    await restart();
    for (const [question, { etag, body }] of asked) {
      const level = { from: "rankstream-l3; hit", etag, body };
      expect(await ask(question), question).toEqual(level);
      expect(await ask(question)).toEqual({ ...level, from: "rankstream-l1; hit" });
    }
  });

  it("lead to their further pages, which are of the same moment", async () => {
    const board = await ask(exact);
    expect(board.from).toBe("rankstream-l1; hit");
    const { nextCursor, asOf, results, total } = board.body;
    const page = await service.get(`/leaderboard?cursor=${nextCursor}`);
    expect(page.status).toBe(200);
    expect([page.body.asOf, page.body.total]).toEqual([asOf, total]);
    const rows = [...results, ...page.body.results];
    expect(new Set(rows.map(({ eventId }) => eventId)).size).toBe(rows.length);
    const all = await service.get(`${exact}&k=1000`);
    expect(rows).toEqual(all.body.results);
    // Not asked for a page yet; something of it changes, and it can't be made as it was.
    const { nextCursor: other } = (await ask(whole)).body;
    expect((await late(9)).status).toBe(202);
    await service.get("/leaderboard?eventType=play&timeRange=all&mode=exact");
    const expired = await service.get(`/leaderboard?cursor=${other}`);
    expect([expired.status, expired.body.code]).toEqual([410, "cursor_expired"]);
    const { nextCursor: fresh } = (await ask(whole)).body;
    expect((await service.get(`/leaderboard?cursor=${fresh}`)).status).toBe(200);
  });

  it("are gone with what changes, also when that is followed by a crash at once", async () => {
    await service.stop();
    const slow = { ...env, RANKSTREAM_CHECKPOINT_MS: "60000" };
    service = await startRankstream({ dataDir, env: slow });
    const before = (await ask(exact)).body.total;
    expect((await late(3)).status).toBe(202);
    await service.kill();
    await restart();
    // The event is in the log alone when this is asked.
    const { from, body } = await ask(exact);
    expect([from, body.total]).toEqual([nobody, before + 1]);
    expect((await ask(`${whole}&mode=exact`)).body.total).toBe(302);
    expect((await ask(other)).from).toBe("rankstream-l3; hit");
  });

  it("are gone after a crash in the middle of the change, or as before it", async () => {
    const total = async () => (await ask(whole)).body.total as number;
    for (const [failPoint, hour] of [
      ["store.before_commit", 1],
      ["store.after_commit", 5],
    ] as const) {
      const before = await total();
      await service.kill();
      service = await startRankstream({ dataDir, env, failPoint });
      await Promise.all([late(hour).catch(() => undefined), service.exited]);
      await restart();
      expect((await ask(`${whole}&mode=exact`)).body.total).toBe(before + 1);
      expect(await total()).toBe(before + 1);
    }
  });

  it("are dropped by hand, in memory and in the store", async () => {
    const { eventId } = (await ask(other)).body.results[0];
    const client = new RankstreamClient({ url: service.url });
    const which = { eventType: "play", eventId, from: base + 7 * hourMs };
    expect(await client.invalidateCache({ ...which, eventId: "nobody" })).toBe(0);
    expect(await client.invalidateCache(which)).toBeGreaterThanOrEqual(2);
    expect((await ask(other)).from).toBe(nobody);
    await service.stop();
  });
});
