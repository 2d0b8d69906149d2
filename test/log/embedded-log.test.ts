import { describe, expect, test } from "vitest";
import type { Files } from "../../src/files.ts";
import { EmbeddedLog } from "../../src/log/embedded-log.ts";
import type { EmbeddedLogOptions } from "../../src/log/embedded-log-options.ts";
import { EmbeddedLogReader } from "../../src/log/embedded-log-reader.ts";
import type { LogPosition } from "../../src/log/log.ts";
import { PowerLossDisk } from "../support/power-loss.ts";
import { block, payload, plainHeader, readAll } from "./log-fixture.ts";

const folder = "/data/log";
const firstPath = "/data/log/0000000000000001.log";
const secondPath = "/data/log/0000000000000002.log";

function open(files: Files, options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> {
  return EmbeddedLog.open(files, folder, { partitionCount: 2, ...options });
}

/** A log of `count` batches of about `bytes` bytes, alternating partitions, one a sync. */
async function filled(
  disk: PowerLossDisk,
  count: number,
  bytes: number,
  options: Partial<EmbeddedLogOptions> = {},
): Promise<{ log: EmbeddedLog; ends: number[] }> {
  const log = await open(disk, options);
  const ends: number[] = [];
  for (let i = 0; i < count; i++) {
    await log.append(plainHeader, [block(i % 2, payload(`${i}`, bytes))]);
    ends.push(log.durableEnd().position);
  }
  return { log, ends };
}

function failure(code: string, detail: RegExp): object {
  return expect.objectContaining({ code, message: expect.stringMatching(detail) });
}

function noSpace(): Error {
  return Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
}

describe("appending and reading", () => {
  test("a batch comes back whole: header, lines and values", async () => {
    const disk = new PowerLossDisk();
    const log = await open(disk);
    const header = {
      key: "käse/9007199254740991",
      digest: Uint8Array.from({ length: 16 }, (_, i) => i),
      receivedAt: 1_780_000_000_123,
      partitionCount: 2,
      seen: { from: 3, to: Number.MAX_SAFE_INTEGER },
      trace: `00-${"4b".repeat(16)}-${"a7".repeat(8)}-01`,
    };
    const value = Buffer.from("one\n");
    const marked = { ...block(0, value), marks: Buffer.from("m") };
    const appended = log.append(header, [marked, block(1, new Uint8Array(0))]);
    value.fill(0);
    await appended;
    await log.append(plainHeader, [block(1, Buffer.from("two\n"))]);
    const records = await readAll(disk, folder, log);
    const lines = Buffer.from([1, 1, 3]);
    const marks = Buffer.from("");
    const digest = Buffer.from(header.digest);
    const first = { ...header, digest, offset: 0, lines };
    expect(records).toEqual([
      { ...first, partition: 0, marks: Buffer.from("m"), value: Buffer.from("one\n") },
      { ...first, partition: 1, marks, value: Buffer.from("") },
      {
        ...{ ...plainHeader, seen: null, trace: null, partition: 1, offset: 1, lines },
        ...{ marks, value: Buffer.from("two\n") },
      },
    ]);
    expect(log.endOffsets()).toEqual([1, 2]);
  });

  test("id, offsets and records outlive a reopening, also over segments", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 40, 300, { segmentBytesMax: 2000 });
    expect(log.stats().segments).toBeGreaterThan(5);
    await log.close();
    const again = await open(disk, { segmentBytesMax: 2000 });
    expect(again.id).toBe(log.id);
    expect(again.endOffsets()).toEqual([20, 20]);
    await again.append(plainHeader, [block(0, Buffer.from("40;"))]);
    for (const readBytes of [1, 700, 100_000]) {
      const records = await readAll(disk, folder, again, readBytes);
      const numbers = records.map(({ value }) => Number.parseInt(`${value}`, 10));
      expect(numbers).toEqual(Array.from({ length: 41 }, (_, i) => i));
    }
    const second = await readAll(disk, folder, again, 700, [1]);
    expect(second.map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test("waiting batches share a sync, and the end is told once durable", async () => {
    const disk = new PowerLossDisk();
    const log = await open(disk);
    const ends: LogPosition[] = [];
    const stop = log.onAppend((end) => ends.push(end));
    const before = log.durableEnd();
    let resolved = 0;
    const appends = Array.from({ length: 64 }, (_, i) =>
      log.append(plainHeader, [block(0, payload(`${i}`, 10))]).then(() => resolved++),
    );
    expect(log.durableEnd()).toEqual(before);
    expect(log.stats().queueBatches).toBe(64);
    await Promise.all(appends);
    expect(resolved).toBe(64);
    expect(log.stats().syncs.count).toBe(1);
    expect(log.stats().queueBytes).toBe(0);
    expect(ends).toEqual([log.durableEnd()]);
    stop();
    await log.append(plainHeader, [block(0, payload("x", 1))]);
    expect(ends.length).toBe(1);
  });

  test("a reader stops at the end it was told and goes on when told more", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 3, 50);
    const starts = [{ partition: 0, offset: 0 }];
    const reader = await EmbeddedLogReader.open(disk, folder, { starts });
    expect(await reader.next()).toEqual([]);
    const later = { starts: [{ partition: 0, offset: 2 }] };
    const waiting = await EmbeddedLogReader.open(disk, folder, later);
    expect(await waiting.next()).toEqual([]);
    const told = log.durableEnd();
    await log.append(plainHeader, [block(0, payload("3", 5))]);
    reader.advance(told);
    expect((await reader.next()).map(({ offset }) => offset)).toEqual([0, 1]);
    expect(await reader.next()).toEqual([]);
    expect(reader.isAtEnd).toBe(true);
    reader.advance(log.durableEnd());
    reader.advance(told);
    expect((await reader.next()).map(({ offset }) => offset)).toEqual([2]);
    expect(reader.nextOffsets()).toEqual([{ partition: 0, offset: 3 }]);
    waiting.advance(log.durableEnd());
    expect((await waiting.next()).map(({ offset }) => offset)).toEqual([2]);
  });
});

