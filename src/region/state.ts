/** What is known of each other region, kept in the store so that it outlives this process. */
import type { RegionStanding } from "../model-regions.ts";
import type { KeptRegion, RegionReset } from "../store/region-questions.ts";

/** How a region is followed, in a word. */
export type FollowState = "waiting" | "following" | "behind" | "unreachable" | "refused" | "lost";

/** All there is to say of another region. Times are epoch ms. */
export interface RegionState extends RegionStanding {
  state: FollowState;
  /** Why it is not followed. */
  detail: string | null;
  /** Seconds of the coarsest windows that it was ever seen to keep. */
  coarsestSeconds: number;
  /** The last time that what is kept of it had been deleted when this was so (RegionReset). */
  generation: number;
}

export function newState(region: string, isLost: boolean): RegionState {
  return {
    region,
    completeThrough: null,
    candidatesAsOf: null,
    heardAt: null,
    isLost,
    minutesAhead: 0,
    state: isLost ? "lost" : "waiting",
    detail: null,
    coarsestSeconds: 60,
    generation: 0,
  };
}

/** Changes the state: what was deleted since it was so is not here until it is copied anew. */
export function noteResets(state: RegionState, resets: readonly RegionReset[]): void {
  const fresh = resets.filter(({ generation }) => generation > state.generation);
  const [last, first] = [fresh[0], fresh.at(-1)];
  if (last === undefined || first === undefined) return;
  const isAll = first.after === state.generation;
  const from = isAll ? Math.min(...fresh.map((reset) => reset.from)) : 0;
  state.generation = last.generation;
  // What is deleted of a region that is lost is to stay away.
  if (state.isLost) return;
  state.completeThrough = earlier(state.completeThrough, from);
  state.candidatesAsOf = earlier(state.candidatesAsOf, from);
}

function earlier(at: number | null, from: number): number | null {
  return at === null || from === 0 ? null : Math.min(at, from);
}

function numberOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/**
 * A state as it was kept, with what was deleted since; what can't be read of it is as new. Nothing
 * is known of what comes after `now`, whatever a clock once said.
 */
export function readState(
  { region, state, resets }: KeptRegion,
  isLost: boolean,
  now: number,
): RegionState {
  const read = parsed(region, isLost, state ?? "");
  const notLater = (at: number | null) => (at === null ? null : Math.min(at, now));
  read.completeThrough = notLater(read.completeThrough);
  read.candidatesAsOf = notLater(read.candidatesAsOf);
  noteResets(read, resets);
  return read;
}

function parsed(region: string, isLost: boolean, kept: string): RegionState {
  const fresh = newState(region, isLost);
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(kept) as Record<string, unknown>;
  } catch {
    return fresh;
  }
  const texts = { detail: typeof given["detail"] === "string" ? given["detail"] : null };
  const states: readonly unknown[] = ["waiting", "following", "behind", "unreachable", "refused"];
  const state = states.includes(given["state"]) ? (given["state"] as FollowState) : fresh.state;
  return {
    ...fresh,
    ...texts,
    completeThrough: numberOrNull(given["completeThrough"]),
    candidatesAsOf: numberOrNull(given["candidatesAsOf"]),
    heardAt: numberOrNull(given["heardAt"]),
    minutesAhead: numberOrNull(given["minutesAhead"]) ?? 0,
    coarsestSeconds: numberOrNull(given["coarsestSeconds"]) ?? fresh.coarsestSeconds,
    generation: numberOrNull(given["generation"]) ?? 0,
    state: isLost ? "lost" : state,
  };
}
