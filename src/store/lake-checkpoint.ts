/**
 * Checkpoints into a lake that other processes write too. Each partition's offset moves by
 * compare-and-set on offset, epoch and generation (lake-partitions.ts): a worker that has lost a
 * partition commits nothing of it, also after it was stopped for long; and where events were
 * deleted or users erased meanwhile, the part is committed anew with what is known of these.
 * All else is added only, so that nobody's checkpoint stands in another's way. Where the answer
 * to a COMMIT was lost, the partition's row says on the next try whether it was one.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { failPoint } from "../fail-point.ts";
import type { Touched } from "./changes.ts";
import { type Committer, fileOfPart, StaleOffsetError, type WrittenParts } from "./checkpoint.ts";
import { newestMinuteOf } from "./contents.ts";
import { rowsOf } from "./database.ts";
import type { ErasedArrivals } from "./erased-arrivals.ts";
import type { LakeDatabase } from "./lake-database.ts";
import {
  addLakePartitions,
  type Expected,
  lakePartitionCount,
  moveOffset,
  noteReached,
  type PartitionRow,
  readPartition,
  readReached,
  takeOver,
} from "./lake-partitions.ts";
import { readLakeSeen, writeLakeSeen } from "./lake-seen.ts";
import { addTypeParts, LakeTypeIds } from "./lake-types.ts";
import { noteCount, writePartitionCount } from "./partition-counts.ts";
import type { RawFile } from "./raw-file.ts";
import type { RawFiles } from "./raw-files.ts";
import type { StagedTables } from "./staged.ts";
import type { Adopted, Adoption, CheckpointPart, OffsetRange } from "./store.ts";

/** Events were deleted or users erased since this process looked. */
class GenerationChanged extends Error {}
/** A COMMIT that seemed to fail before was one. */
class AlreadyCommitted extends Error {}

/** As Adoption; without a worker any of this process's counts the partitions. */
export type LakeAdoption = Omit<Adoption, "worker"> & { worker: number | null };

/** Who counts a partition here. */
interface Holding extends Expected {
  /** The worker; null: any of this process. */
  worker: number | null;
}

/** A part is tried so often with what others have changed meanwhile. */
const generationsMax = 20;
/** Partitions are taken over again after so many conflicts, then it is looked whose they are. */
const takeConflictsMax = 2;

export interface LakeCheckpointerDeps {
  database: LakeDatabase;
  staged: StagedTables;
  rawFiles: RawFiles;
  arrivals: ErasedArrivals;
}

export class LakeCheckpointer implements Committer {
  readonly #deps: LakeCheckpointerDeps;
  readonly #types: LakeTypeIds;
  readonly #holdings = new Map<number, Holding>();
  /** A part that failed is tried again: with the file that holds its events already. */
  readonly #written: WrittenParts = new WeakMap();
  /** Parts whose COMMIT was tried; one of these that are tried again may be committed. */
  readonly #tried = new WeakSet<CheckpointPart>();
  #last: Promise<unknown> = Promise.resolve();
  #isKnown = false;

  constructor(deps: LakeCheckpointerDeps) {
    this.#deps = deps;
    this.#types = new LakeTypeIds(deps.database.catalog);
  }

  commit(part: CheckpointPart): Promise<Touched[]> {
    return this.#inTurn(() => this.#commit(part));
  }

  alone<T>(work: (types: { remove(name: string): void }) => Promise<T>): Promise<T> {
    // What it changes fences the checkpoints of all processes, and these look again then.
    const { database } = this.#deps;
    return this.#inTurn(() => database.alone(() => work({ remove: () => undefined })));
  }

  /** Of a lake the deltas always answer for open minutes. */
  closeOpen(): void {}

