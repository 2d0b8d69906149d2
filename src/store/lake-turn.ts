/**
 * Work that one of a lake's processes does, whichever has its turn: an advisory lock of PostgreSQL
 * says whose it is and goes with the session. No more than that: what is done must be safe from
 * one who was paused and believes that it still has its turn.
 */
import type { Client } from "pg";
import type { LakePlace } from "../model-lake.ts";
import { lockKeySql, openCatalogClient } from "./catalog-client.ts";

/** How often a process that has no turn asks whether it can have it. */
const tryEveryMs = 1000;
const queryMsMax = 10_000;

export interface LakeTurnDeps {
  place: Pick<LakePlace, "catalog" | "schema">;
  /** One of `lakeLocks`: names the work. */
  number: number;
  /** Runs with the lock held, before the turn begins; a failure gives the lock back. */
  begin?: () => Promise<void>;
  /** Told when this process has its turn, and when it has it no more. */
  onChange?: (isMine: boolean) => void;
  onFailure: (error: unknown) => void;
}

export class LakeTurn {
  readonly #deps: LakeTurnDeps;
  #client: Client | null = null;
  #isMine = false;
  #timer: NodeJS.Timeout | null = null;
  #trying: Promise<void> | null = null;
  #isClosed = false;

  constructor(deps: LakeTurnDeps) {
    this.#deps = deps;
  }

  get isMine(): boolean {
    return this.#isMine;
  }

  /** Tries at once, and from then on whenever this process has no turn. */
  async start(): Promise<void> {
    await this.#try();
    if (!this.#isClosed) this.#timer = setInterval(() => void this.#try(), tryEveryMs);
  }

  /** Ends the turn, if it has one; it may have another later. */
  giveUp(): void {
    const wasMine = this.#isMine;
    this.#isMine = false;
    const client = this.#client;
    this.#client = null;
    client?.removeAllListeners("end");
    void client?.end().catch(() => undefined);
    if (wasMine) this.#deps.onChange?.(false);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer ?? undefined);
    await this.#trying;
    this.giveUp();
  }

  async #try(): Promise<void> {
    if (this.#isClosed || this.#isMine || this.#trying !== null) return;
    this.#trying = this.#tryNow().catch((error) => {
      this.giveUp();
      this.#deps.onFailure(error);
    });
    await this.#trying;
    this.#trying = null;
  }

  async #tryNow(): Promise<void> {
    const { place, number, begin, onChange } = this.#deps;
    this.#client ??= await this.#opened();
    const client = this.#client;
    const key = lockKeySql(place, number);
    const { rows } = await client.query(`SELECT pg_try_advisory_lock(${key}) AS is_mine`);
    if (rows[0].is_mine !== true) return;
    await begin?.();
    // The session may have ended meanwhile.
    if (client !== this.#client || this.#isClosed) return;
    this.#isMine = true;
    onChange?.(true);
  }

  async #opened(): Promise<Client> {
    const client = await openCatalogClient(this.#deps.place.catalog, () => this.giveUp(), {
      queryMsMax,
    });
    client.once("end", () => {
      if (client === this.#client) this.giveUp();
    });
    return client;
  }
}
