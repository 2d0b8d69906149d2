/** Erasures as they are kept (table erasures), and what this process knows of them beside. */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { type Row, rowsOf } from "./database.ts";
import type { EraseQuery, ErasureInfo, ErasureStatus } from "./erase-questions.ts";
import { allKeys, metadataPatch, userHashSql } from "./erasure-sql.ts";

export interface OpenErasure {
  erasureId: number;
  jobId: string;
  owner: string;
  status: ErasureStatus;
  dropsSnapshots: boolean;
  /** Epoch ms. */
  createdAt: number;
  finishedAt: number | null;
  keepMs: number;
  /** JSON. */
  metadataKeys: string;
  /** JSON of an ErasureAnswer; null before it is known. */
  answer: string | null;
  /** JSON of the snapshots that hold events of the user; null before they were looked for. */
  snapshots: string | null;
  /** Null after a restart: then there is the hash alone. */
  userId: string | null;
  /** The share of files looked through; how many were marked in all, and still are. */
  looked: number;
  filesMarked: number;
  filesLeft: number;
  /** Exports that were open when it took effect. */
  exports: readonly string[];
  error: ErasureInfo["error"];
}

/** Looking through files is a small part of it, writing them anew nearly all the rest. */
const shares = Object.freeze({ finding: 0.1, removing: 0.85 });

function progressOf({ status, looked, filesMarked, filesLeft }: OpenErasure): number {
  if (status === "done") return 1;
  if (status === "finding") return shares.finding * looked;
  const removed = filesMarked === 0 ? 1 : 1 - filesLeft / filesMarked;
  return shares.finding + shares.removing * Math.max(0, removed);
}

function infoOf(erasure: OpenErasure): ErasureInfo {
  const { jobId, owner, status, createdAt, finishedAt, keepMs, error } = erasure;
  const { metadataKeys, answer, snapshots } = erasure;
  const expiresAt = finishedAt === null ? null : finishedAt + keepMs;
  const progress = progressOf(erasure);
  return {
    ...{ jobId, owner, status, progress, createdAt, finishedAt, expiresAt },
    ...{ error, metadataKeys, answer, snapshots },
  };
}

function erasureOf(row: Row): OpenErasure {
  const text = (name: string) => (row[name] === null ? null : String(row[name]));
  return {
    erasureId: Number(row["erasure_id"]),
    jobId: String(row["job_id"]),
    owner: String(row["owner"]),
    status: String(row["status"]) as ErasureStatus,
    dropsSnapshots: row["drops_snapshots"] === true,
    createdAt: Number(row["created_at"]),
    finishedAt: row["finished_at"] === null ? null : Number(row["finished_at"]),
    keepMs: Number(row["keep_ms"]),
    metadataKeys: String(row["metadata_keys"]),
    answer: text("answer"),
    snapshots: text("snapshots"),
    ...{ userId: null, looked: 0, filesMarked: 0, filesLeft: 0, exports: [], error: null },
  };
}

export class ErasureRows {
  /** In the order of their making. */
  readonly #known: OpenErasure[];

  private constructor(known: OpenErasure[]) {
    this.#known = known;
  }

  static async load(connection: DuckDBConnection): Promise<ErasureRows> {
    const rows = await rowsOf(connection, "SELECT * FROM erasures ORDER BY erasure_id");
    const known = new ErasureRows(rows.map(erasureOf));
    await known.look(connection);
    return known;
  }

  /** What other processes have done since, of all but those that are this one's. */
  async reload(connection: DuckDBConnection, isMine: (jobId: string) => boolean): Promise<void> {
    const rows = await rowsOf(connection, "SELECT * FROM erasures ORDER BY erasure_id");
    const found = rows.map(erasureOf);
    for (const one of found) {
      const known = this.#known.find(({ jobId }) => jobId === one.jobId);
      const { status, answer, snapshots, finishedAt } = one;
      if (known === undefined) this.#known.push(one);
      else if (!isMine(known.jobId)) {
        Object.assign(known, { status, answer, snapshots, finishedAt });
      }
    }
    const ids = new Set(found.map(({ jobId }) => jobId));
    const kept = this.#known.filter(({ jobId }) => ids.has(jobId));
    this.#known.splice(0, this.#known.length, ...kept);
  }

  get size(): number {
    return this.#known.length;
  }

  /** Those that are not done. */
  get open(): OpenErasure[] {
    return this.#known.filter(({ status }) => status !== "done");
  }

  list(): ErasureInfo[] {
    return this.#known.map(infoOf);
  }

  get(jobId: string): ErasureInfo | null {
    const found = this.#known.find((one) => one.jobId === jobId);
    return found === undefined ? null : infoOf(found);
  }

  /** Keeps a new one, and the user's hash; `add` is to follow the commit. */
  async insert(
    connection: DuckDBConnection,
    { userId, metadataKeys, dropsSnapshots, owner, keepMs }: EraseQuery,
    { jobId, now, erasedAt }: { jobId: string; now: number; erasedAt: number },
  ): Promise<OpenErasure> {
    const erasureId = await nextErasureId(connection);
    await connection.run(
      `INSERT INTO erased_users SELECT ${userHashSql("$1")}, $2::BIGINT, $3, $4, $5::BIGINT`,
      [
        userId,
        BigInt(erasedAt),
        metadataPatch(metadataKeys),
        metadataKeys.includes(allKeys),
        BigInt(erasureId),
      ],
    );
    // A question about the user, kept as a job, names them.
    await connection.run(
      `DELETE FROM jobs WHERE list_contains(
         json_extract_string(request, '$.selection.userIds[*]'), $1)`,
      [userId],
    );
    const keys = JSON.stringify(metadataKeys);
    const values: DuckDBValue[] = [BigInt(erasureId), jobId, owner, dropsSnapshots];
    await connection.run(
      `INSERT INTO erasures VALUES ($1::BIGINT, $2, $3, 'finding', $4, $5::BIGINT, NULL,
         $6::BIGINT, $7, NULL, NULL)`,
      [...values, BigInt(now), BigInt(keepMs), keys],
    );
    const memory = { looked: 0, filesMarked: 0, filesLeft: 0, exports: [], error: null };
    const kept = { finishedAt: null, answer: null, snapshots: null, createdAt: now };
    const own = { erasureId, jobId, owner, dropsSnapshots, keepMs, userId, metadataKeys: keys };
    return { ...own, status: "finding", ...kept, ...memory };
  }

