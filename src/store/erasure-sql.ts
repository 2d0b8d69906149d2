/**
 * Erasure of a user: the events stay, and lose user, session and named metadata. Users are
 * remembered by a keyed hash of their id alone, so that what comes later of before the erasure, by
 * a log that is read again or a backup that is restored, loses the same.
 *
 *   erasure_key   (key): 256 random bits, of this folder alone
 *   erased_users  (user_hash, erased_at, metadata_patch, drops_metadata, erasure_id): events of
 *                 the user that were received up to `erased_at` (epoch ms) are erased; of several
 *                 rows of a user the latest. metadata_patch: members of a JSON merge patch that
 *                 removes keys, NULL for none; drops_metadata: all keys go
 *   erasures      (erasure_id, job_id, owner, status, …): those under way, and what became of
 *                 them (erase.ts)
 *   raw_erasures  (path, erasure_id): files in which events of the erasure's users lie as they
 *                 came. Whatever reads raw events reads these as erased, and the file is written
 *                 anew without
 */
import { randomBytes } from "node:crypto";
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import { sqlText, sqlTexts } from "./sql.ts";

export const erasureTables: readonly (string | (() => string))[] = [
  "CREATE TABLE erasure_key (key VARCHAR NOT NULL)",
  () => `INSERT INTO erasure_key VALUES ('${randomBytes(32).toString("hex")}')`,
  `CREATE TABLE erased_users (
     user_hash VARCHAR NOT NULL, erased_at BIGINT NOT NULL, metadata_patch VARCHAR,
     drops_metadata BOOLEAN NOT NULL, erasure_id BIGINT NOT NULL)`,
  `CREATE TABLE erasures (
     erasure_id BIGINT NOT NULL, job_id VARCHAR NOT NULL, owner VARCHAR NOT NULL,
     status VARCHAR NOT NULL, drops_snapshots BOOLEAN NOT NULL, created_at BIGINT NOT NULL,
     finished_at BIGINT, keep_ms BIGINT NOT NULL, metadata_keys VARCHAR NOT NULL,
     answer VARCHAR, snapshots VARCHAR)`,
  "CREATE TABLE raw_erasures (path VARCHAR NOT NULL, erasure_id BIGINT NOT NULL)",
];

/** SQL of the keyed hash of a user id: hexadecimal, NULL of NULL. */
export function userHashSql(userId: string): string {
  return `sha256((SELECT key FROM erasure_key) || ${userId})`;
}

/** Stands for all keys of metadata. */
export const allKeys = "*";

/** The members of a merge patch that removes these keys; null for none, or where all go. */
export function metadataPatch(keys: readonly string[]): string | null {
  if (keys.length === 0 || keys.includes(allKeys)) return null;
  return keys.map((key) => `${JSON.stringify(key)}:null`).join(",");
}

/**
 * A FROM source of the events of `source` (another), those of users that were erased without what
 * was erased of them. `which` is a condition on erased_users, or on `users`, a copy of it.
 */
export function erasedSql(source: string, which = "true", users = "erased_users"): string {
  // What is no JSON, which nothing of ours is, would go as a whole. Merged with NULL a patch would
  // come out as it is.
  const patched = `CASE WHEN json_valid(event.metadata) THEN nullif(json_merge_patch(
      event.metadata::JSON, ('{' || rule.metadata_patch || '}')::JSON)::VARCHAR, '{}') END`;
  return `(SELECT event.* REPLACE (
      CASE WHEN rule.user_hash IS NULL THEN event.user_id END AS user_id,
      CASE WHEN rule.user_hash IS NULL THEN event.session_id END AS session_id,
      CASE WHEN rule.drops_metadata THEN NULL WHEN rule.metadata_patch IS NULL
        THEN event.metadata ELSE ${patched} END AS metadata)
    FROM ${source} AS event LEFT JOIN (
      SELECT user_hash, max(erased_at) AS erased_at,
        string_agg(metadata_patch, ',') AS metadata_patch,
        bool_or(drops_metadata) AS drops_metadata
      FROM ${users} WHERE ${which} GROUP BY user_hash) AS rule
    ON rule.user_hash = ${userHashSql("event.user_id")}
      AND epoch_ms(event.received_at) <= rule.erased_at)`;
}

/** A condition on erased_users: of these files' erasures. */
export function erasuresOfSql(paths: readonly string[]): string {
  const own = `SELECT erasure_id FROM raw_erasures WHERE path IN (${sqlTexts(paths)})`;
  return `erasure_id IN (${own})`;
}

/** The erasures that are to be made of these files. */
export async function erasuresOf(
  connection: DuckDBConnection,
  paths: readonly string[],
): Promise<number[]> {
  const sql = `SELECT DISTINCT erasure_id AS id FROM raw_erasures
    WHERE path IN (${sqlTexts(paths)}) ORDER BY id`;
  return (await rowsOf(connection, sql)).map((row) => Number(row["id"]));
}

/**
 * The marks of `paths` go with these files. Those of erasures other than `made` are kept for
 * `path`, which holds the files' events; null: there is no such file. In the writer's transaction.
 */
export async function moveErasures(
  connection: DuckDBConnection,
  paths: readonly string[],
  path: string | null,
  made: readonly number[],
): Promise<void> {
  const names = `path IN (${sqlTexts(paths)})`;
  if (path !== null) {
    const isMade = made.length === 0 ? "false" : `erasure_id IN (${made.join(", ")})`;
    await connection.run(`INSERT INTO raw_erasures
      SELECT DISTINCT ${sqlText(path)}, erasure_id FROM raw_erasures
      WHERE ${names} AND NOT (${isMade})`);
  }
  await connection.run(`DELETE FROM raw_erasures WHERE ${names}`);
}
