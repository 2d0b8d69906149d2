/** Transactions of a lake: one after another on a connection, again where they lost. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { SerialQueue } from "../serial-queue.ts";
import { NotAlone, runAlone } from "./lake-alone.ts";
import { namedLakeError } from "./lake-errors.ts";
import type { LakeFiles } from "./lake-files.ts";
import { runAsNext } from "./lake-session.ts";
import { LakeStatements } from "./lake-statements.ts";
import type { LakeTurns } from "./lake-turns.ts";
import type { SessionSettings } from "./open-instance.ts";

/** A transaction that lost against another is tried again so often. */
const conflictsMaxDefault = 20;
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

export interface LakeWriterDeps {
  session: SessionSettings;
  turns: Pick<LakeTurns, "alone" | "shared">;
  /** Whether what loses is tried again as before, beside checkpoints: it may be one itself. */
  yields: boolean;
  files: Pick<LakeFiles, "haveDeleteFiles">;
}

export interface LakeTransactionOptions {
  /** It is tried again after so many conflicts; default 20. */
  conflictsMax?: number | undefined;
  /** While it may commit, at its first try; default: at any time. */
  turn?: "alone" | "shared" | undefined;
}

/** One transaction after another, on a connection of their own. */
export class LakeWriter {
  readonly connection: DuckDBConnection;
  readonly #deps: LakeWriterDeps;
  readonly #statements: LakeStatements;
  readonly #queue = new SerialQueue();
  #isRunning = false;

  constructor(connection: DuckDBConnection, deps: LakeWriterDeps) {
    this.connection = connection;
    this.#deps = deps;
    this.#statements = new LakeStatements(connection);
  }

  /** Whether the transaction under way has changed anything so far. */
  get hasChanged(): boolean {
    return this.#statements.hasChanged;
  }

  enqueue<T>(run: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      this.#isRunning = true;
      try {
        await this.#deps.session.apply(this.connection);
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

  /** Tried again where it lost; alone where that was demanded, or may be needed. */
  async transaction<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    { conflictsMax = conflictsMaxDefault, ...options }: LakeTransactionOptions = {},
  ): Promise<T> {
    let { turn } = options;
    for (let conflicts = 0; ; ) {
      try {
        return await this.#inTurn(turn, () => this.#attempt(work));
      } catch (error) {
        await this.connection.run("ROLLBACK").catch(() => undefined);
        if (turn !== "alone" && error instanceof NotAlone) {
          turn = "alone";
          continue;
        }
        if (!isConflict(error) || conflicts >= conflictsMax) throw namedLakeError(error);
      }
      conflicts++;
      if (!this.#deps.yields || this.#statements.taken.length > 0) turn = "alone";
      await sleep(Math.random() * conflictWaitMsMax);
    }
  }

  /** Both at once would wait for each other: they are two sessions' locks. */
  #inTurn<T>(turn: LakeTransactionOptions["turn"], attempt: () => Promise<T>): Promise<T> {
    const { turns } = this.#deps;
    if (turn === "alone") return runAlone(this.connection, turns, attempt);
    return turn === "shared" ? turns.shared(attempt) : attempt();
  }

  async #attempt<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const { connection } = this;
    this.#statements.forget();
    await connection.run("BEGIN TRANSACTION");
    const result = await work(connection);
    if (await this.#mustBeNext()) await runAsNext(connection, "COMMIT");
    else await connection.run("COMMIT");
    return result;
  }

  /**
   * Whether it may only be the very next state of the lake. Where many rows go of a file that had
   * lost some before, DuckLake 1.0 writes one file of both that says of each row with which state
   * it went, and takes the next one for its own. A COMMIT that is tried again behind another
   * makes a later one: rows would be gone before those come that take their place, and whoever
   * follows the lake would not be told that they went.
   */
  async #mustBeNext(): Promise<boolean> {
    const { taken } = this.#statements;
    return taken.length > 0 && (await this.#deps.files.haveDeleteFiles(taken));
  }
}
