/** Transactions of a lake: one after another on a connection, again where they lost. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { SerialQueue } from "../serial-queue.ts";
import { namedCutOff } from "./lake-cut-off.ts";
import type { SessionSettings } from "./open-instance.ts";

/** A transaction that lost against another is tried again so often. */
const conflictsMax = 20;
const conflictWaitMsMax = 200;

/** As DuckLake says it, and as PostgreSQL does where DuckLake gave up trying again. */
const conflictForms = [
  "Transaction conflict - attempting to ",
  'duplicate key value violates unique constraint "ducklake_',
  "could not serialize access due to ",
  "deadlock detected",
];

/** Whether a transaction was rolled back since another one committed first. */
export function isConflict(error: unknown): boolean {
  return error instanceof Error && conflictForms.some((form) => error.message.includes(form));
}

/** Calls `onChange` at each statement by `run` of the connection that changes the lake. */
export function noteChanges(connection: DuckDBConnection, onChange: () => void): void {
  const run = connection.run.bind(connection);
  connection.run = async (sql, values, types) => {
    const result = await run(sql, values, types);
    const isDdl = /^\s*(?:DROP|ALTER|CREATE(?! (?:OR REPLACE )?TEMP))/i.test(sql);
    const isChange = /^\s*(?:INSERT|DELETE|UPDATE)/i.test(sql) && result.rowsChanged > 0;
    if (isDdl || isChange) onChange();
    return result;
  };
}

/** One transaction after another, on a connection of their own. */
export class LakeWriter {
  readonly connection: DuckDBConnection;
  readonly #session: SessionSettings;
  readonly #queue = new SerialQueue();
  #isRunning = false;

  constructor(connection: DuckDBConnection, session: SessionSettings) {
    this.connection = connection;
    this.#session = session;
  }

  enqueue<T>(run: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      this.#isRunning = true;
      try {
        await this.#session.apply(this.connection);
        return await run();
      } finally {
        this.#isRunning = false;
      }
    });
  }

  interrupt(): void {
    if (this.#isRunning) this.connection.interrupt();
  }

  settled(): Promise<void> {
    return this.#queue.settled();
  }

  /** Tried again after so many conflicts. */
  async transaction<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    triesMax = conflictsMax,
  ): Promise<T> {
    for (let conflicts = 0; ; conflicts++) {
      try {
        await this.connection.run("BEGIN TRANSACTION");
        const result = await work(this.connection);
        await this.connection.run("COMMIT");
        return result;
      } catch (error) {
        await this.connection.run("ROLLBACK").catch(() => undefined);
        if (!isConflict(error) || conflicts >= triesMax) throw namedCutOff(error);
      }
      await sleep(Math.random() * conflictWaitMsMax);
    }
  }
}
