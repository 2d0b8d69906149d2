// A way to PostgreSQL on which the answer to a COMMIT gets lost after PostgreSQL gave it, a COMMIT
// is held up, the connection ends in the middle of a read, or all go silent.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterAll } from "vitest";
import { catalogParts } from "../../src/model-lake.ts";

const workers = new Set<Worker>();

/** Registered by whoever imports this file. */
afterAll(async () => {
  for (const worker of workers) await worker.terminate();
});

/** Where the relay finds what it is to do, and counts what it did. */
const names = ["cutsCommits", "cutsWrites", "cutsReads", "holds", "cuts", "mutes"] as const;
const places = Object.fromEntries(names.map((name, i) => [name, i])) as Record<
  (typeof names)[number],
  number
>;

export interface CutCommits {
  /** libpq's text of the way. */
  catalog: string;
  /** The next COMMIT's answer ends its connection instead of arriving. */
  cutNext(): void;
  /** The same of the next COMMIT of a transaction that changed something. */
  cutNextWrite(): void;
  /** The next question for rows that lie in PostgreSQL ends its connection. */
  cutNextRead(): void;
  /** The next COMMIT of rows stays on its way, and whatever comes after it on its connection. */
  holdNext(): void;
  /** Connections there are pass nothing on any more, and don't end; new ones do. */
  mute(): void;
  /** So many were cut or held. */
  cuts(): number;
}

/** Leads to the server of `catalog`, which listens on loopback. */
export async function startCutCommits(catalog: string): Promise<CutCommits> {
  const { host, port, user, dbname } = catalogParts(catalog);
  const flags = new Int32Array(new SharedArrayBuffer(4 * names.length));
  const worker = new Worker(new URL("./commit-relay.mjs", import.meta.url), {
    workerData: { host, port: Number(port), flags, places },
  });
  workers.add(worker);
  const [own] = await once(worker, "message");
  const set = (place: number) => () => void Atomics.store(flags, place, 1);
  return {
    catalog: `host=127.0.0.1 port=${own} user=${user} dbname=${dbname}`,
    cutNext: set(places.cutsCommits),
    cutNextWrite: set(places.cutsWrites),
    cutNextRead: set(places.cutsReads),
    holdNext: set(places.holds),
    mute: () => void Atomics.add(flags, places.mutes, 1),
    cuts: () => Atomics.load(flags, places.cuts),
  };
}
