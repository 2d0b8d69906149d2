/** Opens what the store's thread is made of, of a store in a file or in a lake. */
import { join } from "node:path";
import { nodeFiles } from "../files.ts";
import type { Logger } from "../telemetry.ts";
import type { OnTouch } from "./changes.ts";
import { Checkpointer, type Committer, TypeIds } from "./checkpoint.ts";
import type { Claims } from "./claimed.ts";
import type { Database } from "./database.ts";
import type { ErasedArrivals } from "./erased-arrivals.ts";
import { FolderRawPlace } from "./folder-raw-place.ts";
import { LakeCheckpointer } from "./lake-checkpoint.ts";
import { LakeDatabase } from "./lake-database.ts";
import type { MirrorStep } from "./lake-mirror.ts";
import { removeOrphans } from "./lake-orphans.ts";
import { LakeUpkeep } from "./lake-upkeep.ts";
import { LocalDatabase } from "./local-database.ts";
import { databaseDefaults } from "./open-instance.ts";
import { openRawPlace } from "./open-raw-place.ts";
import { parseSeed, type StoreTask, type StoreThreadData } from "./protocol.ts";
import { RawFiles, rawFilesDefaults } from "./raw-files.ts";
import type { RawPlace } from "./raw-place.ts";
import { ReadLoad } from "./read-load.ts";
import type { FolderIdentity } from "./schema.ts";
import { Sealer, sealDefaults } from "./seal.ts";
import { Sketches } from "./sketches.ts";
import type { StagedTables } from "./staged.ts";

/** What checkpoints are made of and with. */
export interface CommitterParts {
  staged: StagedTables;
  rawFiles: RawFiles;
  sealer: Sealer;
  arrivals: ErasedArrivals;
  onTouch: OnTouch;
}

/** The store's database; `onStep` is told of each step of a lake's mirror. */
export function openDatabase(
  { folder, lake, memoryBytesMax, exactQueueMax, readLoad }: StoreThreadData,
  onStep: (step: MirrorStep) => void,
): Promise<Database> {
  const waitingReadsMax = { ...databaseDefaults.waitingReadsMax, slow: exactQueueMax };
  const options = { ...databaseDefaults, memoryBytesMax, waitingReadsMax };
  const load = new ReadLoad(readLoad);
  if (lake !== null) return LakeDatabase.open(folder, lake, { ...options, onStep }, load);
  return LocalDatabase.open(join(folder, "store.duckdb"), options, load);
}

/** What commits checkpoints. */
export async function openCommitter(
  database: Database,
  { beginOffsets, partitionCount }: FolderIdentity,
  { staged, rawFiles, sealer, arrivals, onTouch }: CommitterParts,
): Promise<Committer> {
  if (!(database instanceof LakeDatabase)) {
    const types = await TypeIds.load(database.writer);
    const sealedBefore = () => sealer.sealedBefore;
    const own = [database, staged, types, rawFiles] as const;
    return new Checkpointer(...own, sealedBefore, onTouch, arrivals);
  }
  const committer = new LakeCheckpointer({ database, staged, rawFiles, arrivals });
  // A log of this process alone: nobody assigns its partitions.
  if (beginOffsets === undefined) {
    const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
    await committer.adopt({ worker: null, partitions, partitionCount });
  }
  return committer;
}

/** Raw events, and what seals windows. */
export async function openContents(
  database: Database,
  data: StoreThreadData,
  { seed, onTask }: { seed: string; onTask: (task: StoreTask, seconds: number) => void },
) {
  const { folder, lake, candidatesMax, exactTimeoutMs, sealQuietMs, sealedSketches } = data;
  const place = lake === null ? new FolderRawPlace(folder, nodeFiles) : await openRawPlace(lake);
  const rawFiles = new RawFiles(database, {
    ...rawFilesDefaults,
    place,
    removeAfterMs: 2 * exactTimeoutMs + 60_000,
  });
  await rawFiles.sweep();
  const sketches = sealedSketches ? await Sketches.create(parseSeed(seed)) : null;
  const sealing = { ...sealDefaults, candidatesMax, quietMs: sealQuietMs };
  return { place, rawFiles, sketches, sealer: new Sealer(database, sealing, sketches, onTask) };
}

/** How a process says to others what it is at; one that answers nothing is at nothing. */
export function claimsOf(lake: LakeDatabase | null, answers: boolean): Claims {
  return {
    claim: async (name) => lake === null || (answers && (await lake.claim(name))),
    release: async (name) => lake?.catalog.release(name),
  };
}

/** What a lake wants done beside its own maintenance; undefined where there is none. */
export function upkeepOf(
  lake: LakeDatabase | null,
  { place, data, logger }: { place: RawPlace; data: StoreThreadData; logger: Logger },
): LakeUpkeep | undefined {
  if (lake === null) return undefined;
  const orphans = {
    column: (sql: string) => lake.column(sql),
    namedOf: (names: readonly string[]) => lake.catalog.files.namedOf(names),
    place,
    data: data.lake!,
  };
  return new LakeUpkeep({
    files: lake.catalog.files,
    removeOrphans: (before) => removeOrphans(orphans, before),
    write: (work) => lake.writeDeferrable(work),
    run: (sql) => lake.upkeep(sql),
    compaction: lake.compaction,
    onFailure: (error, step) => {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ part: "store", step, reason }, "a step of the lake's upkeep comes again");
    },
  });
}
