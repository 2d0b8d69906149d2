/**
 * Answers about the past, kept over restarts.
 *
 *   kept_answers  (key, event_types, from_ms, to_ms, etag, made_at, took_ms, made_by, text): what
 *                 a cache of the query side keeps; event_types as percent-encoded names by comma
 *
 * Whatever changes the time of their types drops them in its own transaction. So a row that is
 * read says what a new answer would say, as of that reading.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { parseRegionType } from "../model-regions.ts";
import type { Touched } from "./changes.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import { sqlTexts } from "./sql.ts";

export interface KeptRow {
  key: string;
  /** JSON. */
  text: string;
  etag: string;
  /** Epoch ms. */
  madeAt: number;
  tookMs: number;
  eventTypes: readonly string[];
  /** All the time that it speaks of, epoch ms, `to` exclusive. */
  from: number;
  to: number;
}

/** Which rows to drop: null is any. */
export interface KeptMatch {
  eventType: string | null;
  /** Only those that name this item. */
  eventId?: string | null | undefined;
  from: number | null;
  to: number | null;
}

export interface KeptAnswersOptions {
  /** Of all texts and keys; 0 keeps nothing. */
  bytesMax: number;
  /** What makes the answers: those of another maker are dropped at the start. */
  madeBy: string;
}

export const keptAnswersTable = `CREATE TABLE IF NOT EXISTS kept_answers (
  key VARCHAR NOT NULL, event_types VARCHAR NOT NULL, from_ms BIGINT NOT NULL,
  to_ms BIGINT NOT NULL, etag VARCHAR NOT NULL, made_at BIGINT NOT NULL, took_ms BIGINT NOT NULL,
  made_by VARCHAR NOT NULL, text VARCHAR NOT NULL)`;

type Entry = Pick<KeptRow, "eventTypes" | "from" | "to"> & { bytes: number };

const rowsMax = 10_000;
/** A larger answer is not kept. */
const answerPart = 16;
/** Rows appended until the table is written anew: what is deleted in it is dear (see schema). */
const appendedMax = 2 * rowsMax;
/** Stretches remembered of recent changes; an answer older than these is not kept. */
const recentMax = 10_000;

/** Answers name types as users do, whichever region's counts of them have changed. */
function isTouched(entry: Pick<Entry, "eventTypes" | "from" | "to">, touched: readonly Touched[]) {
  return touched.some(
    ({ eventType, from, to }) =>
      from < entry.to &&
      to > entry.from &&
      entry.eventTypes.includes(parseRegionType(eventType).eventType),
  );
}

function bytesOf({ key, text }: Pick<KeptRow, "key" | "text">): number {
  return Buffer.byteLength(text) + Buffer.byteLength(key);
}

function encoded(eventTypes: readonly string[]): string {
  return eventTypes.map(encodeURIComponent).join(",");
}

export class KeptAnswers {
  readonly #database: Database;
  readonly #options: KeptAnswersOptions;
  /** What the table holds, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #appended = 0;
  /** Latest end of any entry: events of now touch none. */
  #latest = 0;
  #recent: { version: number; touched: readonly Touched[] }[] = [];
  #recentSize = 0;
  /** All changes after this version are in `#recent`. */
  #floor: number;

  private constructor(database: Database, options: KeptAnswersOptions, version: number) {
    this.#database = database;
    this.#options = options;
    this.#floor = version;
  }

