/**
 * What a process asks the lake's PostgreSQL beside DuckDB: which snapshot is the latest and which
 * tables changed up to it, numbers of event types, and locks. One connection, made anew after it
 * was lost or fell silent; it is asked one question after another.
 */
import type { Client, QueryResultRow } from "pg";
import { RankstreamError } from "../errors.ts";
import type { LakePlace } from "../model-lake.ts";
import { SerialQueue } from "../serial-queue.ts";
import { refuseUnfinished } from "./carry-record.ts";
import {
  catalogTables,
  lakeLocks,
  lockKeySql,
  openCatalogClient,
  unreachableError,
} from "./catalog-client.ts";
import { LakeFiles } from "./lake-files.ts";

/** A state of the lake. */
export interface LakeState {
  snapshot: number;
  /** Another one means that tables were made, changed or dropped. */
  schemaVersion: number;
}

/** Tables, by id, whose rows changed between two states. */
export interface LakeChanges {
  /** Rows came to them. */
  inserted: Set<number>;
  /** Rows went from them; among the others too where rows came as well. */
  deleted: Set<number>;
  /** Their rows lie in other files, of which it isn't told any more which rows went before. */
  moved: Set<number>;
}

const insertedWords = new Set(["inserted_into_table", "inlined_insert"]);
const deletedWords = new Set(["deleted_from_table", "inlined_delete"]);
/** Each question is a few rows by key; a server that is silent for so long is away. */
const boundsDefault = { queryMsMax: 10_000 };
/** Names asked for in one statement. */
const typesAtOnce = 1000;
/** Locks held at most: PostgreSQL has room for some 6,400 of all processes, if not told more. */
const claimsMax = 500;

export class LakeCatalog {
  readonly #place: LakePlace;
  readonly #bounds: { queryMsMax: number };
  #client: Promise<Client> | null = null;
  /** What the session under way has claimed. */
  readonly #claims = new Set<string>();
  readonly #queue = new SerialQueue();
  /** What is asked of files and figures. */
  readonly files: LakeFiles;
  #isClosed = false;

  constructor(place: LakePlace, bounds = boundsDefault) {
    this.#place = place;
    this.files = new LakeFiles((text, values) => this.#query(text, values), place.schema);
    this.#bounds = bounds;
  }

  /** The catalog's schema, quoted. */
  get schema(): string {
    return `"${this.#place.schema}"`;
  }

  /** Makes what is not DuckLake's own; may be called again. Throws `store_failed`. */
  async prepare(): Promise<void> {
    for (const statement of catalogTables(this.#place)) await this.#query(statement);
  }

  /** Runs `work` while no other process does so. Throws `migration_unfinished`. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const client = await openCatalogClient(this.#place.catalog, () => undefined).catch(
      unreachable,
    );
    try {
      await client.query(`SELECT pg_advisory_lock(${lockKeySql(this.#place, lakeLocks.prepare)})`);
      await refuseUnfinished(client, this.#place);
      return await work();
    } finally {
      // With the session its locks go.
      await client.end().catch(() => undefined);
    }
  }

  async latest(): Promise<LakeState> {
    const [row] = await this.#query(`SELECT snapshot_id, schema_version
      FROM ${this.schema}.ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1`);
    const { snapshot_id: snapshot, schema_version: schemaVersion } = row!;
    return { snapshot: Number(snapshot), schemaVersion: Number(schemaVersion) };
  }

  /**
   * What changed after snapshot `after`, up to `through`; null where `after` is gone, and with it
   * perhaps what the lake knew of the next ones.
   */
  async changes(after: number, through: number): Promise<LakeChanges | null> {
    const rows = await this.#query(
      `SELECT changes_made FROM ${this.schema}.ducklake_snapshot_changes
       WHERE snapshot_id > $1 AND snapshot_id <= $2`,
      [after, through],
    );
    const known = await this.#query(
      `SELECT FROM ${this.schema}.ducklake_snapshot WHERE snapshot_id = $1`,
      [after],
    );
    if (known.length === 0) return null;
    const changes: LakeChanges = { inserted: new Set(), deleted: new Set(), moved: new Set() };
    for (const row of rows) {
      for (const [, word, id] of String(row["changes_made"]).matchAll(/(\w+):(\d+)/g)) {
        const hasCome = insertedWords.has(word!);
        const hasGone = deletedWords.has(word!);
        if (hasCome) changes.inserted.add(Number(id));
        if (hasGone) changes.deleted.add(Number(id));
        if (!hasCome && !hasGone) changes.moved.add(Number(id));
      }
    }
    return changes;
  }

  /** The lake's tables as of a snapshot: their names by id. */
  async tables(snapshot: number): Promise<Map<number, string>> {
    const rows = await this.#query(
      `SELECT table_id, table_name FROM ${this.schema}.ducklake_table
       WHERE begin_snapshot <= $1 AND (end_snapshot IS NULL OR end_snapshot > $1)`,
      [snapshot],
    );
    return new Map(rows.map((row) => [Number(row["table_id"]), String(row["table_name"])]));
  }

