/** Snapshots of everything acknowledged before they were asked for (store/snapshot.ts). */
import type { SnapshotAnswer, SnapshotInfo } from "../store/snapshot.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface SnapshotDeps {
  store: Pick<Store, "takeSnapshot" | "snapshots" | "dropSnapshot">;
  freshness: FreshnessDeps;
}

/** How long it waits for what was acknowledged before: a large import may still be counted. */
const barrierMsMax = 600_000;

/** A snapshot that was taken, as it is told of. */
export interface Snapshot extends SnapshotAnswer {
  /** ISO 8601 UTC: everything acknowledged up to here is in. */
  asOf: string;
}

export class SnapshotDesk {
  readonly #deps: SnapshotDeps;
  /** Puts into the store what a snapshot shall show as of now: the service's own numbers. */
  beforeTake: () => Promise<void> = async () => undefined;

  constructor(deps: SnapshotDeps) {
    this.#deps = deps;
  }

  /** Takes one. Throws as the store's, and `query_timeout` where what came is not counted. */
  async take(name: string, control: AskControl = {}): Promise<Snapshot> {
    const { signal } = control;
    const { asOf } = await passBarrier(this.#deps.freshness, { signal, budgetMs: barrierMsMax });
    await this.beforeTake();
    const taken = await this.#deps.store.takeSnapshot(name, { signal });
    return { ...taken, asOf: formatTimestamp(asOf) };
  }

  /** Those that are kept, by name. */
  list(): Promise<SnapshotInfo[]> {
    return this.#deps.store.snapshots();
  }

  /** Throws `snapshot_not_found`. */
  async drop(name: string): Promise<void> {
    await this.#deps.store.dropSnapshot(name);
  }
}