describe("bounds", () => {
  test("a full queue or log answers log_full, and takes more once there is room", async () => {
    const disk = new PowerLossDisk();
    const options = { queueBytesMax: 3000, logBytesMax: 8000 };
    const log = await open(disk, options);
    const send = () => log.append(plainHeader, [block(0, payload("x", 900))]);
    const first = [send(), send(), send()];
    await expect(send()).rejects.toThrow(failure("log_full", /wait to be written/));
    await Promise.all(first);
    for (let i = 0; i < 4; i++) await send();
    const rejected = await send().catch((error) => error);
    expect(rejected).toEqual(failure("log_full", /8000/));
    expect(rejected.retryAfterSeconds).toBeGreaterThan(0);
    await log.trim(log.endOffsets());
    await send();
    expect(log.endOffsets()).toEqual([8, 0]);
  });

  test("trim frees whole segments below every offset, and readers notice", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 40, 300, { segmentBytesMax: 2000 });
    const segments = log.stats().segments;
    await log.trim([20, 0]);
    expect(log.stats().segments).toBe(segments);
    await log.trim([10, 10]);
    const begin = log.beginOffsets();
    expect(begin[0]).toBeGreaterThan(5);
    expect(begin[0]).toBeLessThanOrEqual(10);
    expect((await readAll(disk, folder, log)).length).toBe(40 - begin[0]! - begin[1]!);
    const opening = EmbeddedLogReader.open(disk, folder, {
      starts: [{ partition: 1, offset: 2 }],
    });
    await expect(opening).rejects.toThrow(
      failure("offset_out_of_range", new RegExp(`offset 2 of partition 1.*begins at ${begin[1]}`)),
    );
    await log.trim([20, 20]);
    expect(log.stats().segments).toBe(1);
    expect((await open(disk)).endOffsets()).toEqual([20, 20]);
  });

  test("segments that are to be copied first stay, however much is stored", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 40, 300, { segmentBytesMax: 2000 });
    const first = log.segmentOf([0, 0]);
    expect(log.segmentOf([19, 0])).toBe(first);
    const last = log.durableEnd().segment;
    expect(log.segmentOf([20, 20])).toBe(last);
    const { segments } = log.stats();
    log.keepFrom(first + 2);
    await log.trim([20, 20]);
    expect(log.stats().segments).toBe(segments - 2);
    expect(log.segmentOf([0, 0])).toBe(first + 2);
    log.keepFrom(Number.POSITIVE_INFINITY);
    await log.trim([20, 20]);
    expect(log.stats().segments).toBe(1);
  });

  test("a reader goes on though the segment it has read to its end is trimmed", async () => {
    const disk = new PowerLossDisk();
    const options = { segmentBytesMax: 2000 };
    const { log } = await filled(disk, 4, 300, options);
    const starts = [0, 1].map((partition) => ({ partition, offset: 0 }));
    const [reader, behind] = await Promise.all([
      EmbeddedLogReader.open(disk, folder, { starts }),
      EmbeddedLogReader.open(disk, folder, { starts, readBytesMax: 1 }),
    ]);
    const append = () => log.append(plainHeader, [block(0, payload("x", 300))]);
    let told = log.durableEnd();
    while (log.stats().segments === 1) {
      told = log.durableEnd();
      await append();
    }
    reader.advance(told);
    while (!reader.isAtEnd) await reader.next();
    behind.advance(told);
    await behind.next();
    const read = reader.nextOffsets().map(({ offset }) => offset);
    await log.trim(read);
    expect(log.stats().segments).toBe(1);
    reader.advance(log.durableEnd());
    expect((await reader.next()).map(({ offset }) => offset)).toEqual([read[0]]);
    behind.advance(log.durableEnd());
    await expect(behind.next()).rejects.toThrow(failure("offset_out_of_range", /is gone/));
  });

  test("an offset beyond the end is out of range, not waited for", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 4, 10);
    const starts = [{ partition: 0, offset: 3 }];
    const reader = await EmbeddedLogReader.open(disk, folder, { starts });
    reader.advance(log.durableEnd());
    await expect(reader.next()).rejects.toThrow(
      failure("offset_out_of_range", /offset 3 of partition 0.*ends at 2/),
    );
  });

  test("another partition count is refused", async () => {
    const disk = new PowerLossDisk();
    await filled(disk, 1, 10);
    const opening = open(disk, { partitionCount: 3 });
    await expect(opening).rejects.toThrow(failure("log_mismatch", /2 partitions, 3 configured/));
  });
});

