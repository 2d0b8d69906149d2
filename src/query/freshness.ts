/** How recent an answer is: what was acknowledged before the question, and whether it is in. */
import { RankstreamError } from "../errors.ts";

export interface FreshnessDeps {
  /** Offset after the last acknowledged record, by partition. */
  acknowledged: () => number[];
  /**
   * Resolves to true once everything before `offsets` is committed, to false after `waitMsMax`.
   */
  committed: (offsets: number[], waitMsMax: number) => Promise<boolean>;
  /** Through when (epoch ms) everything acknowledged is committed. */
  committedThrough: () => number;
  exactTimeoutMs: number;
  freshnessWaitMsMax: number;
  now?: () => number;
}

/** What an answer says of its age. */
export interface Freshness {
  /** Something acknowledged before the question may be missing. */
  stale: boolean;
  /** Epoch ms: everything acknowledged up to here is in. */
  asOf: number;
}

/**
 * For exact answers: resolves once everything acknowledged before the call is committed, with
 * what is left of `exactTimeoutMs` then, at least 1 ms. Throws `query_timeout`.
 */
export async function passBarrier(
  deps: FreshnessDeps,
): Promise<{ asOf: number; budgetMs: number }> {
  const { acknowledged, committed, exactTimeoutMs, now = Date.now } = deps;
  const started = now();
  if (!(await committed(acknowledged(), exactTimeoutMs))) {
    const detail = `what was acknowledged before was not counted in ${exactTimeoutMs} ms`;
    throw new RankstreamError("query_timeout", detail, { retryAfterSeconds: 1 });
  }
  return { asOf: started, budgetMs: Math.max(1, exactTimeoutMs - (now() - started)) };
}

/** For approximate answers: waits `freshnessWaitMsMax` at most for what was acknowledged. */
export async function awaitFresh(deps: FreshnessDeps): Promise<Freshness> {
  const { acknowledged, committed, committedThrough, freshnessWaitMsMax } = deps;
  const started = (deps.now ?? Date.now)();
  const isFresh = await committed(acknowledged(), freshnessWaitMsMax);
  return { stale: !isFresh, asOf: isFresh ? started : committedThrough() };
}
