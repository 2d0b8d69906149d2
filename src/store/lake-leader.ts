/**
 * Which of a lake's processes does its maintenance: the one whose turn it is (lake-turn.ts). One
 * that merely stood still for long finds, in its next transaction, a later epoch in table
 * `leadership` and commits nothing.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { LakePlace } from "../model-lake.ts";
import { lakeLocks } from "./catalog-client.ts";
import { rowsOf } from "./database.ts";
import { LakeTurn } from "./lake-turn.ts";

export const leadershipTable = `CREATE TABLE IF NOT EXISTS leadership (
  epoch BIGINT NOT NULL, compacting BOOLEAN NOT NULL)`;

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
  readonly #turn: LakeTurn;
  /** Of the turn. */
  #epoch = -1;

  constructor(deps: LakeLeaderDeps) {
    const { place, onChange, onFailure } = deps;
    const begin = () => this.#beginEpoch();
    this.#deps = deps;
    this.#turn = new LakeTurn({ place, number: lakeLocks.lead, begin, onChange, onFailure });
  }

  get isLeader(): boolean {
    return this.#turn.isMine;
  }

  /** Tries at once, and from then on whenever this process is not leader. */
  start(): Promise<void> {
    return this.#turn.start();
  }

  /** To be called in each transaction of maintenance that changes anything. Throws NotLeader. */
  async fence(connection: DuckDBConnection): Promise<void> {
    const { rowsChanged } = await connection.run(
      `UPDATE leadership SET epoch = epoch WHERE epoch = ${this.isLeader ? this.#epoch : -1}`,
    );
    if (rowsChanged === 1) return;
    this.#turn.giveUp();
    throw new NotLeader("another process does the maintenance now");
  }

  close(): Promise<void> {
    return this.#turn.close();
  }

  async #beginEpoch(): Promise<void> {
    this.#epoch = await this.#deps.write(async (connection) => {
      // Whoever had the turn before compacts no more: this commit comes between.
      await connection.run("UPDATE leadership SET epoch = epoch + 1, compacting = false");
      const [row] = await rowsOf(connection, "SELECT epoch FROM leadership");
      return Number(row!["epoch"]);
    });
  }
}
