/**
 * The other regions as this process knows them: follows each where it is this process's turn,
 * else reads what whoever follows them keeps in the store. GET /regions and answers ask it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { RankstreamError } from "../errors.ts";
import { foreverMs } from "../model.ts";
import {
  parseRegionType,
  type RegionStanding,
  type RegionView,
  regionTypeName,
} from "../model-regions.ts";
import { SerialQueue } from "../serial-queue.ts";
import type { Shares } from "../store/changes.ts";
import type { Store } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import type { RegionFollower } from "./follower.ts";
import { RegionRefusal } from "./peer.ts";
import { newState, noteResets, type RegionState, readState } from "./state.ts";

/** Another region as it is configured. */
export interface RegionName {
  name: string;
  /** Null: it is lost, and not asked any more. */
  address: string | null;
}

export interface RegionDeskDeps {
  own: string;
  peers: readonly RegionName[];
  lagMsMax: number;
  intervalMs: number;
  store: Pick<Store, "regions" | "eventTypes" | "deleteEvents"> & {
    shares: Pick<Shares, "onRows">;
  };
  /** Makes what follows a region; null: this process follows none. */
  follow: ((peer: RegionName, state: RegionState) => RegionFollower) | null;
  /** Whether it is this process's turn to follow. */
  isMine: () => boolean;
  /** Resolves once everything appended here before is counted. */
  settle: (signal?: AbortSignal) => Promise<unknown>;
  logger: Logger;
  now?: () => number;
}

/** Longest pause after failures: a region that is back is found soon. */
const pauseMsMax = 15_000;
/** How often states are kept, and read where another process follows. */
const keepMs = 10_000;
const lookMs = 2000;
/** How far behind a region may be and count as followed all the same. */
const behindMs = 180_000;

interface Followed {
  peer: RegionName;
  state: RegionState;
  follower: RegionFollower | null;
  keptAt: number;
  kept: string;
  failures: number;
  /** Rounds and resyncs, one after another. */
  turns: SerialQueue;
}

export class RegionDesk implements RegionView {
  readonly own: string;
  readonly lagMsMax: number;
  readonly #deps: RegionDeskDeps;
  readonly #now: () => number;
  readonly #stop = new AbortController();
  readonly #followed: Followed[] = [];
  #loops: Promise<unknown>[] = [];

  private constructor(deps: RegionDeskDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
    this.own = deps.own;
    this.lagMsMax = deps.lagMsMax;
  }

