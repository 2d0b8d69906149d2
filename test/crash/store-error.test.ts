// DuckDB gives its database up when a sync fails: the service ends and says why, and the next
// start counts what was acknowledged.
import { join } from "node:path";
import { expect, it } from "vitest";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { failing } from "./disk-faults.ts";

const batches = 40;
const board = { eventType: "play", timeRange: "last_3_hours", mode: "exact" };
const line = JSON.stringify({ eventId: "song", eventType: "play" });

it("a failed sync of the store ends the service, and nothing is lost", async (context) => {
  const dataDir = temporaryFolder();
  const first = await startRankstream({ dataDir });
  await first.post(line);
  await first.get("/leaderboard", board);
  // strace finds files by their names only where they are.
  await first.kill();
  const wrapper = failing("fsync", "2", [join(dataDir, "store.duckdb.wal")]);
  if (wrapper === null) {
    context.skip("not run here: strace, which makes it fail, is Linux's own");
    return;
  }
  const args = ["--checkpoint-ms", "10"];
  const service = new RankstreamProcess({ dataDir, wrapper, args });
  await service.ready();
  let acknowledged = 1;
  for (let i = 0; i < batches && !service.hasExited; i++) {
    const sent = await service.post(line).catch(() => null);
    if (sent?.status === 202) acknowledged++;
    await service.get("/leaderboard", board).catch(() => null);
  }
  expect((await service.exited).code, service.output()).toBe(1);
  expect(service.stderr).toMatch(/can not go on: .*fsync failed.*; the next start counts/);
  const survivor = await startRankstream({ dataDir });
  const { body } = await survivor.get("/leaderboard", board);
  expect(body.total).toBeGreaterThanOrEqual(acknowledged);
  expect(body.total).toBeLessThanOrEqual(acknowledged + 1);
  await survivor.stop();
});