  /**
   * Takes partitions over for a worker; null: for any of this process. From now on nobody else
   * commits anything of them. Rejects where somebody else goes on committing to them: the worker
   * is to look whether they are still its own, instead of leaving those that are.
   */
  async adopt({ worker, partitions, partitionCount }: LakeAdoption): Promise<Adopted> {
    const { database } = this.#deps;
    // A transaction of little: one that takes longer than others' commits loses to each of them.
    const take = async (connection: DuckDBConnection) => {
      const known = await lakePartitionCount(connection);
      if (partitionCount > known) {
        await addLakePartitions(connection, known, partitionCount, []);
        await writePartitionCount(connection, partitionCount);
      }
      const counts = await noteCount(connection, partitionCount);
      const taken = new Map<number, PartitionRow>();
      for (const partition of partitions) {
        taken.set(partition, await takeOver(connection, partition));
      }
      return { taken, counts };
    };
    const { taken, counts } = await database.write(take, undefined, takeConflictsMax);
    // Of these nobody commits any more, save who takes them over next.
    const adopted = await database.write(async (connection) => {
      const seen = [];
      for (const [partition, { newestReceivedAt }] of taken) {
        seen.push({ partition, ...(await readLakeSeen(connection, partition)), newestReceivedAt });
      }
      const types = await rowsOf(
        connection,
        "SELECT event_type FROM event_types ORDER BY type_id",
      );
      const names = types.map((row) => String(row["event_type"]));
      const offsets = await readReached(connection);
      const newestMinute = await newestMinuteOf(connection);
      return { counts, seen, types: names, offsets, newestMinute };
    });
    for (const [partition, { epoch, generation }] of taken) {
      this.#holdings.set(partition, { worker, epoch, generation });
    }
    // What is known of types and erasures may be of a generation before these.
    this.#isKnown = false;
    const starts = [...taken].map(([partition, { nextOffset, tail }]) => ({
      partition,
      offset: nextOffset,
      tail,
    }));
    return { ...adopted, starts };
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#last.then(run, run);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(part: CheckpointPart): Promise<Touched[]> {
    for (let tries = 1; ; tries++) {
      try {
        if (!this.#isKnown) await this.#learn(part);
        await this.#tryCommit(part);
        // Whoever follows the lake, this process among them, finds what it touched there.
        return [];
      } catch (error) {
        if (error instanceof AlreadyCommitted) return [];
        if (!(error instanceof GenerationChanged) || tries >= generationsMax) throw error;
        this.#isKnown = false;
      }
    }
  }

  /** Reads what deletes and erasures change, with the generation that it is of. */
  async #learn({ offsets }: CheckpointPart): Promise<void> {
    const { database, arrivals } = this.#deps;
    await database.write(async (connection) => {
      await this.#types.reload(connection);
      await arrivals.reload(connection);
      for (const { partition } of offsets) {
        const holding = this.#holdings.get(partition);
        if (holding === undefined) continue;
        const { generation } = await readPartition(connection, partition);
        this.#holdings.set(partition, { ...holding, generation });
      }
    });
    this.#isKnown = true;
  }

  async #tryCommit(part: CheckpointPart): Promise<void> {
    const { database, staged, rawFiles, arrivals } = this.#deps;
    await this.#types.learn(part.types.map(({ name }) => name));
    const idOf = (name: string) => this.#types.idOf(name);
    const indexMax = part.types.reduce((max, { index }) => Math.max(max, index), -1);
    const typeIds = new Uint32Array(indexMax + 1);
    for (const { index, name } of part.types) typeIds[index] = idOf(name);
    const token = staged.stage({ raw: part.raw, counts: part.counts, typeIds });
    const events = arrivals.sourceOf(part.raw, `staged_events(${token})`);
    let file: RawFile | null = null;
    const writeFile = async (connection: DuckDBConnection) => {
      const writing = { part, events, erasures: arrivals.erasures, rowsMin: lakeFileRowsMin };
      file = await fileOfPart(connection, rawFiles, this.#written, writing);
    };
    try {
      await database.writeCheckpoint(async (connection) => {
        for (const offset of part.offsets) await this.#move(connection, part, offset);
        await noteReached(connection, part.offsets);
        failPoint("store.in_transaction");
        await addTypeParts(connection, part.types, idOf);
        if (file !== null) await rawFiles.register(connection, file);
        else if (part.rawRows > 0) {
          await connection.run(`INSERT INTO raw_recent SELECT * FROM ${events}`);
        }
        if (part.countRows > 0) {
          await connection.run(`INSERT INTO count_deltas
            SELECT minute, type_id, event_id, partition, count FROM staged_counts(${token})`);
        }
        for (const changes of part.seen) await writeLakeSeen(connection, changes);
        failPoint("store.before_commit");
        this.#tried.add(part);
      }, writeFile);
      failPoint("store.after_commit");
    } finally {
      staged.release(token);
    }
  }

  async #move(connection: DuckDBConnection, part: CheckpointPart, offset: OffsetRange) {
    const { partition, from } = offset;
    const stale = (why: string) => new StaleOffsetError(`partition ${partition} ${why}`);
    const holding = this.#holdings.get(partition);
    if (holding === undefined || (holding.worker ?? part.worker) !== part.worker) {
      throw stale(`is not counted by worker ${part.worker} any more`);
    }
    const own = part.seen.find((changes) => changes.partition === partition);
    const received = own?.newestReceivedAt ?? 0;
    if (await moveOffset(connection, offset, holding, received)) return;
    const row = await readPartition(connection, partition);
    if (row.epoch !== holding.epoch) throw stale("was taken over by another worker");
    // With this epoch nobody else moves it, and what was read there is told by its tail.
    const { next, tail = null } = offset;
    const isThere = row.nextOffset === next && row.tail === tail;
    if (this.#tried.has(part) && isThere) throw new AlreadyCommitted();
    if (row.nextOffset !== from) throw stale(`is not at offset ${from} any more`);
    throw new GenerationChanged(`partition ${partition}: generation ${row.generation}`);
  }
}

/**
 * A checkpoint of so many events goes straight to a Parquet file: fewer are a few rows in
 * PostgreSQL or an object of DuckLake's.
 */
const lakeFileRowsMin = 1000;
