/**
 * Backups under load, the disaster, and what any moment before it looks like once restored: the
 * way docs/backup.md goes, by the commands of docs/cli.md.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import {
  countsOf,
  receiptsOf,
  restore,
  sorted,
  takeBackup,
  untilBackedUp,
  Writers,
} from "./backup-world.ts";

const loadMs = 5000;
const clients = 4;

const destination = temporaryFolder();
const place = ["--backup-to", destination];
/** Small, so that segments come and go and windows seal. */
const serviceArgs = [
  ...place,
  ...["--backup-log-interval-ms", "150", "--backup-interval-ms", "0"],
  ...["--log-segment-bytes", "1MiB", "--checkpoint-ms", "100", "--log-level", "warn"],
];

let random: Random;
let writers: Writers;
let receipts: Map<string, number>;
const bases: Awaited<ReturnType<typeof takeBackup>>[] = [];

async function restored(to: number | string): Promise<RankstreamProcess> {
  const dataDir = join(temporaryFolder(), "restored");
  const done = await restore(place, dataDir, to);
  expect(done, done.error).toMatchObject({ code: 0 });
  return startRankstream({ dataDir, args: ["--log-level", "warn"] });
}

beforeAll(async () => {
  random = randomFromEnvironment("backup under load");
  const service = await startRankstream({ args: serviceArgs });
  writers = new Writers(random);
  writers.start(service, clients);
  for (let i = 0; i < 3; i++) {
    await sleep(loadMs / 4);
    bases.push(await takeBackup(service));
  }
  await sleep(loadMs / 4);
  await writers.stop();
  receipts = await receiptsOf(service);
  await untilBackedUp(service, Math.max(...receipts.values()));
  await service.kill();
  rmSync(service.dataDir, { recursive: true });
}, 120_000);

describe("a restored service", () => {
  it("holds what was received by any moment, to the event", async () => {
    const first = Date.parse(bases[0]!.receivedThrough);
    const last = Math.max(...receipts.values());
    const times = [...receipts.values()];
    const moments = [random.int(first, last), random.pick(times.filter((ms) => ms >= first))];
    for (const to of moments) {
      const service = await restored(to);
      const wanted = writers.expected(receipts, to);
      expect(sorted(await countsOf(service))).toEqual(sorted(wanted));
      await service.kill();
    }
  }, 60_000);
});
