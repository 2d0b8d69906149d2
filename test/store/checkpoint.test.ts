/** Checkpoints of several workers at once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { Checkpointer, TypeIds } from "../../src/store/checkpoint.ts";
import { rowsOf } from "../../src/store/database.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { StagedTables } from "../../src/store/staged.ts";
import type { CheckpointPart } from "../../src/store/store.ts";

let database: LocalDatabase;
let checkpointer: Checkpointer;
let filesWritten = 0;

/** Writes nothing, but counts. */
class CountedFiles extends RawFiles {
  override async write(_connection: unknown, _source: string, [firstTime, lastTime]: number[]) {
    const path = `raw/${++filesWritten}.parquet`;
    return { path, firstTime: firstTime!, lastTime: lastTime!, rows: 40_000, bytes: 1 };
  }
}

beforeEach(async () => {
  filesWritten = 0;
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 4, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  const staged = new StagedTables();
  staged.register(database.writer);
  const options = {
    ...rawFilesDefaults,
    place: new FolderRawPlace("/nowhere", nodeFiles),
    removeAfterMs: 0,
  };
  const rawFiles = new CountedFiles(database, options);
  const types = await TypeIds.load(database.writer);
  checkpointer = new Checkpointer(database, staged, types, rawFiles, () => 0);
});
afterEach(() => database.close());

/** One record of the worker's partition, which holds one event of each type. */
function partOf(worker: number, eventTypes: string[]): CheckpointPart {
  return {
    sequence: 0,
    worker,
    offsets: [{ partition: worker, from: 0, next: 1 }],
    raw: [],
    rawRows: 0,
    counts: [],
    countRows: 0,
    types: eventTypes.map((name, index) => ({
      index,
      name,
      total: 1,
      firstSeen: 1000 + worker,
      lastSeen: 2000 + worker,
    })),
    seen: [],
    open: { minutes: [], partitions: [worker], typeNames: new Map() },
  };
}

test("new event types of workers that commit at once get an id each, and one only", async () => {
  const parts = [
    partOf(0, ["both", "first"]),
    partOf(1, ["second", "both"]),
    partOf(2, ["third"]),
    partOf(3, ["both", "third"]),
  ];
  await Promise.all(parts.map((part) => checkpointer.commit(part)));
  const rows = await rowsOf(database.writer, "FROM event_types ORDER BY event_type");
  const totals = rows.map((row) => [row["event_type"], Number(row["total"])]);
  expect(totals).toEqual([
    ["both", 3],
    ["first", 1],
    ["second", 1],
    ["third", 2],
  ]);
  expect(new Set(rows.map((row) => row["type_id"])).size).toBe(rows.length);
});

test("a part that fails keeps no other from being committed, and is not half there", async () => {
  const stale = partOf(0, ["lost"]);
  stale.offsets[0]!.from = 7;
  const results = await Promise.allSettled(
    [stale, partOf(1, ["kept"])].map((part) => checkpointer.commit(part)),
  );
  expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  const rows = await rowsOf(database.writer, "SELECT event_type FROM event_types");
  expect(rows.map((row) => row["event_type"])).toEqual(["kept"]);
  await checkpointer.commit(partOf(0, ["kept", "more"]));
  const ids = await rowsOf(database.writer, "SELECT DISTINCT type_id FROM event_types");
  expect(ids.length).toBe(2);
});

test("a part that is tried again registers the file it wrote, and writes no other", async () => {
  const part = partOf(0, ["t"]);
  part.raw = [new ArrayBuffer(256)];
  part.rawRows = 40_000;
  await database.writer.run("ALTER TABLE raw_files RENAME TO gone");
  for (let i = 0; i < 3; i++) {
    await expect(checkpointer.commit(part)).rejects.toThrow(/raw_files/);
  }
  await database.writer.run("ALTER TABLE gone RENAME TO raw_files");
  await checkpointer.commit(part);
  expect(filesWritten).toBe(1);
  const rows = await rowsOf(database.writer, "SELECT path FROM raw_files");
  expect(rows).toEqual([{ path: "raw/1.parquet" }]);
});
