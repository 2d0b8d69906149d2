/**
 * Which of a lake's processes does its maintenance: the one whose session holds an advisory lock
 * in PostgreSQL. The lock goes with the session, so another takes over when a process ends or is
 * cut off; one that merely stood still for long finds, in its next transaction, a later epoch in
 * table `leadership` and commits nothing.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Client } from "pg";
import type { LakePlace } from "../model-lake.ts";
import { lakeLocks, lockKeySql, openCatalogClient } from "./catalog-client.ts";
import { rowsOf } from "./database.ts";

export const leadershipTable = "CREATE TABLE IF NOT EXISTS leadership (epoch BIGINT NOT NULL)";

/** How often a process that is not leader asks whether it can be. */
const tryEveryMs = 1000;
const queryMsMax = 10_000;

/** This process is not leader any more: what it was about to commit is rolled back. */
export class NotLeader extends Error {}

export interface LakeLeaderDeps {
  place: LakePlace;
  write: <T>(work: (connection: DuckDBConnection) => Promise<T>) => Promise<T>;
  /** Told when this process becomes leader, and when it is not any more. */
  onChange: (isLeader: boolean) => void;
  onFailure: (error: unknown) => void;
}

export class LakeLeader {
  readonly #deps: LakeLeaderDeps;
  #client: Client | null = null;
  #epoch: number | null = null;
  #timer: NodeJS.Timeout | null = null;
  #trying: Promise<void> | null = null;
  #isClosed = false;

  constructor(deps: LakeLeaderDeps) {
    this.#deps = deps;
  }

  get isLeader(): boolean {
    return this.#epoch !== null;
  }

  /** Tries at once, and from then on whenever this process is not leader. */
  async start(): Promise<void> {
    await this.#try();
    this.#timer = setInterval(() => void this.#try(), tryEveryMs);
  }

  /** To be called in each transaction of maintenance that changes anything. Throws NotLeader. */
  async fence(connection: DuckDBConnection): Promise<void> {
    const { rowsChanged } = await connection.run(
      `UPDATE leadership SET epoch = epoch WHERE epoch = ${this.#epoch ?? -1}`,
    );
    if (rowsChanged === 1) return;
    this.#lose();
    throw new NotLeader("another process does the maintenance now");
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer ?? undefined);
    await this.#trying;
    this.#lose();
  }

  async #try(): Promise<void> {
    if (this.#isClosed || this.#epoch !== null || this.#trying !== null) return;
    this.#trying = this.#tryNow().catch((error) => {
      this.#drop();
      this.#deps.onFailure(error);
    });
    await this.#trying;
    this.#trying = null;
  }

  async #tryNow(): Promise<void> {
    const { place, write, onChange } = this.#deps;
    this.#client ??= await this.#opened();
    const client = this.#client;
    const key = lockKeySql(place, lakeLocks.lead);
    const { rows } = await client.query(`SELECT pg_try_advisory_lock(${key}) AS is_mine`);
    if (rows[0].is_mine !== true) return;
    const epoch = await write(async (connection) => {
      await connection.run("UPDATE leadership SET epoch = epoch + 1");
      const [row] = await rowsOf(connection, "SELECT epoch FROM leadership");
      return Number(row!["epoch"]);
    });
    // The session may have ended meanwhile.
    if (client !== this.#client || this.#isClosed) return;
    this.#epoch = epoch;
    onChange(true);
  }

  async #opened(): Promise<Client> {
    const client = await openCatalogClient(this.#deps.place.catalog, () => this.#lose(), {
      queryMsMax,
    });
    client.once("end", () => {
      if (client === this.#client) this.#lose();
    });
    return client;
  }

  #lose(): void {
    const wasLeader = this.#epoch !== null;
    this.#epoch = null;
    this.#drop();
    if (wasLeader) this.#deps.onChange(false);
  }

  #drop(): void {
    const client = this.#client;
    this.#client = null;
    client?.removeAllListeners("end");
    void client?.end().catch(() => undefined);
  }
}
