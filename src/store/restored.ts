/** What a store needs before it goes on elsewhere, from a backup. */
import { RankstreamError } from "../errors.ts";
import { rowsOf } from "./database.ts";
import { checkFormat } from "./migrations.ts";
import { databaseDefaults, openInstance } from "./open-instance.ts";

/**
 * Opens the store's file at `path`, with what its WAL holds beyond it, and ties it to another
 * log: from now on its offsets are of the log `logId`. Throws `backup_damaged` where DuckDB can't
 * read it or it is of another log than `from`, `data_folder_newer` for a format of a later version
 * than `program`, this one's.
 */
export async function moveStore(
  path: string,
  { from, logId, program }: { from: string; logId: string; program: string },
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
    await connection.run("CHECKPOINT");
    connection.closeSync();
  } finally {
    instance.closeSync();
  }
}
