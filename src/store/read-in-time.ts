/** Bounds the wait for what a read of a mirror is to show. */
import { RankstreamError } from "../errors.ts";
import { cancelled } from "./read-watch.ts";

/**
 * The read's own budget and signal hold while its mirror is brought up to date, too. Throws
 * `query_timeout`, `query_cancelled`.
 */
export async function inTime(
  current: Promise<void>,
  budgetMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let leave: () => void = () => undefined;
  const over = new Promise<never>((_, reject) => {
    const detail = `what was committed could not be read within ${budgetMs} ms`;
    timer = setTimeout(() => reject(new RankstreamError("query_timeout", detail)), budgetMs);
    leave = () => reject(cancelled());
    signal?.addEventListener("abort", leave, { once: true });
  });
  try {
    await Promise.race([current, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
  }
}
