// Partitions that pass from one reader to another: what the next one is told, and that the part
// of a former one is refused whole once another has counted.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { adopt } from "../../src/store/adopt.ts";
import { Checkpointer, StaleOffsetError, TypeIds } from "../../src/store/checkpoint.ts";
import { rowsOf } from "../../src/store/database.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { StagedTables } from "../../src/store/staged.ts";
import type { Adoption, CheckpointPart, OffsetRange, SeenChanges } from "../../src/store/store.ts";

let database: LocalDatabase;
let checkpointer: Checkpointer;

beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 4, seed: "0".repeat(16) };
  const options = {
    ...rawFilesDefaults,
    place: new FolderRawPlace("/nowhere", nodeFiles),
    removeAfterMs: 0,
  };
  await database.write((connection) =>
    prepareSchema(connection, { ...identity, beginOffsets: [7, 0, 0, 0] }),
  );
  const staged = new StagedTables();
  staged.register(database.writer);
  const files = new RawFiles(database, options);
  const types = await TypeIds.load(database.writer);
  checkpointer = new Checkpointer(database, staged, types, files, () => 0);
});
afterEach(() => database.close());

const take = (adoption: Adoption) => database.write((connection) => adopt(connection, adoption));

function part(worker: number, offsets: OffsetRange[], key?: string): CheckpointPart {
  const rows = [
    { ordinal: 1, key: key!, producer: null, digest: null, receivedAt: 5, partitionCount: 4 },
  ];
  const seen: SeenChanges = {
    partition: offsets[0]!.partition,
    newestReceivedAt: 5,
    rows,
    runs: [],
    producers: [],
    drops: [],
    ordinalBelow: 0,
    expireBefore: 0,
  };
  return {
    sequence: 0,
    worker,
    offsets,
    raw: [],
    rawRows: 0,
    counts: [],
    countRows: 0,
    types: [{ index: 0, name: `of ${worker}`, total: 1, firstSeen: 1, lastSeen: 2 }],
    seen: key === undefined ? [] : [seen],
    open: { minutes: [], partitions: [worker], typeNames: new Map() },
  };
}

describe("who takes over partitions", () => {
  it("is told where they are, what was counted, and which types are known", async () => {
    const first = await take({ worker: 0, partitions: [0, 1], partitionCount: 4 });
    expect(first.starts).toEqual([
      { partition: 0, offset: 7, tail: null },
      { partition: 1, offset: 0, tail: null },
    ]);
    expect(first).toMatchObject({ offsets: [7, 0, 0, 0], counts: [4], types: [] });
    const moved = { partition: 1, from: 0, next: 3, tail: "9:12" };
    await checkpointer.commit(part(0, [moved], "key"));
    const second = await take({ worker: 1, partitions: [1, 2], partitionCount: 4 });
    expect(second.starts).toEqual([
      { partition: 1, offset: 3, tail: "9:12" },
      { partition: 2, offset: 0, tail: null },
    ]);
    expect(second.types).toEqual(["of 0"]);
    expect(
      second.seen.map(({ partition, rows }) => [partition, rows.map(({ key }) => key)]),
    ).toEqual([
      [1, ["key"]],
      [2, []],
    ]);
  });

  it("counts alone: a former reader's part changes nothing, nor of what it keeps", async () => {
    await take({ worker: 0, partitions: [0, 1], partitionCount: 4 });
    await take({ worker: 1, partitions: [1], partitionCount: 4 });
    await checkpointer.commit(part(1, [{ partition: 1, from: 0, next: 2 }]));
    const late = part(0, [
      { partition: 0, from: 7, next: 9 },
      { partition: 1, from: 0, next: 5 },
    ]);
    await expect(checkpointer.commit(late)).rejects.toThrow(StaleOffsetError);
    const rows = await rowsOf(database.writer, "FROM log_offsets ORDER BY partition");
    expect(rows.map((row) => Number(row["next_offset"]))).toEqual([7, 2, 0, 0]);
    const types = await rowsOf(database.writer, "SELECT event_type FROM event_types");
    expect(types.map((row) => row["event_type"])).toEqual(["of 1"]);
    await checkpointer.commit(part(0, [{ partition: 0, from: 7, next: 9 }]));
  });

  it("finds added partitions from their beginning, and every number there ever was", async () => {
    await take({ worker: 0, partitions: [0], partitionCount: 4 });
    const grown = await take({ worker: 0, partitions: [5], partitionCount: 8 });
    expect(grown.starts).toEqual([{ partition: 5, offset: 0, tail: null }]);
    expect(grown.counts).toEqual([4, 8]);
    const behind = await take({ worker: 1, partitions: [1], partitionCount: 4 });
    expect(behind.offsets.length).toBe(8);
    expect(behind.counts).toEqual([4, 8]);
    await checkpointer.commit(part(0, [{ partition: 5, from: 0, next: 1 }]));
  });
});
