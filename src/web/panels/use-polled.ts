/** An answer that is asked for again and again, while the page is seen. */
import { useEffect, useState } from "preact/hooks";

export interface Polled<Value> {
  /** The last answer; null before the first. */
  value: Value | null;
  /** Why the last question had none; null where it had. */
  error: Error | null;
}

interface Question<Value> {
  /** What it is about: the answer stays while that does, whatever else of the question changes. */
  about: string;
  /** The whole question: it is asked at once when this changes. "" asks nothing. */
  question: string;
  /** From an answer to the next question; 0 asks once. */
  everyMs: number;
  ask: (signal: AbortSignal) => Promise<Value>;
}

type Kept<Value> = Polled<Value> & { about: string };

/** The newest answer to a question; nothing is asked while the page is hidden. */
export function usePolled<Value>({
  about,
  question,
  everyMs,
  ask,
}: Question<Value>): Polled<Value> {
  const [kept, setKept] = useState<Kept<Value>>({ about, value: null, error: null });
  useEffect(() => {
    if (question === "") return;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isAsking = false;
    let askedAt = Number.NEGATIVE_INFINITY;
    const run = async () => {
      clearTimeout(timer);
      if (isAsking || document.hidden) return;
      isAsking = true;
      askedAt = performance.now();
      try {
        const value = await ask(ending.signal);
        if (!ending.signal.aborted) setKept({ about, value, error: null });
      } catch (error) {
        if (ending.signal.aborted) return;
        const late = error as Error;
        setKept((old) => ({ about, value: old.about === about ? old.value : null, error: late }));
      } finally {
        isAsking = false;
      }
      if (everyMs > 0 && !ending.signal.aborted) timer = setTimeout(run, everyMs);
    };
    const onSeen = () => {
      const isDue = everyMs > 0 ? performance.now() - askedAt >= everyMs : askedAt < 0;
      if (!document.hidden && isDue) void run();
    };
    document.addEventListener("visibilitychange", onSeen);
    void run();
    return () => {
      ending.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onSeen);
    };
  }, [about, question, everyMs]);
  return kept.about === about ? kept : { value: null, error: null };
}
