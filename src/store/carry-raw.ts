/**
 * Files of raw events, carried one after another: without what was deleted, without what was
 * erased, held against their checksums before and after. Each is noted once it is there, so a
 * run that was stopped goes on with the next one; and by what was deleted and erased of it, so
 * that it is written anew where a service ran on the store in between.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import type { CarriedFile, CarryRecord } from "./carry-record.ts";
import { rowsOf } from "./database.ts";
import type { RawChecks } from "./raw-checks.ts";
import type { RawFileWriter } from "./raw-file.ts";
import { mergeOrder } from "./raw-files.ts";
import type { RawPlace } from "./raw-place.ts";
import { aliveSources } from "./tombstones.ts";

export interface CarryRawDeps {
  /** Of the store, whose files `checks` know. */
  source: DuckDBConnection;
  checks: RawChecks;
  /** Of the lake. */
  writer: RawFileWriter;
  place: RawPlace;
  record: CarryRecord;
}

export interface CarryRawHooks {
  /** Told how many of the bytes are there, 0..1. */
  onProgress(share: number): void;
  /** Called before each file. Throws to end it. */
  beforeFile(): Promise<void>;
}

interface SourceFile {
  path: string;
  span: [number, number];
  rows: number;
  bytes: number;
  marks: string;
}

async function sourceFiles(connection: DuckDBConnection): Promise<SourceFile[]> {
  const rows = await rowsOf(
    connection,
    `SELECT path, epoch_ms(first_time) AS first, epoch_ms(last_time) AS last, rows, bytes,
       coalesce(hidden, '') || '/' || coalesce(marked, '') AS marks
     FROM raw_files
     LEFT JOIN (SELECT path, max(delete_id) || ' ' || count(*) AS hidden
       FROM raw_tombstones GROUP BY path) USING (path)
     LEFT JOIN (SELECT path, string_agg(erasure_id::VARCHAR, ' ' ORDER BY erasure_id) AS marked
       FROM raw_erasures GROUP BY path) USING (path)
     ORDER BY first_time, path`,
  );
  return rows.map((row) => ({
    path: String(row["path"]),
    span: [Number(row["first"]), Number(row["last"])],
    rows: Number(row["rows"]),
    bytes: Number(row["bytes"]),
    marks: String(row["marks"]),
  }));
}

/** What was carried of a file that is gone from the store, or has changed there since. */
async function takeBack({ place, record }: CarryRawDeps, { source, file }: CarriedFile) {
  await record.forget(source);
  if (file !== null) await place.remove([file.path]);
}

async function carry(deps: CarryRawDeps, file: SourceFile): Promise<CarriedFile> {
  const { source, checks, writer, place, record } = deps;
  const alive = await aliveSources(source, checks, [file.path]);
  const events = `(FROM (FROM ${alive.join(" UNION ALL FROM ")}) ORDER BY ${mergeOrder})`;
  const written = await writer.write(source, events, file.span);
  if (file.marks.startsWith("/") && written.rows !== file.rows) {
    const detail =
      `${checks.place.locate(file.path)}: ${written.rows} events were carried, ` +
      `${file.rows} expected`;
    throw new RankstreamError("raw_corrupt", detail);
  }
  failPoint("carry.before_note");
  const isEmpty = written.rows === 0;
  if (isEmpty) await place.remove([written.path]);
  const carried = { source: file.path, marks: file.marks, file: isEmpty ? null : written };
  await record.note(carried);
  failPoint("carry.after_note");
  return carried;
}

/**
 * Brings all files of the store to the lake's place that are not there yet; all of them, then.
 * Throws `raw_corrupt` where one is not as it was written, `store_failed`.
 */
export async function carryRaw(
  deps: CarryRawDeps,
  { onProgress, beforeFile }: CarryRawHooks,
): Promise<CarriedFile[]> {
  const files = await sourceFiles(deps.source);
  const known = await deps.record.files();
  const wanted = new Map(files.map((file) => [file.path, file]));
  for (const carried of known.values()) {
    if (wanted.get(carried.source)?.marks === carried.marks) continue;
    await takeBack(deps, carried);
    known.delete(carried.source);
  }
  const all = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const there: CarriedFile[] = [];
  for (const file of files) {
    await beforeFile();
    there.push(known.get(file.path) ?? (await carry(deps, file)));
    done += file.bytes;
    onProgress(done / all);
  }
  return there;
}
