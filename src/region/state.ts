/** What is known of each other region, kept in the store so that it outlives this process. */
import type { RegionStanding } from "../model-regions.ts";

/** How a region is followed, in a word. */
export type FollowState = "waiting" | "following" | "behind" | "unreachable" | "refused" | "lost";

/** All there is to say of another region. Times are epoch ms. */
export interface RegionState extends RegionStanding {
  state: FollowState;
  /** Why it is not followed. */
  detail: string | null;
  /** Seconds of the coarsest windows that it was ever seen to keep. */
  coarsestSeconds: number;
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
  };
}

function numberOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A state as it was kept; what can't be read of it is as new. */
export function readState(region: string, isLost: boolean, kept: string): RegionState {
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
    state: isLost ? "lost" : state,
  };
}