  /** Reads what was kept, and begins to follow. */
  static async open(deps: RegionDeskDeps): Promise<RegionDesk> {
    const desk = new RegionDesk(deps);
    const kept = new Map((await deps.store.regions.states()).map((one) => [one.region, one]));
    for (const peer of deps.peers) {
      const isLost = peer.address === null;
      const own = kept.get(peer.name);
      const state =
        own === undefined ? newState(peer.name, isLost) : readState(own, isLost, desk.#now());
      const follower = isLost ? null : (deps.follow?.(peer, state) ?? null);
      desk.#followed.push({
        peer,
        state,
        follower,
        keptAt: 0,
        kept: "",
        failures: 0,
        turns: new SerialQueue(),
      });
    }
    desk.#loops = desk.#followed.map((one) => desk.#loop(one));
    desk.#loops.push(desk.#lookAlways());
    deps.store.shares.onRows((table) => {
      if (table === "meta") void desk.#look();
    });
    return desk;
  }

  standings(): readonly RegionStanding[] {
    return this.#followed.map(({ state }) => state);
  }

  /** All there is to say of each, with where it is asked. */
  states(): readonly (RegionState & { address: string | null })[] {
    return this.#followed.map(({ state, peer }) => ({ ...state, address: peer.address }));
  }

  /**
   * Deletes what is kept of a region here, of a range (epoch ms, `to` exclusive) or all times,
   * and has it copied anew. Throws `region_not_found`, and `region_lost` of one that can't be
   * copied any more.
   */
  async resync(name: string, range: { from: number; to: number } | null) {
    const one = this.#followed.find(({ peer }) => peer.name === name);
    if (one === undefined) {
      throw new RankstreamError("region_not_found", `there is no region ${JSON.stringify(name)}`);
    }
    if (one.peer.address === null) {
      throw new RankstreamError("region_lost", `${name} is lost: its counts are here alone`);
    }
    return one.turns.run(() => this.#resync(one, range ?? { from: 0, to: foreverMs }));
  }

  /**
   * What is kept of a region is being deleted from this time on (epoch ms), or was just now:
   * answers lack it until it is copied anew. Returns its generation from now on.
   */
  async noteDelete(region: string, from: number): Promise<number> {
    const reset = await this.#deps.store.regions.beginGeneration({ region, from });
    // Whoever answers elsewhere hears of it by the store.
    const one = this.#followed.find(({ peer }) => peer.name === region);
    if (one !== undefined) noteResets(one.state, [reset]);
    return reset.generation;
  }

  /**
   * Does what deletes events of a type from this time on (epoch ms), here and of what is kept of
   * others. Noted before, since it may end half way, and after: a round meanwhile may have found
   * all to be as it was.
   */
  async duringDelete<T>(eventType: string, from: number, work: () => Promise<T>): Promise<T> {
    // Of those that had it before as well: what is deleted as a whole is not known any more.
    const having = new Set<string>();
    const note = async () => {
      const known = new Set((await this.#deps.store.eventTypes()).map(({ name }) => name));
      for (const { peer } of this.#followed) {
        if (known.has(regionTypeName(peer.name, eventType))) having.add(peer.name);
        await this.noteDelete(peer.name, having.has(peer.name) ? from : foreverMs);
      }
    };
    await note();
    try {
      return await work();
    } finally {
      await note();
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#loops);
    await Promise.allSettled(this.#followed.map((one) => this.#keep(one, true)));
  }

  async #resync({ peer, follower }: Followed, range: { from: number; to: number }) {
    const { store, settle } = this.#deps;
    await settle();
    const names = (await store.eventTypes())
      .map(({ name }) => name)
      .filter((name) => parseRegionType(name).region === peer.name);
    const sum = { events: 0, count: 0 };
    // Batches have other keys from here on, and again once all is gone: those used before would
    // be no news. Also where it ends half way, or the leader ends it later.
    await this.noteDelete(peer.name, range.from);
    let generation: number;
    try {
      for (const eventType of names) {
        const scope = { eventType, eventId: null, ...range, isDryRun: false };
        const { events, count } = await store.deleteEvents(scope);
        sum.events += events;
        sum.count += count;
      }
    } finally {
      generation = await this.noteDelete(peer.name, range.from);
    }
    follower?.forget();
    this.#deps.logger.warn({ part: "regions", region: peer.name, ...sum }, "copied anew");
    return { region: peer.name, ...sum, generation };
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  async #loop(one: Followed): Promise<void> {
    const { signal } = this.#stop;
    const { intervalMs, isMine } = this.#deps;
    if (one.follower === null) return;
    while (!signal.aborted) {
      if (!isMine()) {
        await this.#pause(Math.min(intervalMs, lookMs));
        continue;
      }
      const isMore = await one.turns.run(() => this.#round(one));
      const pauseMs = Math.min(intervalMs * 2 ** one.failures, Math.max(intervalMs, pauseMsMax));
      if (!isMore || one.failures > 0) await this.#pause(pauseMs);
    }
  }

  /** One round; whether there is more to do at once. */
  async #round(one: Followed): Promise<boolean> {
    const { state, follower, peer } = one;
    const { logger } = this.#deps;
    const before = { state: state.state, ahead: state.minutesAhead };
    try {
      const { isMore, added, refusal } = await follower!.round(this.#stop.signal);
      one.failures = 0;
      const isBehind = (state.completeThrough ?? 0) < this.#now() - behindMs;
      state.state = refusal !== null ? "refused" : isBehind ? "behind" : "following";
      state.detail = refusal;
      if (state.minutesAhead > before.ahead) {
        const fields = { part: "regions", region: peer.name, minutes: state.minutesAhead };
        logger.warn(fields, "more is kept of a region than it has: see docs/regions.md");
      }
      await this.#keep(one, false);
      this.#tell(one, before.state);
      // Without progress somebody else writes, or a key is used: then later is soon enough.
      return isMore && added > 0 && refusal === null;
    } catch (error) {
      if (this.#stop.signal.aborted) return false;
      one.failures = Math.min(one.failures + 1, 10);
      state.state = error instanceof RegionRefusal ? "refused" : "unreachable";
      state.detail = error instanceof Error ? error.message : String(error);
      this.#tell(one, before.state, error);
      // Others that are asked for it know of it from there.
      await this.#keep(one, false).catch(() => undefined);
      return false;
    }
  }

  /** Writes a line where the state has changed. */
  #tell({ state, peer }: Followed, before: string, err?: unknown): void {
    if (state.state === before) return;
    const fields = {
      part: "regions",
      region: peer.name,
      state: state.state,
      detail: state.detail,
    };
    if (err === undefined) this.#deps.logger.info(fields, "how a region is followed has changed");
    else this.#deps.logger.warn({ ...fields, err }, "a region is not followed now");
  }

  /** Keeps the state where it has changed, not too often. */
  async #keep(one: Followed, isLast: boolean): Promise<void> {
    if (one.follower === null || !this.#deps.isMine()) return;
    const now = this.#now();
    if (!isLast && one.keptAt > now - keepMs && one.keptAt <= now) return;
    const { region, isLost: _, ...rest } = one.state;
    const state = JSON.stringify(rest);
    if (state === one.kept) return;
    await this.#deps.store.regions.putState({ region, state });
    [one.kept, one.keptAt] = [state, now];
  }

  async #lookAlways(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause(lookMs);
      await this.#look();
    }
  }

  /** Follows what another process keeps, and what others deleted. */
  async #look(): Promise<void> {
    const { store, isMine, follow } = this.#deps;
    if (this.#stop.signal.aborted) return;
    const kept = await store.regions.states().catch(() => []);
    for (const own of kept) {
      const one = this.#followed.find(({ peer }) => peer.name === own.region);
      if (one === undefined) continue;
      if (follow !== null && isMine()) noteResets(one.state, own.resets);
      else Object.assign(one.state, readState(own, one.peer.address === null, this.#now()));
    }
  }
}
