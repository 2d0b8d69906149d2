/**
 * Questions that take longer than a client waits: kept in the store, run one after another beside
 * everything else, and answered whenever they are done. A job that a stop or a crash has ended is
 * run again, under the same id.
 */
import { randomBytes } from "node:crypto";
import { RankstreamError } from "../errors.ts";
import { everybody, type Principal } from "../model-access.ts";
import { needsRawEvents, type Selection } from "../model-selection.ts";
import type { JobRow, JobStatus } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import type { AskControl } from "./ask.ts";
import {
  areUsed,
  fieldsOf,
  isOf,
  isOpen,
  type Job,
  type JobView,
  notFound,
  viewOf,
} from "./job-views.ts";
import { type Asker, eventTypesOf, type QuestionKind, type Questions } from "./questions.ts";

export interface JobsOptions {
  /** Jobs known at once, also those that are done; beyond, further ones are refused. */
  jobsMax: number;
  /** How long one may run. */
  jobTimeoutMs: number;
  /** How long one is known after its end. */
  jobResultTtlMs: number;
  now?: () => number;
}

export interface JobsDeps {
  asker: Asker;
  store: Pick<
    Store,
    "loadJobs" | "putJob" | "dropJob" | "jobResult" | "claimJob" | "releaseJob"
  > & {
    shares: Pick<Store["shares"], "onRows" | "maintains">;
  };
  logger: Logger;
}

/** As much of a question as says whether it is about users. */
interface Narrowed {
  selection?: Selection;
}

const resultBytesMax = 16 * 1024 * 1024;
const sweepMs = 1000;
/** Jobs that another process left are looked for at each so manieth sweep. */
const sweepsPerTake = 5;
const retryAfterSeconds = 10;

export class Jobs {
  readonly #deps: JobsDeps;
  readonly #options: Required<JobsOptions>;
  /** In the order of their making. */
  readonly #jobs = new Map<string, Job>();
  readonly #sweeper: NodeJS.Timeout;
  #running: Promise<void> | null = null;
  #loading: Promise<void> = Promise.resolve();
  #isStopping = false;
  #sweeps = 1;

