// A segment that is closed early, so that what it holds can go.
import { expect, test } from "vitest";
import { EmbeddedLog } from "../../src/log/embedded-log.ts";
import { EmbeddedLogReader } from "../../src/log/embedded-log-reader.ts";
import { PowerLossDisk } from "../support/power-loss.ts";
import { block, payload, plainHeader, readAll } from "./log-fixture.ts";

const folder = "/data/log";
const open = (disk: PowerLossDisk) => EmbeddedLog.open(disk, folder, { partitionCount: 2 });

test("all there is can be trimmed, and the log goes on, also after a restart", async () => {
  const disk = new PowerLossDisk();
  const log = await open(disk);
  await log.append(plainHeader, [block(0, payload("first", 50))]);
  await log.append(plainHeader, [block(1, payload("second", 50))]);
  await log.closeSegment();
  // Nothing is in it: there is nothing to close.
  await log.closeSegment();
  expect(log.stats().segments).toBe(2);
  await log.trim([0, 1]);
  expect(log.stats().segments).toBe(2);
  await log.trim([1, 1]);
  expect(log.stats().segments).toBe(1);
  await log.append(plainHeader, [block(0, payload("third", 50))]);
  await log.closeSegment();
  await log.close();
  const again = await open(disk);
  expect(again.beginOffsets()).toEqual([1, 1]);
  expect(again.endOffsets()).toEqual([2, 1]);
  const values = (await readAll(disk, folder, again)).map(({ value }) => String(value));
  expect(values.map((text) => text.slice(0, 5))).toEqual(["third"]);
  await again.close();
});

test("a reader that several trimmed segments had nothing for goes on behind them", async () => {
  const disk = new PowerLossDisk();
  const log = await open(disk);
  const append = (partition: number) =>
    log.append(plainHeader, [block(partition, payload("x", 50))]);
  await append(0);
  const started = (partition: number) =>
    EmbeddedLogReader.open(disk, folder, { starts: [{ partition, offset: 0 }] });
  const [quiet, behind] = [await started(1), await started(0)];
  const told = log.durableEnd();
  for (const reader of [quiet, behind]) reader.advance(told);
  expect(await quiet.next()).toEqual([]);
  for (let i = 0; i < 3; i++) {
    await log.closeSegment();
    // Word of the second only: of an end that is trimmed by the time it is read.
    if (i === 1) quiet.advance(log.durableEnd());
    await append(0);
  }
  await log.closeSegment();
  await log.trim([4, 0]);
  expect(log.stats().segments).toBe(1);
  expect(await quiet.next()).toEqual([]);
  await append(1);
  // Not told of it yet.
  expect(await quiet.next()).toEqual([]);
  quiet.advance(log.durableEnd());
  expect((await quiet.next()).map(({ offset }) => offset)).toEqual([0]);
  // One that had something in them does not go on.
  behind.advance(log.durableEnd());
  await expect(behind.next()).rejects.toMatchObject({ code: "offset_out_of_range" });
  await log.close();
});
