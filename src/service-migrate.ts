/** Carries a data folder that no service runs on into a lake. */
import { existsSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import type { Config } from "./config.ts";
import { lakePlace } from "./config-lake.ts";
import { RankstreamError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import { type CheckedLog, checkLog } from "./log/check-log.ts";
import { restoreFolderName } from "./model-backup.ts";
import type { LakePlace } from "./model-lake.ts";
import { openKafka } from "./service-log.ts";
import { packageVersion } from "./service-storage.ts";
import type { StoreFacts } from "./store/carry-source.ts";
import {
  type Carried,
  type CarryHooks,
  type CarryOptions,
  carryStore,
  isCarriedWhole,
  type MeasuredStore,
  measureStore,
} from "./store/carry-store.ts";
import type { CarriedLog } from "./store/carry-tables.ts";
import { silentLogger } from "./telemetry.ts";

/** One thing that was compared after the migration. */
export interface MigrationCheck {
  name: "tables" | "raw files" | "counts";
  status: "ok" | "fail";
  message: string;
}

/** What was carried, or would be; times are ISO 8601. */
export interface MigrationReport {
  /** Whether all is in the lake as it is in the folder; null: nothing was carried now. */
  ok: boolean | null;
  isDryRun: boolean;
  folder: string;
  /** `kept`: the lake goes on with the log that the store has; `new`: with another. */
  log: "kept" | "new";
  /** Whether an earlier run had begun. */
  isResumed: boolean;
  /** When an earlier run carried it; null: none did. */
  finishedAt: string | null;
  eventTypes: number;
  /** Of all weights. */
  total: number;
  /** Raw events, and files of them with their bytes, as they are in the folder. */
  events: number;
  rawFiles: number;
  rawBytes: number;
  /** Rows of windows and of what is in none yet. */
  countRows: number;
  labels: number;
  checks: MigrationCheck[];
}

const faultsShownMax = 20;
/** An embedded log's name; Kafka's is cluster/topic. */
const embeddedId = /^[0-9a-f-]{36}$/;

function refused(detail: string): RankstreamError {
  return new RankstreamError("migration_refused", detail);
}

/** What a lake's files may not be mixed with: a start on the folder removes what isn't its own. */
function checkApart(folder: string, { dataPath, s3 }: LakePlace): void {
  if (s3 !== null) return;
  const [own, other] = [`${resolve(folder)}${sep}`, `${resolve(dataPath)}${sep}`];
  if (!other.startsWith(own) && !own.startsWith(other)) return;
  throw refused(`--data: expected a folder apart from the data folder ${own}, got ${dataPath}`);
}

/** Where the embedded log has events that are not counted yet, in words. */
function uncounted({ end }: CheckedLog, { offsets }: StoreFacts): string[] {
  return end.flatMap((next, partition) => {
    const counted = offsets[partition] ?? 0;
    return next === counted
      ? []
      : [`partition ${partition} is counted up to ${counted}, its log ends at ${next}`];
  });
}

async function checkCounted(folder: string, facts: StoreFacts): Promise<void> {
  const log = await checkLog(nodeFiles, join(folder, "log"), () => undefined);
  if (log === null || log.id !== facts.logId) {
    const found = log === null ? "there is none" : `it is ${log.id}`;
    throw refused(`${join(folder, "log")}: expected log ${facts.logId}, ${found}`);
  }
  const left = uncounted(log, facts);
  if (left.length === 0) return;
  const again = "start the service on it once with --store local, and stop it";
  throw refused(`${folder}: not all events are counted (${left.join(", ")}): ${again}`);
}

/** The log of the configuration, as the lake will count it. */
async function logOf(config: Config, isDryRun: boolean, facts: StoreFacts): Promise<CarriedLog> {
  const isEmbedded = embeddedId.test(facts.logId);
  if (config.log === "embedded") {
    if (isEmbedded) return { kind: "same" };
    throw refused(
      `the store counts ${facts.logId}, in Kafka: expected --log kafka with its ` +
        "--kafka-brokers and --kafka-topic, got --log embedded",
    );
  }
  if (isEmbedded) await checkCounted(config.dataDir, facts);
  // Opened, it would be made where it is missing.
  if (isEmbedded && isDryRun) return { kind: "other", logId: config.kafkaTopic, beginOffsets: [] };
  const log = await openKafka(config, silentLogger);
  try {
    if (log.id === facts.logId) return { kind: "same" };
    if (isEmbedded) return { kind: "other", logId: log.id, beginOffsets: log.beginOffsets() };
    throw refused(
      `the store counts ${facts.logId}, the topic given is ${log.id}: name the store's own ` +
        "with --kafka-brokers and --kafka-topic",
    );
  } finally {
    await log.close();
  }
}

function optionsOf(config: Config, isDryRun: boolean, hooks: CarryHooks): CarryOptions {
  const place = lakePlace(config);
  if (place === null) throw refused("expected --store ducklake:…, got local");
  const { dataDir: folder, storeMemoryBytesMax: memoryBytesMax } = config;
  if (existsSync(join(folder, restoreFolderName))) {
    const detail = `the data folder ${resolve(folder)} holds a restore that is not finished`;
    throw new RankstreamError("data_folder_incomplete", detail);
  }
  checkApart(folder, place);
  const program = packageVersion();
  const look = (facts: StoreFacts) => logOf(config, isDryRun, facts);
  return { folder: resolve(folder), place, program, memoryBytesMax, logOf: look, ...hooks };
}

function check(
  name: MigrationCheck["name"],
  faults: readonly string[],
  message: string,
): MigrationCheck {
  if (faults.length === 0) return { name, status: "ok", message };
  const more = faults.length - faultsShownMax;
  const rest = more > 0 ? `; and ${more} more` : "";
  const shown = faults.slice(0, faultsShownMax).join("; ");
  return { name, status: "fail", message: `${shown}${rest}` };
}

function checksOf({ files, tables, manifest, recount }: Carried): MigrationCheck[] {
  const rows = Object.values(tables.rows).reduce((sum, own) => sum + own, 0);
  const { events, total, windows, differences, examples } = recount;
  const counts = differences === 0 ? [] : [`${differences} differences`, ...examples];
  const tableCount = Object.keys(tables.rows).length;
  return [
    check("tables", tables.faults, `${rows} rows of ${tableCount} tables, as the store has them`),
    check("raw files", manifest, `${files.length} files, each read back`),
    check(
      "counts",
      counts,
      `${events} events of weight ${total}, as ${windows} windows have them`,
    ),
  ];
}

function reportOf(
  { facts, begun, log }: MeasuredStore,
  carried: Carried | null,
  { folder }: CarryOptions,
): Omit<MigrationReport, "isDryRun"> {
  const { eventTypes, total, rawFiles, rawBytes, countRows, labels } = facts;
  return {
    ok: carried === null ? null : isCarriedWhole(carried),
    folder,
    log: log.kind === "same" ? "kept" : "new",
    isResumed: begun.state === "resumed",
    finishedAt: begun.state === "finished" ? new Date(begun.finishedAt).toISOString() : null,
    ...{ eventTypes, total, events: facts.rawRows + facts.recentRows, rawFiles, rawBytes },
    ...{ countRows, labels },
    checks: carried === null ? [] : checksOf(carried),
  };
}

/**
 * Carries the data folder into the lake that the options name, or, with `isDryRun`, says what
 * that would be. Throws as `carryStore` does, `data_folder_incomplete`, and what opening the
 * topic throws.
 */
export async function migrateFolder(
  config: Config,
  isDryRun: boolean,
  hooks: CarryHooks,
): Promise<MigrationReport> {
  const options = optionsOf(config, isDryRun, hooks);
  if (isDryRun) return { isDryRun, ...reportOf(await measureStore(options), null, options) };
  const { carried, ...measured } = await carryStore(options);
  return { isDryRun, ...reportOf(measured, carried, options) };
}
