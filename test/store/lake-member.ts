// One process's worth of a database over a lake, with what commits checkpoints.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { afterAll, beforeAll } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import type { LakePlace } from "../../src/model-lake.ts";
import { rowsOf } from "../../src/store/database.ts";
import { ErasedArrivals } from "../../src/store/erased-arrivals.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LakeCheckpointer } from "../../src/store/lake-checkpoint.ts";
import type { Prepare } from "../../src/store/lake-compaction.ts";
import { LakeDatabase } from "../../src/store/lake-database.ts";
import type { MirrorStep } from "../../src/store/lake-mirror.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { StagedTables } from "../../src/store/staged.ts";
import type { CheckpointPart } from "../../src/store/store.ts";
import { startLake } from "../support/lake.ts";
import { temporaryFolder } from "../support/service.ts";

const partitionCount = 3;

export class Member {
  readonly database: LakeDatabase;
  readonly checkpointer: LakeCheckpointer;
  #sequence = 0;

  private constructor(database: LakeDatabase) {
    this.database = database;
    const staged = new StagedTables();
    staged.register(database.writer);
    const place = new FolderRawPlace(temporaryFolder(), nodeFiles, true);
    const rawFiles = new RawFiles(database, { ...rawFilesDefaults, place, removeAfterMs: 0 });
    const arrivals = new ErasedArrivals();
    this.checkpointer = new LakeCheckpointer({ database, staged, rawFiles, arrivals });
  }

  /** `onStep` is told of each step of its mirror. */
  static async open(
    place: LakePlace,
    onStep: (step: MirrorStep) => void = () => undefined,
  ): Promise<Member> {
    const folder = mkdtempSync(join(temporaryFolder(), "member-"));
    const options = { ...databaseDefaults, onStep };
    const database = await LakeDatabase.open(folder, place, options);
    const identity = { logId: "log", partitionCount, seed: "0".repeat(16), beginOffsets: [] };
    const prepare = () => database.write((connection) => prepareSchema(connection, identity));
    await database.catalog.alone(prepare);
    return new Member(database);
  }

  adopt(worker: number, partitions: number[]) {
    return this.checkpointer.adopt({ worker, partitions, partitionCount });
  }

  /** One record of a partition, which holds one event of each type. */
  commit(worker: number, partition: number, from: number, eventTypes: string[]) {
    return this.checkpointer.commit(this.part(worker, partition, from, eventTypes));
  }

  part(worker: number, partition: number, from: number, eventTypes: string[]): CheckpointPart {
    return {
      sequence: this.#sequence++,
      worker,
      offsets: [{ partition, from, next: from + 1, tail: `tail ${from}` }],
      raw: [],
      rawRows: 0,
      counts: [],
      countRows: 0,
      types: eventTypes.map((name, index) => {
        return { index, name, total: 1, firstSeen: 1000 + from, lastSeen: 2000 + from };
      }),
      seen: [],
      open: { minutes: [], partitions: [partition], typeNames: new Map() },
    };
  }

  async types(): Promise<unknown[][]> {
    const rows = await this.database.read(60_000, (connection) =>
      rowsOf(connection, "FROM event_types ORDER BY event_type"),
    );
    return rows.map((row) => [row["event_type"], Number(row["type_id"]), Number(row["total"])]);
  }
}

/** What a leader's transactions pass, of a process that has no rival. */
export async function lead(connection: DuckDBConnection): Promise<void> {
  await connection.run("UPDATE leadership SET epoch = epoch");
}

/** Runs a statement that compacts, as the leader does. */
export async function compactAsLeader(database: LakeDatabase, sql: string, prepare?: Prepare) {
  database.fenceDeferrable(lead);
  try {
    await database.compaction.run("merge", sql, prepare);
  } finally {
    database.fenceDeferrable(null);
  }
}

/** Two over one lake in a folder, closed after the tests around. */
export function twoMembers(msMax: number): { one: Member; two: Member; place: LakePlace } {
  const members = {} as { one: Member; two: Member; place: LakePlace };
  beforeAll(async () => {
    const place = (await startLake()).placeInFolder();
    members.place = place;
    members.one = await Member.open(place);
    members.two = await Member.open(place);
  }, msMax);
  afterAll(() => Promise.all([members.one?.database.close(), members.two?.database.close()]));
  return members;
}
