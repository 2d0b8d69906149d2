// Fifty clients that ask exact questions one after the other: approximate questions pass them by,
// events go on being counted, the queue is bounded, and who hangs up leaves it.
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const exactAskers = 50;
const queueMax = 60;
const items = 60_000;
const hourMs = 3_600_000;
const measureMs = 3000;
const waitMsMax = 30_000;

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

describe("exact questions without end", () => {
  let random: Random;
  let service: RankstreamProcess;
  /** Start of the hour that the history lies in. */
  let startMs: number;

  beforeAll(async () => {
    random = randomFromEnvironment("exact under pressure");
    const env = {
      RANKSTREAM_EXACT_QUEUE_MAX: String(queueMax),
      RANKSTREAM_SEAL_INTERVAL_MS: "100",
      RANKSTREAM_SEAL_QUIET_MS: "0",
    };
    service = await startRankstream({ env });
    startMs = Math.floor(Date.now() / hourMs) * hourMs - 30 * hourMs;
    const lines = Array.from({ length: 2 * items }, (_, i) => {
      const timestamp = startMs + Math.floor((i * hourMs) / (2 * items));
      return JSON.stringify({ eventId: `item ${i % items}`, eventType: "history", timestamp });
    });
    expect((await service.post(lines.join("\n"))).body.accepted).toBe(2 * items);
    // Then an approximate answer reads lists, and no longer everything.
    const isSealed = async () => {
      const { body } = await ask("approx");
      expect(body).toMatchObject({ total: 2 * items, plan: { rowsRead: { counts: 0 } } });
    };
    await vi.waitFor(isSealed, { timeout: waitMsMax, interval: 200 });
  });

  /** A range that holds all of the history, another one each time. */
  function ask(mode: string, init: RequestInit = {}) {
    const from = startMs - 60_000 * random.int(0, 1e6);
    const to = startMs + hourMs + 60_000 * random.int(0, 1000);
    const query = { eventType: "history", from: String(from), to: String(to), mode };
    return service.request(`/leaderboard?${new URLSearchParams(query)}`, init);
  }

  async function metric(name: string): Promise<number> {
    const { body } = await service.get("/metrics");
    const line = String(body)
      .split("\n")
      .find((candidate) => candidate.startsWith(`${name} `));
    return Number(line!.slice(name.length));
  }

  it("hold up neither approximate ones nor events", { timeout: 120_000 }, async () => {
    const end = Date.now() + measureMs;
    const isOver = () => Date.now() > end;
    const tookMs = { exact: [] as number[], approx: [] as number[] };
    const askOn = async (mode: "exact" | "approx") => {
      while (!isOver()) {
        const started = performance.now();
        const { status, body } = await ask(mode);
        expect([status, body.total], JSON.stringify(body)).toEqual([200, 2 * items]);
        tookMs[mode].push(performance.now() - started);
      }
    };
    let acknowledged = 0;
    const post = async () => {
      while (!isOver()) {
        const lines = Array.from(
          { length: 200 },
          (_, i) => `{"eventId":"${i}","eventType":"now"}`,
        );
        const { body } = await service.post(lines.join("\n"));
        acknowledged += body.accepted;
        await sleep(10);
      }
    };
    const exact = Array.from({ length: exactAskers }, () => askOn("exact"));
    await Promise.all([...exact, askOn("approx"), post(), post()]);
    console.log(
      JSON.stringify([
        tookMs.exact.length,
        median(tookMs.exact),
        tookMs.approx.length,
        median(tookMs.approx),
        Math.max(...tookMs.approx),
      ]),
    );
    // Each exact question waits for the other 49; an approximate one for none of them.
    expect(tookMs.exact.length).toBeGreaterThanOrEqual(exactAskers);
    expect(median(tookMs.approx)).toBeLessThan(median(tookMs.exact) / 4);
    expect(Math.max(...tookMs.approx)).toBeLessThan(Math.max(...tookMs.exact));
    const counted = await service.get("/leaderboard", { eventType: "now", mode: "exact" });
    expect(acknowledged).toBeGreaterThan(0);
    expect(counted.body.total).toBe(acknowledged);
  });

  it("become jobs beyond the queue, and leave it when their clients hang up", async () => {
    const gone = new AbortController();
    const askers = Array.from({ length: queueMax + 20 }, () =>
      ask("exact", { signal: gone.signal }).catch((error: Error) => error.name),
    );
    const later = askers.map(async (asker) => {
      const answer = await asker;
      if (typeof answer === "string" || answer.status !== 202) throw new Error("not later");
      return answer;
    });
    const put = await Promise.any(later);
    expect(put.body.job).toMatchObject({ kind: "leaderboard", progress: expect.any(Number) });
    expect(await metric('rankstream_reads_failed_total{why="refused"}')).toBeGreaterThan(0);
    const waiting = 'rankstream_reads_waiting{lane="slow"}';
    expect(await metric(waiting)).toBeGreaterThan(queueMax / 2);
    gone.abort();
    const ends = await Promise.all(askers);
    expect(ends).toContain("AbortError");
    await vi.waitFor(async () => expect(await metric(waiting)).toBe(0), { timeout: waitMsMax });
    expect(await metric('rankstream_reads_failed_total{why="cancelled"}')).toBeGreaterThan(0);
    expect((await ask("exact")).status).toBe(200);
  });
});
