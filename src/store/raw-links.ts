/**
 * The raw events of one moment as files of one's own: the store's files never change, so a link
 * keeps one for as long as it is needed, whatever becomes of the original. What lies in no file
 * yet, or in one of which something is deleted or erased, is written anew.
 */
import { basename, join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import type { RawFile } from "./raw-file.ts";
import type { RawFiles } from "./raw-files.ts";
import { sqlText } from "./sql.ts";
import { aliveSources, changedFiles } from "./tombstones.ts";

const parquetOptions = "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2";

/** A file of raw events; `path` is absolute, times are epoch ms. */
export type LinkedFile = Pick<RawFile, "path" | "firstTime" | "lastTime" | "rows">;

export interface LinkedRaw {
  files: LinkedFile[];
  /** How many of them are the store's own. */
  linked: number;
}

/**
 * Puts files into `folder` (below the data folder) that hold together all raw events whose time
 * is in `[from, to)`, and maybe others, as of the reader's transaction. Throws `raw_corrupt`.
 */
export async function linkRaw(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  folder: string,
  [from, to]: readonly [number, number],
): Promise<LinkedRaw> {
  const changed = await changedFiles(connection);
  const files = await rawFiles.list(connection, from, to);
  const whole = files.filter(({ path }) => !changed.has(path));
  await rawFiles.checks.check(
    connection,
    whole.map(({ path }) => path),
  );
  const placed: LinkedFile[] = [];
  for (const { path, firstTime, lastTime, rows } of whole) {
    const target = join(folder, basename(path));
    await rawFiles.place.keep(path, target);
    placed.push({ path: target, firstTime, lastTime, rows });
  }
  // Also where it is empty: so there is always a file, with all columns.
  const rest = [{ source: "raw_recent", ...(await spanOfRecent(connection)) }];
  for (const { path, firstTime, lastTime } of files) {
    if (!changed.has(path)) continue;
    const [source] = await aliveSources(connection, rawFiles.checks, [path]);
    rest.push({ source: source!, firstTime, lastTime });
  }
  for (const [i, { source, firstTime, lastTime }] of rest.entries()) {
    const path = join(folder, `part-${i}.parquet`);
    const copied = await connection.run(
      `COPY (FROM ${source}) TO ${sqlText(path)} (${parquetOptions})`,
    );
    placed.push({ path, firstTime, lastTime, rows: copied.rowsChanged });
  }
  return { files: placed, linked: whole.length };
}

/** Epoch ms of the first and last event in no file yet; 0 for none. */
async function spanOfRecent(connection: DuckDBConnection) {
  const [row] = await rowsOf(
    connection,
    `SELECT epoch_ms(min(event_time)) AS first, epoch_ms(max(event_time)) AS last
     FROM raw_recent`,
  );
  return { firstTime: Number(row!["first"] ?? 0), lastTime: Number(row!["last"] ?? 0) };
}
