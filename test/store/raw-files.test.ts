/** Parquet files behind the manifest, over a real folder and a real DuckDB. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles, type RawFilesOptions } from "../../src/store/raw-files.ts";
import type { RawPlace } from "../../src/store/raw-place.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { rawPlaces } from "../support/raw-places.ts";
import { temporaryFolder } from "../support/service.ts";

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 10, 24, 10);

let database: LocalDatabase;
let place: RawPlace;
/** Where this machine finds the place's files. */
let root: string;

async function start(kind: (typeof rawPlaces)[number]): Promise<void> {
  const folder = temporaryFolder();
  const made = await kind.make(folder);
  ({ place, root } = made);
  database = await LocalDatabase.open(join(folder, "store.duckdb"), made.options);
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
}

function open(options: Partial<RawFilesOptions> = {}): RawFiles {
  return new RawFiles(database, {
    place,
    recentRowsMax: 100,
    smallBytesMax: 1 << 20,
    mergeFilesMin: 3,
    mergeFilesBusyMin: 6,
    mergeFilesMax: 4,
    removeAfterMs: 1000,
    ...options,
  });
}

/** A query that makes an event at each time; ids are the times. */
function eventsAt(times: number[]): string {
  const values = times.map((at) => `(${at}::BIGINT)`).join(", ");
  return `(SELECT make_timestamp_ms(ms)::TIMESTAMP_MS, make_timestamp_ms(ms)::TIMESTAMP_MS, 1,
    'type ''quoted''', ms::VARCHAR, NULL, NULL, '{"a":"b"}' FROM (VALUES ${values}) AS t (ms))`;
}

const columns =
  "event_time, received_at, weight, event_type, event_id, user_id, session_id, metadata";

function spanOf(times: number[]): [number, number] {
  return [Math.min(...times), Math.max(...times)];
}

async function insertRecent(times: number[]): Promise<void> {
  await database.writer.run(`INSERT INTO raw_recent ${eventsAt(times)}`);
}

/** Writes a file as a checkpoint does; named in the manifest unless told otherwise. */
async function addFile(raw: RawFiles, times: number[], isNamed = true) {
  const named = `(SELECT * FROM ${eventsAt(times)} AS t (${columns}))`;
  const file = await raw.write(database.writer, named, spanOf(times));
  if (isNamed) await database.write((connection) => raw.register(connection, file));
  return file;
}

/** Times of all events in `[from, to)` that queries find, in order. */
async function found(raw: RawFiles, from = 0, to = 9e12): Promise<number[]> {
  const rows = await database.read(60_000, async (connection) =>
    rowsOf(
      connection,
      `SELECT event_id, epoch_ms(event_time) AS ms FROM ${await raw.source(connection, from, to)}
       WHERE event_type = 'type ''quoted''' AND metadata = '{"a":"b"}' AND user_id IS NULL
       AND epoch_ms(event_time) >= ${from} AND epoch_ms(event_time) < ${to} ORDER BY event_time`,
    ),
  );
  return rows.map((row) => {
    expect(String(row["event_id"])).toBe(String(row["ms"]));
    return Number(row["ms"]);
  });
}