describe("a disk that refuses", () => {
  test("a full disk: the batch is refused, the log goes on", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 2, 100);
    const end = log.durableEnd();
    disk.fault = (operation) => {
      if (operation === "append") throw noSpace();
    };
    await expect(log.append(plainHeader, [block(0, payload("no", 9))])).rejects.toThrow(
      failure("log_full", /no space/),
    );
    disk.fault = null;
    expect(await disk.size(firstPath)).toBe(end.position);
    await log.append(plainHeader, [block(0, payload("2", 9))]);
    const records = await readAll(disk, folder, log);
    expect(records.map(({ value }) => Number.parseInt(`${value}`, 10))).toEqual([0, 1, 2]);
  });

  test("a full disk while a segment is begun", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 2, 500, { segmentBytesMax: 1500 });
    disk.fault = (operation, path) => {
      if (operation === "append" && path === secondPath) throw noSpace();
    };
    const append = () => log.append(plainHeader, [block(0, payload("2", 500))]);
    await expect(append()).rejects.toThrow(failure("log_full", /no space/));
    disk.fault = null;
    await append();
    expect(log.durableEnd().segment).toBe(2);
    expect((await readAll(disk, folder, log)).length).toBe(3);
  });

  test.each(["sync", "append"])(
    "a failed %s stops the log until it is opened anew",
    async (what) => {
      const disk = new PowerLossDisk();
      const { log } = await filled(disk, 2, 100);
      disk.fault = (operation) => {
        if (operation === what) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      };
      const send = () => log.append(plainHeader, [block(0, payload("2", 9))]);
      const both = await Promise.allSettled([send(), send()]);
      disk.fault = null;
      for (const { status } of both) expect(status).toBe("rejected");
      await expect(send()).rejects.toThrow(failure("log_failed", /EIO.*until a restart/));
      await log.close();
      const again = await open(disk);
      await again.append(plainHeader, [block(1, payload("3", 9))]);
      expect(again.endOffsets()[1]).toBe(2);
    },
  );

  test("closing writes what waits and refuses the rest", async () => {
    const disk = new PowerLossDisk();
    const log = await open(disk);
    const append = () => log.append(plainHeader, [block(0, payload("0", 9))]);
    const last = append();
    const closing = log.close();
    await expect(append()).rejects.toThrow(failure("log_failed", /closed/));
    await Promise.all([last, closing]);
    expect((await open(disk)).endOffsets()).toEqual([1, 0]);
  });
});

