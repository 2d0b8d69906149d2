// How often it is looked whether there is anything to do.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { CoarseWindows, coarseDefaults } from "../../src/store/coarse.ts";
import { Compactor, compactDefaults } from "../../src/store/compact.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { Graves } from "../../src/store/graves.ts";
import { LakeUpkeep } from "../../src/store/lake-upkeep.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { Maintenance } from "../../src/store/maintenance.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { Sealer, sealDefaults } from "../../src/store/seal.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { temporaryFolder } from "../support/service.ts";

const lookMs = 100;
const calls = 10;
const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };

let database: LocalDatabase;
afterEach(() => database.close());

const upkeep = () =>
  new LakeUpkeep({
    write: async () => undefined as never,
    run: async () => undefined,
    compaction: { isAllowed: true, run: async () => [], settle: async () => undefined },
    files: {
      fileCounts: async () => new Map(),
      inlinedTables: async () => new Set(),
      holedFiles: async () => new Map(),
      endEmptyFiles: async () => 0,
      dropDeadRows: async () => 0,
      filesMaybeNumbered: async () => [],
      forgetFirstRows: async () => undefined,
      widenTextBounds: async () => 0,
    },
    removeOrphans: async () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });

async function openMaintenance(options: { upkeep?: LakeUpkeep }) {
  database = await LocalDatabase.open(":memory:");
  await database.write((connection) => prepareSchema(connection, identity));
  const place = new FolderRawPlace(temporaryFolder(), nodeFiles);
  const rawFiles = new RawFiles(database, { ...rawFilesDefaults, place, removeAfterMs: 0 });
  const sealer = new Sealer(database, { ...sealDefaults, candidatesMax: 10, quietMs: 0 }, null);
  const seal = sealer.seal.bind(sealer);
  const looks = vi.spyOn(sealer, "seal").mockImplementation(async (...args) => {
    await sleep(lookMs);
    return seal(...args);
  });
  const compactor = new Compactor(database, compactDefaults);
  const fold = () => Promise.reject(new Error("there is nothing to fold"));
  const coarse = await CoarseWindows.open(
    { database, rawFiles, compactor, fold },
    { ...coarseDefaults, coarsenAfterMs: 0 },
  );
  const maintenance = new Maintenance({
    database,
    sealer,
    rawFiles,
    compactor,
    graves: new Graves(database, compactor, 1),
    coarse,
    lastCommit: () => Number.NEGATIVE_INFINITY,
    logger: silentLogger,
    ...options,
  });
  return { maintenance, looks };
}

async function runOften(maintenance: Maintenance): Promise<void> {
  for (let i = 0; i < calls; i++) await maintenance.run(Date.now());
}

it("A store of its own is looked at each time", async () => {
  const { maintenance, looks } = await openMaintenance({});
  await runOften(maintenance);
  expect(looks).toHaveBeenCalledTimes(calls);
});

it("A lake is left alone for a while after a look that found nothing", async () => {
  const { maintenance, looks } = await openMaintenance({ upkeep: upkeep() });
  // Its upkeep was due, which is something.
  await maintenance.run(Date.now());
  await runOften(maintenance);
  expect(looks).toHaveBeenCalledTimes(2);
  await vi.waitFor(
    async () => {
      await maintenance.run(Date.now());
      expect(looks).toHaveBeenCalledTimes(3);
    },
    { timeout: 10_000, interval: 50 },
  );
});