const filesOnDisk = () =>
  readdirSync(join(root, "raw"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();

describe.each(rawPlaces)("in $name", (kind) => {
  beforeEach(() => start(kind));
  afterEach(() => database.close());

  describe("a file", () => {
    const day = Date.UTC(2026, 10, 24);
    it.each([
      ["of one moment", [startMs], "raw/date=2026-11-24/hour=10"],
      ["of one hour", [startMs, startMs + hourMs - 1], "raw/date=2026-11-24/hour=10"],
      ["of two hours", [startMs, startMs + hourMs], "raw/date=2026-11-24"],
      ["of a whole day", [day, day + 24 * hourMs - 1], "raw/date=2026-11-24"],
      ["of two days", [day - 1, day], "raw"],
      ["of the same hour of two days", [startMs, startMs + 24 * hourMs], "raw"],
      ["of 1970", [0], "raw/date=1970-01-01/hour=00"],
    ])("%s lies in its folder", async (_what, times, expected) => {
      const raw = open();
      const file = await addFile(raw, times);
      expect(dirname(file.path)).toBe(expected);
      const [firstTime, lastTime] = spanOf(times);
      expect(file).toMatchObject({ firstTime, lastTime, rows: times.length });
      expect(file.bytes).toBeGreaterThan(100);
      expect(filesOnDisk()).toEqual([file.path]);
      expect(await found(raw)).toEqual(times);
    });

    it("is read once it is in the manifest, and not before", async () => {
      const raw = open();
      await insertRecent([startMs + 5]);
      const file = await addFile(raw, [startMs, startMs + 9], false);
      expect(await found(raw)).toEqual([startMs + 5]);
      await database.write((connection) => raw.register(connection, file));
      expect(await found(raw)).toEqual([startMs, startMs + 5, startMs + 9]);
    });

    it("is not named when the transaction fails", async () => {
      const raw = open();
      const file = await addFile(raw, [startMs], false);
      const failing = database.write(async (connection) => {
        await raw.register(connection, file);
        throw new Error("no room");
      });
      await expect(failing).rejects.toThrow("no room");
      expect(await found(raw)).toEqual([]);
      expect(filesOnDisk()).toEqual([file.path]);
      expect(await raw.sweep()).toBe(kind.isShared ? 0 : 1);
    });
  });

  describe.runIf(!kind.isShared)("a sweep at a start", () => {
    it("removes what no row names: orphans and half-written files, nothing else", async () => {
      const raw = open();
      const kept = [await addFile(raw, [startMs]), await addFile(raw, [startMs, startMs * 1.1])];
      const orphans = [
        await addFile(raw, [startMs], false),
        await addFile(raw, [startMs, startMs + hourMs], false),
        await addFile(raw, [1, startMs], false),
      ];
      writeFileSync(join(root, "raw/date=2026-11-24/hour=10/.1-dead-0.parquet.tmp"), "PAR1");
      mkdirSync(join(root, "raw/date=1999-01-01/hour=00"), { recursive: true });
      writeFileSync(join(root, "raw/date=1999-01-01/hour=00/x.parquet"), "");
      writeFileSync(join(root, "raw.txt"), "not ours");
      expect(filesOnDisk()).toHaveLength(kept.length + orphans.length + 2);
      expect(await open().sweep()).toBe(orphans.length + 2);
      expect(filesOnDisk()).toEqual(kept.map(({ path }) => path).sort());
      expect(existsSync(join(root, "raw.txt"))).toBe(true);
      expect(await open().sweep()).toBe(0);
    });

    it("of a folder without files does nothing", async () => {
      expect(await open().sweep()).toBe(0);
    });
  });

  describe("recent events", () => {
    const times = Array.from({ length: 99 }, (_, i) => startMs + i);

    it("move to a file when there are enough of them, or always", async () => {
      const raw = open();
      expect(await raw.flushRecent(true)).toBe(false);
      await insertRecent(times);
      expect(await raw.flushRecent()).toBe(false);
      expect(await found(raw)).toEqual(times);
      await insertRecent([startMs + 99]);
      expect(await raw.flushRecent()).toBe(true);
      expect(filesOnDisk()).toHaveLength(1);
      expect(await found(raw)).toEqual([...times, startMs + 99]);
      await insertRecent([startMs + 100]);
      expect(await raw.flushRecent(true)).toBe(true);
      expect(filesOnDisk()).toHaveLength(2);
      expect(await rowsOf(database.writer, "FROM raw_recent")).toEqual([]);
      expect(await found(raw)).toEqual([...times, startMs + 99, startMs + 100]);
    });

    it.runIf(kind.isFolder)("stay where they are when the file can't be written", async () => {
      const raw = open();
      await insertRecent(times);
      writeFileSync(join(root, "raw"), "in the way");
      await expect(raw.flushRecent(true)).rejects.toThrow();
      expect(await found(raw)).toEqual(times);
    });
  });

  describe("small files", () => {
    it("of one folder become one, sorted; the old ones go when nobody reads them", async () => {
      const raw = open();
      const groups = [0, 1, 2, 3, 4].map((i) => [startMs + i, startMs + 50 - i]);
      const old = [];
      for (const times of groups) old.push((await addFile(raw, times)).path);
      const apart = await addFile(raw, [startMs + hourMs]);
      const all = [...groups.flat(), startMs + hourMs].sort((a, b) => a - b);
      expect(await raw.mergeSmall(5000)).toBe(true);
      expect(await found(raw)).toEqual(all);
      expect(filesOnDisk()).toEqual(expect.arrayContaining(old));
      const named = await rowsOf(
        database.writer,
        "SELECT path, rows FROM raw_files ORDER BY rows",
      );
      // Four of five are merged at once, one is left, one lies elsewhere.
      expect(named.map((row) => Number(row["rows"]))).toEqual([1, 2, 8]);
      expect(named[0]!["path"]).toBe(apart.path);
      await raw.replaced.remove(5999);
      expect(filesOnDisk()).toHaveLength(old.length + 2);
      await raw.replaced.remove(6000);
      expect(filesOnDisk()).toEqual(named.map((row) => String(row["path"])).sort());
      expect(await found(raw)).toEqual(all);
      expect(await raw.mergeSmall(7000)).toBe(false);
    });

    it("that were replaced stay while a read from before runs, however long", async () => {
      const raw = open();
      for (let i = 0; i < 3; i++) await addFile(raw, [startMs + i]);
      let goOn: () => void = () => undefined;
      const isDone = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      let hasBegun: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => {
        hasBegun = resolve;
      });
      const read = database.read(60_000, async (connection) => {
        const source = await raw.source(connection, 0, 9e12);
        hasBegun();
        await isDone;
        return rowsOf(connection, `SELECT count(*) AS rows FROM ${source}`);
      });
      await begun;
      expect(await raw.mergeSmall(0)).toBe(true);
      await raw.replaced.remove(1e9);
      goOn();
      expect(Number((await read)[0]!["rows"])).toBe(3);
      await raw.replaced.remove(1e9);
      expect(filesOnDisk()).toHaveLength(1);
    });

    it("are left alone while they are few, and large ones always", async () => {
      const raw = open({ smallBytesMax: 1 });
      for (let i = 0; i < 6; i++) await addFile(raw, [startMs + i]);
      expect(await raw.mergeSmall(0)).toBe(false);
      expect(await open({ mergeFilesMin: 7 }).mergeSmall(0)).toBe(false);
      expect(await open({ mergeFilesBusyMin: 7 }).mergeSmall(0, true)).toBe(false);
      expect(filesOnDisk()).toHaveLength(6);
      expect(await open({ mergeFilesMin: 7 }).mergeSmall(0, true)).toBe(true);
    });

    it.runIf(!kind.isShared)("that were replaced are swept after a restart", async () => {
      const raw = open();
      for (let i = 0; i < 3; i++) await addFile(raw, [startMs + i]);
      await raw.mergeSmall(0);
      expect(await open().sweep()).toBe(3);
      expect(await found(open())).toEqual([startMs, startMs + 1, startMs + 2]);
    });
  });

  describe("what a range may hold", () => {
    const randomTimes = (random: Random) =>
      Array.from({ length: random.int(1, 5) }, () => startMs + random.int(0, 200) * 1000);

    it("leaves out no event, and is false only where there is none", async () => {
      const random = randomFromEnvironment("raw files");
      const raw = open();
      const all: number[] = [];
      for (let i = 0; i < 12; i++) {
        const times = randomTimes(random);
        all.push(...times);
        if (i % 3 === 0) await insertRecent(times);
        else await addFile(raw, times);
      }
      let certainlyNone = 0;
      for (let i = 0; i < 60; i++) {
        const from = startMs + random.int(-10, 210) * 1000;
        const to = from + random.pick([0, 1, 1000, 60_000]);
        const expected = all.filter((at) => from <= at && at < to).sort((a, b) => a - b);
        expect(await found(raw, from, to), `${from}..${to}`).toEqual(expected);
        const mayHold = await raw.mayHold(database.writer, from, to);
        if (expected.length > 0) expect(mayHold).toBe(true);
        if (!mayHold) certainlyNone++;
        expect(await raw.rowsIn(database.writer, from, to)).toBeGreaterThanOrEqual(0);
      }
      expect(certainlyNone).toBeGreaterThan(0);
      expect(await raw.rowsIn(database.writer, 0, 9e12)).toBe(all.length);
    });
  });
});