  /** Reads what there is; `version` is the data's now. */
  static async load(
    database: Database,
    options: KeptAnswersOptions,
    version: number,
  ): Promise<KeptAnswers> {
    const kept = new KeptAnswers(database, options, version);
    await database.write((connection) =>
      connection.run("DELETE FROM kept_answers WHERE made_by <> $1 OR $2 = 0", [
        options.madeBy,
        BigInt(options.bytesMax),
      ]),
    );
    const rows = await rowsOf(
      database.writer,
      `SELECT key, event_types, from_ms, to_ms, strlen(text) + strlen(key) AS bytes
       FROM kept_answers ORDER BY made_at`,
    );
    for (const row of rows) {
      kept.#add(String(row["key"]), {
        eventTypes: String(row["event_types"]).split(",").map(decodeURIComponent),
        from: Number(row["from_ms"]),
        to: Number(row["to_ms"]),
        bytes: Number(row["bytes"]),
      });
    }
    return kept;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Drops what the transaction on `connection` changes; `note` follows once it is committed. */
  async dropTouched(connection: DuckDBConnection, touched: readonly Touched[]): Promise<void> {
    await this.#delete(connection, this.#touchedKeys(touched));
  }

  /** Told of every change in the order of their commits, right after each. */
  note(version: number, touched: readonly Touched[]): void {
    for (const key of this.#touchedKeys(touched)) this.#remove(key);
    if (touched.length === 0) return;
    this.#recent.push({ version, touched });
    this.#recentSize += touched.length;
    while (this.#recentSize > recentMax) {
      const oldest = this.#recent.shift()!;
      this.#recentSize -= oldest.touched.length;
      this.#floor = oldest.version;
    }
  }

  /** What is kept under the key, as of now; null where nothing is. */
  async get(key: string): Promise<KeptRow | null> {
    if (!this.#entries.has(key)) return null;
    const [row] = await this.#database.read(ownReadBudgetMs, (connection) =>
      rowsOf(connection, "FROM kept_answers WHERE key = $1", [key]),
    );
    if (row === undefined) return null;
    return {
      key,
      text: String(row["text"]),
      etag: String(row["etag"]),
      madeAt: Number(row["made_at"]),
      tookMs: Number(row["took_ms"]),
      eventTypes: String(row["event_types"]).split(",").map(decodeURIComponent),
      from: Number(row["from_ms"]),
      to: Number(row["to_ms"]),
    };
  }

  /**
   * Keeps an answer made from data of `version` at least, in place of what is there and of the
   * oldest ones where there is no room. Resolves to false where it is too large or out of date.
   */
  async put(row: KeptRow, version: number): Promise<boolean> {
    const { bytesMax, madeBy } = this.#options;
    const entry = { eventTypes: row.eventTypes, from: row.from, to: row.to, bytes: bytesOf(row) };
    if (entry.bytes > bytesMax / answerPart) return false;
    const gone = await this.#database.write(async (connection) => {
      if (this.#hasChanged(entry, version)) return null;
      const keys = this.#keysToMakeRoom(row.key, entry.bytes);
      await this.#delete(connection, keys);
      await connection.run(
        `INSERT INTO kept_answers VALUES ($1, $2, $3::BIGINT, $4::BIGINT, $5, $6::BIGINT,
           $7::BIGINT, $8, $9)`,
        [
          row.key,
          encoded(row.eventTypes),
          BigInt(row.from),
          BigInt(row.to),
          row.etag,
          BigInt(row.madeAt),
          BigInt(Math.round(row.tookMs)),
          madeBy,
          row.text,
        ],
      );
      if (this.#appended >= appendedMax) await rewrite(connection);
      return keys;
    });
    if (gone === null) return false;
    for (const key of gone) this.#remove(key);
    this.#appended = this.#appended >= appendedMax ? 0 : this.#appended + 1;
    this.#add(row.key, entry);
    return true;
  }

  /** Drops what matches; resolves to how many rows. */
  async drop(which: KeptMatch): Promise<number> {
    const { eventId = null } = which;
    const keys = await this.#database.write(async (connection) => {
      // Only now: what was to be kept before is in.
      const found = this.#matches(which);
      const named = eventId === null ? found : await namingItem(connection, found, eventId);
      await this.#delete(connection, named);
      return named;
    });
    for (const key of keys) this.#remove(key);
    return keys.length;
  }

  #matches({ eventType, from, to }: KeptMatch): string[] {
    const isMatch = (entry: Entry) =>
      (eventType === null || entry.eventTypes.includes(eventType)) &&
      entry.from < (to ?? Infinity) &&
      entry.to > (from ?? -Infinity);
    return [...this.#entries].filter(([, entry]) => isMatch(entry)).map(([key]) => key);
  }

  #hasChanged(entry: Entry, version: number): boolean {
    if (version < this.#floor) return true;
    return this.#recent.some((one) => one.version > version && isTouched(entry, one.touched));
  }

  #touchedKeys(touched: readonly Touched[]): string[] {
    if (touched.every(({ from }) => from >= this.#latest)) return [];
    return [...this.#entries].filter(([, entry]) => isTouched(entry, touched)).map(([key]) => key);
  }

  #keysToMakeRoom(key: string, bytes: number): string[] {
    const keys = this.#entries.has(key) ? [key] : [];
    let rows = this.#entries.size + 1 - keys.length;
    let all = this.#bytes + bytes - (this.#entries.get(key)?.bytes ?? 0);
    for (const [other, entry] of this.#entries) {
      if (rows <= rowsMax && all <= this.#options.bytesMax) break;
      if (other === key) continue;
      keys.push(other);
      rows--;
      all -= entry.bytes;
    }
    return keys;
  }

  async #delete(connection: DuckDBConnection, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await connection.run(`DELETE FROM kept_answers WHERE key IN (${sqlTexts(keys)})`);
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
    this.#latest = Math.max(this.#latest, entry.to);
  }

  #remove(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}

/** Leaves what is deleted behind. */
async function rewrite(connection: DuckDBConnection): Promise<void> {
  await connection.run("CREATE OR REPLACE TABLE kept_answers AS FROM kept_answers");
}

/** Those of the keys whose answers name the item. */
async function namingItem(
  connection: DuckDBConnection,
  keys: readonly string[],
  eventId: string,
): Promise<string[]> {
  if (keys.length === 0) return [];
  const rows = await rowsOf(
    connection,
    `SELECT key FROM kept_answers WHERE contains(text, $1) AND key IN (${sqlTexts(keys)})`,
    [JSON.stringify(eventId)],
  );
  return rows.map((row) => String(row["key"]));
}

/** The store's calls about them; `kept` is asked at each. */
export function keptHandlers(kept: () => KeptAnswers) {
  return {
    keptAnswer: (key: string) => kept().get(key),
    keepAnswer: ({ row, version }: { row: KeptRow; version: number }) => kept().put(row, version),
    dropKeptAnswers: (which: KeptMatch) => kept().drop(which),
  };
}