describe("damage", () => {
  test("any flipped bit before what was durable is named, never dropped", async () => {
    for (let frame = 0; frame < 3; frame++) {
      for (let step = 0; step < 40; step++) {
        const disk = new PowerLossDisk();
        const { ends } = await filled(disk, 5, 60);
        const start = frame === 0 ? 56 + 16 : ends[frame - 1]!;
        const at = start + Math.floor(((ends[frame]! - start) * step) / 40);
        disk.bytesOf(firstPath)[at]! ^= 1 << (step % 8);
        await expect(open(disk)).rejects.toThrow(
          failure("log_corrupt", new RegExp(`0001\\.log: damaged frame at byte ${start},`)),
        );
      }
    }
  });

  test("a flipped bit in the last batch is cut; after a clean stop it is named", async () => {
    for (let step = 0; step < 40; step++) {
      const disk = new PowerLossDisk();
      const { log, ends } = await filled(disk, 3, 60);
      const start = ends[1]!;
      const at = start + Math.floor(((ends[2]! - start) * step) / 40);
      disk.bytesOf(firstPath)[at]! ^= 1 << (step % 8);
      const opened = await open(disk);
      expect(opened.cutBytes).toBe(ends[2]! - start);
      expect(opened.endOffsets()).toEqual([1, 1]);

      const stopped = new PowerLossDisk();
      const second = await filled(stopped, 3, 60);
      await second.log.close();
      stopped.bytesOf(firstPath)[at]! ^= 1 << (step % 8);
      await expect(open(stopped)).rejects.toThrow(failure("log_corrupt", /damaged frame/));
      await log.close();
    }
  });

  test.each([
    ["zeros", Buffer.alloc(3000)],
    ["garbage", payload("garbage", 2992)],
    ["magics", Buffer.alloc(3000, Buffer.from([0xff, 0x52, 0x4b, 0x46]))],
  ])("a tail of %s is cut", async (_, tail) => {
    const disk = new PowerLossDisk();
    const { ends } = await filled(disk, 3, 60);
    const file = await disk.openAppend(firstPath);
    await file.append([tail]);
    const log = await open(disk);
    expect(log.cutBytes).toBe(3000);
    expect(await disk.size(firstPath)).toBe(ends[2]);
    expect((await readAll(disk, folder, log)).length).toBe(3);
  });

  test("in an older segment: found by the reader, a changed length by opening", async () => {
    const disk = new PowerLossDisk();
    const { log } = await filled(disk, 20, 300, { segmentBytesMax: 2000 });
    disk.bytesOf(firstPath)[900]! ^= 4;
    await expect(readAll(disk, folder, log)).rejects.toThrow(
      failure("log_corrupt", /0001\.log, byte \d+: damaged frame \(next offsets 0: \d/),
    );
    const bytes = (await disk.size(secondPath))!;
    await disk.truncate(secondPath, bytes - 1);
    await expect(open(disk)).rejects.toThrow(
      failure("log_corrupt", new RegExp(`0002\\.log: ${bytes - 1} bytes, ${bytes} expected`)),
    );
    await disk.remove(secondPath);
    await expect(open(disk)).rejects.toThrow(failure("log_corrupt", /0002\.log: .*missing/));
  });

  test("a damaged header is named", async () => {
    const disk = new PowerLossDisk();
    await filled(disk, 20, 300, { segmentBytesMax: 2000 });
    disk.bytesOf(secondPath)[60]! ^= 4;
    await expect(open(disk)).rejects.toThrow(failure("log_corrupt", /0002\.log: .*header/));
  });
});
