/**
 * Event types in a lake. What each checkpoint adds to a type is a row of its own; view
 * event_types sums them up as a local store's table says it. Types have numbers that PostgreSQL
 * gives (lake-catalog.ts); one that was deleted as a whole gets another when it comes again.
 *
 *   event_type_parts (type_id, event_type, total, first_seen, last_seen)
 *   type_incarnations (event_type): a row each time the type was deleted as a whole
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf, runValues } from "./database.ts";
import type { LakeCatalog } from "./lake-catalog.ts";
import type { TypePart } from "./store.ts";
import { typeRows } from "./type-rows.ts";

export const typeTables = [
  `CREATE TABLE IF NOT EXISTS event_type_parts (
     type_id INTEGER NOT NULL, event_type VARCHAR NOT NULL, total BIGINT NOT NULL,
     first_seen TIMESTAMP_MS NOT NULL, last_seen TIMESTAMP_MS NOT NULL)`,
  "CREATE TABLE IF NOT EXISTS type_incarnations (event_type VARCHAR NOT NULL)",
];

/** What event_types is of a table of parts. */
export function eventTypesSql(parts: string): string {
  return `SELECT type_id, event_type, sum(total)::BIGINT AS total,
    min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM ${parts} GROUP BY type_id, event_type`;
}

export const eventTypesView = `CREATE VIEW event_types AS ${eventTypesSql("event_type_parts")}`;

/** From so many parts a type on they are summed up. */
const partsMax = 200;

/** Adds what a checkpoint counted of each type. */
export function addTypeParts(
  connection: DuckDBConnection,
  types: readonly TypePart[],
  idOf: (name: string) => number,
): Promise<void> {
  return runValues(
    connection,
    `INSERT INTO event_type_parts SELECT type_id, event_type, total,
       make_timestamp_ms(first_seen), make_timestamp_ms(last_seen) FROM (VALUES`,
    typeRows(types, idOf),
    ") AS part (type_id, event_type, total, first_seen, last_seen)",
  );
}

/** Sums the parts up where there are many; whether it did. In a transaction of maintenance. */
export async function sumUpParts(connection: DuckDBConnection): Promise<boolean> {
  const [many] = await rowsOf(
    connection,
    `SELECT count(*) > ${partsMax} * (1 + count(DISTINCT type_id)) AS many FROM event_type_parts`,
  );
  if (many!["many"] !== true) return false;
  await connection.run("CREATE OR REPLACE TEMP TABLE summed_types AS FROM event_types");
  await connection.run("DELETE FROM event_type_parts");
  await connection.run("INSERT INTO event_type_parts FROM summed_types");
  return true;
}

/** Writes a type's row anew, in place of its parts. */
export async function rewriteType(
  connection: DuckDBConnection,
  typeId: number,
  changes: string,
): Promise<void> {
  const own = `type_id = ${typeId}`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE changed_type AS
    SELECT * REPLACE (${changes}) FROM event_types WHERE ${own}`);
  await connection.run(`DELETE FROM event_type_parts WHERE ${own}`);
  await connection.run("INSERT INTO event_type_parts FROM changed_type");
}

/** The type is gone: should it come again, it is another one. */
export async function buryType(connection: DuckDBConnection, typeId: number): Promise<void> {
  const own = `type_id = ${typeId}`;
  await connection.run(`INSERT INTO type_incarnations
    SELECT DISTINCT event_type FROM event_type_parts WHERE ${own}`);
  await connection.run(`DELETE FROM event_type_parts WHERE ${own}`);
}

/** Numbers of event types as this process knows them. */
export class LakeTypeIds {
  readonly #catalog: Pick<LakeCatalog, "typeIds">;
  readonly #ids = new Map<string, number>();
  readonly #incarnations = new Map<string, number>();

  constructor(catalog: Pick<LakeCatalog, "typeIds">) {
    this.#catalog = catalog;
  }

  /** Forgets what is known, and reads which types were deleted. */
  async reload(connection: DuckDBConnection): Promise<void> {
    this.#ids.clear();
    this.#incarnations.clear();
    const rows = await rowsOf(
      connection,
      "SELECT event_type, count(*) AS n FROM type_incarnations GROUP BY event_type",
    );
    for (const row of rows) this.#incarnations.set(String(row["event_type"]), Number(row["n"]));
  }

  /** Asks for the numbers that are not known yet. Throws `store_failed`. */
  async learn(names: readonly string[]): Promise<void> {
    const missing = names.filter((name) => !this.#ids.has(name));
    if (missing.length === 0) return;
    const incarnationOf = (name: string) => this.#incarnations.get(name) ?? 0;
    for (const [name, id] of await this.#catalog.typeIds(missing, incarnationOf)) {
      this.#ids.set(name, id);
    }
  }

  /** The number of a type that was learnt. */
  idOf(name: string): number {
    const id = this.#ids.get(name);
    if (id === undefined) throw new Error(`the number of event type ${name} is not known`);
    return id;
  }
}
