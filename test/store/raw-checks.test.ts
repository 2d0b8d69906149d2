/** Damaged files of raw events: found before they are read, named, and nothing else suffers. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import type { RawFile } from "../../src/store/raw-file.ts";
import { RawFiles } from "../../src/store/raw-files.ts";
import type { RawPlace } from "../../src/store/raw-place.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { rawPlaces } from "../support/raw-places.ts";
import { temporaryFolder } from "../support/service.ts";

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 10, 24, 10);
const mebibyte = 1024 * 1024;
const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };

let database: LocalDatabase;
let place: RawPlace;
/** Where this machine finds the place's files. */
let root: string;

async function start(kind: (typeof rawPlaces)[number]): Promise<void> {
  const folder = temporaryFolder();
  const made = await kind.make(folder);
  ({ place, root } = made);
  database = await LocalDatabase.open(join(folder, "store.duckdb"), made.options);
  await database.write((connection) => prepareSchema(connection, identity));
}

/** As after a start: nothing was looked at yet. */
function open(): RawFiles {
  return new RawFiles(database, {
    place,
    recentRowsMax: 100,
    smallBytesMax: 1 << 20,
    mergeFilesMin: 2,
    mergeFilesBusyMin: 2,
    mergeFilesMax: 4,
    removeAfterMs: 0,
  });
}

/** A file of one hour; its ids are long and all different, so that it has its size. */
async function addFile(hour: number, rows = 100): Promise<RawFile> {
  const raw = open();
  const from = startMs + hour * hourMs;
  const source = `(SELECT make_timestamp_ms(${from} + range)::TIMESTAMP_MS AS event_time,
    make_timestamp_ms(${from})::TIMESTAMP_MS AS received_at, 1 AS weight, 'play' AS event_type,
    sha256(range::VARCHAR) AS event_id, NULL AS user_id, NULL AS session_id, NULL AS metadata
    FROM range(${rows}))`;
  const file = await raw.write(database.writer, source, [from, from + rows - 1]);
  await database.write((connection) => raw.register(connection, file));
  return file;
}

function flip({ path }: RawFile, at: number): void {
  const bytes = readFileSync(join(root, path));
  bytes[at]! ^= 1;
  writeFileSync(join(root, path), bytes);
}

/** How many events of this hour a question finds. */
function countIn(raw: RawFiles, hour: number): Promise<number> {
  const from = startMs + hour * hourMs;
  return database.read(60_000, async (connection) => {
    const source = await raw.source(connection, from, from + hourMs);
    const [row] = await rowsOf(connection, `SELECT count(event_id) AS n FROM ${source}`);
    return Number(row!["n"]);
  });
}

const corrupt = (file: RawFile, what: RegExp) =>
  expect.objectContaining({
    code: "raw_corrupt",
    message: expect.stringMatching(new RegExp(`${file.path}.*${what.source}`)),
  });

describe.each(rawPlaces)("in $name", (kind) => {
  beforeEach(() => start(kind));
  afterEach(() => database.close());

  describe("a damaged file", () => {
    it("is named with the place of any flipped bit, and other files are read", async () => {
      const [damaged, sound] = [await addFile(0), await addFile(1)];
      // Fewer of the places that answer more slowly.
      const step = kind.isShared ? 597 : 97;
      for (let at = 0; at < damaged.bytes; at += step) {
        flip(damaged, at);
        const raw = open();
        const bytes = new RegExp(`bytes 0 to ${damaged.bytes - 1} have CRC-32`);
        await expect(countIn(raw, 0)).rejects.toEqual(corrupt(damaged, bytes));
        expect(await countIn(raw, 1)).toBe(sound.rows);
        flip(damaged, at);
      }
      expect(await countIn(open(), 0)).toBe(damaged.rows);
    });

    it("is named with the MiB that is damaged", async () => {
      const file = await addFile(0, 80_000);
      expect(file.bytes).toBeGreaterThan(2 * mebibyte);
      flip(file, mebibyte + 5);
      await expect(countIn(open(), 0)).rejects.toEqual(corrupt(file, /bytes 1048576 to 2097151 /));
    });

    it("is named when it was cut or is gone", async () => {
      const file = await addFile(0);
      truncateSync(join(root, file.path), file.bytes - 1);
      const cut = new RegExp(`${file.bytes - 1} bytes, ${file.bytes} expected`);
      await expect(countIn(open(), 0)).rejects.toEqual(corrupt(file, cut));
      rmSync(join(root, file.path));
      await expect(countIn(open(), 0)).rejects.toEqual(corrupt(file, /missing/));
    });

    it("is found when nobody asks for it, told once, and left out of merges", async () => {
      const files = [await addFile(0), await addFile(0), await addFile(0)];
      flip(files[1]!, 50);
      const raw = open();
      if (!place.isLookedAfter) {
        expect(await raw.checkNext()).toBe(false);
        await expect(countIn(raw, 0)).rejects.toMatchObject({ code: "raw_corrupt" });
      }
      const looked: unknown[] = [];
      for (let i = 0; i < 5; i++) looked.push(await raw.checkNext().catch((error) => error.code));
      const isFound = [false, false, "raw_corrupt", true, true];
      expect(looked.sort()).toEqual(place.isLookedAfter ? isFound : Array(5).fill(false));
      expect(await raw.mergeSmall(Date.now())).toBe(true);
      expect(await raw.mergeSmall(Date.now())).toBe(false);
      const rows = await rowsOf(database.writer, "SELECT path FROM raw_files");
      expect(rows).toHaveLength(2);
      expect(rows).toContainEqual({ path: files[1]!.path });
    });
  });

  it("takes files of older versions, without checksums, as they are", async () => {
    const file = await addFile(0);
    await database.writer.run("ALTER TABLE raw_files DROP COLUMN checksums");
    await database.writer.run("UPDATE meta SET value = '1' WHERE key = 'format'");
    for (const table of ["erasure_key", "erased_users", "erasures", "raw_erasures"]) {
      await database.writer.run(`DROP TABLE ${table}`);
    }
    await database.write((connection) => prepareSchema(connection, identity));
    expect(await countIn(open(), 0)).toBe(file.rows);
    await addFile(1);
    expect(await countIn(open(), 1)).toBe(file.rows);
  });
});
