/**
 * Erasure of users. What a call decides is durable before it is answered, and a start goes on with
 * it; from then on it takes three steps:
 *
 *   finding   Files are looked through for events of the user, beside everything else. Then, in
 *             one transaction, files that hold some are marked (erasure-sql.ts) and what lies in
 *             no file is written to one: nobody reads user, session and named metadata any more.
 *   removing  Marked files are written anew one after another; those they replace go once no
 *             read, export or backup needs them, then the rest of the store's own file is made
 *             free of it (file-scrub.ts).
 *   done      Only snapshots may still hold it, which are looked through last.
 *
 * The user's id is in memory only: on disk there is its keyed hash.
 */

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { Claimed, type Claims } from "./claimed.ts";
import { ownReadBudgetMs } from "./database.ts";
import { isLake } from "./dialect.ts";
import { countHolding, findInFiles, findRecent, type Sought } from "./erase-find.ts";
import { type EraseMarkDeps, hidingOf, markErased, sumsOf } from "./erase-mark.ts";
import type {
  ErasedEvents,
  ErasedPlace,
  ErasedUsersPage,
  EraseQuery,
  ErasureInfo,
  HoldingSnapshot,
} from "./erase-questions.ts";
import { boundErasedUsers, ErasureRows, type OpenErasure } from "./erase-rows.ts";
import { readErasedUsers, restoreOwner } from "./erased-users.ts";
import type { Exports } from "./exports.ts";
import { FileScrubber, type Rewritten } from "./file-scrub.ts";
import { jobsColumns, jobsTable } from "./jobs.ts";
import { fenceOthers } from "./lake-partitions.ts";
import type { StoreCallHandlers } from "./protocol.ts";
import { readApart } from "./read-apart.ts";
import type { Snapshots } from "./snapshot.ts";

export interface EraseOptions {
  /** Known at once, those that are done too; beyond, further ones are refused. */
  erasuresMax: number;
  /** Users remembered; of more the oldest are forgotten. */
  erasedUsersMax: number;
  /** Time for looking through the files. */
  findMsMax: number;
}

export const eraseDefaults: EraseOptions = Object.freeze({
  erasuresMax: 1000,
  erasedUsersMax: 1_000_000,
  findMsMax: 6 * 3_600_000,
});

export interface EraseDeps extends EraseMarkDeps {
  exports: Exports;
  snapshots: Snapshots;
  /** Told of a failure that is tried again. */
  onFailure: (error: unknown) => void;
  /** Where several processes erase. */
  claims?: Claims;
}

const retryMsMin = 1000;
const retryMsMax = 60_000;
const lookMs = 50;
/** What other processes do, and leave behind, is looked for so often where somebody asks. */
const reloadEveryMs = 1000;
/** Erasures whose process is gone are looked for so often. */
const takeUpEveryMs = 10_000;
/** What the query side keeps of questions may name a user. */
const scrubbed: readonly Rewritten[] = [{ name: "jobs", statements: [jobsTable, jobsColumns] }];

