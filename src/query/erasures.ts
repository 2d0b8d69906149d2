/** Erasure of users (store/erase.ts), as it is asked for and told of. */
import { RankstreamError } from "../errors.ts";
import { everybody, type Principal } from "../model-access.ts";
import type {
  ErasedEvents,
  ErasureAnswer,
  ErasureInfo,
  HoldingSnapshot,
} from "../store/erase-questions.ts";
import type { Store } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import type { AskControl } from "./ask.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import { isOf, type JobView } from "./job-views.ts";
import type { Jobs } from "./jobs.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface EraseRequest {
  userId: string;
  /** Keys of metadata that go beside those that always do; `*`: all. */
  metadataKeys: readonly string[];
  /** Whether snapshots that hold events of the user are removed. */
  dropsSnapshots: boolean;
  /** Only says what would go. */
  isDryRun: boolean;
  /** Whoever asks doesn't wait for its end. */
  isAsync: boolean;
}

/** What the log still holds of what was erased. */
export interface LogTrace {
  /** Lets what is committed go from the log as soon as may be. */
  release(): Promise<void>;
  /** Whether records before these offsets may still be there, and for how long. */
  describe(offsets: readonly number[]): Promise<object>;
}

export interface ErasureDeps {
  store: Pick<Store, "erasures" | "committedOffsets">;
  freshness: FreshnessDeps;
  jobs: Pick<Jobs, "forgetUser">;
  log: LogTrace;
  /** Keys of metadata that go with every user. */
  personalMetadataKeys: readonly string[];
  exactTimeoutMs: number;
  jobResultTtlMs: number;
  logger: Logger;
}

/** An erasure's reply: all of it, or the job that goes on with it. */
export type EraseReply = { isDone: true; result: object } | { isDone: false; job: JobView };

const timeOf = (ms: number | null) => (ms === null ? null : formatTimestamp(ms));

function eventsOf({ events, files, eventTypes, firstSeen, lastSeen }: ErasedEvents) {
  return { events, files, eventTypes, firstSeen: timeOf(firstSeen), lastSeen: timeOf(lastSeen) };
}

export class ErasureDesk {
  readonly #deps: ErasureDeps;

  private constructor(deps: ErasureDeps) {
    this.#deps = deps;
  }

  /** Sees to it that the log lets go of what a stop or a crash has kept from being erased. */
  static async open(deps: ErasureDeps): Promise<ErasureDesk> {
    const desk = new ErasureDesk(deps);
    const all = await deps.store.erasures.list();
    if (all.some(({ status }) => status !== "done")) desk.#release();
    return desk;
  }

  /**
   * Erases a user from everything acknowledged before. Resolves once nothing in the store holds
   * it, or after `exactTimeoutMs` with the job that goes on: then it is decided, and a start goes
   * on with it. Throws `query_timeout` where what came before is not counted, `too_many_deletes`.
   */
  async erase(
    request: EraseRequest,
    control: AskControl = {},
    asker: Principal = everybody,
  ): Promise<EraseReply> {
    const { store, freshness, jobs, exactTimeoutMs, jobResultTtlMs } = this.#deps;
    const { userId, dropsSnapshots } = request;
    await passBarrier(freshness, control);
    const keys = [...new Set([...this.#deps.personalMetadataKeys, ...request.metadataKeys])];
    if (request.isDryRun) {
      const found = await store.erasures.measure(userId, control.signal);
      return {
        isDone: true,
        result: { dryRun: true, ...eventsOf(found), metadataKeys: keys },
      };
    }
    await jobs.forgetUser(userId);
    const query = { userId, metadataKeys: keys, dropsSnapshots, owner: asker.id };
    const begun = await store.erasures.begin({ ...query, keepMs: jobResultTtlMs });
    this.#release();
    const waitMs = request.isAsync ? 0 : exactTimeoutMs;
    const info = (await store.erasures.info(begun.jobId, waitMs)) ?? begun;
    if (info.status !== "done") return { isDone: false, job: await this.#viewOf(info) };
    return { isDone: true, result: await this.#resultOf(info) };
  }

  /** The asker's, or all, without results. */
  async list(asker: Principal): Promise<JobView[]> {
    const own = (await this.#deps.store.erasures.list()).filter((one) => isOf(one, asker));
    return Promise.all(own.map((one) => this.#viewOf({ ...one, snapshots: null })));
  }

  /** One of the asker's, with its result; null of another's, or of none. */
  async find(jobId: string, asker: Principal): Promise<JobView | null> {
    const info = await this.#deps.store.erasures.info(jobId, 0);
    return info === null || !isOf(info, asker) ? null : this.#viewOf(info);
  }

  /** Forgets one that is done. Throws `erasure_under_way`: it can't be undone. */
  async forget(view: JobView): Promise<JobView> {
    if (view.status !== "done") {
      throw new RankstreamError("erasure_under_way", "an erasure is not stopped once it began");
    }
    await this.#deps.store.erasures.drop(view.id);
    return view;
  }

  #release(): void {
    const { log, logger } = this.#deps;
    log.release().catch((err) => logger.warn({ err }, "the log was not trimmed after an erasure"));
  }

  async #viewOf(info: ErasureInfo): Promise<JobView> {
    const { jobId, status, progress, createdAt, finishedAt, expiresAt, error } = info;
    const isDone = status === "done" && info.snapshots !== null;
    return {
      id: jobId,
      kind: "erasure",
      status: status === "done" ? "done" : "running",
      progress: status === "done" ? 1 : Math.min(0.99, progress),
      createdAt: formatTimestamp(createdAt),
      startedAt: formatTimestamp(createdAt),
      finishedAt: timeOf(finishedAt),
      expiresAt: timeOf(expiresAt),
      ...(isDone && { result: await this.#resultOf(info) }),
      ...(error !== null && { error }),
    };
  }

  async #resultOf({ answer, snapshots, metadataKeys }: ErasureInfo): Promise<object> {
    const { erasedThrough, offsets, ...found } = JSON.parse(answer!) as ErasureAnswer;
    return {
      dryRun: false,
      ...eventsOf(found),
      metadataKeys: JSON.parse(metadataKeys) as string[],
      erasedThrough: formatTimestamp(erasedThrough),
      snapshots: (JSON.parse(snapshots!) as HoldingSnapshot[]).map(({ isRemoved, ...one }) => ({
        ...one,
        removed: isRemoved,
      })),
      log: await this.#deps.log.describe(offsets),
    };
  }
}
