/**
 * Backups under load, the disaster, and what any moment before it looks like once restored: the
 * way docs/backup.md goes, by the commands of docs/cli.md.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { runIo } from "../support/cli-io.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { hasS3, startS3 } from "../support/s3.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import {
  countsOf,
  type Place,
  receiptsOf,
  restore,
  type SentBatch,
  sorted,
  takeBackup,
  untilBackedUp,
  Writers,
} from "./backup-world.ts";

const clients = 4;
/** Small, so that segments come and go and windows seal. */
const serviceArgs = [
  ...["--backup-log-interval-ms", "150", "--backup-interval-ms", "0"],
  ...["--log-segment-bytes", "1MiB", "--checkpoint-ms", "100", "--log-level", "warn"],
];
const testMsMax = 120_000;

type Backup = Awaited<ReturnType<typeof takeBackup>>;

/** A service that was posted to and backed up meanwhile, and is gone with all it had. */
interface Disaster {
  random: Random;
  writers: Writers;
  receipts: Map<string, number>;
  backups: Backup[];
  /** Of batches, first to last. */
  times: number[];
}

async function disaster(name: string, place: Place, loadMs: number): Promise<Disaster> {
  const random = randomFromEnvironment(name);
  const service = await startRankstream({ args: serviceArgs, env: place });
  const writers = new Writers(random);
  writers.start(service, clients);
  const backups: Backup[] = [];
  for (let i = 0; i < 2; i++) {
    await sleep(loadMs / 3);
    backups.push(await takeBackup(service));
  }
  await sleep(loadMs / 3);
  await writers.stop();
  const receipts = await receiptsOf(service);
  const times = [...receipts.values()].sort((a, b) => a - b);
  await untilBackedUp(service, times.at(-1)!);
  await service.kill();
  rmSync(service.dataDir, { recursive: true });
  return { random, writers, receipts, backups, times };
}

async function restored(place: Place, to: number | string, goesOn = false) {
  const dataDir = join(temporaryFolder(), "restored");
  const done = await restore(place, dataDir, to);
  expect(done, done.error).toMatchObject({ code: 0 });
  const verified = await runIo(["verify", "--data-dir", dataDir]);
  expect(verified, verified.out).toMatchObject({ code: 0 });
  return startRankstream({
    dataDir,
    args: goesOn ? serviceArgs : ["--log-level", "warn"],
    env: goesOn ? place : {},
  });
}

/** Holds what a restored service counts against a recount of what was received by then. */
async function check(service: RankstreamProcess, { writers, receipts }: Disaster, to: number) {
  const wanted = sorted(writers.expected(receipts, to));
  expect(wanted.length).toBeGreaterThan(0);
  expect(sorted(await countsOf(service))).toEqual(wanted);
}

describe("backups in a folder", () => {
  const place: Place = { RANKSTREAM_BACKUP_TO: temporaryFolder() };
  let was: Disaster;
  beforeAll(async () => {
    was = await disaster("backups in a folder", place, 4500);
  }, testMsMax);

  it(
    "bring back any moment, to the event",
    async () => {
      const { random, backups, times } = was;
      const first = Date.parse(backups[0]!.receivedThrough);
      const later = times.filter((ms) => ms >= first);
      for (const to of [first, random.pick(later)]) {
        const service = await restored(place, to);
        await check(service, was, to);
        await service.kill();
      }
    },
    testMsMax,
  );

  it(
    "know which batches came before, and count none of these again",
    async () => {
      const { random, writers, receipts, times } = was;
      const to = times[Math.floor(times.length * 0.8)]!;
      const service = await restored(place, to);
      const post = async ({ body, key }: SentBatch) => {
        const { status, headers } = await service.post(body, { key });
        expect(status).toBe(202);
        return headers.get("idempotency-replayed") === "true";
      };
      const isBefore = ({ name }: SentBatch) => receipts.get(name)! <= to;
      // The last of each client before the moment, and all after it in their order.
      const before = random.shuffle(writers.batches.filter(isBefore)).slice(0, 20);
      for (const batch of before) expect(await post(batch)).toBe(true);
      for (const batch of writers.batches.filter((one) => !isBefore(one))) {
        expect(await post(batch)).toBe(false);
      }
      await check(service, was, Number.POSITIVE_INFINITY);
      await service.kill();
    },
    testMsMax,
  );

  it(
    "go on from what was restored, and still bring back what was before",
    async () => {
      const { writers, receipts, times } = was;
      const service = await restored(place, "latest", true);
      await check(service, was, times.at(-1)!);
      // All of it is there already, but for what ties it to its new log.
      const again = await takeBackup(service);
      expect(again.sentBytes).toBeLessThan(again.bytes / 4);
      const batch = writers.make("after", "after/1", was.random);
      expect((await service.post(batch.body, { key: batch.key })).status).toBe(202);
      const receivedAt = (await receiptsOf(service)).get("after")!;
      await untilBackedUp(service, receivedAt);
      await service.kill();
      writers.batches.push(batch);
      receipts.set("after", receivedAt);

      const newest = await restored(place, receivedAt);
      await check(newest, was, receivedAt);
      await newest.kill();
      const old = times[Math.floor(times.length / 2)]!;
      const earlier = Math.max(old, Date.parse(was.backups[0]!.receivedThrough));
      const before = await restored(place, earlier);
      await check(before, was, earlier);
      await before.kill();
      const whole = await runIo(["verify", "--backups"], { environment: place });
      expect(whole, whole.out).toMatchObject({ code: 0 });
    },
    testMsMax,
  );
});

if (hasS3()) {
  describe("backups in S3", () => {
    it(
      "bring back any moment, to the event",
      async () => {
        const place = (await startS3()).place("of/this/service");
        const was = await disaster("backups in S3", place, 2400);
        const { random, backups, times } = was;
        const to = random.int(Date.parse(backups[0]!.receivedThrough), times.at(-1)!);
        const service = await restored(place, to);
        await check(service, was, to);
        await service.kill();
        const whole = await runIo(["verify", "--backups"], { environment: place });
        expect(whole, whole.out).toMatchObject({ code: 0 });
      },
      testMsMax,
    );
  });
}
