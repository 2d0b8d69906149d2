/**
 * How far a store is that is being carried into a lake (carry-store.ts): in the lake's
 * PostgreSQL, beside DuckLake's own tables. Until it is finished no service starts on the lake.
 *
 *   rankstream_carried        one row: which store, since when, when it was finished
 *   rankstream_carried_files  files of raw events that are there already, by where they came from;
 *                             gone once the store is finished
 */
import type { Client, QueryResultRow } from "pg";
import { RankstreamError } from "../errors.ts";
import type { LakePlace } from "../model-lake.ts";
import {
  catalogTables,
  lakeLocks,
  lockKeySql,
  openCatalogClient,
  schemaOf,
  unreachableError,
} from "./catalog-client.ts";
import type { RawFile } from "./raw-file.ts";

type Place = Pick<LakePlace, "schema" | "catalog">;

/** A file of the store, and what became of it. */
export interface CarriedFile {
  /** Its path in the store. */
  source: string;
  /** What was deleted and erased of it by then, as text to compare. */
  marks: string;
  /** Null: nothing of it was left. */
  file: RawFile | null;
}

/** What was found of an earlier run. */
export type Begun =
  | { state: "new" | "resumed" }
  /** Epoch ms. */
  | { state: "finished"; finishedAt: number };

interface State {
  store: string;
  startedAt: number;
  finishedAt: number | null;
}

async function isTable(client: Client, place: Place, name: string): Promise<boolean> {
  const { rows } = await client.query("SELECT to_regclass($1) IS NOT NULL AS found", [
    `${schemaOf(place)}.${name}`,
  ]);
  return rows[0]!.found === true;
}

async function stateOf(client: Client, place: Place): Promise<State | null> {
  if (!(await isTable(client, place, "rankstream_carried"))) return null;
  const { rows } = await client.query(`SELECT store,
    (extract(epoch FROM started_at) * 1000)::bigint AS started,
    (extract(epoch FROM finished_at) * 1000)::bigint AS finished
    FROM ${schemaOf(place)}.rankstream_carried`);
  const [row] = rows;
  if (row === undefined) return null;
  const finishedAt = row.finished === null ? null : Number(row.finished);
  return { store: String(row.store), startedAt: Number(row.started), finishedAt };
}

/** Throws `migration_unfinished` where a store is only half carried into the lake. */
export async function refuseUnfinished(client: Client, place: Place): Promise<void> {
  const state = await stateOf(client, place);
  if (state === null || state.finishedAt !== null) return;
  const since = new Date(state.startedAt).toISOString();
  const detail = `schema ${place.schema} holds a store that is being carried there since ${since}`;
  throw new RankstreamError("migration_unfinished", detail);
}

/** Tables that the lake has now, by DuckLake's own list; 0 where there is no lake. */
async function tableCount(client: Client, place: Place): Promise<number> {
  if (!(await isTable(client, place, "ducklake_table"))) return 0;
  const { rows } = await client.query(`SELECT count(*)::integer AS n
    FROM ${schemaOf(place)}.ducklake_table WHERE end_snapshot IS NULL`);
  return Number(rows[0]!.n);
}

function refused(detail: string): RankstreamError {
  return new RankstreamError("migration_refused", detail);
}

/** What the lake is to this store: throws `migration_refused` where another is in it. */
async function begunOf(client: Client, place: Place, store: string): Promise<Begun> {
  const state = await stateOf(client, place);
  if (state === null) {
    if ((await tableCount(client, place)) === 0) return { state: "new" };
    throw refused(
      `schema ${place.schema} holds a store already: name an empty one with --store-schema`,
    );
  }
  if (state.store !== store) {
    throw refused(
      `schema ${place.schema} holds what was carried there from another store: ` +
        "name an empty one with --store-schema",
    );
  }
  const { finishedAt } = state;
  return finishedAt === null ? { state: "resumed" } : { state: "finished", finishedAt };
}

