/**
 * Work that one of a lake's processes does, whichever has its turn: an advisory lock of PostgreSQL
 * says whose it is and goes with the session. No more than that: what is done must be safe from
 * one who was paused and believes that it still has its turn.
 */
import type { Client } from "pg";
import type { LakePlace } from "../model-lake.ts";
import { lakeLocks, lockKeySql, openCatalogClient } from "./catalog-client.ts";

/** Following other regions. */
export const regionTurn = lakeLocks.follow;
const tryEveryMs = 1000;
const queryMsMax = 10_000;

export class LakeTurn {
  readonly #place: Pick<LakePlace, "catalog" | "schema">;
  readonly #number: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #client: Client | null = null;
  #isMine = false;
  #isTrying = false;

  /** Tries from now on; `number` names the work. */
  constructor(
    place: Pick<LakePlace, "catalog" | "schema">,
    number: number,
    onFailure: (error: unknown) => void,
  ) {
    this.#place = place;
    this.#number = number;
    this.#onFailure = onFailure;
    this.#timer = setInterval(() => void this.#try(), tryEveryMs);
    void this.#try();
  }

  get isMine(): boolean {
    return this.#isMine;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#lose();
  }

  async #try(): Promise<void> {
    if (this.#isMine || this.#isTrying) return;
    this.#isTrying = true;
    try {
      this.#client ??= await this.#opened();
      const client = this.#client;
      const key = lockKeySql(this.#place, this.#number);
      const { rows } = await client.query(`SELECT pg_try_advisory_lock(${key}) AS is_mine`);
      // The session may have ended meanwhile.
      if (client === this.#client) this.#isMine = rows[0].is_mine === true;
    } catch (error) {
      this.#lose();
      this.#onFailure(error);
    } finally {
      this.#isTrying = false;
    }
  }

  async #opened(): Promise<Client> {
    const client = await openCatalogClient(this.#place.catalog, () => this.#lose(), {
      queryMsMax,
    });
    client.once("end", () => {
      if (client === this.#client) this.#lose();
    });
    return client;
  }

  #lose(): void {
    this.#isMine = false;
    const client = this.#client;
    this.#client = null;
    client?.removeAllListeners("end");
    void client?.end().catch(() => undefined);
  }
}
