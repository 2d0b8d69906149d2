/** What the item panel asks the service. */
import type { Item, ItemQuery } from "../../client/replies.ts";
import { client } from "../service.ts";
import { rangeQueryOf, type ShownView } from "../view-state.ts";
import { isRankable, pollMsOf, type Span, type StepName, stepFor } from "./steps.ts";
import { type Polled, usePolled } from "./use-polled.ts";

/** Shown above the item, and below it. */
const neighboursShown = 3;
/** Ranks step by step are dear: they are asked for more rarely than the rest. */
const ranksPace = 6;
const minuteMs = 60_000;

export interface ItemName {
  eventType: string;
  eventId: string;
}

/** An item in a view's range, and what it was in the period before where that is compared. */
export interface ItemAnswers {
  item: Polled<Item>;
  /** Its history is what is plotted. */
  plotted: Item | null;
  /** Its history says ranks. */
  ranked: Item | null;
  before: Item | null;
}

type Range = Record<string, string>;

/** What is plotted of a range: of all time only from the item's first event to its last. */
function plotSpan(item: Item, view: ShownView): { range: Range; span: Span } {
  const { effectiveFrom, effectiveTo, firstSeen, lastSeen } = item;
  const whole = { from: Date.parse(effectiveFrom), to: Date.parse(effectiveTo) };
  const range = rangeQueryOf(view);
  if (view.timeRange !== "all" || firstSeen === null || lastSeen === null) {
    return { range, span: whole };
  }
  const from = Math.floor(Date.parse(firstSeen) / minuteMs) * minuteMs;
  const to = (Math.floor(Date.parse(lastSeen) / minuteMs) + 1) * minuteMs;
  const ends = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const { timeZone } = range;
  return { range: { ...ends, ...(timeZone && { timeZone }) }, span: { from, to } };
}

/** The same item in the period before; null where nothing is kept of that. */
async function askBefore(
  { eventType, eventId }: ItemName,
  range: Range,
  step: StepName,
  signal: AbortSignal,
): Promise<Item | null> {
  const only = { eventType, include: eventId, k: 1, compare: "previous" } as const;
  const { previous } = await client.leaderboard({ ...range, ...only }, signal);
  if (previous === undefined || previous.effectiveFrom >= previous.effectiveTo) return null;
  const { effectiveFrom: from, effectiveTo: to } = previous;
  const { timeZone = "UTC" } = range;
  return client.item(eventType, eventId, { from, to, timeZone, step, neighbours: 0 }, signal);
}

/** Asks all that the panel shows, again and again; `chosen` is the step, "" the one that suits. */
export function useItem(name: ItemName, view: ShownView, chosen: StepName | ""): ItemAnswers {
  const { eventType, eventId } = name;
  const range = rangeQueryOf(view);
  const about = JSON.stringify([eventType, eventId, range]);
  const everyMs = pollMsOf(view);
  const item = usePolled({
    about,
    question: about,
    everyMs,
    ask: (signal) => {
      return client.item(eventType, eventId, { ...range, neighbours: neighboursShown }, signal);
    },
  });
  const plot = item.value && plotSpan(item.value, view);
  const step = chosen !== "" ? chosen : plot && stepFor(plot.span, view.isCompared);
  const isOwn = step === item.value?.step && view.timeRange !== "all";
  const hasRanks = plot !== null && item.value!.count > 0 && isRankable(plot.span);
  const asked = plot && JSON.stringify([about, plot.range]);
  const of = (more: ItemQuery, signal: AbortSignal) =>
    client.item(eventType, eventId, { ...plot?.range, neighbours: 0, ...more }, signal);
  const plotted = usePolled({
    about,
    question: asked === null || isOwn ? "" : `${asked} ${step}`,
    everyMs,
    ask: (signal) => of({ step: step! }, signal),
  });
  const ranked = usePolled({
    about,
    question: hasRanks ? asked! : "",
    everyMs: everyMs * ranksPace,
    ask: (signal) => of({ ranks: true }, signal),
  });
  const before = usePolled({
    about,
    question: view.isCompared && step !== null ? `${about} ${step}` : "",
    everyMs: everyMs * ranksPace,
    ask: (signal) => askBefore(name, range, step!, signal),
  });
  return {
    item,
    plotted: isOwn ? item.value : plotted.value,
    ranked: ranked.value,
    before: view.isCompared ? before.value : null,
  };
}