  add(erasure: OpenErasure): ErasureInfo {
    this.#known.push(erasure);
    return infoOf(erasure);
  }

  async remove(connection: DuckDBConnection, jobId: string): Promise<void> {
    await connection.run("DELETE FROM erasures WHERE job_id = $1", [jobId]);
    const at = this.#known.findIndex((one) => one.jobId === jobId);
    if (at >= 0) this.#known.splice(at, 1);
  }

  noteFinding(open: readonly OpenErasure[], share: number): void {
    for (const erasure of open) erasure.looked = share;
  }

  /** They took effect while these exports were open. */
  noteRemoving(
    marked: readonly { erasure: OpenErasure; answer: string; files: number }[],
    exports: readonly string[],
  ): void {
    for (const { erasure, answer, files } of marked) {
      Object.assign(erasure, { status: "removing", answer, exports, error: null });
      Object.assign(erasure, { filesMarked: files, filesLeft: files });
    }
  }

  /** Why nothing goes on at the moment. */
  fail(error: unknown): void {
    const isOwn = error instanceof RankstreamError;
    const code = isOwn ? error.code : "internal_error";
    const detail = isOwn ? error.message : "the service's log says why";
    for (const erasure of this.open) erasure.error = { code, detail };
  }

  /** Looks how many files are still marked; returns the path of one, null for none. */
  async look(connection: DuckDBConnection): Promise<string | null> {
    const rows = await rowsOf(
      connection,
      `SELECT erasure_id, count(*) AS files, min(path) AS path FROM raw_erasures
       GROUP BY erasure_id`,
    );
    for (const erasure of this.open) {
      const row = rows.find((one) => Number(one["erasure_id"]) === erasure.erasureId);
      erasure.filesLeft = Number(row?.["files"] ?? 0);
      erasure.filesMarked = Math.max(erasure.filesMarked, erasure.filesLeft);
    }
    return rows.length === 0 ? null : String(rows[0]!["path"]);
  }

  /**
   * It is done, in a transaction of its own, which `noteDone` is to follow. Of earlier rows of the
   * same user what they say is said by the latest.
   */
  async finish(
    connection: DuckDBConnection,
    { erasureId }: OpenErasure,
    done: { finishedAt: number; snapshots: string },
  ): Promise<void> {
    await connection.run(
      `UPDATE erasures SET status = 'done', finished_at = $1::BIGINT, snapshots = $2
       WHERE erasure_id = $3::BIGINT`,
      [BigInt(done.finishedAt), done.snapshots, BigInt(erasureId)],
    );
    await joinEarlier(connection, erasureId);
  }

  noteDone(erasure: OpenErasure, done: { finishedAt: number; snapshots: string }): void {
    Object.assign(erasure, { status: "done", ...done, userId: null, error: null });
  }
}

/** For the next erasure: never given before. */
export async function nextErasureId(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(
    connection,
    `SELECT coalesce(max(id), 0) + 1 AS next FROM (
       SELECT max(erasure_id) AS id FROM erased_users
       UNION ALL SELECT max(erasure_id) FROM erasures)`,
  );
  return Number(row!["next"]);
}

/** Puts what rows of done erasures say of the same users into this one's. */
async function joinEarlier(connection: DuckDBConnection, erasureId: number): Promise<void> {
  const earlier = `SELECT * FROM erased_users SEMI JOIN (
      SELECT user_hash FROM erased_users WHERE erasure_id = ${erasureId}) AS own
      USING (user_hash)
    WHERE erasure_id < ${erasureId} AND erasure_id NOT IN (
      SELECT erasure_id FROM erasures WHERE status <> 'done')`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE earlier_erasures AS ${earlier}`);
  await connection.run(`UPDATE erased_users SET
      erased_at = greatest(erased_users.erased_at, earlier.erased_at),
      metadata_patch = nullif(concat_ws(',', erased_users.metadata_patch, earlier.patch), ''),
      drops_metadata = erased_users.drops_metadata OR earlier.drops
    FROM (SELECT user_hash, max(erased_at) AS erased_at,
        string_agg(metadata_patch, ',') AS patch, bool_or(drops_metadata) AS drops
      FROM earlier_erasures GROUP BY user_hash) AS earlier
    WHERE erased_users.user_hash = earlier.user_hash AND erasure_id = ${erasureId}`);
  await connection.run(`DELETE FROM erased_users USING earlier_erasures AS earlier
    WHERE erased_users.user_hash = earlier.user_hash
      AND erased_users.erasure_id = earlier.erasure_id`);
  await connection.run("DROP TABLE earlier_erasures");
}

/** Forgets the oldest erased users where there are more than `usersMax`. */
export async function boundErasedUsers(
  connection: DuckDBConnection,
  usersMax: number,
): Promise<void> {
  await connection.run(`DELETE FROM erased_users WHERE (erasure_id, user_hash) IN (
    SELECT (erasure_id, user_hash) FROM erased_users
    WHERE erasure_id NOT IN (SELECT erasure_id FROM erasures WHERE status <> 'done')
    ORDER BY erased_at DESC OFFSET ${usersMax})`);
}
