/** How the rows in sight came about: their counts over the range, many rows at once. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { busySpan, type Course, together } from "../panels/courses.ts";
import { type AskHistories, HistoryFeed } from "../panels/history-feed.ts";
import { isRunning, type Span, type StepName, stepFor } from "../panels/steps.ts";
import { client } from "../service.ts";
import { rangeQueryOf, type ShownView } from "../view-state.ts";

/** A course is asked for again when it is older. */
const runningAgeMsMax = 10_000;
const pastAgeMsMax = 120_000;

/** Histories say what happened, not to whom: of boards of all events only. */
function hasHistories({ filters, by, isEmbedded }: ShownView): boolean {
  const isOfAll = filters.every(({ name }) => /^(?:include|exclude|prefix)$/.test(name));
  return isOfAll && by !== "users" && !isEmbedded;
}

/** What a span of all time is asked by: up to now where events still come in. */
function queryOfSpan({ from, to }: Span, now: number) {
  const end = to >= now ? now : to;
  return { from: new Date(from).toISOString(), to: new Date(end).toISOString() };
}

/** Asks about a view's items; the first answer settles the step, and where all time begins. */
function asker(view: ShownView): AskHistories {
  const { timeZone, ...range } = rangeQueryOf(view);
  let settled: { step: StepName; span: Span } | null = null;
  const ask: AskHistories = async (ids, signal) => {
    const isAll = view.timeRange === "all";
    const ends = isAll && settled !== null ? queryOfSpan(settled.span, Date.now()) : range;
    const query = {
      ...ends,
      ...(timeZone && { timeZone }),
      ...(settled !== null && { step: settled.step }),
      history: "only",
    } as const;
    const asked = view.eventTypes.map((type) => client.items(type, ids, query, signal));
    const found = together(await Promise.all(asked));
    if (settled !== null || found.bounds.length < 2) return found;
    const whole = { from: Date.parse(found.bounds[0]!), to: Date.parse(found.bounds.at(-1)!) };
    const span = (isAll && busySpan(found)) || whole;
    settled = { step: stepFor(span), span };
    return ask(ids, signal);
  };
  return ask;
}

export interface HistoriesInSight {
  /** Null where the view has none. */
  histories: ReadonlyMap<string, Course> | null;
  want: (eventIds: readonly string[]) => void;
}

/** The histories of a view's items. */
export function useHistories(view: ShownView): HistoriesInSight {
  const [kept, setKept] = useState<ReadonlyMap<string, Course>>(new Map());
  const key = JSON.stringify([view.eventTypes, rangeQueryOf(view), hasHistories(view)]);
  const feed = useMemo(() => {
    if (!hasHistories(view)) return null;
    const ageMsMax = isRunning(view, Date.now()) ? runningAgeMsMax : pastAgeMsMax;
    return new HistoryFeed(asker(view), setKept, ageMsMax);
  }, [key]);
  useEffect(() => {
    setKept(new Map());
    return () => feed?.close();
  }, [feed]);
  return useMemo(
    () => ({
      histories: feed === null ? null : kept,
      want: (eventIds) => feed?.want(eventIds),
    }),
    [feed, kept],
  );
}
