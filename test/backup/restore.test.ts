/**
 * Backups under load, the disaster, and what any moment before it looks like once restored: the
 * way docs/backup.md goes, by the commands of docs/cli.md.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { runIo } from "../support/cli-io.ts";
import { hasS3, startS3 } from "../support/s3.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import {
  countsOf,
  type Disaster,
  disaster,
  type Place,
  receiptsOf,
  restore,
  type SentBatch,
  serviceArgs,
  sorted,
  takeBackup,
  untilBackedUp,
} from "./backup-world.ts";

const testMsMax = 120_000;

async function restored(place: Place, to: number | string, goesOn = false) {
  const dataDir = join(temporaryFolder(), "restored");
  const done = await restore(place, dataDir, to);
  expect(done, done.error).toMatchObject({ code: 0 });
  if (!goesOn) {
    const verified = await runIo(["verify", "--data-dir", dataDir]);
    expect(verified, verified.out).toMatchObject({ code: 0 });
  }
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

async function verifyWhole(place: Place): Promise<void> {
  const whole = await runIo(["verify", "--backups"], { environment: place });
  expect(whole, whole.out).toMatchObject({ code: 0 });
}

describe("backups in a folder", () => {
  const place: Place = { RANKSTREAM_BACKUP_TO: temporaryFolder() };
  let was: Disaster;
  beforeAll(async () => {
    was = await disaster("backups in a folder", place, 2400);
  }, testMsMax);

  it(
    "bring back any moment, to the event, and count no batch of before again",
    async () => {
      const { random, writers, receipts, times } = was;
      const to = random.pick(times.slice(Math.floor(times.length * 0.7)));
      const service = await restored(place, to);
      await check(service, was, to);
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

      // The last of the new log, and of the old one what the first backup has by itself.
      for (const to of [receivedAt, Date.parse(was.backups[0]!.receivedThrough)]) {
        const then = await restored(place, to);
        await check(then, was, to);
        await then.kill();
      }
      await verifyWhole(place);
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
        const was = await disaster("backups in S3", place, 1500);
        const { random, backups, times } = was;
        const to = random.int(Date.parse(backups[0]!.receivedThrough), times.at(-1)!);
        const service = await restored(place, to);
        await check(service, was, to);
        await service.kill();
        await verifyWhole(place);
      },
      testMsMax,
    );
  });
}
