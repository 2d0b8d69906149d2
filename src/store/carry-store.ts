/**
 * Carries a store, which no service runs on, into a lake, so that services go on there:
 *
 *   begun     The lake is empty, or holds what an earlier run began. From here on no service
 *             starts on it (carry-record.ts).
 *   raw       Files of raw events, one after another (carry-raw.ts).
 *   tables    The lake's tables, all in one transaction (carry-tables.ts); anew in each run.
 *   checked   Each table against the store's, and all counts against the lake's raw events.
 *   finished  Services may start.
 *
 * Killed at any point it goes on with the next run. The store itself is only read.
 */
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { nodeFiles } from "../files.ts";
import type { LakePlace } from "../model-lake.ts";
import { type CheckedTables, checkManifest, checkTables } from "./carry-check.ts";
import { carryRaw } from "./carry-raw.ts";
import { type Begun, type CarriedFile, CarryRecord, lookAtLake } from "./carry-record.ts";
import {
  checkSource,
  factsOf,
  openSource,
  type SourceOptions,
  type StoreFacts,
} from "./carry-source.ts";
import { type CarriedLog, type CarriedTable, carriedTables, storeName } from "./carry-tables.ts";
import { rowsOf } from "./database.ts";
import { markLake } from "./dialect.ts";
import { FolderRawPlace } from "./folder-raw-place.ts";
import { attachLake } from "./lake-attach.ts";
import { namedLakeError } from "./lake-errors.ts";
import { checkExtensions, extensionsOf, ownDuckdbBuild } from "./lake-extensions.ts";
import { lakeName } from "./lake-mirror.ts";
import { createS3Secret } from "./lake-s3.ts";
import { LakeSession } from "./lake-session.ts";
import { confine } from "./open-instance.ts";
import { openRawPlace } from "./open-raw-place.ts";
import { RawChecks } from "./raw-checks.ts";
import { RawFileWriter, rawFileRow } from "./raw-file.ts";
import { namedS3Error } from "./raw-unreachable.ts";
import { type Recount, Recounter, recountDefaults } from "./recount.ts";
import { prepareSchema } from "./schema.ts";

export interface CarryHooks {
  /** Told how far it is, 0..1, and with what. */
  onProgress(share: number, what: string): void;
  signal: AbortSignal;
}

export interface CarryOptions extends SourceOptions, CarryHooks {
  place: LakePlace;
  /**
   * Called while the store is held: the log that the lake is to go on with. Throws where the
   * store has not counted all of its own.
   */
  logOf(facts: StoreFacts): Promise<CarriedLog>;
}

/** What would be carried. */
export interface MeasuredStore {
  facts: StoreFacts;
  begun: Begun;
  log: CarriedLog;
}

/** What was carried, and what was found when that was held against the store. */
export interface Carried {
  files: CarriedFile[];
  tables: CheckedTables;
  /** What is wrong with the manifest of raw events. */
  manifest: string[];
  recount: Recount;
}

/** Shares of the work, about. */
const rawShare = 0.5;
const tablesShare = 0.7;
const checkedShare = 0.8;
const filesAtOnce = 200;

/** The connections of one run: only one of them is at work at a time. */
class Opened {
  readonly source: DuckDBConnection;
  /** What its statements see is the lake's. */
  readonly lake: DuckDBConnection;
  readonly #place: LakePlace;
  readonly #session: LakeSession;
  #keysEndAt: number | null;

  private constructor(
    source: DuckDBConnection,
    lake: DuckDBConnection,
    place: LakePlace,
    session: LakeSession,
    keysEndAt: number | null,
  ) {
    this.source = source;
    this.lake = lake;
    this.#place = place;
    this.#session = session;
    this.#keysEndAt = keysEndAt;
  }

  static async open(
    instance: DuckDBInstance,
    source: DuckDBConnection,
    { place, folder }: CarryOptions,
  ): Promise<Opened> {
    const session = new LakeSession();
    const { directories, keysEndAt } = await attachLake(source, place, session);
    await confine(source, [folder, ...directories], session.names);
    const lake = await instance.connect();
    await session.apply(lake);
    await lake.run(`USE ${lakeName}`);
    markLake(lake);
    return new Opened(source, lake, place, session, keysEndAt);
  }

