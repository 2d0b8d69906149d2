// `rankstream migrate` where something is in its way: a service on the folder, events that are not
// counted, a store that differs from its events, PostgreSQL that goes away; and over Kafka.
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { kafkaFlags } from "../kafka/kafka-world.ts";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { hasLake, type Lake, startOwnLake } from "../support/lake.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import type { PostgresServer } from "../support/postgres-server.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { MigrateWorld } from "./migrate-world.ts";

const msMax = 240_000;
const waitMsMax = 60_000;
const eventType = "play";
const day = Date.UTC(2026, 8, 3);
const local = ["--store", "local"];
const events = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    eventId: `item-${i % 7}`,
    eventType,
    timestamp: day + i,
  }));

const total = async (service: RankstreamProcess) =>
  (await service.get("/leaderboard", { eventType, mode: "exact", timeRange: "all" })).body.total;

describe.skipIf(!hasLake())("a migration", () => {
  const random = randomFromEnvironment("migrate refused");
  const worldOf = (dataDir: string, log: string[] = []) => new MigrateWorld(random, log, dataDir);
  let lake: Lake;
  let postgres: PostgresServer;
  let address: string;
  const kafka = () => [...kafkaFlags(address, freshTopic("refused")), "--partitions", "3"];
  const inLake = (place: LakePlace, args: string[], dataDir = temporaryFolder()) =>
    startRankstream({ dataDir, args, env: lakeEnvironment(place) });

  beforeAll(async () => {
    ({ lake, postgres } = await startOwnLake());
    ({ address } = await sharedKafka());
  }, msMax);

  it("is refused while a service runs on the folder", { timeout: msMax }, async () => {
    const service = await startRankstream({ args: local });
    const { code, error } = await worldOf(service.dataDir).migrate(lake.placeInFolder()).ended;
    expect([code, error]).toEqual([1, expect.stringContaining(`process ${service.pid}`)]);
    await service.stop();
  });

  it("takes uncounted events along with their log, and leaves none behind", {
    timeout: msMax,
  }, async () => {
    const failPoint = "ingest.before_checkpoint";
    const killed = new RankstreamProcess({ args: local, failPoint });
    await killed.ready();
    await killed.post(events(50)).catch(() => undefined);
    await killed.exited;
    const world = worldOf(killed.dataDir);
    const refused = await world.migrate(lake.placeInFolder(), { args: kafka() }).ended;
    const told = expect.stringMatching(/not all events are counted \(partition \d is counted/);
    expect([refused.code, refused.error]).toEqual([1, told]);
    const place = lake.placeInFolder();
    const { code, out, error } = await world.migrate(place).ended;
    expect(code, error + out).toBe(0);
    const service = await inLake(place, [], killed.dataDir);
    expect(await total(service)).toBe(50);
    await service.stop();
  });

  it("goes on with the topic that the store counts", { timeout: msMax }, async () => {
    const log = kafka();
    const service = await startRankstream({ args: [...local, ...log] });
    await service.post(events(40), { key: "shop/1" });
    expect(await total(service)).toBe(40);
    await service.stop();
    const world = worldOf(service.dataDir, log);
    const other = await world.migrate(lake.placeInFolder(), { args: kafka() }).ended;
    expect([other.code, other.error]).toEqual([1, expect.stringContaining("the store's own")]);
    const place = lake.placeInFolder();
    const { code, out, error } = await world.migrate(place).ended;
    expect(code, error + out).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, log: "kept" });
    const there = await inLake(place, log);
    await there.post(events(40), { key: "shop/1" });
    await there.post(events(10), { key: "shop/2" });
    expect(await total(there)).toBe(50);
    await there.stop();
  });

  it("fails where counts differ, and goes on after PostgreSQL was away", {
    timeout: msMax,
  }, async () => {
    const service = await startRankstream({ args: local });
    await service.post(events(300));
    await service.stop();
    const world = worldOf(service.dataDir);
    const [place, log] = [lake.place(), kafka()];
    await world.query("UPDATE event_types SET total = total + 1");
    const wrong = await world.migrate(place, { args: log }).ended;
    expect([wrong.code, wrong.error]).toEqual([1, ""]);
    const { ok, checks } = JSON.parse(wrong.out);
    expect([ok, checks.at(-1).status]).toEqual([false, "fail"]);
    expect(checks.at(-1).message).toContain("come to 301, raw events to 300");
    const early = new RankstreamProcess({ args: log, env: lakeEnvironment(place) });
    expect((await early.exited).code).toBe(1);
    await world.query("UPDATE event_types SET total = total - 1");

    const own = lake.place();
    const cut = world.migrate(own, { args: log });
    const deadline = Date.now() + waitMsMax;
    const begun = `SELECT to_regclass('${own.schema}.ducklake_snapshot') IS NOT NULL`;
    while (postgres.query(begun).trim() !== "t" && Date.now() < deadline) await sleep(20);
    await postgres.kill();
    const { code, error } = await cut.ended;
    expect(code, error).toBe(1);
    expect(error).not.toContain("    at ");
    await postgres.start();
    for (const where of [own, place]) {
      const done = await world.migrate(where, { args: log }).ended;
      expect(done.code, done.error + done.out).toBe(0);
      expect(JSON.parse(done.out)).toMatchObject({ ok: true, isResumed: true });
    }
  });
});
