/** Waits that have a bound. */
import { setTimeout as sleep } from "node:timers/promises";

/** Resolves once `work` has settled, or after `waitMsMax`; rejects as it does. */
export async function waitAtMost(work: Promise<unknown>, waitMsMax: number): Promise<void> {
  const timer = new AbortController();
  const late = sleep(waitMsMax, null, { signal: timer.signal }).catch(() => null);
  await Promise.race([work, late]).finally(() => timer.abort());
}
