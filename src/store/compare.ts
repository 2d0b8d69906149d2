/** Exact boards beside those of another period; all of it in one read transaction. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { offsetsOf } from "./changes.ts";
import { type Counted, counted, rank } from "./exact.ts";
import { placesOf } from "./exact-places.ts";
import type { RawFiles } from "./raw-files.ts";
import type { ExactAnswer, ExactQuery, Standing } from "./store.ts";

const nowhere: Standing = Object.freeze({ count: 0, rank: null });

/**
 * The counts summed up once, where one part holds all of them: they are asked several times. The
 * table ends with the reader's transaction.
 */
async function summed(
  connection: DuckDBConnection,
  table: string,
  { sql, parts }: Counted,
): Promise<Counted> {
  if (parts > 1) return { sql, parts };
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${table} AS
    SELECT event_id, sum(count)::BIGINT AS count, sum(counts_read)::BIGINT AS counts_read,
      sum(raw_read)::BIGINT AS raw_read FROM (${sql}) GROUP BY event_id`);
  return { sql: `SELECT * FROM ${table}`, parts };
}

/** The counts of the range asked for, and of the period compared with. */
export async function readTwoPeriods(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
  itemsMax?: number,
): Promise<{ now: Counted; past: Counted; before: ExactQuery }> {
  const before = { ...query, from: query.previous!.from, to: query.previous!.to, offset: 0 };
  const read = async (table: string, asked: ExactQuery) =>
    summed(connection, table, await counted(connection, rawFiles, asked, itemsMax));
  const now = await read("compared_now", query);
  return { now, past: await read("compared_past", before), before };
}

/** The board of `query`, which compares with `query.previous`. */
export async function readCompared(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
  itemsMax?: number,
): Promise<ExactAnswer> {
  const { ties } = query.previous!;
  const offsets = await offsetsOf(connection);
  const { now, past, before } = await readTwoPeriods(connection, rawFiles, query, itemsMax);
  const board = await rank(connection, rawFiles, query, now);
  const pastBoard = await rank(connection, rawFiles, before, past);
  const ids = board.rows.map(({ eventId }) => eventId);
  const pastIds = pastBoard.rows.map(({ eventId }) => eventId);
  const pastPlaces = await placesOf(connection, past, ids, ties);
  const places = await placesOf(connection, now, pastIds, ties);
  return {
    ...board,
    rows: board.rows.map((row) => ({
      ...row,
      previous: pastPlaces.get(row.eventId) ?? nowhere,
    })),
    previous: {
      total: pastBoard.total,
      rows: pastBoard.rows.map((row) => ({ ...row, now: places.get(row.eventId) ?? nowhere })),
    },
    offsets,
    rowsRead: {
      counts: board.rowsRead.counts + pastBoard.rowsRead.counts,
      raw: board.rowsRead.raw + pastBoard.rowsRead.raw,
    },
  };
}
