/**
 * Backups of a running store, on the main thread: when they are taken, and what is held meanwhile.
 * The embedded log is copied all the time, and freed only behind the copy, unless that lags too
 * far; bases are taken at times and when asked for.
 */
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RankstreamError } from "../errors.ts";
import type { EmbeddedLog } from "../log/embedded-log.ts";
import type { BaseCut } from "../store/base-cuts.ts";
import type { LocalStore } from "../store/local-store.ts";
import type { Logger } from "../telemetry.ts";
import { BackupCaller } from "./backup-caller.ts";
import type { BaseLogEnd } from "./base-writer.ts";
import { ErasureCopies } from "./erasure-copies.ts";
import { LogCopies, type LogCopiesOptions, type LogCopyFigures } from "./log-copies.ts";
import { type BaseManifest, baseId } from "./manifest.ts";
import type { BackupThreadData } from "./protocol.ts";
import type { ListedBase } from "./restore-plan.ts";

export interface BackupsOptions extends LogCopiesOptions {
  thread: BackupThreadData;
  /** From one base to the next; 0: only when asked for. */
  intervalMs: number;
  /** How long `close` may take to copy the rest of the log. */
  closeMsMax: number;
}

export interface BackupsDeps {
  store: Pick<LocalStore, "cuts" | "committedOffsets" | "erasures">;
  /** Null: the log is in Kafka. */
  log: EmbeddedLog | null;
  logger: Logger;
}

/** A base that is being taken, or was by this process. */
export interface BackupRun {
  id: string;
  status: "running" | "done" | "failed" | "cancelled";
  /** 0..1. */
  progress: number;
  /** Epoch ms. */
  createdAt: number;
  finishedAt: number | null;
  base: BaseManifest | null;
  error: RankstreamError | null;
}

/** What the metrics tell; times are epoch ms, null before the first. */
export interface BackupFigures extends LogCopyFigures {
  done: number;
  failed: number;
  lastDoneAt: number | null;
  lastMs: number;
  lastSentBytes: number;
  lastBytes: number;
}

const runsKept = 20;
/** A base whose store was written to meanwhile is begun anew so often. */
const attemptsMax = 3;
/** After a failed base the next is due so soon, or sooner. */
const retryMs = 60_000;
const tickMsMax = 10_000;

function asError(error: unknown): RankstreamError {
  if (error instanceof RankstreamError) return error;
  const { message } = error as Error;
  return new RankstreamError("internal_error", `the backup failed: ${message}`, { cause: error });
}

