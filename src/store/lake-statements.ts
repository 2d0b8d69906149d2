/** What a transaction changes of a lake, noted statement by statement. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { inlinedRowsMax } from "./lake-attach.ts";
import { isHidden } from "./lake-mirror.ts";

/** Of the transaction under way, by the statements that `run` of its connection ran. */
export class LakeStatements {
  #hasChanged = false;
  readonly #taken = new Set<string>();

  constructor(connection: DuckDBConnection) {
    const run = connection.run.bind(connection);
    connection.run = async (sql, values, types) => {
      const result = await run(sql, values, types);
      this.#note(sql, result.rowsChanged);
      return result;
    };
  }

  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** Tables that mirrors show and a statement took so many rows from that it may write a file. */
  get taken(): readonly string[] {
    return [...this.#taken];
  }

  forget(): void {
    this.#hasChanged = false;
    this.#taken.clear();
  }

  #note(sql: string, rows: number): void {
    if (/^\s*(?:DROP|ALTER|CREATE(?! (?:OR REPLACE )?TEMP))/i.test(sql)) this.#hasChanged = true;
    const [, verb, table] = /^\s*(INSERT INTO|DELETE FROM|UPDATE)\s+(\w+)/i.exec(sql) ?? [];
    if (verb === undefined || rows === 0) return;
    this.#hasChanged = true;
    const isTaking = !/^INSERT/i.test(verb);
    if (isTaking && rows > inlinedRowsMax && !isHidden(table!)) this.#taken.add(table!);
  }
}
