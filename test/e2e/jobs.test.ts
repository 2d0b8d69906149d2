// Questions that become jobs, by the real service over HTTP: asked for, or too slow; stopped, out
// of time, and across a kill -9.
import { beforeAll, describe, expect, it, vi } from "vitest";
import { RankstreamClient } from "../../src/client/client.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import {
  type Answer,
  type RankstreamProcess,
  startRankstream,
  temporaryFolder,
} from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";

const eventsSize = 120_000;
/** In a lake what was sent before is counted first, and each step of a job is a commit. */
const waitMsMax = isLakeRun ? 120_000 : 30_000;

describe("jobs", () => {
  const dataDir = temporaryFolder();
  let service: RankstreamProcess;
  let random: Random;
  let users = 0;

  beforeAll(async () => {
    random = randomFromEnvironment("jobs");
    service = await startRankstream({ dataDir });
    const known = new Set<string>();
    const now = Date.now();
    for (let from = 0; from < eventsSize; from += 20_000) {
      const lines = Array.from({ length: 20_000 }, () => {
        const userId = `user-${random.int(0, 60_000)}`;
        known.add(userId);
        const eventId = `song-${random.int(0, 20_000)}`;
        const timestamp = now - random.int(0, 5 * 86_400_000);
        return JSON.stringify({ eventId, eventType: "play", timestamp, userId });
      });
      expect((await service.post(lines.join("\n"))).status).toBe(202);
    }
    users = known.size;
  });

  const slow = "/leaderboard?eventType=play&timeRange=last_10_days&by=users";

  async function finished(id: string): Promise<Answer["body"]> {
    return vi.waitFor(
      async () => {
        const { body } = await service.get(`/jobs/${id}`);
        expect(["done", "failed", "cancelled"]).toContain(body.status);
        return body;
      },
      { timeout: waitMsMax, interval: 20 },
    );
  }

  it("answer later what was asked for so, by a parameter or a header", async () => {
    const asked = await service.request(`${slow}&async=true`);
    expect(asked.status).toBe(202);
    const { job } = asked.body;
    expect(asked.headers.get("location")).toBe(`/jobs/${job.id}`);
    expect(asked.headers.get("retry-after")).toBe("1");
    expect(job).toMatchObject({ kind: "leaderboard", progress: expect.any(Number) });
    const done = await finished(job.id);
    expect(done).toMatchObject({ status: "done", progress: 1, result: { total: users } });
    const range = `from=${Date.parse(done.result.from)}&to=${Date.parse(done.result.to)}`;
    const { body } = await service.get(`/leaderboard?eventType=play&by=users&${range}`);
    expect(done.result.results).toEqual(body.results);
    const headers = { prefer: "wait=1, respond-async" };
    const board = "/leaderboard?eventType=play&timeRange=last_10_days";
    const preferred = await service.request(board, { headers });
    expect(preferred.status).toBe(202);
    expect(preferred.body.approximate).toMatchObject({ mode: "approx", total: eventsSize });
    expect((await finished(preferred.body.job.id)).result.total).toBe(eventsSize);
  });

  it("are of any kind of question", async () => {
    const paths = [
      "/trending?eventType=play&timeRange=last_2_days",
      "/event-types/play/series?timeRange=last_2_days",
      "/items/play/song-1?timeRange=last_2_days",
    ];
    for (const path of paths) {
      const { status, body } = await service.request(`${path}&async=true`);
      expect(status, path).toBe(202);
      const { result } = await finished(body.job.id);
      const direct = await service.get(path);
      expect(Object.keys(result), path).toEqual(Object.keys(direct.body));
    }
  });

  it("are stopped by DELETE, and forgotten by a second one", async () => {
    const ids: string[] = [];
    for (let k = 1; k <= 8; k++) {
      ids.push((await service.request(`${slow}&k=${k}&async=true`)).body.job.id);
    }
    const last = `/jobs/${ids.at(-1)}`;
    const cancelled = await service.request(last, { method: "DELETE" });
    expect([cancelled.status, cancelled.body.status]).toEqual([200, "cancelled"]);
    expect((await service.get(last)).body.status).toBe("cancelled");
    expect((await service.request(last, { method: "DELETE" })).status).toBe(200);
    const gone = await service.get(last);
    expect([gone.status, gone.body.code]).toEqual([404, "job_not_found"]);
    const listed = (await service.get("/jobs")).body.jobs.map(({ id }: { id: string }) => id);
    expect(listed).toEqual(expect.arrayContaining(ids.slice(0, -1)));
    expect(listed).not.toContain(ids.at(-1));
    const origin = { origin: "https://elsewhere.example" };
    const foreign = await service.request(`/jobs/${ids[0]}`, {
      method: "DELETE",
      headers: origin,
    });
    expect(foreign.status).toBe(403);
    for (const id of ids.slice(0, -1)) expect((await finished(id)).status).toBe("done");
  });

  it("are run again after kill -9, and answer by the same id", async () => {
    const ids: string[] = [];
    for (let k = 11; k <= 18; k++) {
      ids.push((await service.request(`${slow}&k=${k}&async=true`)).body.job.id);
    }
    await service.kill();
    service = await startRankstream({ dataDir });
    for (const [i, id] of ids.entries()) {
      const { status, result } = await finished(id);
      expect([status, result.total, result.results.length]).toEqual(["done", users, 11 + i]);
    }
  });

  it("stand in for answers that are too slow, and end when their own time is up", async () => {
    await service.stop();
    const hasty = ["--exact-timeout-ms", "10"];
    service = await startRankstream({ dataDir, args: hasty });
    const late = await service.get(slow);
    expect(late.status, JSON.stringify(late.body)).toBe(202);
    expect((await finished(late.body.job.id)).result.total).toBe(users);
    const client = new RankstreamClient({ url: service.url });
    const board = await client.leaderboard({
      eventType: "play",
      timeRange: "last_9_days",
      by: "users",
    });
    expect(board.total).toBe(users);
    await service.stop();
    service = await startRankstream({ dataDir, args: [...hasty, "--job-timeout-ms", "10"] });
    const tooLate = await service.get(slow);
    expect(tooLate.status).toBe(202);
    const failed = await finished(tooLate.body.job.id);
    expect(failed).toMatchObject({ status: "failed", error: { code: "query_timeout" } });
    await service.stop();
  });
});
