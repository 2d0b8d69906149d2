/** Users who were erased, as backups keep them: out of a store, and into one that is restored. */
import { randomBytes } from "node:crypto";
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf, runValues } from "./database.ts";
import type { ErasedPlace, ErasedUsers, ErasedUsersPage } from "./erase-questions.ts";
import { nextErasureId } from "./erase-rows.ts";
import { migrate } from "./migrations.ts";

/** Owns the erasure that a restore brings with it. */
export const restoreOwner = "restore";
/** How long that one is known after its end. */
const restoredKeepMs = 86_400_000;
/** Users told at once. */
const usersAtOnce = 5000;

async function keyOf(connection: DuckDBConnection): Promise<string> {
  const [row] = await rowsOf(connection, "SELECT key FROM erasure_key");
  return String(row!["key"]);
}

/** Erased users behind a place. */
export async function readErasedUsers(
  connection: DuckDBConnection,
  { erasureId, userHash }: ErasedPlace,
): Promise<ErasedUsersPage> {
  const rows = await rowsOf(
    connection,
    `SELECT * FROM erased_users
     WHERE erasure_id > $1::BIGINT OR (erasure_id = $1::BIGINT AND user_hash > $2)
     ORDER BY erasure_id, user_hash LIMIT ${usersAtOnce}`,
    [BigInt(erasureId), userHash],
  );
  const [open] = await rowsOf(
    connection,
    "SELECT min(erasure_id) AS id FROM erasures WHERE status <> 'done'",
  );
  const last = rows.length < usersAtOnce ? undefined : rows.at(-1)!;
  const next = last && {
    erasureId: Number(last["erasure_id"]),
    userHash: String(last["user_hash"]),
  };
  const openId = open!["id"];
  return {
    key: await keyOf(connection),
    users: rows.map((row) => ({
      userHash: String(row["user_hash"]),
      erasedAt: Number(row["erased_at"]),
      metadataPatch: row["metadata_patch"] === null ? null : String(row["metadata_patch"]),
      dropsMetadata: row["drops_metadata"] === true,
    })),
    next: next ?? null,
    settledBelow: openId === null ? await nextErasureId(connection) : Number(openId),
  };
}

async function hasKey(connection: DuckDBConnection): Promise<boolean> {
  const sql = "SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'erasure_key'";
  return Number((await rowsOf(connection, sql))[0]!["n"]) > 0;
}

/** The key that most of these users' hashes are made with. */
function commonKey(erased: readonly ErasedUsers[]): string {
  const users = new Map<string, number>();
  for (const { key, users: own } of erased) users.set(key, (users.get(key) ?? 0) + own.length);
  return [...users].sort(([, a], [, b]) => b - a)[0]![0];
}

async function insertMissing(
  connection: DuckDBConnection,
  erased: readonly ErasedUsers[],
): Promise<number> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE restored_users (
    user_hash VARCHAR, erased_at BIGINT, metadata_patch VARCHAR, drops_metadata BOOLEAN)`);
  for (const { users } of erased) {
    const rows = users.map((one) => [
      one.userHash,
      BigInt(one.erasedAt),
      one.metadataPatch,
      one.dropsMetadata,
    ]);
    await runValues(connection, "INSERT INTO restored_users VALUES", rows);
  }
  const erasureId = await nextErasureId(connection);
  // What a row of the store says at least as much about is erased in it already.
  const result = await connection.run(`INSERT INTO erased_users
    SELECT user_hash, max(erased_at), string_agg(DISTINCT metadata_patch, ','),
      bool_or(drops_metadata), ${erasureId}
    FROM restored_users AS kept WHERE NOT EXISTS (
      SELECT 1 FROM erased_users AS own
      WHERE own.user_hash = kept.user_hash AND own.erased_at >= kept.erased_at
        AND (own.drops_metadata OR (NOT kept.drops_metadata
          AND contains(coalesce(own.metadata_patch, ''), coalesce(kept.metadata_patch, '')))))
    GROUP BY user_hash`);
  await connection.run("DROP TABLE restored_users");
  if (result.rowsChanged > 0) {
    await connection.run(
      `INSERT INTO erasures VALUES (${erasureId}, $1, $2, 'finding', false, $3::BIGINT, NULL,
         ${restoredKeepMs}, '[]', NULL, NULL)`,
      [randomBytes(16).toString("base64url"), restoreOwner, BigInt(Date.now())],
    );
  }
  return result.rowsChanged;
}

/**
 * Decides, in a store that is being restored, the erasures that it does not know yet: its next
 * start makes them, before anything is read. Returns of how many users. A store of a format
 * without erasures comes to this program's, and gets the key that the users' hashes are made
 * with. Throws `data_folder_newer`.
 */
export async function eraseRestored(
  connection: DuckDBConnection,
  erased: readonly ErasedUsers[],
  program: string,
): Promise<number> {
  if (erased.length === 0) return 0;
  await connection.run("BEGIN");
  try {
    const isKeyOwn = await hasKey(connection);
    await migrate(connection, program);
    if (!isKeyOwn) await connection.run("UPDATE erasure_key SET key = $1", [commonKey(erased)]);
    // Of another key are users of another service, whose repository this is as well.
    const key = await keyOf(connection);
    const own = erased.filter((one) => one.key === key);
    const users = await insertMissing(connection, own);
    await connection.run("COMMIT");
    return users;
  } catch (error) {
    await connection.run("ROLLBACK");
    throw error;
  }
}