export class Eraser {
  readonly #deps: EraseDeps;
  readonly #options: EraseOptions;
  readonly #rows: ErasureRows;
  readonly #scrubber: FileScrubber;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  /** Those that are this process's to go on with, by job. */
  readonly #mine: Claimed<string>;
  #reloadedAt = Number.NEGATIVE_INFINITY;
  #taking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  private constructor(deps: EraseDeps, options: EraseOptions, rows: ErasureRows) {
    this.#deps = deps;
    this.#mine = new Claimed("erasure", deps.claims);
    this.#options = options;
    this.#rows = rows;
    this.#scrubber = new FileScrubber(deps.database);
  }

  /** Goes on with what a stop or a crash has left. */
  static async open(deps: EraseDeps, options: EraseOptions): Promise<Eraser> {
    const rows = await deps.database.write(async (connection) => {
      await FileScrubber.sweep(connection);
      return ErasureRows.load(connection);
    });
    const eraser = new Eraser(deps, options, rows);
    await eraser.#claimAll();
    await eraser.#findRestored();
    eraser.#goOn();
    if (eraser.#isShared) {
      eraser.#timer = setInterval(() => eraser.#takeUp(), takeUpEveryMs);
    }
    return eraser;
  }

  /** Whether other processes erase as well. */
  get #isShared(): boolean {
    return isLake(this.#deps.database.writer);
  }

  /** Those under way here. */
  get #open(): OpenErasure[] {
    return this.#rows.open.filter(({ jobId }) => this.#mine.has(jobId));
  }

  /** Takes those that nobody is at. */
  async #claimAll(): Promise<void> {
    const left = this.#rows.open.filter(({ jobId }) => !this.#mine.has(jobId));
    for (const { jobId } of left) {
      // Its end, or a step of it, may have come just before its claim.
      await this.#mine.take(jobId, () => this.#reload(0));
    }
    await this.#letGo();
  }

  #letGo(): Promise<void> {
    const open = new Set(this.#rows.open.map(({ jobId }) => jobId));
    return this.#mine.letGo((jobId) => !open.has(jobId));
  }

  #takeUp(): void {
    if (this.#stop.signal.aborted) return;
    const take = async () => {
      await this.#reload(0);
      await this.#claimAll();
      this.#goOn();
    };
    this.#taking ??= take()
      .catch((error) => this.#deps.onFailure(error))
      .finally(() => {
        this.#taking = null;
      });
  }

  async #reload(ageMsMin = reloadEveryMs): Promise<void> {
    if (!this.#isShared || performance.now() - this.#reloadedAt < ageMsMin) return;
    this.#reloadedAt = performance.now();
    const isMine = (jobId: string) => this.#mine.has(jobId);
    await this.#deps.database.write((connection) => this.#rows.reload(connection, isMine));
  }

  /** What an erasure of the user would take right now. */
  async measure(userId: string, signal?: AbortSignal): Promise<ErasedEvents> {
    const sought = [{ erasureId: 0, userId }];
    const { rawFiles } = this.#deps;
    return this.#read(signal, async (connection) => {
      const paths = (await rawFiles.all(connection)).map(({ path }) => path);
      const { found } = await findInFiles(connection, rawFiles, paths, sought);
      return sumsOf(0, [...found, ...(await findRecent(connection, sought))]);
    });
  }

  /** Decides it: resolves once that is committed. Throws `too_many_deletes`. */
  async begin(query: EraseQuery): Promise<ErasureInfo> {
    const { database, checkpointer, arrivals } = this.#deps;
    await this.#forgetOld();
    if (this.#rows.size >= this.#options.erasuresMax) {
      const detail = `${this.#rows.size} users are being erased, or were a short while ago`;
      throw new RankstreamError("too_many_deletes", detail, { retryAfterSeconds: 60 });
    }
    // No checkpoint may be between: it would keep events as they came and not be looked at.
    const made = await checkpointer.alone(async () => {
      const now = Date.now();
      const erasedAt = Math.max(now, arrivals.receivedThrough);
      const made = await database.write(async (connection) => {
        await fenceOthers(connection);
        const jobId = randomBytes(16).toString("base64url");
        const own = await this.#rows.insert(connection, query, { jobId, now, erasedAt });
        await boundErasedUsers(connection, this.#options.erasedUsersMax);
        failPoint("erase.before_begin_commit");
        return own;
      });
      arrivals.note(erasedAt);
      return made;
    });
    failPoint("erase.after_begin_commit");
    const info = this.#rows.add(made);
    // Nobody knew of it before it was committed; in vain: whoever has it then goes on with it.
    await this.#mine.take(info.jobId).catch(() => false);
    this.#goOn();
    return info;
  }

  /** What became of it; null of one not known. Waits for its end, `waitMs` at most. */
  async info(jobId: string, waitMs: number): Promise<ErasureInfo | null> {
    const until = performance.now() + waitMs;
    const isOpen = () => this.#rows.open.some((one) => one.jobId === jobId);
    await this.#reload();
    while (isOpen() && !this.#stop.signal.aborted && performance.now() < until) {
      await sleep(lookMs);
      await this.#reload();
    }
    return this.#rows.get(jobId);
  }

  /** All that are known, in the order of their making. */
  async list(): Promise<ErasureInfo[]> {
    await this.#reload();
    await this.#forgetOld();
    return this.#rows.list();
  }

  /** Forgets one that is done; users stay erased. */
  async forget(jobId: string): Promise<null> {
    if (this.#rows.get(jobId)?.status === "done") {
      await this.#deps.database.write((c) => this.#rows.remove(c, jobId));
    }
    return null;
  }

  /** Erased users behind a place, for backups. */
  users(after: ErasedPlace): Promise<ErasedUsersPage> {
    return this.#deps.database.read(ownReadBudgetMs, (connection) =>
      readErasedUsers(connection, after),
    );
  }

  /** Ends what is under way, which the next start goes on with. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#timer ?? undefined);
    await Promise.all([this.#running, this.#taking]);
  }

  #read<T>(
    signal: AbortSignal | undefined,
    work: (connection: DuckDBConnection) => Promise<T>,
  ): Promise<T> {
    const signals = [this.#stop.signal, signal];
    return readApart(this.#deps.database, this.#options.findMsMax, signals, work);
  }

  async #forgetOld(): Promise<void> {
    const now = Date.now();
    const old = this.#rows
      .list()
      .filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now);
    for (const { jobId } of old) await this.forget(jobId);
  }

  /** What a backup brought back is read by nobody: it is found before the store is open. */
  async #findRestored(): Promise<void> {
    const found = this.#open.filter(({ status }) => status === "finding");
    if (!found.some(({ owner }) => owner === restoreOwner)) return;
    try {
      await this.#find(found);
    } catch (error) {
      // A damaged file must not keep the service from starting; it is tried again.
      this.#rows.fail(error);
      this.#deps.onFailure(error);
    }
  }

  #goOn(): void {
    if (this.#running !== null || this.#stop.signal.aborted) return;
    this.#running = this.#work().finally(() => {
      this.#running = null;
      // One may have come just as the last one ended.
      if (this.#open.length > 0) this.#goOn();
    });
  }

  async #work(): Promise<void> {
    let retryMs = retryMsMin;
    const { signal } = this.#stop;
    while (this.#open.length > 0 && !signal.aborted) {
      try {
        await this.#step();
        await this.#letGo();
        retryMs = retryMsMin;
      } catch (error) {
        if (signal.aborted) return;
        this.#rows.fail(error);
        this.#deps.onFailure(error);
        await sleep(retryMs, null, { signal }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, retryMsMax);
      }
    }
  }

  async #step(): Promise<void> {
    const found = this.#open.filter(({ status }) => status === "finding");
    if (found.length > 0) return this.#find(found);
    const isRewritten = await this.#deps.rawFiles.rewriteErased(Date.now());
    const marked = await this.#look();
    if (isRewritten) return;
    if (marked !== null) {
      const detail = `${marked} is damaged: it can't be written anew without an erased user`;
      throw new RankstreamError("raw_corrupt", detail);
    }
    return this.#finish(this.#open);
  }

  async #find(open: readonly OpenErasure[]): Promise<void> {
    const sought: Sought[] = open.map(({ erasureId, userId }) => ({ erasureId, userId }));
    const onProgress = (share: number) => this.#rows.noteFinding(open, share);
    const { rawFiles } = this.#deps;
    const counted = await this.#read(undefined, async (connection) => {
      const looked = await hidingOf(connection, rawFiles);
      const paths = [...looked.keys()];
      const files = await findInFiles(connection, rawFiles, paths, sought, onProgress);
      return { looked, files };
    });
    const marked = await markErased(this.#deps, { open, sought, counted });
    failPoint("erase.after_mark_commit");
    this.#rows.noteRemoving(marked, this.#deps.exports.ids);
    rawFiles.replaced.hurry();
    await this.#look();
  }

  /** A file that is still marked. */
  #look(): Promise<string | null> {
    return this.#deps.database.read(ownReadBudgetMs, (connection) => this.#rows.look(connection));
  }

  /** Whether somebody waits for more than what is being finished. */
  readonly #isToStop = () =>
    this.#stop.signal.aborted || this.#open.some(({ status }) => status === "finding");

  async #finish(open: readonly OpenErasure[]): Promise<void> {
    const { database, rawFiles, exports } = this.#deps;
    const isHeld = () =>
      rawFiles.replaced.areUrgent ||
      open.some((own) => own.exports.some((id) => exports.ids.includes(id)));
    while (isHeld()) {
      if (this.#isToStop()) return;
      await rawFiles.replaced.remove(Date.now());
      await sleep(lookMs);
    }
    // A lake's files are written anew by its upkeep, and its rows are no file of ours.
    const isShared = isLake(database.writer);
    if (!isShared && !(await this.#scrubber.scrub(scrubbed, this.#isToStop))) return;
    for (const own of open) {
      const snapshots = JSON.stringify(await this.#snapshotsOf(own));
      failPoint("erase.before_done_commit");
      const ended = { finishedAt: Date.now(), snapshots };
      await database.write((connection) => this.#rows.finish(connection, own, ended));
      // Where it isn't known whether that was committed, it is done once more.
      this.#rows.noteDone(own, ended);
    }
  }

  /** Snapshots with events of the user; they are removed where that was asked for. */
  async #snapshotsOf({ erasureId, userId, dropsSnapshots }: OpenErasure) {
    const { snapshots } = this.#deps;
    const holding: HoldingSnapshot[] = [];
    // One being taken may be of before.
    await snapshots.settled();
    for (const { name, path } of await snapshots.list()) {
      const events = await this.#read(undefined, (connection) =>
        countHolding(connection, path, { erasureId, userId }),
      );
      if (events === 0) continue;
      if (dropsSnapshots) await snapshots.drop(name);
      holding.push({ name, path, events, isRemoved: dropsSnapshots });
    }
    return holding;
  }
}

/** The calls about erasures, of what `eraser` returns once the store is prepared. */
export function eraseHandlers(
  eraser: () => Eraser,
): Pick<
  StoreCallHandlers,
  "measureErasure" | "beginErasure" | "erasure" | "erasures" | "dropErasure" | "erasedUsers"
> {
  return {
    measureErasure: (userId, { signal }) => eraser().measure(userId, signal),
    beginErasure: (query) => eraser().begin(query),
    erasure: ({ jobId, waitMs }) => eraser().info(jobId, waitMs),
    erasures: () => eraser().list(),
    dropErasure: (jobId) => eraser().forget(jobId),
    erasedUsers: (after) => eraser().users(after),
  };
}
