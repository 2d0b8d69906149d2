import { expect, test } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import { EmbeddedLog } from "../../src/log/embedded-log.ts";
import { PowerLoss, PowerLossDisk } from "../support/power-loss.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { block, payload, plainHeader, readAll } from "./log-fixture.ts";

const crashesWanted = 10_000;
const crashesPerDisk = 16;
const folder = "/data/log";
const partitionCount = 3;

interface Batch {
  number: number;
  partitions: number[];
  bytes: number;
  state: "unknown" | "durable" | "lost";
}

/** Runs a log on a disk that loses power again and again, and remembers what was promised. */
class CrashingLog {
  readonly random: Random;
  disk = new PowerLossDisk();
  batches: Batch[] = [];
  trimmedTo = new Array<number>(partitionCount).fill(0);
  /** End offsets that an acknowledged append reached. */
  promisedEnd = new Array<number>(partitionCount).fill(0);
  id: string | null = null;
  crashes = 0;
  survivors = 0;

  constructor(random: Random) {
    this.random = random;
  }

  async cycle(): Promise<void> {
    const { random } = this;
    this.disk.cutPowerAfter(random.chance(0.3) ? random.int(1, 12) : random.int(12, 80));
    const log = await this.open();
    if (log) {
      const budget = random.int(1, 60);
      this.disk.cutPowerAfter(Number.POSITIVE_INFINITY);
      await this.verify(log);
      this.disk.cutPowerAfter(budget);
      if (random.chance(0.2)) this.disk.fault = fullDisk(random);
      await this.work(log);
    }
    const isKilled = random.chance(0.2);
    this.disk = isKilled ? this.disk.kill() : this.disk.crash(random);
    if (!isKilled) this.crashes++;
  }

  async open(): Promise<EmbeddedLog | null> {
    try {
      const options = { partitionCount, segmentBytesMax: 4096, groupBytesMax: 8192 };
      return await EmbeddedLog.open(this.disk, folder, options);
    } catch (error) {
      if (error instanceof PowerLoss) return null;
      throw error;
    }
  }

  async work(log: EmbeddedLog): Promise<void> {
    const { random } = this;
    while (this.disk.isPowered) {
      const appends = Array.from({ length: random.int(1, 6) }, () => this.append(log));
      if (random.chance(0.6)) await Promise.all(appends);
      if (random.chance(0.15)) await this.trim(log);
      if (random.chance(0.05)) {
        await log.close().catch(assertDiskTrouble);
        await Promise.all(appends);
        return;
      }
      await Promise.resolve();
    }
    // Whatever still waits is settled, too, before the next life begins.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async append(log: EmbeddedLog): Promise<void> {
    const { random } = this;
    const all = random.shuffle([0, 1, 2]);
    const partitions = all.slice(0, random.int(1, partitionCount));
    const bytes = random.chance(0.02) ? random.int(4000, 9000) : random.int(0, 700);
    const batch: Batch = { number: this.batches.length, partitions, bytes, state: "unknown" };
    this.batches.push(batch);
    const blocks = partitions.map((partition) => block(partition, bytesOf(batch, partition)));
    try {
      await log.append({ ...plainHeader, partitionCount: partitions.length }, blocks);
      batch.state = "durable";
      this.promisedEnd = log.endOffsets();
    } catch (error) {
      if (!(error instanceof RankstreamError)) throw error;
      // "Full" promises that nothing of the batch was stored.
      if (error.code === "log_full") batch.state = "lost";
      else if (error.code !== "log_failed") throw error;
    }
  }

  async trim(log: EmbeddedLog): Promise<void> {
    const back = this.random.int(0, 5);
    const to = log.endOffsets().map((end) => Math.max(0, end - back));
    this.trimmedTo = this.trimmedTo.map((before, partition) => Math.max(before, to[partition]!));
    await log.trim(to).catch(assertDiskTrouble);
  }

  async verify(log: EmbeddedLog): Promise<void> {
    const records = await readAll(this.disk, folder, log);
    const next = log.beginOffsets();
    const begin = log.beginOffsets();
    for (let p = 0; p < partitionCount; p++) {
      must(begin[p]! <= this.trimmedTo[p]!, `partition ${p} begins at ${begin[p]}`);
      must(log.endOffsets()[p]! >= this.promisedEnd[p]!, `partition ${p} ends too early`);
    }
    const present = new Map<number, number[]>();
    const lastNumber = new Array<number>(partitionCount).fill(-1);
    for (const { partition, offset, value } of records) {
      must(offset === next[partition], `offset ${offset} of partition ${partition}`);
      next[partition]!++;
      const number = Number.parseInt(Buffer.from(value).toString("latin1"), 10);
      const batch = this.batches[number]!;
      // Batches are numbered in the order in which they were appended.
      must(number > lastNumber[partition]!, `batch ${number} out of order`);
      lastNumber[partition] = number;
      must(Buffer.compare(value, bytesOf(batch, partition)) === 0, `bytes of batch ${number}`);
      present.set(number, [...(present.get(number) ?? []), partition]);
    }
    must(`${log.endOffsets()}` === `${next}`, `ends at ${log.endOffsets()}, read to ${next}`);
    this.survivors += present.size;
    this.verifyBatches(present);
    must(this.id === null || records.length === 0 || log.id === this.id, "another log id");
    this.id = log.id;
    this.promisedEnd = log.endOffsets();
  }

  verifyBatches(present: Map<number, number[]>): void {
    // Whole segments are trimmed: what is gone is older than what is there.
    const oldest = Math.min(...present.keys(), this.batches.length);
    for (const batch of this.batches) {
      const found = present.get(batch.number);
      if (found) {
        must(`${found}` === `${batch.partitions}`, `batch ${batch.number} is torn: ${found}`);
        must(batch.state !== "lost", `batch ${batch.number} is back`);
        batch.state = "durable";
      } else {
        const wasPromised = batch.state === "durable" && batch.number > oldest;
        must(!wasPromised, `acknowledged batch ${batch.number} is gone`);
        batch.state = "lost";
      }
    }
  }
}

/** Cheaper than `expect`, which these millions of checks would spend most of their time in. */
function must(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

/** Writes, and the syncs of new segments' folders, fail now and then for want of space. */
function fullDisk(random: Random): (operation: string) => void {
  return (operation) => {
    if (operation !== "append" && operation !== "syncFolder") return;
    if (random.chance(0.85)) return;
    throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  };
}

function assertDiskTrouble(error: unknown): void {
  const cause = error instanceof RankstreamError ? error.cause : error;
  const isFull = (cause as NodeJS.ErrnoException).code === "ENOSPC";
  if (!isFull && !(cause instanceof PowerLoss)) throw error;
}

function bytesOf(batch: Batch, partition: number): Buffer {
  return payload(`${batch.number}/${partition}`, batch.bytes);
}

test("nothing acknowledged is lost and nothing is torn, over 10,000 power losses", async () => {
  const random = randomFromEnvironment("log power loss");
  let crashes = 0;
  let survivors = 0;
  for (let disk = 0; crashes < crashesWanted; disk++) {
    const run = new CrashingLog(random.fork(disk));
    while (run.crashes < crashesPerDisk) await run.cycle();
    crashes += run.crashes;
    survivors += run.survivors;
  }
  // A run in which hardly anything survives would prove nothing.
  expect(survivors).toBeGreaterThan(crashes);
}, 120_000);
