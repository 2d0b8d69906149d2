/** How recent an answer is: what was acknowledged before the question, and whether it is in. */
import { RankstreamError } from "../errors.ts";
import { cancelled } from "../store/read-watch.ts";
import { inSpan, type TraceSpan } from "../telemetry-tracing.ts";
import type { AskControl } from "./ask.ts";

export interface FreshnessDeps {
  /** Offset after the last record this process acknowledged, by partition. */
  acknowledged: () => number[];
  /** The same of everybody's, up to this call; throws `log_unavailable` when nobody can say. */
  ends: () => Promise<number[]>;
  /**
   * Resolves to true once everything before `offsets` is committed, to false after `waitMsMax`
   * or when `signal` says so.
   */
  committed: (offsets: number[], waitMsMax: number, signal?: AbortSignal) => Promise<boolean>;
  /** Why it is no use to wait for these offsets; null, or absent: it may be. */
  blocked?: (offsets: readonly number[]) => RankstreamError | null;
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
 * what is left of the budget then, at least 1 ms. Throws `query_timeout`, `query_cancelled`,
 * `log_unavailable`, and what stopped a partition.
 */
export function passBarrier(
  deps: FreshnessDeps,
  control: AskControl = {},
): Promise<{ asOf: number; budgetMs: number }> {
  return inSpan(control.span, "query.wait", () => pass(deps, control));
}

async function pass(
  deps: FreshnessDeps,
  control: AskControl,
): Promise<{ asOf: number; budgetMs: number }> {
  const { ends, committed, exactTimeoutMs, now = Date.now } = deps;
  const elapsed = deps.elapsed ?? (() => performance.now());
  const { budgetMs = exactTimeoutMs, signal } = control;
  const [asOf, begun] = [now(), elapsed()];
  const offsets = await within(ends(), budgetMs);
  const leftMs = Math.max(1, budgetMs - (elapsed() - begun));
  if (offsets === null || !(await committed(offsets, leftMs, signal))) {
    if (signal?.aborted === true) throw cancelled();
    const blocked = offsets === null ? null : (deps.blocked?.(offsets) ?? null);
    if (blocked !== null) throw blocked;
    const detail = `what was acknowledged before was not counted in ${budgetMs} ms`;
    throw new RankstreamError("query_timeout", detail, { retryAfterSeconds: 1 });
  }
  return { asOf, budgetMs: Math.max(1, budgetMs - Math.ceil(elapsed() - begun)) };
}

/** For approximate answers: waits `freshnessWaitMsMax` at most for what was acknowledged. */
export async function awaitFresh(
  deps: FreshnessDeps,
  span?: TraceSpan | null,
): Promise<Freshness> {
  const started = (deps.now ?? Date.now)();
  const isFresh = await inSpan(span, "query.wait", () => isSettled(deps));
  const { committedThrough } = deps;
  return { stale: !isFresh, asOf: isFresh ? started : committedThrough() };
}

/**
 * Whether everything acknowledged by now, by whomever, is counted; waits `freshnessWaitMsMax` at
 * most. Where nobody says how far the log goes, it isn't known to be.
 */
export async function isSettled(
  { ends, committed, freshnessWaitMsMax, elapsed = () => performance.now() }: FreshnessDeps,
  signal?: AbortSignal,
): Promise<boolean> {
  const started = elapsed();
  const known = ends().catch(() => null);
  const offsets = await within(known, freshnessWaitMsMax);
  if (offsets === null) return false;
  const leftMs = freshnessWaitMsMax - (elapsed() - started);
  return committed(offsets, Math.max(0, leftMs), signal);
}

/** Null when it takes longer. What is known already costs no timer. */
async function within<T>(value: Promise<T | null>, waitMsMax: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, waitMsMax, null);
  });
  return Promise.race([value, late]).finally(() => clearTimeout(timer));
}
