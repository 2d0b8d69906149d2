import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { EmbeddedLog } from "../../src/log/embedded-log.ts";
import { EmbeddedLogReader } from "../../src/log/embedded-log-reader.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { block, payload, plainHeader } from "./log-fixture.ts";

const batches = 3000;
const partitionCount = 4;

/** Reads its partitions until each has `batches` records; calls `progress` with each offset. */
async function follow(
  folder: string,
  log: EmbeddedLog,
  partitions: number[],
  progress: (partition: number, next: number) => void,
): Promise<number> {
  const starts = partitions.map((partition) => ({ partition, offset: 0 }));
  const reader = await EmbeddedLogReader.open(nodeFiles, folder, { starts, readBytesMax: 10_000 });
  let wake = () => {};
  const stop = log.onAppend((end) => {
    reader.advance(end);
    wake();
  });
  reader.advance(log.durableEnd());
  const next = new Map(partitions.map((partition) => [partition, 0]));
  let rounds = 0;
  while ([...next.values()].some((offset) => offset < batches)) {
    const records = await reader.next();
    rounds++;
    if (records.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (!reader.isAtEnd) resolve();
      });
    }
    for (const { partition, offset, value } of records) {
      expect(offset).toBe(next.get(partition));
      const expected = payload(`${offset}/${partition}`, (offset * 7) % 500);
      if (Buffer.compare(value, expected) !== 0) expect(value).toEqual(expected);
      next.set(partition, offset + 1);
      progress(partition, offset + 1);
    }
  }
  stop();
  await reader.close();
  return rounds;
}

async function write(log: EmbeddedLog, random: Random): Promise<void> {
  for (let number = 0; number < batches; ) {
    const burst: Promise<void>[] = [];
    for (let left = random.int(1, 40); left > 0 && number < batches; left--) {
      const tagged = [0, 1, 2, 3].map((p) =>
        block(p, payload(`${number}/${p}`, (number * 7) % 500)),
      );
      burst.push(log.append({ ...plainHeader, partitionCount }, tagged));
      number++;
    }
    await Promise.all(burst);
  }
}

test("readers follow the writer through segments while what they read is trimmed", async () => {
  const random = randomFromEnvironment("log follow");
  const data = await mkdtemp(join(tmpdir(), "rankstream-log-"));
  const folder = join(data, "log");
  try {
    const options = { partitionCount, segmentBytesMax: 50_000 };
    const log = await EmbeddedLog.open(nodeFiles, folder, options);
    const read = new Array<number>(partitionCount).fill(0);
    const trims: Promise<void>[] = [];
    const progress = (partition: number, next: number) => {
      read[partition] = next;
      if (next % 300 === 0) trims.push(log.trim(read));
    };
    const readers = [[0, 2], [1], [3]].map((owned) => follow(folder, log, owned, progress));
    const rounds = await Promise.all([...readers, write(log, random)]);
    await Promise.all(trims);
    expect(rounds[0]).toBeGreaterThan(10);
    expect(log.beginOffsets().every((begin) => begin > 0)).toBe(true);
    expect(log.stats().segments).toBeLessThan(20);
    await log.close();
  } finally {
    await rm(data, { recursive: true });
  }
});
