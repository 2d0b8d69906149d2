// A data folder's store is carried into a lake by `rankstream migrate`, as docs/scale-out.md and
// docs/cli.md have it, which is killed wherever it can be: the lake answers as the folder did, and
// counts no batch again.
import { beforeAll, describe, expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import type { LakePlace } from "../../src/model-lake.ts";
import { kafkaFlags } from "../kafka/kafka-world.ts";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { hasLake, type Lake, startLake } from "../support/lake.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { answersOf, expectBounds, MigrateWorld, range } from "./migrate-world.ts";

const msMax = 300_000;

const kills: readonly `${FailPointName}${"" | ":2"}`[] = [
  "carry.after_begin",
  "carry.before_note:2",
  "carry.after_note",
  "carry.in_tables",
  "carry.before_commit",
  "carry.after_commit",
  "carry.before_finish",
];

const told = (answers: Map<string, unknown>) => Object.fromEntries(answers);

describe.skipIf(!hasLake())("a store that is carried into a lake", () => {
  const random = randomFromEnvironment("migrate");
  const world = new MigrateWorld(random);
  let lake: Lake;
  let place: LakePlace;
  let log: string[];

  const inLake = (where: LakePlace, args: string[]) => ({
    args: ["--freshness-wait-ms-max", "9000", ...args],
    env: lakeEnvironment(where),
  });

  beforeAll(async () => {
    lake = await startLake();
    place = lake.place();
    const { address } = await sharedKafka();
    log = [...kafkaFlags(address, freshTopic("migrate")), "--partitions", "6"];
    await world.fill();
  }, msMax);

  it("is only looked at by a dry run", { timeout: msMax }, async () => {
    const { code, out, error } = await world.migrate(place, { args: [...log, "--dry-run"] }).ended;
    expect([code, error]).toEqual([0, ""]);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ ok: null, isDryRun: true, isResumed: false, log: "new" });
    expect(report.rawFiles).toBeGreaterThanOrEqual(3);
    expect([report.eventTypes, report.labels, report.checks]).toEqual([3, 1, []]);
  });

  it("goes on after each kill and each change, and lets no service start before it is done", {
    timeout: msMax,
  }, async () => {
    for (const failPoint of kills) {
      const { signal, error } = await world.migrate(place, { args: log, failPoint }).ended;
      expect(signal, `${failPoint}\n${error}`).toBe("SIGKILL");
      // What was carried of a file that is another now is carried anew.
      if (failPoint === "carry.after_commit") await world.rewrite();
    }
    const early = new RankstreamProcess(inLake(place, log));
    expect((await early.exited).code).toBe(1);
    expect(early.stderr).toContain("rankstream migrate again");
    const { code, out, error } = await world.migrate(place, { args: log }).ended;
    expect(code, error + out).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ ok: true, isResumed: true, finishedAt: null });
    expect(report.checks.map(({ status }: { status: string }) => status)).toEqual([
      "ok",
      "ok",
      "ok",
    ]);
    const again = JSON.parse((await world.migrate(place, { args: log }).ended).out);
    expect(again).toMatchObject({ ok: null, checks: [] });
    expect(Date.parse(again.finishedAt)).toBeLessThanOrEqual(Date.now());
  });

  it("answers as before, and goes on", { timeout: msMax }, async () => {
    const service = await startRankstream(inLake(place, log));
    expect(told(await answersOf(service))).toEqual(told(world.answers));
    await expectBounds(service);
    // Sent again they are known, into however many partitions they are split now.
    for (const { key, body } of world.batches.toReversed()) {
      expect((await service.post(body, { key })).status, key).toBe(202);
    }
    const eventType = "search";
    const question = { eventType, mode: "exact", ...range };
    const before = await service.get("/leaderboard", question);
    await service.post([{ eventType, eventId: "item-1", timestamp: range.from + 1 }]);
    const after = await service.get("/leaderboard", question);
    expect(after.body.total).toBe(before.body.total + 1);
    const { types } = world;
    for (const name of types) {
      const { body } = await service.get("/leaderboard", { ...question, eventType: name });
      const more = name === eventType ? 1 : 0;
      expect(body.total, name).toBe(world.totalOf(name) + more);
    }
    await service.stop();
  });

  it("goes on with its own log where that is embedded", { timeout: msMax }, async () => {
    const own = lake.placeInFolder();
    const { code, out, error } = await world.migrate(own, { args: [] }).ended;
    expect(code, error + out).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, log: "kept" });
    const service = await startRankstream({ dataDir: world.folder, ...inLake(own, []) });
    expect(told(await answersOf(service))).toEqual(told(world.answers));
    const { key, body } = world.batches.at(-1)!;
    const reply = await service.post(body, { key });
    expect([reply.status, reply.headers.get("idempotency-replayed")]).toEqual([202, "true"]);
    await service.stop();
  });

  it("is refused where the lake holds another store", { timeout: msMax }, async () => {
    const folder = temporaryFolder();
    const other = await startRankstream({ dataDir: folder, args: ["--store", "local"] });
    await other.stop();
    const moved = new MigrateWorld(random, [], folder);
    const { code, error } = await moved.migrate(place, { args: log }).ended;
    expect([code, error]).toEqual([1, expect.stringContaining("from another store")]);
  });
});
