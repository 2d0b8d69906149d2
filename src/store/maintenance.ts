/**
 * What the store does beside commits and reads: seals windows, moves and merges raw events,
 * clears away what was deleted.
 * Each step is one bounded transaction; between steps commits go first. While events come it
 * rests after a step several times as long as the step took, unless deltas pile up.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { minuteMs } from "../model.ts";
import type { Logger } from "../telemetry.ts";
import type { CoarseWindows } from "./coarse.ts";
import type { Compactor } from "./compact.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import type { Graves } from "./graves.ts";
import type { LakeUpkeep } from "./lake-upkeep.ts";
import type { StoreTask } from "./protocol.ts";
import type { RawFiles } from "./raw-files.ts";
import type { Sealer } from "./seal.ts";

const restFactorBusy = 3;
const restFactorIdle = 0.2;
/** Of a lake, after a look that found nothing: it asks PostgreSQL some sixty times. */
const restFactorNothing = 20;
/** The store is busy for so long after a commit. */
const busyMs = 1500;
/** From so many delta rows on it no longer rests: reading them would get slow. */
const deltaRowsUrgent = 4_000_000;
/** Raw events of a quiet store move to a file after so long. */
const recentAgeMsMax = 10 * 60_000;
/** How long after a minute's end records that belong to it may still come. */
const sealDelayMs = 10_000;
const restMsMax = 5000;

/** Late events delete single rows of windows too. */
const compactEveryMs = 3_600_000;

export interface MaintenanceDeps {
  database: Database;
  sealer: Sealer;
  rawFiles: RawFiles;
  compactor: Compactor;
  graves: Graves;
  coarse: CoarseWindows;
  /** Of a lake. */
  upkeep?: LakeUpkeep | undefined;
  /** Whether it is still this process's turn; default: always. */
  isMine?: () => boolean;
  /** When events were last committed, by performance.now(). */
  lastCommit: () => number;
  logger: Logger;
  /** Told of each step that had something to do, and what it took. */
  onTask?: (task: StoreTask, seconds: number) => void;
}

export class Maintenance {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #rawFiles: RawFiles;
  readonly #lastCommit: () => number;
  readonly #compactor: Compactor;
  readonly #graves: Graves;
  readonly #coarse: CoarseWindows;
  readonly #upkeep: LakeUpkeep | undefined;
  readonly #isMine: () => boolean;
  readonly #logger: Logger;
  readonly #onTask: MaintenanceDeps["onTask"];
  #recentSince: number | null = null;
  #compactedAt = performance.now();
  #running: Promise<void> | null = null;
  #restsUntil = Number.NEGATIVE_INFINITY;
  #isStopping = false;

  constructor(deps: MaintenanceDeps) {
    this.#database = deps.database;
    this.#sealer = deps.sealer;
    this.#rawFiles = deps.rawFiles;
    this.#lastCommit = deps.lastCommit;
    this.#compactor = deps.compactor;
    this.#graves = deps.graves;
    this.#coarse = deps.coarse;
    this.#upkeep = deps.upkeep;
    this.#isMine = deps.isMine ?? (() => true);
    this.#logger = deps.logger;
    this.#onTask = deps.onTask;
  }

  /**
   * Does what is due; returns at once while an earlier call is at it, and of a lake soon after one
   * that found nothing. Every record appended before `appliedThrough` (epoch ms) is committed.
   */
  async run(appliedThrough: number): Promise<void> {
    if (this.#running !== null || this.#isStopping) return;
    if (performance.now() < this.#restsUntil) return;
    this.#running = this.#steps(appliedThrough).finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  /** Ends the step under way, which leaves no trace, and begins no other. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#database.refuseDeferrable();
    await this.#running?.catch(() => undefined);
  }

  async #steps(appliedThrough: number): Promise<void> {
    const endMinute = Math.floor((appliedThrough - sealDelayMs) / minuteMs);
    const sealed = { deltaRows: 0, windowsBuilt: 0, tookMs: 0 };
    for (let isMore = true; isMore && !this.#isStopping && this.#isMine(); ) {
      const started = performance.now();
      const { deltaRows, windowsBuilt, ...done } = await this.#sealer.seal(endMinute, Date.now());
      isMore = done.isMore;
      sealed.deltaRows += deltaRows;
      sealed.windowsBuilt += windowsBuilt;
      sealed.tookMs += Math.round(performance.now() - started);
      const hasTidied = await this.#tidyRaw(Date.now());
      if (!isMore && deltaRows + windowsBuilt === 0 && !hasTidied) this.#restAfter(started);
      const rest = (performance.now() - started) * (await this.#restFactor());
      await sleep(Math.min(rest, restMsMax), undefined, { ref: false });
    }
    if (sealed.deltaRows + sealed.windowsBuilt === 0) return;
    const through = new Date(endMinute * minuteMs);
    this.#logger.info({ part: "store", ...sealed, through }, "windows were sealed");
  }

  #restAfter(started: number): void {
    if (this.#upkeep === undefined) return;
    const now = performance.now();
    this.#restsUntil = now + Math.min((now - started) * restFactorNothing, restMsMax);
  }

  async #timed(task: StoreTask, step: () => Promise<boolean>): Promise<boolean> {
    const started = performance.now();
    const hasDone = await step();
    if (hasDone) this.#onTask?.(task, (performance.now() - started) / 1000);
    return hasDone;
  }

  /** Whether anything was to be done. */
  async #tidyRaw(now: number): Promise<boolean> {
    const hasFiled = await this.#tidyFiles(now);
    await this.#rawFiles.replaced.remove(now);
    await this.#rawFiles.sweepOld(now);
    if (!this.#isBusy()) await this.#rawFiles.checkNext();
    await this.#sealer.expireSketches(now);
    if (performance.now() - this.#compactedAt >= compactEveryMs) {
      this.#compactedAt = performance.now();
      this.#compactor.look();
    }
    if (await this.#timed("compact", () => this.#compactor.step())) return true;
    if (await this.#timed("clear", () => this.#graves.step())) return true;
    if (await this.#timed("coarsen", () => this.#coarse.step(now))) return true;
    return (await this.#upkeep?.step(performance.now())) === true || hasFiled;
  }

  async #tidyFiles(now: number): Promise<boolean> {
    const files = this.#rawFiles;
    if (await this.#timed("flush", () => files.flushRecent(this.#isRecentOld()))) return true;
    if (await this.#timed("merge", () => files.mergeSmall(now, this.#isBusy()))) return true;
    return this.#timed("merge", () => files.rewriteHidden(now));
  }

  async #restFactor(): Promise<number> {
    if (!this.#isBusy()) return restFactorIdle;
    const [deltas] = await this.#database.read(ownReadBudgetMs, (connection) =>
      rowsOf(connection, "SELECT count(*) AS rows FROM count_deltas"),
    );
    return Number(deltas!["rows"]) > deltaRowsUrgent ? 0 : restFactorBusy;
  }

  #isBusy(): boolean {
    return performance.now() - this.#lastCommit() <= busyMs;
  }

  #isRecentOld(): boolean {
    const now = performance.now();
    this.#recentSince ??= now;
    if (now - this.#recentSince < recentAgeMsMax) return false;
    this.#recentSince = now;
    return true;
  }
}
