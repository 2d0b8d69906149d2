/**
 * Checkpoints into a lake that other processes write too. Each commits where its fence is as it
 * was when this process last looked (lake-partitions.ts): a worker that has lost a partition
 * commits nothing of it, also after it was stopped for long; and where events were deleted or
 * users erased meanwhile, the part is committed anew with what is known of these. All else is
 * added only, so that nobody's checkpoint stands in another's way. Where the answer to a COMMIT
 * was lost, it is looked on the next try whether it was one.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { failPoint } from "../fail-point.ts";
import { SerialQueue } from "../serial-queue.ts";
import type { Touched } from "./changes.ts";
import { type Committer, fileOfPart, StaleOffsetError, type WrittenParts } from "./checkpoint.ts";
import { newestMinuteOf } from "./contents.ts";
import { rowsOf } from "./database.ts";
import type { ErasedArrivals } from "./erased-arrivals.ts";
import { erasedSql } from "./erasure-sql.ts";
import type { LakeDatabase } from "./lake-database.ts";
import { lakeName } from "./lake-mirror.ts";
import {
  addLakePartitions,
  type Fence,
  type Holder,
  lakePartitionCount,
  noteReached,
  passFence,
  type Reached,
  readFences,
  readHolders,
  readReached,
  takeOver,
} from "./lake-partitions.ts";
import { LakeSeen, readLakeSeen } from "./lake-seen.ts";
import { addTypeParts, LakeTypeIds } from "./lake-types.ts";
import { noteCount, writePartitionCount } from "./partition-counts.ts";
import type { RawFile } from "./raw-file.ts";
import type { RawFiles } from "./raw-files.ts";
import type { StagedTables } from "./staged.ts";
import type { Adopted, Adoption, CheckpointPart, OffsetRange } from "./store.ts";

/** Events were deleted, users erased or partitions taken over since this process looked. */
class FenceClosed extends Error {}
/** A COMMIT that seemed to fail before was one. */
class AlreadyCommitted extends Error {}

/** As Adoption; without a worker any of this process's counts the partitions. */
export type LakeAdoption = Omit<Adoption, "worker"> & { worker: number | null };

/** Who counts a partition here, and how far it is by what this process has committed. */
interface Holding extends Holder {
  /** The worker; null: any of this process. */
  worker: number | null;
  next: number;
  newestReceivedAt: number;
  /** Whether another process has it now. */
  isLost: boolean;
}

