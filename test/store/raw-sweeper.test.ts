// What goes from a place that several processes write: what is old and nobody's, and nothing else.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import type { RawPlace } from "../../src/store/raw-place.ts";
import { sweepDefaults } from "../../src/store/raw-sweeper.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { rawPlaces } from "../support/raw-places.ts";
import { temporaryFolder } from "../support/service.ts";

const hourMs = 3_600_000;
const removeAfterMs = hourMs;
const day = "raw/date=2026-11-24/hour=10";
const span: [number, number] = [Date.UTC(2026, 10, 24, 10), Date.UTC(2026, 10, 24, 10)];

let place: RawPlace;
let root: string;
let database: LocalDatabase;

const open = () => new RawFiles(database, { ...rawFilesDefaults, place, removeAfterMs });
const isThere = ({ path }: { path: string }) => existsSync(join(root, path));

async function write(raw: RawFiles, isNamed: boolean) {
  const file = await raw.write(database.writer, "(SELECT 1 AS number)", span);
  if (isNamed) await database.write((connection) => raw.register(connection, file));
  return file;
}

/** As something other than DuckDB put it there. */
function put(path: string): { path: string } {
  mkdirSync(join(root, dirname(path)), { recursive: true });
  writeFileSync(join(root, path), "PAR1");
  return { path };
}

/** All of one sweep, where one is due: how many files went. */
async function sweep(raw: RawFiles, now: number): Promise<number> {
  let removed = 0;
  for (let step = 0; step < 3; step++) removed += await raw.sweepOld(now);
  return removed;
}