  /**
   * Numbers of event types, by name: the same for all processes, and never given again. A type
   * that was deleted as a whole and came again is another one: `incarnationOf` says how often it
   * did.
   */
  async typeIds(
    names: readonly string[],
    incarnationOf: (name: string) => number,
  ): Promise<Map<string, number>> {
    const ids = new Map<string, number>();
    for (let from = 0; from < names.length; from += typesAtOnce) {
      const part = names.slice(from, from + typesAtOnce);
      const values = [part, part.map(incarnationOf)];
      const wanted = "unnest($1::text[], $2::integer[]) AS wanted (event_type, incarnation)";
      const table = `${this.schema}.rankstream_types`;
      await this.#query(
        `INSERT INTO ${table} (event_type, incarnation)
         SELECT event_type, incarnation FROM ${wanted}
         WHERE NOT EXISTS (SELECT FROM ${table} AS known WHERE known.event_type =
           wanted.event_type AND known.incarnation = wanted.incarnation)
         ON CONFLICT DO NOTHING`,
        values,
      );
      const rows = await this.#query(
        `SELECT type_id, event_type FROM ${table} JOIN ${wanted} USING (event_type, incarnation)`,
        values,
      );
      for (const row of rows) ids.set(String(row["event_type"]), Number(row["type_id"]));
    }
    return ids;
  }

  /**
   * Takes something for this process alone, until it ends or loses PostgreSQL; whether it did, or
   * had before. Throws `store_failed` where it has as much as it may.
   */
  async claim(name: string): Promise<boolean> {
    if (this.#claims.has(name)) return true;
    if (this.#claims.size >= claimsMax) {
      const detail = `${claimsMax} jobs, deletes and erasures are under way in this process`;
      throw new RankstreamError("store_failed", detail, { retryAfterSeconds: 10 });
    }
    const key = `hashtextextended($1, ${lakeLocks.claim})`;
    const own = [`${this.#place.schema} ${name}`];
    const [row] = await this.#query(`SELECT pg_try_advisory_lock(${key}) AS is_mine`, own);
    if (row!["is_mine"] !== true) return false;
    this.#claims.add(name);
    return true;
  }

  /** Gives something back that `claim` took. */
  async release(name: string): Promise<void> {
    if (!this.#claims.delete(name)) return;
    const own = [`${this.#place.schema} ${name}`];
    await this.#query(`SELECT pg_advisory_unlock(hashtextextended($1, ${lakeLocks.claim}))`, own);
  }

  /**
   * Ends sessions that changed the lake, say nothing since so many ms, and have others wait for
   * their locks: a process that stood still or was cut off just before its COMMIT, which
   * PostgreSQL itself would wait for. Should it come back, its COMMIT fails. Returns how many.
   */
  async endHoldups(silentMsMax: number): Promise<number> {
    const rows = await this.#query(
      `SELECT pg_terminate_backend(held.pid) FROM pg_stat_activity AS held
       WHERE held.datname = current_database() AND held.usename = current_user
         AND held.state = 'idle in transaction'
         AND held.state_change < clock_timestamp() - $1 * INTERVAL '1 millisecond'
         AND position($2 IN held.query) > 0
         AND EXISTS (SELECT FROM pg_stat_activity AS waiting
           WHERE waiting.wait_event_type = 'Lock'
             AND held.pid = ANY(pg_blocking_pids(waiting.pid)))`,
      [silentMsMax, `${this.schema}.ducklake_`],
    );
    return rows.length;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const client = this.#client;
    this.#client = null;
    await client?.then((one) => one.end()).catch(() => undefined);
  }

  /** One after another: behind a silent one the next is asked on another session. */
  #query(text: string, values: unknown[] = []): Promise<QueryResultRow[]> {
    return this.#queue.run(() => this.#ask(text, values));
  }

  async #ask(text: string, values: unknown[]): Promise<QueryResultRow[]> {
    const client = await this.#connected();
    try {
      return (await client.query(text, values)).rows;
    } catch (error) {
      // A session may be silent for a quarter of an hour: the next question has another one.
      if (isSilence(error)) await this.#drop(client);
      throw unreachableError(error);
    }
  }

  async #drop(client: Client): Promise<void> {
    const opening = this.#client;
    if (opening === null || (await opening.catch(() => null)) !== client) return;
    this.#forget(opening);
    void client.end().catch(() => undefined);
  }

  #forget(opening: Promise<Client>): void {
    if (this.#client !== opening) return;
    this.#client = null;
    // They went with the session.
    this.#claims.clear();
  }

  #connected(): Promise<Client> {
    if (this.#isClosed) return Promise.reject(new Error("the store is closing"));
    const forget = () => this.#forget(opening);
    if (this.#client !== null) return this.#client;
    const opening: Promise<Client> = openCatalogClient(this.#place.catalog, forget, this.#bounds)
      .then((client) => {
        client.once("end", forget);
        return client;
      })
      .catch((error) => {
        forget();
        return unreachable(error);
      });
    this.#client = opening;
    return opening;
  }
}

/** As `pg` says that no answer came in time. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}

function unreachable(error: unknown): never {
  throw unreachableError(error);
}