  /** To be called between statements: keys of a role end, and the next ones are told. */
  async renew(): Promise<void> {
    if (this.#keysEndAt === null || Date.now() < this.#keysEndAt) return;
    this.#keysEndAt = await createS3Secret(this.source, this.#place, this.#session);
    for (const connection of [this.source, this.lake]) await this.#session.apply(connection);
  }

  interrupt(): void {
    this.source.interrupt();
    this.lake.interrupt();
  }
}

async function inTransaction(connection: DuckDBConnection, work: () => Promise<void>) {
  try {
    await connection.run("BEGIN TRANSACTION");
    await work();
    await connection.run("COMMIT");
  } catch (error) {
    await connection.run("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Where each partition of the lake's log goes on. */
function partitionsOf({ facts, log }: Pick<MeasuredStore, "facts" | "log">): number[] {
  return log.kind === "same" ? facts.offsets : [...log.beginOffsets];
}

/** Leaves nothing of what an earlier run has made of tables. */
async function clearLake(lake: DuckDBConnection): Promise<void> {
  for (const kind of ["view", "table"]) {
    const rows = await rowsOf(
      lake,
      `SELECT ${kind}_name AS name FROM duckdb_${kind}s() WHERE database_name = '${lakeName}'`,
    );
    for (const { name } of rows) await lake.run(`DROP ${kind} ${name}`);
  }
}

/** Makes the lake's tables, empty but for what a new lake has. */
async function makeTables(
  lake: DuckDBConnection,
  { facts, log }: Pick<MeasuredStore, "facts" | "log">,
  program: string,
): Promise<void> {
  const { seed } = facts;
  const logId = log.kind === "same" ? facts.logId : log.logId;
  const beginOffsets = partitionsOf({ facts, log });
  const partitionCount = beginOffsets.length;
  await prepareSchema(lake, { logId, seed, partitionCount, beginOffsets }, program);
  // How far other regions are in, also those that are lost.
  await lake.run(`INSERT INTO meta SELECT key, value FROM ${storeName}.meta
    WHERE starts_with(key, 'region')`);
  if (log.kind === "other") return;
  await lake.run(`INSERT INTO meta SELECT key, value FROM ${storeName}.meta
    WHERE key = 'partitionCounts'`);
}

async function fillTables(
  lake: DuckDBConnection,
  tables: readonly CarriedTable[],
  files: readonly CarriedFile[],
  onProgress: (share: number) => Promise<void>,
): Promise<void> {
  for (const [done, { name, rows, isFilled }] of tables.entries()) {
    await onProgress(done / tables.length);
    if (isFilled === true) await lake.run(`DELETE FROM ${name}`);
    await lake.run(`INSERT INTO ${name} BY NAME ${rows}`);
    if (done === tables.length >> 1) failPoint("carry.in_tables");
  }
  const rows = files.flatMap(({ file }) => (file === null ? [] : [rawFileRow(file)]));
  for (let from = 0; from < rows.length; from += filesAtOnce) {
    const part = rows.slice(from, from + filesAtOnce).join(", ");
    await lake.run(`INSERT INTO raw_files VALUES ${part}`);
  }
}

/** Brings files and tables there, and holds them against the store. */
async function carryAll(
  options: CarryOptions,
  measured: MeasuredStore,
  record: CarryRecord,
  opened: Opened,
): Promise<Carried> {
  const { source, lake } = opened;
  const { folder, place, program, onProgress, signal } = options;
  const target = await openRawPlace(place);
  try {
    const targetChecks = new RawChecks(target);
    const checks = new RawChecks(new FolderRawPlace(folder, nodeFiles));
    const writer = new RawFileWriter(targetChecks);
    const files = await carryRaw(
      { source, checks, writer, place: target, record },
      {
        onProgress: (share) => onProgress(share * rawShare, "raw events"),
        beforeFile: async () => {
          signal.throwIfAborted();
          await opened.renew();
        },
      },
    );
    const tables = carriedTables(measured.log, partitionsOf(measured).length);
    const told = (from: number, to: number, what: string) => async (share: number) => {
      signal.throwIfAborted();
      await opened.renew();
      onProgress(from + (to - from) * share, what);
    };
    await record.putTypes(await typesOf(source));
    await clearLake(lake);
    await inTransaction(lake, () => makeTables(lake, measured, program));
    await inTransaction(lake, async () => {
      await fillTables(lake, tables, files, told(rawShare, tablesShare, "counts"));
      failPoint("carry.before_commit");
    });
    failPoint("carry.after_commit");
    const compared = told(tablesShare, checkedShare, "comparing");
    const checked = await checkTables(lake, tables, compared);
    const manifest = await checkManifest(lake, files);
    const counted = told(checkedShare, 1, "counting anew");
    const counting = { ...recountDefaults, onProgress: counted, signal };
    const recount = await new Recounter(lake, targetChecks, counting).run();
    return { files, tables: checked, manifest, recount };
  } finally {
    await target.close?.();
  }
}

/** Whether everything is in the lake as it is in the store. */
export function isCarriedWhole({ tables, manifest, recount }: Carried): boolean {
  return tables.faults.length + manifest.length + recount.differences === 0;
}

async function typesOf(source: DuckDBConnection) {
  const rows = await rowsOf(source, "SELECT type_id, event_type FROM event_types");
  return rows.map((row) => ({ name: String(row["event_type"]), id: Number(row["type_id"]) }));
}

/** Holds the store, and runs `work` of what it is; a stop ends the statement under way. */
async function withSource<T>(
  options: CarryOptions,
  work: (instance: DuckDBInstance, source: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const { place, signal } = options;
  await checkExtensions(place.extensionDirectory, await ownDuckdbBuild(), extensionsOf(place));
  const instance = await openSource(options);
  try {
    const source = await instance.connect();
    await checkSource(source, options);
    return await work(instance, source);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    instance.closeSync();
  }
}

async function measure(
  source: DuckDBConnection,
  { place, logOf }: CarryOptions,
): Promise<MeasuredStore> {
  const facts = await factsOf(source);
  const log = await logOf(facts);
  return { facts, log, begun: await lookAtLake(place, facts.id) };
}

/** What `carryStore` would carry, where it could; changes nothing. Throws as it does. */
export function measureStore(options: CarryOptions): Promise<MeasuredStore> {
  return withSource(options, (_, source) => measure(source, options));
}

/**
 * Carries the store into the lake; the caller is to look whether it is there whole
 * (`isCarriedWhole`): only then services may start on it. `carried` is null where an earlier run
 * finished it. Throws `migration_refused`, `data_folder_in_use`, `data_folder_newer`,
 * `raw_corrupt`, `extensions_unusable`, `store_failed`, and what aborts the signal: then it goes
 * on with the next call.
 */
export function carryStore(
  options: CarryOptions,
): Promise<MeasuredStore & { carried: Carried | null }> {
  const { place, signal } = options;
  return withSource(options, async (instance, source) => {
    const found = await measure(source, options);
    const record = await CarryRecord.open(place, found.facts.id);
    const measured = { ...found, begun: record.begun };
    try {
      if (record.begun.state === "finished") return { ...measured, carried: null };
      failPoint("carry.after_begin");
      const opened = await Opened.open(instance, source, options);
      const stop = () => opened.interrupt();
      signal.addEventListener("abort", stop, { once: true });
      try {
        const carried = await carryAll(options, measured, record, opened);
        failPoint("carry.before_finish");
        if (isCarriedWhole(carried)) await record.finish();
        return { ...measured, carried };
      } finally {
        signal.removeEventListener("abort", stop);
      }
    } catch (error) {
      throw named(error);
    } finally {
      await record.close();
    }
  });
}

/** What DuckDB says of PostgreSQL, or of the lake's files, as an error of ours. */
function named(given: unknown): unknown {
  const error = namedS3Error(namedLakeError(given));
  if (error instanceof RankstreamError || !(error instanceof Error)) return error;
  return new RankstreamError("store_failed", error.message, { cause: error });
}