  private constructor(deps: JobsDeps, options: JobsOptions) {
    this.#deps = deps;
    this.#options = { now: Date.now, ...options };
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs);
    this.#sweeper.unref();
  }

  /** Goes on with the jobs that are kept. */
  static async open(deps: JobsDeps, options: JobsOptions): Promise<Jobs> {
    const jobs = new Jobs(deps, options);
    deps.store.shares.onRows((table) => {
      if (table === "jobs") void jobs.#follow();
    });
    await jobs.#load();
    await jobs.#takeUp();
    return jobs;
  }

  /** What other processes have made of jobs; of a failure the next change tells again. */
  #follow(): Promise<void> {
    return this.#load().catch((err) =>
      this.#deps.logger.warn({ part: "jobs", err }, "jobs of other processes are not known"),
    );
  }

  /** One after another: what was read earlier is no news. */
  #load(): Promise<void> {
    const done = this.#loading.then(() => this.#loadNow());
    this.#loading = done.catch(() => undefined);
    return done;
  }

  async #loadNow(): Promise<void> {
    // One that is only just being kept may not be among what is read.
    const kept = [...this.#jobs.values()].filter(({ isKept }) => isKept);
    const before = new Set(kept.map(({ id }) => id));
    for (const row of await this.#deps.store.loadJobs()) {
      before.delete(row.id);
      const known = this.#jobs.get(row.id);
      const fresh = { isMine: false, isKept: true, progress: 0, stop: new AbortController() };
      const job = known ?? { ...row, ...fresh };
      if (known === undefined) this.#jobs.set(row.id, job);
      const isEnded = isOpen(job.status) && !isOpen(row.status);
      if (!job.isMine || isEnded) Object.assign(job, row);
      // Whoever was asked to stop it needn't be who runs it.
      if (!isEnded) continue;
      job.stop.abort();
      this.#release(row.id);
    }
    for (const id of before) this.#lose(id);
  }

  /** It was forgotten by another process. */
  #lose(id: string): void {
    this.#jobs.get(id)?.stop.abort();
    this.#jobs.delete(id);
    this.#release(id);
  }

  /** It is over, whoever was at it; of a failure the process's end does it. */
  #release(id: string): void {
    this.#deps.store.releaseJob(id).catch(() => undefined);
  }

  /** Goes on with jobs that nobody is at any more. */
  async #takeUp(): Promise<void> {
    const open = [...this.#jobs.values()].filter(
      ({ isMine, status }) => !isMine && isOpen(status),
    );
    for (const job of open) {
      if (!(await this.#deps.store.claimJob(job.id)) || job.isMine) continue;
      // Its end may have come just before its claim.
      await this.#load();
      if (!isOpen(job.status)) this.#release(job.id);
      else if (!job.isMine) Object.assign(job, { isMine: true, status: "queued" });
    }
    this.#runNext();
  }

  /** How many jobs there are of each status. */
  count(status: JobStatus): number {
    return [...this.#jobs.values()].filter((job) => job.status === status).length;
  }

  /**
   * Makes a job of a question, or finds the one that its asker has already made of it and that is
   * not done. Returns once the job is kept. Throws `too_many_jobs`.
   */
  async submit<Kind extends QuestionKind>(
    kind: Kind,
    request: Questions[Kind],
    asker: Principal = everybody,
  ): Promise<JobView> {
    const owner = asker.id;
    const text = JSON.stringify(request);
    const same = [...this.#jobs.values()].find(
      (job) =>
        job.kind === kind && job.request === text && job.owner === owner && isOpen(job.status),
    );
    if (same !== undefined) return viewOf(same);
    if (this.#isStopping) {
      throw new RankstreamError("shutting_down", "the service is stopping", { retryAfterSeconds });
    }
    if (this.#jobs.size >= this.#options.jobsMax) {
      const detail = `${this.#jobs.size} jobs are waiting, running or done`;
      throw new RankstreamError("too_many_jobs", detail, { retryAfterSeconds });
    }
    const job: Job = {
      id: randomBytes(16).toString("base64url"),
      kind,
      request: text,
      eventTypes: JSON.stringify(eventTypesOf(request)),
      status: "queued",
      createdAt: this.#options.now(),
      startedAt: null,
      finishedAt: null,
      expiresAt: null,
      error: null,
      owner,
      isMine: true,
      isKept: false,
      progress: 0,
      stop: new AbortController(),
    };
    this.#jobs.set(job.id, job);
    try {
      job.isMine = await this.#deps.store.claimJob(job.id);
      await this.#keep(job);
      job.isKept = true;
    } catch (error) {
      this.#lose(job.id);
      throw error;
    }
    this.#runNext();
    return viewOf(job);
  }

  /** Jobs of this asker, or all, without their results, in the order of their making. */
  list(asker: Principal = everybody): JobView[] {
    return [...this.#jobs.values()].filter((job) => isOf(job, asker)).map(viewOf);
  }

  /** The job, with its result. Throws `job_not_found`, also of another asker's. */
  async get(id: string, asker: Principal = everybody): Promise<JobView> {
    const job = this.#find(id, asker);
    if (job.status !== "done") return viewOf(job);
    const result = await this.#deps.store.jobResult(id);
    if (result === null) throw notFound(id);
    return { ...viewOf(job), result: JSON.parse(result) };
  }

  /**
   * Stops the job, or forgets it where it has ended. Returns what it is then. Throws
   * `job_not_found`, also of another asker's.
   */
  async cancel(id: string, asker: Principal = everybody): Promise<JobView> {
    const job = this.#find(id, asker);
    if (isOpen(job.status)) {
      job.stop.abort();
      await this.#end(job, "cancelled", null, null);
      return viewOf(job);
    }
    await this.#forget(job);
    return viewOf(job);
  }

  /** Forgets what is known of an event type, of which something was deleted. */
  async dropResults(eventType: string): Promise<void> {
    for (const job of [...this.#jobs.values()]) {
      const names = JSON.parse(job.eventTypes) as string[];
      if (job.status === "done" && names.includes(eventType)) await this.#forget(job);
    }
  }

  /** Stops and forgets questions about this user. */
  async forgetUser(userId: string): Promise<void> {
    await this.#forgetWhere(({ selection }) => selection?.userIds?.includes(userId) === true);
  }

  /**
   * Users of events of these types were erased: forgets answers that may have counted them, and
   * questions that name sessions, which may have been theirs.
   */
  async forgetNarrowed(eventTypes: readonly string[]): Promise<void> {
    await this.#forgetWhere(({ selection }, job) => {
      const names = JSON.parse(job.eventTypes) as string[];
      if (selection === undefined || !names.some((name) => eventTypes.includes(name)))
        return false;
      return (
        selection.sessionIds !== undefined || (job.status === "done" && needsRawEvents(selection))
      );
    });
  }

  async #forgetWhere(isMeant: (request: Narrowed, job: Job) => boolean): Promise<void> {
    const meant = [...this.#jobs.values()].filter((job) =>
      isMeant(JSON.parse(job.request) as Narrowed, job),
    );
    for (const job of meant) {
      job.stop.abort();
      if (isOpen(job.status)) await this.#end(job, "cancelled", null, null);
      await this.#forget(job);
    }
  }

  /** Stops what runs; it is run again at the next start. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#sweeper);
    for (const job of this.#jobs.values()) if (isOpen(job.status)) job.stop.abort();
    await this.#running;
  }

  /** A node asks some questions for whoever comes, under its own name: its callers find these. */
  #find(id: string, asker: Principal): Job {
    const job = this.#jobs.get(id);
    const node = asker.via;
    const isKnown = job !== undefined && (isOf(job, asker) || job.owner === node?.id);
    if (!isKnown || !areUsed(job.eventTypes, asker)) throw notFound(id);
    return job;
  }

  #keep(job: Job, result: string | null = null): Promise<unknown> {
    const { progress: _, stop: __, isMine: ___, isKept: ____, ...row } = job;
    return this.#deps.store.putJob({ ...row, result });
  }

  async #forget(job: Job): Promise<void> {
    this.#jobs.delete(job.id);
    await this.#deps.store.dropJob(job.id);
    this.#release(job.id);
  }

  /** Ends of statuses come once: a cancelled job stays so, whatever its run says later. */
  async #end(
    job: Job,
    status: "done" | "failed" | "cancelled",
    result: string | null,
    error: JobRow["error"],
  ): Promise<void> {
    if (!isOpen(job.status)) return;
    const finishedAt = this.#options.now();
    const ended = { finishedAt, expiresAt: finishedAt + this.#options.jobResultTtlMs };
    if (status === "cancelled") Object.assign(job, { status, ...ended });
    await this.#keep({ ...job, status, error, ...ended }, result);
    this.#release(job.id);
    if (status !== "cancelled" && !isOpen(job.status)) return;
    // Told only once it is kept: who reads "done" finds the result.
    Object.assign(job, {
      status,
      error,
      ...ended,
      progress: status === "done" ? 1 : job.progress,
    });
  }

  #runNext(): void {
    if (this.#running !== null || this.#isStopping) return;
    const job = [...this.#jobs.values()].find(
      ({ isMine, status }) => isMine && status === "queued",
    );
    if (job === undefined) return;
    this.#running = this.#run(job)
      .catch((error) => this.#deps.logger.error(fieldsOf(job, error), "a job was not kept"))
      .finally(() => {
        this.#running = null;
        this.#runNext();
      });
  }

  async #run(job: Job): Promise<void> {
    job.status = "running";
    job.startedAt = this.#options.now();
    await this.#keep(job);
    const control: AskControl = {
      budgetMs: this.#options.jobTimeoutMs,
      isApart: true,
      signal: job.stop.signal,
      onProgress: (share) => {
        job.progress = Math.max(job.progress, Math.min(0.99, share));
      },
    };
    try {
      const { asker } = this.#deps;
      const ask = asker[job.kind as QuestionKind];
      const request = JSON.parse(job.request) as never;
      const result = JSON.stringify(await ask.call(asker, request, control));
      if (Buffer.byteLength(result) > resultBytesMax) {
        throw new RankstreamError("result_too_large", `more than ${resultBytesMax} bytes`);
      }
      await this.#end(job, "done", result, null);
    } catch (error) {
      // As it was kept: the next start runs it again.
      if (this.#isStopping) return;
      const isOwn = error instanceof RankstreamError;
      if (!isOwn) this.#deps.logger.error(fieldsOf(job, error), "a job failed");
      const code = isOwn ? error.code : "internal_error";
      const detail = isOwn ? error.message : "the service's log says why";
      await this.#end(job, "failed", null, { code, detail });
    }
  }

  #sweep(): void {
    const now = this.#options.now();
    if (this.#sweeps++ % sweepsPerTake === 0 && !this.#isStopping) {
      this.#takeUp().catch((err) =>
        this.#deps.logger.warn({ part: "jobs", err }, "jobs of others were not taken up"),
      );
    }
    for (const job of [...this.#jobs.values()]) {
      if (job.expiresAt === null || job.expiresAt > now) continue;
      if (!job.isMine && !this.#deps.store.shares.maintains) continue;
      this.#forget(job).catch((error) => {
        this.#deps.logger.warn(fieldsOf(job, error), "an old job was not forgotten");
      });
    }
  }
}