describe.each(rawPlaces.filter(({ isShared }) => isShared))("a sweep of $name", (kind) => {
  beforeEach(async () => {
    const folder = temporaryFolder();
    const made = await kind.make(folder);
    ({ place, root } = made);
    database = await LocalDatabase.open(join(folder, "store.duckdb"), made.options);
    const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
    await database.write((connection) => prepareSchema(connection, identity));
  });
  afterEach(() => database.close());

  it("leaves at a start, and for a day, what another may not have committed yet", async () => {
    const [one, other] = [open(), open()];
    const file = await write(one, false);
    expect(await other.sweep()).toBe(0);
    const now = Date.now();
    for (let hour = 0; hour < 23; hour += 6) {
      expect(await sweep(other, now + hour * hourMs)).toBe(0);
    }
    await database.write((connection) => one.register(connection, file));
    for (let hour = 24; hour < 100; hour += 6) {
      expect(await sweep(other, now + hour * hourMs)).toBe(0);
    }
    expect(isThere(file)).toBe(true);
  });

  it("goes on without the right to list uploads", async () => {
    const raw = open();
    const orphan = await write(raw, false);
    place.endUploads = () => Promise.reject(new Error("AccessDenied"));
    for (const sweeps of [0, 1]) {
      const old = Date.now() + sweepDefaults.ageMsMin + hourMs + sweeps * sweepDefaults.everyMs;
      await expect(sweep(raw, old)).rejects.toThrow("AccessDenied");
    }
    expect(isThere(orphan)).toBe(false);
  });

  it("removes what is old and was seen twice without a row, half-written files too", async () => {
    const raw = open();
    const kept = [await write(raw, true), await write(raw, true), put(`${day}/notes.txt`)];
    const orphan = await write(raw, false);
    const half = put(`${day}/.5-dead-0.parquet.tmp`);
    const old = Date.now() + sweepDefaults.ageMsMin + hourMs;
    expect(await sweep(raw, old)).toBe(0);
    // Not due again so soon.
    expect(await sweep(raw, old + sweepDefaults.everyMs - 1)).toBe(0);
    expect(isThere(orphan)).toBe(true);
    expect(await sweep(raw, old + sweepDefaults.everyMs)).toBe(2);
    expect([orphan, half].filter(isThere)).toEqual([]);
    expect(kept.every(isThere)).toBe(true);
    expect(await sweep(raw, old + 9 * sweepDefaults.everyMs)).toBe(0);
  });

  it("leaves an old file that was replaced just now to those who still read it", async () => {
    const patient = new RawFiles(database, {
      ...rawFilesDefaults,
      place,
      removeAfterMs: 2 * sweepDefaults.everyMs,
    });
    const file = await write(patient, true);
    const old = Date.now() + 100 * sweepDefaults.ageMsMin;
    expect(await sweep(patient, old)).toBe(0);
    await database.write((connection) => patient.unregister(connection, [file.path]));
    for (const sweeps of [1, 2]) {
      expect(await sweep(patient, old + sweeps * sweepDefaults.everyMs)).toBe(0);
    }
    expect(isThere(file)).toBe(true);
    expect(await sweep(patient, old + 3 * sweepDefaults.everyMs)).toBe(1);
  });

  it("keeps a replaced file no shorter than the place says", async () => {
    Object.assign(place, { keptMsMin: 5 * removeAfterMs });
    const raw = open();
    const file = await write(raw, true);
    raw.replaced.retire([file.path], 0, true);
    await raw.replaced.remove(5 * removeAfterMs - 1);
    expect(isThere(file)).toBe(true);
    await raw.replaced.remove(5 * removeAfterMs);
    expect(isThere(file)).toBe(false);
  });

  it("keeps a replaced file for others' reads, also where it is urgent", async () => {
    const raw = open();
    const file = await write(raw, true);
    raw.replaced.retire([file.path], 0, true);
    await raw.replaced.remove(removeAfterMs - 1);
    expect(raw.replaced.areUrgent).toBe(true);
    expect(isThere(file)).toBe(true);
    await raw.replaced.remove(removeAfterMs);
    expect(isThere(file)).toBe(false);
  });

  it("removes what a process that is no more has retired; who waits for it waits", async () => {
    const gone = open();
    const files = [await write(gone, true), await write(gone, true)];
    for (const { path } of files) {
      await database.write((connection) => gone.unregister(connection, [path]));
    }
    const next = open();
    expect(next.replaced.areUrgent).toBe(true);
    await next.replaced.remove(Date.now());
    expect(next.replaced.areUrgent).toBe(true);
    expect(files.every(isThere)).toBe(true);
    await next.replaced.remove(Date.now() + 2 * removeAfterMs);
    expect(next.replaced.areUrgent).toBe(false);
    expect(files.filter(isThere)).toEqual([]);
    expect(await rowsOf(database.writer, "FROM raw_retired")).toEqual([]);
    // Nothing is left of it for another one.
    const third = open();
    await third.replaced.remove(0);
    expect(third.replaced.areUrgent).toBe(false);
  });

  it("forgets what was retired where its transaction did not come through", async () => {
    const raw = open();
    const file = await write(raw, true);
    const failing = database.write(async (connection) => {
      await raw.unregister(connection, [file.path]);
      throw new Error("no room");
    });
    await expect(failing).rejects.toThrow("no room");
    await open().replaced.remove(Date.now() + 100 * removeAfterMs);
    expect(isThere(file)).toBe(true);
  });

  it("leaves a file whose commit may have come through", async () => {
    const raw = open();
    const file = await write(raw, true);
    await raw.abandon(file);
    expect(isThere(file)).toBe(true);
  });

  it("keeps in mind what it could not remove", async () => {
    const raw = open();
    const file = await write(raw, true);
    raw.replaced.retire([file.path], 0, true);
    const remove = place.remove;
    place.remove = () => Promise.reject(new Error("the server is away"));
    await expect(raw.replaced.remove(removeAfterMs)).rejects.toThrow("away");
    expect(raw.replaced.areUrgent).toBe(true);
    place.remove = remove;
    await raw.replaced.remove(removeAfterMs);
    expect(raw.replaced.areUrgent).toBe(false);
    expect(isThere(file)).toBe(false);
  });

  it("comes to its end though each step finds a thousand files or fewer", async () => {
    const raw = open();
    const many = Array.from({ length: 1100 }, (_, i) => put(`${day}/7-many-${i}.parquet`));
    const old = Date.now() + 100 * sweepDefaults.ageMsMin;
    let removed = 0;
    let steps = 0;
    for (; removed < many.length && steps < 12; steps++) {
      removed += await raw.sweepOld(old + Math.floor(steps / 4) * sweepDefaults.everyMs);
    }
    expect([removed, steps]).toEqual([many.length, 7]);
    expect(many.filter(isThere)).toEqual([]);
  });
});

it("names files as no other writer does", async () => {
  const names = new Set<string>();
  for (let writer = 0; writer < 20; writer++) {
    const raw = open();
    const stub = { run: async () => ({ getRowObjects: async () => [{}] }) };
    for (let i = 0; i < 3; i++) {
      const noted = raw.write(stub as never, "nothing", span).catch((error: Error) => error);
      names.add(String(await noted));
    }
  }
  expect(names.size).toBe(60);
});
