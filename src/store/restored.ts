/** What a store needs before it goes on elsewhere, from a backup. */
import { RankstreamError } from "../errors.ts";
import { rowsOf } from "./database.ts";
import type { ErasedUsers } from "./erase-questions.ts";
import { eraseRestored } from "./erased-users.ts";
import { checkFormat } from "./migrations.ts";
import { databaseDefaults, openInstance } from "./open-instance.ts";

export interface Move {
  /** The log that it is of. */
  from: string;
  /** The log that it goes on with. */
  logId: string;
  /** Users who are to be erased from it. */
  erased: readonly ErasedUsers[];
  program: string;
}

/**
 * Opens the store's file at `path`, with what its WAL holds beyond it, and ties it to another
 * log: from now on its offsets are of the log `logId`. Users who were erased after the backup are
 * to be erased by its next start. Throws `backup_damaged` where DuckDB can't read it or it is of
 * another log than `from`, `data_folder_newer` for a format of a later version than `program`,
 * this one's.
 */
export async function moveStore(
  path: string,
  { from, logId, erased, program }: Move,
): Promise<void> {
  const instance = await openInstance(path, databaseDefaults).catch((cause) => {
    const detail = `${path} can not be opened (${(cause as Error).message})`;
    throw new RankstreamError("backup_damaged", detail, { cause });
  });
  try {
    const connection = await instance.connect();
    await checkFormat(connection, program);
    const rows = await rowsOf(connection, "SELECT key, value FROM meta");
    const meta = new Map(rows.map(({ key, value }) => [String(key), String(value)]));
    const known = meta.get("logId");
    if (known !== from && known !== logId) {
      throw new RankstreamError("backup_damaged", `${path} is of log ${known}, not of ${from}`);
    }
    await connection.run("UPDATE meta SET value = ? WHERE key = 'logId'", [logId]);
    await eraseRestored(connection, erased, program);
    await connection.run("CHECKPOINT");
    connection.closeSync();
  } finally {
    instance.closeSync();
  }
}
