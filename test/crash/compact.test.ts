// kill -9 of a lake's leader while it moves rows to files, or merges files: nothing is counted
// twice or lost, and who comes next deletes and merges as before.
import { describe, expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";

const msMax = 300_000;
const exitMsMax = 60_000;
const eventType = "kept";
const minute = Date.UTC(2026, 9, 1, 12);
const itemsEach = 40;
/** One after another, and then a look at what is left. */
const rounds: FailPointName[][] = [
  ["flush.before_commit", "flush.after_commit"],
  ["merge.noted", "merge.before_commit", "merge.after_commit"],
];

describe.skipIf(!hasLake())("a leader that is killed while it compacts", () => {
  it("changes no count", { timeout: msMax }, async () => {
    const env = lakeEnvironment((await startLake()).placeInFolder());
    const dataDir = temporaryFolder();
    const counts = new Map<string, number>();
    /** Each item of a batch of its own so often as its number says. */
    const post = async (service: RankstreamProcess, batch: number) => {
      const lines: string[] = [];
      for (let item = 0; item < itemsEach; item++) {
        const eventId = `item-${batch % 2}-${item}`;
        for (let i = 0; i <= item % 5; i++) {
          const timestamp = minute + ((batch * 7 + i) % 30) * 60_000;
          lines.push(JSON.stringify({ eventId, eventType, timestamp }));
          counts.set(eventId, (counts.get(eventId) ?? 0) + 1);
        }
      }
      expect((await service.post(lines.join("\n"))).body.accepted).toBe(lines.length);
    };
    const agree = async (service: RankstreamProcess) => {
      const asked = { eventType, k: 1000, from: minute, to: minute + 3_600_000, mode: "exact" };
      const { body } = await service.get("/leaderboard", asked);
      const given = (body.results as { eventId: string; count: number }[]).map(
        ({ eventId, count }) => [eventId, count] as const,
      );
      expect(new Map(given)).toEqual(counts);
    };
    /** Whoever is the leader next takes it away, beside what it compacts itself. */
    const take = async (service: RankstreamProcess, eventId: string) => {
      const deleted = await service.request(`/items/${eventType}/${eventId}`, {
        method: "DELETE",
      });
      expect(deleted.status, JSON.stringify(deleted.body)).toBe(200);
      counts.delete(eventId);
    };
    const dieAt = async (failPoint: FailPointName) => {
      const killed = new RankstreamProcess({ dataDir, env, failPoint });
      const timer = setTimeout(() => killed.child.kill("SIGTERM"), exitMsMax);
      const died = { code: null, signal: "SIGKILL" };
      expect(await killed.exited, `${failPoint}: ${killed.output()}`).toEqual(died);
      clearTimeout(timer);
    };
    let batch = 0;
    // From the third on there are files to be merged.
    for (; batch < 3; batch++) {
      const service = await startRankstream({ dataDir, env });
      await post(service, batch);
      await until(() => agree(service), msMax);
      await service.stop();
    }
    for (const [index, failPoints] of rounds.entries()) {
      for (const failPoint of failPoints) await dieAt(failPoint);
      const next = await startRankstream({ dataDir, env });
      await agree(next);
      await take(next, `item-${index % 2}-${10 + index}`);
      await agree(next);
      await post(next, batch++);
      await agree(next);
      await next.stop();
    }
  });
});
