/** One file of raw events: how it is named and written, and what the manifest says of it. */
import { randomUUID } from "node:crypto";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { RawChecks } from "./raw-checks.ts";
import { sqlText, timestampLiteral } from "./sql.ts";

export interface RawFile {
  /** Path below the data folder. */
  path: string;
  /** Epoch ms of the first and last event. */
  firstTime: number;
  lastTime: number;
  rows: number;
  bytes: number;
  /** CRC-32 of each MiB; of a file just written. */
  checksums?: readonly number[];
}

const copyOptions = [
  "FORMAT parquet",
  "COMPRESSION zstd",
  "COMPRESSION_LEVEL 1",
  "PARQUET_VERSION v2",
  // Columns of mostly distinct values (users, sessions) are not worth a dictionary.
  "DICTIONARY_SIZE_LIMIT 2000",
  // So that it says how long the file is: what is there is held against it.
  "RETURN_STATS true",
].join(", ");

/** Folder of a file that spans these times, below the data folder. */
function folderOf(firstTime: number, lastTime: number): string {
  const first = new Date(firstTime).toISOString();
  const last = new Date(lastTime).toISOString();
  if (first.slice(0, 10) !== last.slice(0, 10)) return "raw";
  const day = `raw/date=${first.slice(0, 10)}`;
  return first.slice(11, 13) === last.slice(11, 13) ? `${day}/hour=${first.slice(11, 13)}` : day;
}

/**
 * Of one process from one start on, among all that ever write to a place: when it was made, and
 * chance. An object written twice under one name would lose the first one's events unnoticed.
 */
function writerName(): string {
  return `${Date.now().toString(36)}${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** Writes files to a place (raw-place.ts). */
export class RawFileWriter {
  readonly #checks: RawChecks;
  /** Names this writer's files, so that no two ever choose the same one. */
  readonly #name = writerName();
  #sequence = 0;

  /** `checks` are of the place, and are told of each file. */
  constructor(checks: RawChecks) {
    this.#checks = checks;
  }

  /**
   * Writes the rows of `source` (a table or query in parentheses) to a file and returns what the
   * manifest is to say of it (`registerRawFile`). `span`: epoch ms of the first and last event.
   */
  async write(
    connection: DuckDBConnection,
    source: string,
    span: [number, number],
  ): Promise<RawFile> {
    const { place } = this.#checks;
    const [firstTime, lastTime] = span;
    const name = `${firstTime}-${this.#name}-${this.#sequence++}.parquet`;
    const path = `${folderOf(firstTime, lastTime)}/${name}`;
    const copied = await place.write(path, async (target) => {
      const copy = `COPY (SELECT * FROM ${source}) TO ${sqlText(target)} (${copyOptions})`;
      const [stats] = await (await connection.run(copy)).getRowObjects();
      return stats!;
    });
    const [rows, bytes] = [Number(copied["count"]), Number(copied["file_size_bytes"])];
    const checksums = await this.#checks.note(path, bytes).catch(async (error) => {
      // What can't be removed now is swept.
      if (place.isShared) await place.remove([path]).catch(() => undefined);
      throw error;
    });
    return { path, firstTime, lastTime, rows, bytes, checksums };
  }
}

/** A file as a row of VALUES for the manifest. */
export function rawFileRow({
  path,
  firstTime,
  lastTime,
  rows,
  bytes,
  checksums,
}: RawFile): string {
  const blocks = checksums ? `[${checksums.join(", ")}]` : "NULL";
  const [first, last] = [timestampLiteral(firstTime), timestampLiteral(lastTime)];
  return `(${sqlText(path)}, ${first}, ${last}, ${rows}, ${bytes}, ${blocks})`;
}

/** Names the file in the manifest: to be called inside a transaction. */
export async function registerRawFile(connection: DuckDBConnection, file: RawFile): Promise<void> {
  await connection.run(`INSERT INTO raw_files VALUES ${rawFileRow(file)}`);
}
