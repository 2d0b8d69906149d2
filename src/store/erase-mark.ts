/** The transaction in which an erasure takes effect: from its commit on nobody reads what goes. */

import type { DuckDBConnection } from "@duckdb/node-api";
import { failPoint } from "../fail-point.ts";
import { addMutation, type OnTouch, offsetsOf, type Touched } from "./changes.ts";
import type { Committer } from "./checkpoint.ts";
import { type Database, rowsOf, runValues } from "./database.ts";
import { isLake } from "./dialect.ts";
import {
  type Found,
  type FoundInFiles,
  findInFiles,
  findRecent,
  type Sought,
} from "./erase-find.ts";
import type { ErasedEvents, ErasureAnswer } from "./erase-questions.ts";
import type { OpenErasure } from "./erase-rows.ts";
import type { ErasedArrivals } from "./erased-arrivals.ts";
import { erasedSql } from "./erasure-sql.ts";
import { fenceOthers } from "./lake-partitions.ts";
import { rawColumns } from "./migrations.ts";
import { mergeOrder, type RawFiles } from "./raw-files.ts";
import { sqlTexts } from "./sql.ts";

export interface EraseMarkDeps {
  database: Database;
  rawFiles: RawFiles;
  checkpointer: Committer;
  arrivals: ErasedArrivals;
  onTouch: OnTouch;
  /** Told once it is committed: what is told otherwise from now on. */
  onErase: (touched: Touched[], mutations: number) => void;
}

/** What was found before the transaction: of files that never change, but for deletes. */
export interface CountedBefore {
  /** How many deletes hid events of each file that was looked at, by path. */
  looked: ReadonlyMap<string, number>;
  files: FoundInFiles;
}

export interface MarkedErasure {
  erasure: OpenErasure;
  /** JSON of an ErasureAnswer. */
  answer: string;
  /** Files to be written anew. */
  files: number;
  erasedThrough: number;
}

/** How many deletes hide events of each of the files there are, by path. */
export async function hidingOf(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
): Promise<Map<string, number>> {
  const rows = await rowsOf(
    connection,
    "SELECT path, count(*) AS deletes FROM raw_tombstones GROUP BY path",
  );
  const deletes = new Map(rows.map((row) => [String(row["path"]), Number(row["deletes"])]));
  const files = await rawFiles.all(connection);
  return new Map(files.map(({ path }) => [path, deletes.get(path) ?? 0]));
}

/** What one erasure takes of what was found. */
export function sumsOf(erasureId: number, found: readonly Found[]): ErasedEvents {
  const own = found.filter((one) => one.erasureId === erasureId);
  const isNone = own.length === 0;
  return {
    events: own.reduce((sum, { events }) => sum + events, 0),
    files: new Set(own.flatMap(({ path }) => (path === null ? [] : [path]))).size,
    eventTypes: [...new Set(own.map(({ eventType }) => eventType))].sort(),
    firstSeen: isNone ? null : Math.min(...own.map(({ first }) => first)),
    lastSeen: isNone ? null : Math.max(...own.map(({ last }) => last)),
  };
}

function touchedBy(found: readonly Found[]): Touched[] {
  const names = [...new Set(found.map(({ eventType }) => eventType))];
  return names.map((eventType) => {
    const own = found.filter((one) => one.eventType === eventType);
    const from = Math.min(...own.map(({ first }) => first));
    return { eventType, from, to: Math.max(...own.map(({ last }) => last)) + 1 };
  });
}

/** Writes what lies in no file to one, as erased, and makes the table anew. */
async function clearRecent(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  ids: string,
): Promise<void> {
  const [recent] = await rowsOf(
    connection,
    `SELECT count(*) AS rows, epoch_ms(min(event_time)) AS first,
       epoch_ms(max(event_time)) AS last FROM raw_recent`,
  );
  if (Number(recent!["rows"]) > 0) {
    const span: [number, number] = [Number(recent!["first"]), Number(recent!["last"])];
    const erased = erasedSql("raw_recent", `erasure_id IN (${ids})`);
    const source = `(FROM ${erased} ORDER BY ${mergeOrder})`;
    await rawFiles.register(connection, await rawFiles.write(connection, source, span));
  }
  // Deleted rows would stay in the store's file for as long as others beside them.
  if (isLake(connection)) {
    await connection.run("DELETE FROM raw_recent");
    return;
  }
  await connection.run("DROP TABLE raw_recent");
  await connection.run(`CREATE TABLE raw_recent (${rawColumns})`);
}

/** Answers that jobs made of events of these types by user, session or metadata, and questions. */
async function dropJobs(connection: DuckDBConnection, types: readonly string[]): Promise<void> {
  if (types.length === 0) return;
  await connection.run(`DELETE FROM jobs
    WHERE json_extract(request, '$.selection') IS NOT NULL
      AND list_has_any(json_extract_string(event_types, '$[*]'), [${sqlTexts(types)}])
      AND (status = 'done' OR json_extract(request, '$.selection.sessionIds') IS NOT NULL)`);
}

export interface MarkQuery {
  open: readonly OpenErasure[];
  sought: readonly Sought[];
  counted: CountedBefore;
}

