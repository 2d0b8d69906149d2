/**
 * Who commits when: DuckLake lets one of two overlapping transactions commit that change a
 * partition's row, so a delete would lose against one checkpoint after another, and merges of
 * files are given up where anything was committed meanwhile. Checkpoints and other small
 * transactions hold an advisory lock in PostgreSQL together, a delete or a merge holds it alone;
 * PostgreSQL lets nobody pass who came after one that waits. Nothing depends on it but who is
 * tried again: where it can't be had in time, the transaction is tried without.
 */
import type { Client } from "pg";
import type { LakePlace } from "../model-lake.ts";
import { lakeLocks, lockKeySql, openCatalogClient } from "./catalog-client.ts";

/** Longer than a delete's transaction takes, or a merge. */
const waitMsMax = 10_000;
/** Whoever waited in vain doesn't again for so long: somebody who holds it stands still. */
const restMs = 60_000;
const queryMsMax = waitMsMax + 5000;

type Kind = "shared" | "alone";

export class LakeTurns {
  readonly #place: LakePlace;
  /** Two sessions: in one of them both locks could be had at once. */
  readonly #clients = new Map<Kind, Promise<Client>>();
  #restUntil = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(place: LakePlace) {
    this.#place = place;
  }

  /** Runs a small transaction; any number at once, in any process. */
  shared<T>(run: () => Promise<T>): Promise<T> {
    return this.#run("shared", run);
  }

  /** Runs a large one, while no process runs a small one. */
  alone<T>(run: () => Promise<T>): Promise<T> {
    return this.#run("alone", run);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    // With their sessions the locks go.
    await Promise.all(clients.map((one) => one.then((c) => c.end()).catch(() => undefined)));
  }

  async #run<T>(kind: Kind, run: () => Promise<T>): Promise<T> {
    const held = await this.#take(kind);
    try {
      return await run();
    } finally {
      await held?.query(`SELECT pg_advisory_unlock${this.#call(kind)}`).catch(() => {
        this.#clients.delete(kind);
        return held.end().catch(() => undefined);
      });
    }
  }

  /** The session that holds it; null where it couldn't be had. */
  async #take(kind: Kind): Promise<Client | null> {
    if (this.#isClosed || performance.now() < this.#restUntil) return null;
    try {
      const client = await this.#connected(kind);
      await client.query(`SELECT pg_advisory_lock${this.#call(kind)}`);
      return client;
    } catch {
      this.#restUntil = performance.now() + restMs;
      // It may have been granted while its answer was not heard: with the session it goes.
      const lost = this.#clients.get(kind);
      this.#clients.delete(kind);
      lost?.then((one) => one.end()).catch(() => undefined);
      return null;
    }
  }

  #call(kind: Kind): string {
    return `${kind === "shared" ? "_shared" : ""}(${lockKeySql(this.#place, lakeLocks.turn)})`;
  }

  #connected(kind: Kind): Promise<Client> {
    const known = this.#clients.get(kind);
    if (known !== undefined) return known;
    const forget = () => {
      if (this.#clients.get(kind) === opening) this.#clients.delete(kind);
    };
    const opening = openCatalogClient(this.#place.catalog, forget, { queryMsMax }).then(
      async (client) => {
        client.once("end", forget);
        await client.query(`SET lock_timeout = ${waitMsMax}`);
        return client;
      },
    );
    this.#clients.set(kind, opening);
    opening.catch(forget);
    return opening;
  }
}