/** A part is tried so often with what others have changed meanwhile. */
const looksMax = 20;
/** Partitions are taken over again after so many conflicts, then it is looked whose they are. */
const takeConflictsMax = 5;
/** Of the connection that writes files. */
const erasedCopy = "erased_users_copy";
const copyErasedUsers = `CREATE OR REPLACE TEMP TABLE ${erasedCopy} AS
  FROM ${lakeName}.erased_users`;

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
  /** Of the slots of these, as they were when this process looked. */
  readonly #fences = new Map<number, Fence>();
  readonly #seen = new LakeSeen();
  /** A part that failed is tried again: with the file that holds its events already. */
  readonly #written: WrittenParts = new WeakMap();
  /** Parts whose COMMIT was tried; one of these that are tried again may be committed. */
  readonly #tried = new WeakSet<CheckpointPart>();
  readonly #queue = new SerialQueue();
  #isKnown = false;

  constructor(deps: LakeCheckpointerDeps) {
    this.#deps = deps;
    this.#types = new LakeTypeIds(deps.database.catalog);
  }

  commit(part: CheckpointPart): Promise<Touched[]> {
    return this.#queue.run(() => this.#commit(part));
  }

  alone<T>(work: (types: { remove(name: string): void }) => Promise<T>): Promise<T> {
    // What it changes fences the checkpoints of all processes, and these look again then.
    const { database } = this.#deps;
    return this.#queue.run(() => database.alone(() => work({ remove: () => undefined })));
  }

  /** Of a lake the deltas always answer for open minutes. */
  closeOpen(): void {}

  /**
   * Takes partitions over for a worker; null: for any of this process. From now on nobody else
   * commits anything of them. Rejects where somebody else goes on committing to them: the worker
   * is to look whether they are still its own, instead of leaving those that are.
   */
  adopt(adoption: LakeAdoption): Promise<Adopted> {
    return this.#queue.run(() => this.#adopt(adoption));
  }

  async #adopt({ worker, partitions, partitionCount }: LakeAdoption): Promise<Adopted> {
    const { database } = this.#deps;
    // A transaction of little: one that takes longer than others' commits loses to each of them.
    const take = async (connection: DuckDBConnection) => {
      const known = await lakePartitionCount(connection);
      if (partitionCount > known) {
        await addLakePartitions(connection, known, partitionCount, []);
        await writePartitionCount(connection, partitionCount);
      }
      const counts = await noteCount(connection, partitionCount);
      const own = new Map([...this.#holdings].filter(([, { isLost }]) => !isLost));
      return { taken: await takeOver(connection, partitions, own), counts };
    };
    const { taken, counts } = await database.write(take, undefined, takeConflictsMax);
    // Of these nobody commits any more, save who takes them over next.
    const { reached, ...adopted } = await database.write(async (connection) => {
      const all = await readReached(connection);
      const reached = all.filter(({ partition }) => taken.has(partition));
      const seen = [];
      for (const { partition, newestReceivedAt } of reached) {
        seen.push({ partition, ...(await readLakeSeen(connection, partition)), newestReceivedAt });
      }
      const types = await rowsOf(
        connection,
        "SELECT event_type FROM event_types ORDER BY type_id",
      );
      const names = types.map((row) => String(row["event_type"]));
      const offsets = all.map(({ next }) => next);
      const newestMinute = await newestMinuteOf(connection);
      return { reached, counts, seen, types: names, offsets, newestMinute };
    });
    for (const { partition, next, newestReceivedAt } of reached) {
      const held = { worker, next, newestReceivedAt, isLost: false };
      this.#holdings.set(partition, { ...taken.get(partition)!, ...held });
    }
    // What is known of types and erasures may be of before.
    this.#isKnown = false;
    const starts = reached.map(({ partition, next, tail }) => ({
      partition,
      offset: next,
      tail,
    }));
    return { ...adopted, starts };
  }

  async #commit(part: CheckpointPart): Promise<Touched[]> {
    for (let tries = 1; ; tries++) {
      try {
        if (!this.#isKnown) await this.#learn();
        await this.#tryCommit(part);
        this.#advance(part);
        // Whoever follows the lake, this process among them, finds what it touched there.
        return [];
      } catch (error) {
        if (error instanceof AlreadyCommitted) {
          this.#advance(part);
          return [];
        }
        if (!(error instanceof FenceClosed) || tries >= looksMax) throw error;
        this.#isKnown = false;
      }
    }
  }

  /** Reads what others change, with the fences that it is of. */
  async #learn(): Promise<void> {
    const { database, arrivals } = this.#deps;
    await database.write(async (connection) => {
      await this.#types.reload(connection);
      await arrivals.reload(connection);
      const holders = await readHolders(connection);
      const own = [...this.#holdings].filter(([, { isLost }]) => !isLost);
      for (const [partition, holding] of own) {
        holding.isLost = holders.get(partition)?.epoch !== holding.epoch;
      }
      const slots = own.filter(([, { isLost }]) => !isLost).map(([, { slot }]) => slot);
      this.#fences.clear();
      for (const fence of await readFences(connection, slots)) {
        this.#fences.set(fence.slot, fence);
      }
    });
    this.#isKnown = true;
  }

  /** `part` is committed. */
  #advance(part: CheckpointPart): void {
    for (const { partition, next, newestReceivedAt } of this.#reachedBy(part)) {
      Object.assign(this.#holdings.get(partition)!, { next, newestReceivedAt });
    }
  }

  /** How far its partitions are with this part. */
  #reachedBy({ offsets, seen }: CheckpointPart): Reached[] {
    return offsets.map(({ partition, next, tail = null }) => {
      const received = seen.find((one) => one.partition === partition)?.newestReceivedAt ?? 0;
      const before = this.#holdings.get(partition)!.newestReceivedAt;
      return { partition, next, tail, newestReceivedAt: Math.max(before, received) };
    });
  }

  async #tryCommit(part: CheckpointPart): Promise<void> {
    const { database, staged, rawFiles, arrivals } = this.#deps;
    const fences = this.#fencesOf(part);
    await this.#types.learn(part.types.map(({ name }) => name));
    const idOf = (name: string) => this.#types.idOf(name);
    const indexMax = part.types.reduce((max, { index }) => Math.max(max, index), -1);
    const typeIds = new Uint32Array(indexMax + 1);
    for (const { index, name } of part.types) typeIds[index] = idOf(name);
    const token = staged.stage({ raw: part.raw, counts: part.counts, typeIds });
    const stagedEvents = `staged_events(${token})`;
    const events = arrivals.sourceOf(part.raw, stagedEvents);
    let file: RawFile | null = null;
    const writeFile = async (connection: DuckDBConnection) => {
      if (part.rawRows < lakeFileRowsMin) return;
      const { erasures } = arrivals;
      // A statement of the lake as well would be bound anew as it starts, by this thread, which
      // then waits for itself to tell of staged events.
      let source = stagedEvents;
      if (events !== stagedEvents) {
        await connection.run(copyErasedUsers);
        source = erasedSql(stagedEvents, "true", erasedCopy);
      }
      const writing = { part, events: source, erasures, rowsMin: lakeFileRowsMin };
      file = await fileOfPart(connection, rawFiles, this.#written, writing);
    };
    try {
      await database.write(async (connection) => {
        await this.#pass(connection, part, fences);
        await noteReached(connection, this.#reachedBy(part));
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
        for (const changes of part.seen) await this.#seen.write(connection, changes);
        failPoint("store.before_commit");
        this.#tried.add(part);
      }, writeFile);
      failPoint("store.after_commit");
    } finally {
      staged.release(token);
    }
  }

  /** The fences of its partitions. Throws StaleOffsetError where one is not its worker's. */
  #fencesOf(part: CheckpointPart): Fence[] {
    const slots = new Set<number>();
    for (const { partition, from } of part.offsets) {
      const stale = (why: string) => new StaleOffsetError(`partition ${partition} ${why}`);
      const holding = this.#holdings.get(partition);
      if (holding === undefined || (holding.worker ?? part.worker) !== part.worker) {
        throw stale(`is not counted by worker ${part.worker} any more`);
      }
      if (holding.isLost) throw stale("was taken over by another worker");
      if (holding.next !== from) throw stale(`is not at offset ${from} any more`);
      slots.add(holding.slot);
    }
    return [...slots].map((slot) => this.#fences.get(slot)!);
  }

  /** Has the transaction commit only where nobody came between, and the part isn't in yet. */
  async #pass(connection: DuckDBConnection, part: CheckpointPart, fences: readonly Fence[]) {
    for (const fence of fences) {
      if (!(await passFence(connection, fence))) throw new FenceClosed(`slot ${fence.slot}`);
    }
    if (!this.#tried.has(part)) return;
    // With its fence nobody else has moved it, and what was read there is told by its tail.
    const there = new Map((await readReached(connection)).map((one) => [one.partition, one]));
    const isThere = ({ partition, next, tail = null }: OffsetRange) =>
      there.get(partition)!.next === next && there.get(partition)!.tail === tail;
    if (part.offsets.every(isThere)) throw new AlreadyCommitted();
  }
}

/**
 * A checkpoint of so many events goes straight to a Parquet file: fewer are a few rows in
 * PostgreSQL or an object of DuckLake's.
 */
const lakeFileRowsMin = 1000;
