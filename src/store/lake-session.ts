/**
 * What only connections at work know of the lake's files: keys of its bucket, or which folder it
 * is. After a COMMIT that fails DuckLake removes the files that the transaction wrote, also where
 * only the answer of PostgreSQL was lost and the lake names them from then on. It does that by
 * the instance's own settings instead of the connection's, and finds nothing by these: what no
 * state names is swept later (lake-orphans.ts), by who looked.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { sqlText } from "./sql.ts";

/** How often DuckLake tries a COMMIT again that came second. */
const retriesSetting = "ducklake_max_retry_count";

/** Runs a statement that commits as the very next state of the lake, or fails. */
export async function runAsNext(connection: DuckDBConnection, sql: string): Promise<void> {
  await connection.run(`SET SESSION ${retriesSetting} = 0`);
  try {
    await connection.run(sql);
  } finally {
    await connection.run(`RESET SESSION ${retriesSetting}`);
  }
}

export class LakeSession {
  #settings: Readonly<Record<string, string>> = Object.freeze({});
  readonly #told = new WeakMap<DuckDBConnection, Readonly<Record<string, string>>>();

  /** Names of settings that are a connection's. */
  get names(): readonly string[] {
    return [...Object.keys(this.#settings), retriesSetting];
  }

  /** From now on these are to be told. */
  renew(settings: Readonly<Record<string, string>>): void {
    this.#settings = settings;
  }

  /** Tells a connection what it wasn't told yet; to be called while no statement runs on it. */
  async apply(connection: DuckDBConnection): Promise<void> {
    const settings = this.#settings;
    if (this.#told.get(connection) === settings) return;
    for (const [name, value] of Object.entries(settings)) {
      await connection.run(`SET SESSION ${name} = ${sqlText(value)}`);
    }
    this.#told.set(connection, settings);
  }
}
