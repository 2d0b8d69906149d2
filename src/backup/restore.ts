/**
 * Restores a data folder: all of it or nothing. Everything is made and checked below `.restore/`
 * in the folder itself (which may be a mount of its own) and gets its names last; while
 * `.restore/` is there no service starts on the folder, and the same restore goes on where it was.
 *
 *   .restore/plan.json   which restore it is
 *   .restore/data/…      the folder to be
 *   .restore/named       everything is there, and is being renamed
 */
import { randomUUID } from "node:crypto";
import { open, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { nodeFiles } from "../files.ts";
import { restoreFolderName } from "../model-backup.ts";
import type { ErasedUsers } from "../store/erase-questions.ts";
import { moveStore } from "../store/restored.ts";
import { readErasures } from "./erasure-documents.ts";
import { type BackupFile, openDocument, partBounds, sealDocument, sha256 } from "./manifest.ts";
import { isDamage, type Repository } from "./repository.ts";
import { checkObjects } from "./restore-check.ts";
import type { RestorePlan } from "./restore-plan.ts";
import { LogRestorer, type RestoredLog, readPart } from "./restored-log.ts";

export interface RestoreHooks {
  /** This program's version. */
  program: string;
  /** 0..1, and what is being done. */
  onProgress(share: number, what: string): void;
  signal: AbortSignal;
}

export interface RestoreReport extends RestoredLog {
  folder: string;
  baseId: string;
  /** Epoch ms; null: all there was. */
  to: number | null;
  files: number;
  bytes: number;
}

/** What the restore under way is of. */
interface PlanDocument {
  baseId: string;
  to: number | null;
  /** Of the log that goes on. */
  logId: string;
}

const filePattern =
  /^(store\.duckdb(\.wal)?|raw\/([A-Za-z0-9=_-][A-Za-z0-9=._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*)$/;
/** Left free on the disk. */
const freeBytesMin = 64 * 1024 * 1024;
const planName = "plan.json";
const namedMark = "named";

async function exists(path: string): Promise<boolean> {
  return (await nodeFiles.size(path)) !== null;
}

async function syncNew(path: string, bytes: Uint8Array | string): Promise<void> {
  await writeFile(path, bytes, { flush: true });
  await nodeFiles.syncFolder(dirname(path));
}

export class Restorer {
  readonly #repository: Repository;
  readonly #plan: RestorePlan;
  readonly #folder: string;
  readonly #work: string;
  readonly #hooks: RestoreHooks;
  #doneBytes = 0;
  #allBytes = 1;

  constructor(repository: Repository, plan: RestorePlan, folder: string, hooks: RestoreHooks) {
    this.#repository = repository;
    this.#plan = plan;
    this.#folder = resolve(folder);
    this.#work = join(this.#folder, restoreFolderName);
    this.#hooks = hooks;
  }

  /**
   * Restores. Throws `data_folder_not_empty`, `disk_nearly_full`, `backup_damaged`,
   * `backup_unreachable`: then the folder holds nothing but what the same restore goes on from,
   * and after damage nothing.
   */
  async run(): Promise<RestoreReport> {
    const { base, to } = this.#plan;
    const files = await this.#repository.files(base);
    const isNamed = await exists(join(this.#work, namedMark));
    if (!isNamed) await checkObjects(this.#repository, files);
    const erased = await readErasures(this.#repository);
    const document = await this.#begin();
    const report = { folder: this.#folder, baseId: base.id, to, files: base.files };
    const bytes = base.bytes;
    if (isNamed) {
      const log = await this.#readReport();
      await this.#giveNames();
      return { ...report, bytes, ...log };
    }
    await this.#checkRoom(files);
    const log = await this.#make(files, erased, document.logId).catch(async (error) => {
      // It takes another plan: nothing of this one is gone on with.
      if (isDamage(error)) await rm(this.#work, { recursive: true });
      throw error;
    });
    failPoint("restore.before_names");
    await syncNew(join(this.#work, namedMark), sealDocument(log));
    await this.#giveNames();
    return { ...report, bytes, ...log };
  }

  /** Makes all that is to be in the folder. */
  async #make(
    files: readonly BackupFile[],
    erased: readonly ErasedUsers[],
    logId: string,
  ): Promise<RestoredLog> {
    for (const file of files) await this.#fetch(file);
    const log = await this.#writeLog(logId);
    this.#hooks.onProgress(1, "the store");
    const store = join(this.#work, "data", "store.duckdb");
    // One that an earlier run left is not the base's.
    const isOurs = files.some(({ path }) => path.endsWith(".wal"));
    if (!isOurs) await rm(`${store}.wal`, { force: true });
    const { program } = this.#hooks;
    await moveStore(store, { from: this.#plan.base.log.id, logId, erased, program });
    await this.#syncTree(join(this.#work, "data"));
    return log;
  }

  /** Makes the folder, or finds this same restore in it. */
  async #begin(): Promise<PlanDocument> {
    const { base, to } = this.#plan;
    await nodeFiles.makeFolder(this.#folder);
    const names = (await readdir(this.#folder)).filter((name) => name !== "lost+found");
    const planPath = join(this.#work, planName);
    if (await exists(planPath)) {
      const text = await readFile(planPath, "utf8");
      const found = openDocument(planPath, text) as unknown as PlanDocument;
      if (found.baseId === base.id && found.to === to) return found;
      const wanted = found.to === null ? "latest" : new Date(found.to).toISOString();
      const detail =
        `${this.#folder} holds another restore that was not finished (--to ${wanted} ` +
        `--base ${found.baseId}): finish it, or empty the folder`;
      throw new RankstreamError("data_folder_not_empty", detail);
    }
    const others = names.filter((name) => name !== restoreFolderName);
    if (others.length > 0) {
      const detail = `${this.#folder} holds ${others.slice(0, 3).join(", ")}`;
      throw new RankstreamError("data_folder_not_empty", detail);
    }
    // Over Kafka the log stays what it was.
    const logId = base.log.kind === "embedded" ? randomUUID() : base.log.id;
    const document: PlanDocument = { baseId: base.id, to, logId };
    await nodeFiles.makeFolder(join(this.#work, "data"));
    await syncNew(planPath, sealDocument(document));
    return document;
  }

  async #checkRoom(files: readonly BackupFile[]): Promise<void> {
    const log = this.#plan.parts.reduce((sum, { start, end }) => sum + end - start, 0);
    let needed = log + freeBytesMin;
    for (const { path, bytes } of files) {
      const there = (await nodeFiles.size(join(this.#work, "data", path))) ?? 0;
      needed += Math.max(0, bytes - there);
      this.#allBytes += bytes;
    }
    this.#allBytes += log;
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize >= needed) return;
    const detail = `${this.#folder} has ${bavail * bsize} bytes free, the restore takes ${needed}`;
    throw new RankstreamError("disk_nearly_full", detail);
  }

  #progress(bytes: number, what: string): void {
    this.#hooks.signal.throwIfAborted();
    this.#doneBytes += bytes;
    this.#hooks.onProgress(Math.min(0.99, this.#doneBytes / this.#allBytes), what);
  }

  /** Brings one file, unless an earlier run did. */
  async #fetch(file: BackupFile): Promise<void> {
    if (!filePattern.test(file.path)) {
      throw new RankstreamError("backup_damaged", `unexpected file ${JSON.stringify(file.path)}`);
    }
    const path = join(this.#work, "data", file.path);
    if (await isWhole(path, file)) {
      this.#progress(file.bytes, file.path);
      return;
    }
    await nodeFiles.makeFolder(dirname(path));
    const handle = await open(path, "w");
    try {
      for (const [i, [from, end]] of partBounds(file).entries()) {
        const bytes = await this.#repository.readObject(file.parts[i]!, file.codec);
        if (bytes.length !== end - from) {
          const detail = `${file.path}: a part of ${bytes.length} bytes, ${end - from} expected`;
          throw new RankstreamError("backup_damaged", detail);
        }
        await handle.write(bytes, 0, bytes.length, from);
        this.#progress(bytes.length, file.path);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    failPoint("restore.after_file");
  }

  async #writeLog(logId: string): Promise<RestoredLog> {
    const { base, parts, to } = this.#plan;
    const none = { batches: 0, events: 0, lastReceivedAt: null };
    if (base.log.kind !== "embedded") return none;
    const folder = join(this.#work, "data", "log");
    // Half a log is not gone on with.
    await rm(folder, { recursive: true, force: true });
    const restorer = await LogRestorer.open(folder, logId, base.offsets, to);
    try {
      for (const part of parts) {
        await restorer.add(part, await readPart(this.#repository, part));
        this.#progress(part.end - part.start, "the log");
      }
    } finally {
      await restorer.close();
    }
    return restorer.result;
  }

  async #readReport(): Promise<RestoredLog> {
    const path = join(this.#work, namedMark);
    return openDocument(path, await readFile(path, "utf8")) as unknown as RestoredLog;
  }

  /** The store's file last: what a start takes for a folder with data. */
  async #giveNames(): Promise<void> {
    const from = join(this.#work, "data");
    for (const name of (await readdir(from)).sort()) {
      await rename(join(from, name), join(this.#folder, name));
      failPoint("restore.between_names");
    }
    await nodeFiles.syncFolder(this.#folder);
    const gone = join(this.#folder, `${restoreFolderName}.done`);
    await rename(this.#work, gone);
    await nodeFiles.syncFolder(this.#folder);
    await rm(gone, { recursive: true });
  }

  async #syncTree(folder: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await this.#syncTree(join(folder, entry.name));
    }
    await nodeFiles.syncFolder(folder);
  }
}

/** Whether the file is there as it is to be. */
async function isWhole(path: string, file: BackupFile): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null || found.size !== file.bytes) return false;
  const handle = await open(path, "r");
  try {
    for (const [i, [from, end]] of partBounds(file).entries()) {
      const part = Buffer.alloc(end - from);
      await handle.read(part, 0, part.length, from);
      if (sha256(part) !== file.parts[i]) return false;
    }
    return true;
  } finally {
    await handle.close();
  }
}