export class Backups {
  readonly #deps: BackupsDeps;
  readonly #options: BackupsOptions;
  readonly #caller: BackupCaller;
  readonly #copies: LogCopies;
  readonly #erasures: ErasureCopies;
  /** In the order of their beginning. */
  readonly #runs = new Map<string, BackupRun>();
  readonly #timer: NodeJS.Timeout;
  #running: BackupRun | null = null;
  /** Asked to end: the thread knows of a base only once it reads it. */
  readonly #stopped = new WeakSet<BackupRun>();
  #runEnd: Promise<void> = Promise.resolve();
  /** The removing of old bases under way: none is begun meanwhile, which might write what goes. */
  #pruning: Promise<void> = Promise.resolve();
  #opening: Promise<void> | null = null;
  #isOpen = false;
  #isClosing = false;
  #ticking: Promise<void> | null = null;
  /** When the next base is due, epoch ms; null until the repository was read. */
  #dueAt: number | null = null;
  /** Never closed: that would end DuckDB's lock on the file (POSIX locks are a process's). */
  #storeDescriptor: number | null = null;
  readonly #figures = {
    done: 0,
    failed: 0,
    lastDoneAt: null as number | null,
    lastMs: 0,
    lastSentBytes: 0,
    lastBytes: 0,
  };

  /** Begins at once, beside whatever else starts; what fails is tried again. */
  constructor(deps: BackupsDeps, options: BackupsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#caller = new BackupCaller(options.thread, {
      onProgress: (share) => {
        if (this.#running !== null) this.#running.progress = Math.min(0.99, share);
      },
      onEnd: () => {
        this.#isOpen = false;
      },
    });
    const { log, store, logger } = deps;
    this.#copies = new LogCopies({ log, store, caller: this.#caller, logger }, options);
    this.#erasures = new ErasureCopies({ erasures: store.erasures, caller: this.#caller });
    this.#timer = setInterval(() => this.#tickSoon(), Math.min(options.logIntervalMs, tickMsMax));
    this.#timer.unref();
    this.#tickSoon();
  }

  /** Where to. */
  get address(): string {
    return this.#options.thread.destination.address;
  }

  get running(): BackupRun | null {
    return this.#running;
  }

  figures(): BackupFigures {
    return { ...this.#figures, ...this.#copies.figures() };
  }

  /** Takes a base, or finds the one that is being taken. */
  take(): BackupRun {
    if (this.#running !== null) return this.#running;
    if (this.#isClosing) {
      const detail = "the service is stopping";
      throw new RankstreamError("shutting_down", detail, { retryAfterSeconds: 10 });
    }
    const createdAt = Date.now();
    const run: BackupRun = {
      id: baseId(createdAt, randomBytes(4).toString("hex")),
      status: "running",
      progress: 0,
      createdAt,
      finishedAt: null,
      base: null,
      error: null,
    };
    this.#running = run;
    this.#runs.set(run.id, run);
    for (const id of [...this.#runs.keys()].slice(0, -runsKept)) this.#runs.delete(id);
    this.#runEnd = this.#run(run);
    return run;
  }

  /** The last bases that this process began, in that order. */
  get runs(): BackupRun[] {
    return [...this.#runs.values()];
  }

  /** A base that was begun by this process. */
  find(id: string): BackupRun | null {
    return this.#runs.get(id) ?? null;
  }

  /** Ends the run, should it be under way. */
  cancel(run: BackupRun): void {
    if (run.status !== "running") return;
    this.#stopped.add(run);
    this.#caller.cancel();
  }

  /** Resolves once the run under way has ended. */
  async ended(): Promise<void> {
    await this.#runEnd;
  }

  /** The repository's bases, the oldest first. Throws `backup_unreachable`. */
  async list(): Promise<ListedBase[]> {
    await this.#open();
    return this.#caller.call("list", null);
  }

  /** Ends what is under way, copies what is left of the log, as far as there is time. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    if (this.#running !== null) this.cancel(this.#running);
    const rest = async () => {
      await this.#runEnd;
      await this.#ticking;
      if (this.#isOpen) await Promise.all([this.#copies.copy(), this.#erasures.copy()]);
      await this.#caller.call("close", null);
    };
    const late = sleep(this.#options.closeMsMax, undefined, { ref: false });
    await Promise.race([rest().catch((error) => this.#complain(error)), late]);
    await this.#caller.terminate();
  }

  #tickSoon(): void {
    this.#copies.lookAtLag();
    if (this.#ticking !== null || this.#isClosing) return;
    this.#ticking = this.#tick()
      .catch((error) => this.#complain(error))
      .finally(() => {
        this.#ticking = null;
      });
  }

  async #tick(): Promise<void> {
    await this.#open();
    if (this.#copies.isDue) await this.#copies.copy();
    await this.#erasures.copy();
    const isDue = this.#dueAt !== null && Date.now() >= this.#dueAt;
    if (isDue && this.#running === null) this.take();
  }

  #open(): Promise<void> {
    if (this.#isOpen) return Promise.resolve();
    this.#opening ??= this.#openNow().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #openNow(): Promise<void> {
    const { newestAt, archive } = await this.#caller.call("open", null);
    const { intervalMs } = this.#options;
    if (intervalMs > 0) this.#dueAt = newestAt === null ? Date.now() : newestAt + intervalMs;
    if (archive !== null) this.#copies.note(archive);
    this.#figures.lastDoneAt ??= newestAt;
    this.#isOpen = true;
  }

  async #run(run: BackupRun): Promise<void> {
    const { logger } = this.#deps;
    const started = performance.now();
    try {
      await this.#pruning;
      await this.#open();
      await this.#erasures.copy();
      const base = await this.#takeBase(run);
      Object.assign(run, { base, status: "done", progress: 1 });
      this.#figures.done++;
      this.#figures.lastDoneAt = base.finishedAt;
      this.#figures.lastMs = performance.now() - started;
      this.#figures.lastSentBytes = base.sentBytes;
      this.#figures.lastBytes = base.bytes;
      const { id, files, bytes, sentObjects, sentBytes } = base;
      const fields = { part: "backup", id, files, bytes, sentObjects, sentBytes };
      logger.info({ ...fields, ms: Math.round(this.#figures.lastMs) }, "backed up");
    } catch (error) {
      const failure = asError(error);
      const isStopped = failure.code === "backup_cancelled";
      Object.assign(run, { error: failure, status: isStopped ? "cancelled" : "failed" });
      if (!isStopped) this.#figures.failed++;
      const fields = { part: "backup", id: run.id, err: failure };
      if (isStopped) logger.info(fields, "a backup was stopped");
      else logger.error(fields, "a backup failed");
    }
    run.finishedAt = Date.now();
    this.#plan(run);
    if (run.status === "done") this.#pruning = this.#prune();
    this.#running = null;
    await this.#pruning;
  }

  /** When the next one is due. */
  #plan({ status, createdAt }: BackupRun): void {
    const { intervalMs } = this.#options;
    if (intervalMs === 0) return;
    const again = Date.now() + Math.min(intervalMs, retryMs);
    this.#dueAt = status === "done" ? createdAt + intervalMs : again;
  }

  async #takeBase(run: BackupRun): Promise<BaseManifest> {
    for (let attempt = 1; ; attempt++) {
      const base = await this.#tryBase(run);
      if (base !== null) return base;
      if (attempt < attemptsMax) continue;
      const detail = "the store's file was written to while it was read, at each attempt";
      throw new RankstreamError("backup_unreachable", detail, { retryAfterSeconds: 60 });
    }
  }

  /** Takes it; null where the store's file changed meanwhile. */
  async #tryBase(run: BackupRun): Promise<BaseManifest | null> {
    const { id, createdAt } = run;
    const { store, log, logger } = this.#deps;
    const path = join(this.#options.thread.folder, "store.duckdb");
    this.#storeDescriptor ??= openSync(path, "r");
    // Before the cut: afterwards its segment may be copied and freed.
    const segment = log?.segmentOf(store.committedOffsets()) ?? null;
    const cut = await store.cuts.open();
    let walDescriptor: number | null = null;
    try {
      // Receipts of what is counted lie before the next millisecond.
      await sleep(2);
      const logEnd = this.#copies.copy();
      logEnd.catch(() => undefined);
      if (cut.walBytes > 0) walDescriptor = openSync(`${path}.wal`, "r");
      const storeDescriptor = this.#storeDescriptor;
      const request = { id, createdAt, cut, storeDescriptor, walDescriptor, segment };
      this.#checkStopped(run);
      await this.#caller.call("readBase", request);
      if (!(await store.cuts.release(cut.id))) return null;
      const { damaged } = await this.#caller.call("sendBase", null);
      if (damaged > 0) logger.error({ part: "backup", id, damaged }, "damaged files backed up");
      return await this.#caller.call("finishBase", await this.#endOf(cut, logEnd));
    } finally {
      if (walDescriptor !== null) closeSync(walDescriptor);
      await this.#caller.call("endBase", null).catch(() => undefined);
      await store.cuts.close(cut.id);
    }
  }

  #checkStopped(run: BackupRun): void {
    if (this.#stopped.has(run)) throw new RankstreamError("backup_cancelled", "it was stopped");
  }

  async #endOf(
    { keysReceivedThrough }: BaseCut,
    copied: Promise<BaseLogEnd>,
  ): Promise<BaseLogEnd> {
    const { receivedThrough, end } = await copied;
    return { end, receivedThrough: Math.max(receivedThrough, keysReceivedThrough) };
  }

  async #prune(): Promise<void> {
    const { logger } = this.#deps;
    try {
      const pruned = await this.#caller.call("prune", null);
      const isAny = pruned.bases.length + pruned.objects + pruned.logParts > 0;
      if (isAny) logger.info({ part: "backup", ...pruned }, "old backups were removed");
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    this.#deps.logger.error({ part: "backup", err: error }, "backups don't go on");
  }
}
