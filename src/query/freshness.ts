/** How recent an answer is: what was acknowledged before the question, and whether it is in. */
import { RankstreamError } from "../errors.ts";
import { cancelled } from "../store/read-watch.ts";
import type { AskControl } from "./ask.ts";

export interface FreshnessDeps {
  /** Offset after the last acknowledged record, by partition. */
  acknowledged: () => number[];
  /**
   * Resolves to true once everything before `offsets` is committed, to false after `waitMsMax`
   * or when `signal` says so.
   */
  committed: (offsets: number[], waitMsMax: number, signal?: AbortSignal) => Promise<boolean>;
  /** Through when (epoch ms) everything acknowledged is committed. */
  committedThrough: () => number;
  exactTimeoutMs: number;
  freshnessWaitMsMax: number;
  now?: () => number;
  /** Milliseconds since any moment; unlike `now` never set. */
  elapsed?: () => number;
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
 * what is left of the budget then, at least 1 ms. Throws `query_timeout`, `query_cancelled`.
 */
export async function passBarrier(
  deps: FreshnessDeps,
  control: AskControl = {},
): Promise<{ asOf: number; budgetMs: number }> {
  const { acknowledged, committed, exactTimeoutMs, now = Date.now } = deps;
  const elapsed = deps.elapsed ?? (() => performance.now());
  const { budgetMs = exactTimeoutMs, signal } = control;
  const [asOf, begun] = [now(), elapsed()];
  if (!(await committed(acknowledged(), budgetMs, signal))) {
    if (signal?.aborted === true) throw cancelled();
    const detail = `what was acknowledged before was not counted in ${budgetMs} ms`;
    throw new RankstreamError("query_timeout", detail, { retryAfterSeconds: 1 });
  }
  return { asOf, budgetMs: Math.max(1, budgetMs - Math.ceil(elapsed() - begun)) };
}

/** For approximate answers: waits `freshnessWaitMsMax` at most for what was acknowledged. */
export async function awaitFresh(deps: FreshnessDeps): Promise<Freshness> {
  const { acknowledged, committed, committedThrough, freshnessWaitMsMax } = deps;
  const started = (deps.now ?? Date.now)();
  const isFresh = await committed(acknowledged(), freshnessWaitMsMax);
  return { stale: !isFresh, asOf: isFresh ? started : committedThrough() };
}

/** Whether everything acknowledged by now is counted; waits `freshnessWaitMsMax` at most. */
export function isSettled(
  { acknowledged, committed, freshnessWaitMsMax }: FreshnessDeps,
  signal?: AbortSignal,
): Promise<boolean> {
  return committed(acknowledged(), freshnessWaitMsMax, signal);
}
