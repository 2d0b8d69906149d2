/** Jobs as this process knows them, and as it tells of them. */
import { RankstreamError } from "../errors.ts";
import { mayUseType, type Principal } from "../model-access.ts";
import type { JobRow, JobStatus } from "../store/jobs.ts";
import type { LogFields } from "../telemetry.ts";
import { secretsIn } from "../telemetry-redaction.ts";
import type { QuestionKind } from "./questions.ts";
import { formatTimestamp } from "./timestamp.ts";

/** A job as GET /jobs/{id} tells of it; times are ISO 8601 UTC. */
export interface JobView {
  id: string;
  kind: QuestionKind | "erasure";
  status: JobStatus;
  /** 0..1. */
  progress: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** When it is forgotten; null before its end. */
  expiresAt: string | null;
  /** Only of one that is done. */
  result?: unknown;
  /** Of one that failed; of an erasure, of its last try. */
  error?: { code: string; detail: string };
}

export interface Job extends JobRow {
  /** Whether it is for this process to run: another's is only told of. */
  isMine: boolean;
  /** Whether the store has it. */
  isKept: boolean;
  progress: number;
  stop: AbortController;
}

/** For a line of the log. */
export function fieldsOf(job: Job, err: unknown): LogFields {
  return { part: "jobs", err, job: job.id, secrets: secretsIn(JSON.parse(job.request)) };
}

/** Whoever may do everything is told of all jobs. */
export function isOf({ owner }: Pick<JobRow, "owner">, asker: Principal): boolean {
  const { scopes, eventTypes } = asker;
  return owner === asker.id || (scopes.includes("admin") && eventTypes === null);
}

/** Whether the asker may still see the types that the answer speaks of. */
export function areUsed(eventTypes: string, asker: Principal): boolean {
  return (JSON.parse(eventTypes) as string[]).every((name) => mayUseType(asker, name));
}

export function isOpen(status: JobStatus): boolean {
  return status === "queued" || status === "running";
}

export function notFound(id: string): RankstreamError {
  return new RankstreamError(
    "job_not_found",
    `there is no job ${JSON.stringify(id.slice(0, 60))}`,
  );
}

export function viewOf(job: Job): JobView {
  const time = (ms: number | null) => (ms === null ? null : formatTimestamp(ms));
  return {
    id: job.id,
    kind: job.kind as QuestionKind,
    status: job.status,
    progress: job.progress,
    createdAt: formatTimestamp(job.createdAt),
    startedAt: time(job.startedAt),
    finishedAt: time(job.finishedAt),
    expiresAt: time(job.expiresAt),
    ...(job.error !== null && { error: job.error }),
  };
}