/** Looks without changing anything: as `begunOf`. Throws `store_failed`, too. */
export async function lookAtLake(place: Place, store: string): Promise<Begun> {
  const client = await openCatalogClient(place.catalog, () => undefined).catch((error) => {
    throw unreachableError(error);
  });
  try {
    return await begunOf(client, place, store);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function carriedOf(row: QueryResultRow): CarriedFile {
  const { source, marks, path } = row;
  const file = {
    path: String(path),
    firstTime: Number(row["first_time"]),
    lastTime: Number(row["last_time"]),
    rows: Number(row["rows"]),
    bytes: Number(row["bytes"]),
    checksums: (row["checksums"] as string[] | null)?.map(Number) ?? [],
  };
  return { source: String(source), marks: String(marks), file: path === null ? null : file };
}

export class CarryRecord {
  readonly #client: Client;
  readonly #place: Place;
  readonly begun: Begun;

  private constructor(client: Client, place: Place, begun: Begun) {
    this.#client = client;
    this.#place = place;
    this.begun = begun;
  }

  /**
   * Begins to carry this store into the lake, or goes on with it; until `close` nobody else does.
   * Throws `migration_refused`, `store_failed`.
   */
  static async open(place: Place, store: string): Promise<CarryRecord> {
    // What fails later fails the next statement, too.
    const client = await openCatalogClient(place.catalog, () => undefined).catch((error) => {
      throw unreachableError(error);
    });
    try {
      const own = await client.query(
        `SELECT pg_try_advisory_lock(${lockKeySql(place, lakeLocks.carry)}) AS is_mine`,
      );
      if (own.rows[0]!.is_mine !== true) {
        throw refused(`another rankstream migrate is at work on schema ${place.schema}`);
      }
      const prepare = lockKeySql(place, lakeLocks.prepare);
      await client.query(`SELECT pg_advisory_lock(${prepare})`);
      const begun = await begunOf(client, place, store);
      if (begun.state === "new") await begin(client, place, store);
      await client.query(`SELECT pg_advisory_unlock(${prepare})`);
      return new CarryRecord(client, place, begun);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error instanceof RankstreamError ? error : unreachableError(error);
    }
  }

  /** What is there of the store's files, by their path in the store. */
  async files(): Promise<Map<string, CarriedFile>> {
    const rows = await this.#query("SELECT * FROM $schema.rankstream_carried_files");
    return new Map(rows.map((row) => [String(row["source"]), carriedOf(row)]));
  }

  async note({ source, marks, file }: CarriedFile): Promise<void> {
    const values = [
      ...[source, marks, file?.path ?? null, file?.firstTime ?? null, file?.lastTime ?? null],
      ...[file?.rows ?? null, file?.bytes ?? null, file?.checksums ?? null],
    ];
    await this.#query(
      "INSERT INTO $schema.rankstream_carried_files VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      values,
    );
  }

  async forget(source: string): Promise<void> {
    await this.#query("DELETE FROM $schema.rankstream_carried_files WHERE source = $1", [source]);
  }

  /** Gives event types the numbers that they have in the store; later ones get higher ones. */
  async putTypes(types: readonly { name: string; id: number }[]): Promise<void> {
    const table = "$schema.rankstream_types";
    await this.#query(`DELETE FROM ${table}`);
    await this.#query(
      `INSERT INTO ${table} SELECT type_id, event_type, 0
       FROM unnest($1::integer[], $2::text[]) AS own (type_id, event_type)`,
      [types.map(({ id }) => id), types.map(({ name }) => name)],
    );
    const next = Math.max(-1, ...types.map(({ id }) => id)) + 1;
    await this.#query(`SELECT setval(pg_get_serial_sequence('${table}', 'type_id'), $1, false)`, [
      next,
    ]);
  }

  /** From now on services may start on the lake. */
  async finish(): Promise<void> {
    // One transaction.
    await this.#query(`UPDATE $schema.rankstream_carried SET finished_at = now();
      DROP TABLE $schema.rankstream_carried_files`);
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  async #query(text: string, values: unknown[] = []): Promise<QueryResultRow[]> {
    try {
      const own = text.replaceAll("$schema", schemaOf(this.#place));
      return (await this.#client.query(own, values)).rows;
    } catch (error) {
      throw unreachableError(error);
    }
  }
}

async function begin(client: Client, place: Place, store: string): Promise<void> {
  const schema = schemaOf(place);
  for (const statement of catalogTables(place)) await client.query(statement);
  await client.query(`CREATE TABLE IF NOT EXISTS ${schema}.rankstream_carried_files (
    source text PRIMARY KEY, marks text NOT NULL, path text, first_time bigint, last_time bigint,
    rows bigint, bytes bigint, checksums bigint[])`);
  await client.query(`CREATE TABLE IF NOT EXISTS ${schema}.rankstream_carried (
    store text NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz)`);
  await client.query(`INSERT INTO ${schema}.rankstream_carried VALUES ($1, now(), NULL)`, [store]);
}