/** Resolves to what each erasure takes, once that is committed. */
export function markErased(deps: EraseMarkDeps, query: MarkQuery): Promise<MarkedErasure[]> {
  const { database, checkpointer, arrivals } = deps;
  // No checkpoint may be between: users may be erased as of a later moment than was decided.
  return checkpointer.alone(async () => {
    const done = await database.writeDeferrable(async (connection) => {
      const before = await markedBefore(connection, query.open);
      const isLeft = ({ erasureId }: { erasureId: number }) =>
        before.every(({ erasure }) => erasure.erasureId !== erasureId);
      const open = query.open.filter(isLeft);
      if (open.length === 0) return { marked: before, touched: [], mutations: null };
      const left = { ...query, open, sought: query.sought.filter(isLeft) };
      const { marked, ...more } = await markNow(connection, deps, left);
      return { ...more, marked: [...before, ...marked] };
    });
    for (const { erasedThrough } of done.marked) arrivals.note(erasedThrough);
    if (done.mutations !== null) deps.onErase(done.touched, done.mutations);
    return done.marked;
  });
}

/**
 * Those that a COMMIT has marked whose answer was lost: looked through once more, what they took
 * would not be found any more.
 */
async function markedBefore(
  connection: DuckDBConnection,
  open: readonly OpenErasure[],
): Promise<MarkedErasure[]> {
  const marked: MarkedErasure[] = [];
  const rows = await rowsOf(
    connection,
    "SELECT erasure_id, answer FROM erasures WHERE answer IS NOT NULL",
  );
  for (const erasure of open) {
    const row = rows.find((one) => Number(one["erasure_id"]) === erasure.erasureId);
    if (row === undefined) continue;
    const files = await rowsOf(
      connection,
      `SELECT DISTINCT path FROM raw_erasures WHERE erasure_id = ${erasure.erasureId}`,
    );
    const erasedThrough = await readErasedThrough(connection, erasure);
    const answer = String(row["answer"]);
    marked.push({ erasure, answer, files: files.length, erasedThrough });
  }
  return marked;
}

async function markNow(
  connection: DuckDBConnection,
  deps: EraseMarkDeps,
  { open, sought, counted }: MarkQuery,
) {
  const { rawFiles } = deps;
  const ids = open.map(({ erasureId }) => erasureId);
  await fenceOthers(connection);
  const now = await hidingOf(connection, rawFiles);
  const isSame = (path: string) => counted.looked.get(path) === now.get(path);
  const fresh = [...now.keys()].filter((path) => !isSame(path));
  const late = await findInFiles(connection, rawFiles, fresh, sought);
  const found = [
    ...counted.files.found.filter(
      ({ path, erasureId }) => ids.includes(erasureId) && now.has(path!) && isSame(path!),
    ),
    ...late.found,
    ...(await findRecent(connection, sought)),
  ];
  const hits = joinHits([counted.files.hits, late.hits], (path) => now.has(path));
  await mark(connection, hits, ids);
  await raise(connection, open, found);
  await clearRecent(connection, rawFiles, ids.join(", "));
  const touched = touchedBy(found);
  await dropJobs(
    connection,
    touched.map(({ eventType }) => eventType),
  );
  const mutations = touched.length === 0 ? null : await addMutation(connection);
  await deps.onTouch(connection, touched);
  failPoint("erase.in_transaction");
  const offsets = await offsetsOf(connection);
  const marked: MarkedErasure[] = [];
  for (const erasure of open) {
    marked.push(await note(connection, erasure, { found, hits, offsets }));
  }
  failPoint("erase.before_mark_commit");
  return { marked, touched, mutations };
}

type Hits = FoundInFiles["hits"];

/** Of the files that are there, also those looked at twice. */
function joinHits(all: readonly Hits[], isThere: (path: string) => boolean): Hits {
  const joined: Hits = new Map();
  for (const [path, ids] of all.flatMap((hits) => [...hits])) {
    if (isThere(path)) joined.set(path, new Set([...(joined.get(path) ?? []), ...ids]));
  }
  return joined;
}

async function mark(
  connection: DuckDBConnection,
  hits: Hits,
  erasures: readonly number[],
): Promise<void> {
  const rows = [...hits].flatMap(([path, ids]) =>
    erasures.filter((id) => ids.has(id)).map((id) => [path, BigInt(id)]),
  );
  await runValues(connection, "INSERT INTO raw_erasures VALUES", rows);
}

/** An event that is there was accepted before, whatever the clocks say that gave it its time. */
async function raise(
  connection: DuckDBConnection,
  open: readonly OpenErasure[],
  found: readonly Found[],
): Promise<void> {
  for (const { erasureId, userId } of open) {
    // Of a hash only what was received before was looked for.
    if (userId === null) continue;
    const own = found.filter((one) => one.erasureId === erasureId);
    const latest = own.reduce((max, { receivedThrough }) => Math.max(max, receivedThrough), 0);
    await connection.run(`UPDATE erased_users SET erased_at = greatest(erased_at, ${latest})
      WHERE erasure_id = ${erasureId}`);
  }
}

async function readErasedThrough(
  connection: DuckDBConnection,
  { erasureId, createdAt }: OpenErasure,
): Promise<number> {
  const [row] = await rowsOf(
    connection,
    `SELECT max(erased_at) AS at FROM erased_users WHERE erasure_id = ${erasureId}`,
  );
  return Number(row!["at"] ?? createdAt);
}

async function note(
  connection: DuckDBConnection,
  erasure: OpenErasure,
  { found, hits, offsets }: { found: readonly Found[]; hits: Hits; offsets: number[] },
): Promise<MarkedErasure> {
  const { erasureId } = erasure;
  const erasedThrough = await readErasedThrough(connection, erasure);
  const answer: ErasureAnswer = { ...sumsOf(erasureId, found), erasedThrough, offsets };
  const text = JSON.stringify(answer);
  await connection.run(
    "UPDATE erasures SET status = 'removing', answer = $1 WHERE erasure_id = $2::BIGINT",
    [text, BigInt(erasureId)],
  );
  const files = [...hits.values()].filter((ids) => ids.has(erasureId)).length;
  return { erasure, answer: text, files, erasedThrough };
}
