/**
 * Jobs as they are kept: questions that are answered later, and their answers.
 *
 *   jobs  (id, kind, request, event_types, status, created_at, started_at, finished_at,
 *         expires_at, error_code, error_detail, result, owner): times are epoch ms; request,
 *         event_types and result are JSON that only the query side reads
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";

export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";

export interface JobRow {
  id: string;
  kind: string;
  request: string;
  /** The names of the types that the answer speaks of. */
  eventTypes: string;
  status: JobStatus;
  /** Epoch ms. */
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  expiresAt: number | null;
  error: { code: string; detail: string } | null;
  /** The id of who asked; empty: from before there were any. */
  owner: string;
}

export const jobsTable = `CREATE TABLE IF NOT EXISTS jobs (
  id VARCHAR NOT NULL, kind VARCHAR NOT NULL, request VARCHAR NOT NULL,
  event_types VARCHAR NOT NULL, status VARCHAR NOT NULL, created_at BIGINT NOT NULL,
  started_at BIGINT, finished_at BIGINT, expires_at BIGINT, error_code VARCHAR,
  error_detail VARCHAR, result VARCHAR)`;
/** Tables made before it belonged to jobs lack it. */
export const jobsColumns = "ALTER TABLE jobs ADD COLUMN IF NOT EXISTS owner VARCHAR";

/** All jobs in the order of their making, without results. */
export async function readJobs(connection: DuckDBConnection): Promise<JobRow[]> {
  const rows = await rowsOf(
    connection,
    "SELECT * EXCLUDE (result) FROM jobs ORDER BY created_at, id",
  );
  return rows.map((row) => {
    const time = (name: string) => (row[name] === null ? null : Number(row[name]));
    const code = row["error_code"];
    return {
      id: String(row["id"]),
      kind: String(row["kind"]),
      request: String(row["request"]),
      eventTypes: String(row["event_types"]),
      status: String(row["status"]) as JobStatus,
      createdAt: Number(row["created_at"]),
      startedAt: time("started_at"),
      finishedAt: time("finished_at"),
      expiresAt: time("expires_at"),
      error: code === null ? null : { code: String(code), detail: String(row["error_detail"]) },
      owner: String(row["owner"] ?? ""),
    };
  });
}

/**
 * Keeps the job as it is now, in the writer's transaction: unless it has ended meanwhile, or was
 * forgotten, by whatever process.
 */
export async function writeJob(
  connection: DuckDBConnection,
  job: JobRow & { result: string | null },
): Promise<void> {
  const known = await rowsOf(connection, "SELECT status FROM jobs WHERE id = $1", [job.id]);
  const isOpen = known.every(({ status }) => status === "queued" || status === "running");
  const isNew = job.status === "queued";
  if (!isOpen || (known.length === 0 && !isNew)) return;
  await removeJob(connection, job.id);
  const big = (ms: number | null) => (ms === null ? null : BigInt(ms));
  await connection.run(
    `INSERT INTO jobs VALUES ($1, $2, $3, $4, $5, $6::BIGINT, $7::BIGINT, $8::BIGINT,
      $9::BIGINT, $10, $11, $12, $13)`,
    [
      job.id,
      job.kind,
      job.request,
      job.eventTypes,
      job.status,
      big(job.createdAt),
      big(job.startedAt),
      big(job.finishedAt),
      big(job.expiresAt),
      job.error?.code ?? null,
      job.error?.detail ?? null,
      job.result,
      job.owner,
    ],
  );
}

export async function removeJob(connection: DuckDBConnection, id: string): Promise<void> {
  await connection.run("DELETE FROM jobs WHERE id = $1", [id]);
}

/** The job's answer; null where there is none. */
export async function readJobResult(
  connection: DuckDBConnection,
  id: string,
): Promise<string | null> {
  const [row] = await rowsOf(connection, "SELECT result FROM jobs WHERE id = $1", [id]);
  const result = row?.["result"] ?? null;
  return result === null ? null : String(result);
}
