/**
 * kill -9 at each point of a backup, of the log's copy and of a restore: what is there stays
 * whole, and what comes next goes on.
 */
import { join } from "node:path";
import { expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import { runIo } from "../support/cli-io.ts";
import { runCommand } from "../support/command.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";
import {
  countsOf,
  type Place,
  receiptsOf,
  restore,
  serviceArgs,
  sorted,
  takeBackup,
  untilBackedUp,
  Writers,
} from "./backup-world.ts";

const testMsMax = 120_000;
const batchesEach = 6;
const place: Place = { RANKSTREAM_BACKUP_TO: temporaryFolder() };
const dataDir = temporaryFolder();
const random = randomFromEnvironment("killed backups");
const writers = new Writers(random);
let receipts: Map<string, number>;

const backupPoints: [FailPointName, number][] = [
  ["backup.after_part", 2],
  ["backup.after_read", 1],
  ["backup.after_object", 2],
  ["backup.before_manifest", 1],
];

/** Posts batches, those without an answer again; what the service's end cuts off is left. */
async function post(service: RankstreamProcess): Promise<void> {
  const at = writers.batches.length;
  for (let i = 0; i < batchesEach; i++) {
    writers.batches.push(writers.make(`b${at + i}`, `killed/${at + i + 1}`, random));
  }
  for (const batch of writers.batches.filter(({ isAcknowledged }) => !isAcknowledged)) {
    const reply = await service.post(batch.body, { key: batch.key }).catch(() => null);
    if (reply === null) return;
    expect(reply.status).toBe(202);
    batch.isAcknowledged = true;
  }
}

async function verify(): Promise<void> {
  const whole = await runIo(["verify", "--backups"], { environment: place });
  expect(whole, whole.out).toMatchObject({ code: 0 });
}

it(
  "a backup that is killed leaves a repository that is whole, and the next one is done",
  async () => {
    for (const [name, nth] of backupPoints) {
      const failPoint = `${name}:${nth}`;
      const service = await startRankstream({ dataDir, args: serviceArgs, env: place, failPoint });
      await post(service);
      await service.request("/admin/backups", { method: "POST" }).catch(() => undefined);
      expect(await service.exited, failPoint).toEqual({ code: null, signal: "SIGKILL" });
      await verify();
    }
    const service = await startRankstream({ dataDir, args: serviceArgs, env: place });
    await post(service);
    const backup = await takeBackup(service);
    await post(service);
    receipts = await receiptsOf(service);
    await untilBackedUp(service, Math.max(...receipts.values()));
    expect(sorted(await countsOf(service))).toEqual(
      sorted(writers.expected(receipts, Number.POSITIVE_INFINITY)),
    );
    await service.kill();
    await verify();
    const listed = await runIo(["backups", "--json"], { environment: place });
    expect(JSON.parse(listed.out).backups.map(({ id }: { id: string }) => id)).toEqual([
      backup.id,
    ]);
  },
  testMsMax,
);

it(
  "a restore that is killed is gone on with, and no service starts on it before",
  async () => {
    const target = join(temporaryFolder(), "restored");
    const to = Math.max(...receipts.values());
    const args = ["restore", "--data-dir", target, "--to", new Date(to).toISOString()];
    const points = ["restore.after_file", "restore.before_names"] as const;
    const names = Array.from({ length: 2 }, () => "restore.between_names" as const);
    for (const point of [...points, ...names]) {
      const env = { ...place, RANKSTREAM_FAIL_POINT: point };
      const ended = await runCommand(args, env).ended;
      expect(ended, `${point} ${ended.error}`).toMatchObject({ signal: "SIGKILL" });
      const early = await new RankstreamProcess({ dataDir: target })
        .ready()
        .catch((error) => error);
      expect(early).toBeInstanceOf(Error);
      expect(early.message).toMatch(/ended with 1[\s\S]*holds a restore that is not finished/);
      const other = await restore(place, target, "latest");
      expect(other).toMatchObject({ code: 1 });
      expect(other.error).toContain("another restore that was not finished");
    }
    const done = await restore(place, target, to);
    expect(done, done.error).toMatchObject({ code: 0 });
    const service = await startRankstream({ dataDir: target, args: ["--log-level", "warn"] });
    const wanted = sorted(writers.expected(receipts, to));
    expect(wanted.length).toBeGreaterThan(0);
    await until(async () => expect(sorted(await countsOf(service))).toEqual(wanted), 10_000);
    await service.kill();
  },
  testMsMax,
);
