/** The service behind the page: one client, one live socket, and the hooks that follow them. */
import { useEffect, useRef, useState } from "preact/hooks";
import { RankstreamClient } from "../client/client.ts";
import { LiveBoards, type LiveState } from "../client/live.ts";
import type { EventType, Leaderboard } from "../client/replies.ts";
import type { Refusal } from "./key-gate.ts";
import { gate } from "./tab-key.ts";
import { queryOf, questionOf, type ShownView } from "./view-state.ts";

/** Types are asked for again after this, then after twice as long, up to the longest wait. */
const typesWaitMsMin = 1000;
const typesWaitMsMax = 15_000;

const liveUrl = new URL("/live", location.href);
liveUrl.protocol = liveUrl.protocol === "https:" ? "wss:" : "ws:";
const stateListeners = new Set<() => void>();

/** Retries by itself for a short while only: the page asks again anyway. */
export const client = new RankstreamClient({
  url: location.origin,
  retryMsMax: 5000,
  fetch: gate.fetch,
});

/** Boards that are pushed. */
export const live = new LiveBoards({
  url: liveUrl.href,
  // Where it is refused, so are the questions that are asked meanwhile: these tell why.
  key: () => gate.keyToSend(),
  onState: () => {
    for (const listener of stateListeners) listener();
  },
});

addEventListener("online", () => live.retryNow());
gate.listen(() => {
  if (gate.refusal === null) live.retryNow();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) live.retryNow();
});

/** The key that is asked with, and why another one is needed; null where there is none. */
export function useKey(): { key: string | null; refusal: Refusal | null } {
  const [known, setKnown] = useState({ key: gate.key, refusal: gate.refusal });
  useEffect(() => {
    const listener = () => setKnown({ key: gate.key, refusal: gate.refusal });
    listener();
    return gate.listen(listener);
  }, []);
  return known;
}

/** The state of the live socket. */
export function useLiveState(): LiveState {
  const [state, setState] = useState(live.state);
  useEffect(() => {
    const listener = () => setState(live.state);
    stateListeners.add(listener);
    listener();
    return () => {
      stateListeners.delete(listener);
    };
  }, []);
  return state;
}

/**
 * Every event type, asked again less and less often once there are some; null before the first
 * answer. `refresh` asks at once.
 */
export function useEventTypes(): { types: EventType[] | null; refresh: () => void } {
  const [types, setTypes] = useState<EventType[] | null>(null);
  const refresh = useRef<() => void>(() => undefined);
  useEffect(() => {
    let waitMs = typesWaitMsMin;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking = 0;
    const ask = async () => {
      clearTimeout(timer);
      const own = ++asking;
      let found: EventType[] | null = null;
      try {
        found = await client.eventTypes(AbortSignal.timeout(typesWaitMsMax));
      } catch {
        // The state of the live socket already says that the service can't be reached.
      }
      if (own !== asking) return;
      if (found !== null) setTypes(found);
      waitMs = found?.length ? Math.min(waitMs * 2, typesWaitMsMax) : typesWaitMsMin;
      timer = setTimeout(ask, waitMs);
    };
    const onState = () => {
      if (live.state !== "open") return;
      waitMs = typesWaitMsMin;
      ask();
    };
    refresh.current = ask;
    stateListeners.add(onState);
    ask();
    return () => {
      asking = -1;
      clearTimeout(timer);
      stateListeners.delete(onState);
    };
  }, []);
  return { types, refresh: () => refresh.current() };
}

export interface WatchedBoard {
  /** The newest board; of the question before until there is one of this. Null without any. */
  board: Leaderboard | null;
  /** The view that board is of. */
  of: ShownView | null;
  isCurrent: boolean;
  /** The problem document that came last, where no board has come since. */
  problem: Readonly<Record<string, unknown>> | null;
}

const nothingYet: WatchedBoard = { board: null, of: null, isCurrent: false, problem: null };

/** The live board of a view. */
export function useBoard(view: ShownView): WatchedBoard {
  const key = questionOf(view);
  const [watched, setWatched] = useState<WatchedBoard & { key: string }>({ ...nothingYet, key });
  useEffect(
    () =>
      live.watch<Leaderboard>(queryOf(view), {
        onBoard: (board) => setWatched({ key, board, of: view, isCurrent: true, problem: null }),
        onProblem: (problem) =>
          setWatched((old) => {
            const kept = old.key === key && old.isCurrent ? old : nothingYet;
            return { ...kept, key, problem };
          }),
      }),
    [key],
  );
  if (watched.key === key) return watched;
  return { ...watched, isCurrent: false, problem: null };
}
