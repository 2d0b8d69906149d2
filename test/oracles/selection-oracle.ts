// What a selection leaves of events and how it counts them: one pass over a plain list, event by
// event. Shares no code with what it judges.
import { type BoardQuestion, boardOf, type CountedEvent, type TrueBoard } from "./board-oracle.ts";

export interface FullEvent extends CountedEvent {
  userId?: string;
  sessionId?: string;
  metadata?: ReadonlyMap<string, string>;
}

export interface MetadataQuestion {
  key: string;
  values: string[];
  isNot: boolean;
}

export interface SelectedQuestion extends BoardQuestion {
  by: "events" | "users";
  metadata: MetadataQuestion[];
  userIds: string[];
  sessionIds: string[];
  include: string[];
  exclude: string[];
  prefix: string;
}

function isAnyOf(value: string | undefined, wanted: string[]): boolean {
  return wanted.length === 0 || (value !== undefined && wanted.includes(value));
}

function passes({ metadata }: FullEvent, { key, values, isNot }: MetadataQuestion): boolean {
  const value = metadata?.get(key);
  const isOne = value !== undefined && values.includes(value);
  return isNot ? !isOne : isOne;
}

export function isSelected(event: FullEvent, question: SelectedQuestion): boolean {
  if (!question.eventTypes.includes(event.eventType)) return false;
  if (event.timeMs < question.from || event.timeMs >= question.to) return false;
  if (!isAnyOf(event.userId, question.userIds)) return false;
  if (!isAnyOf(event.sessionId, question.sessionIds)) return false;
  if (!isAnyOf(event.eventId, question.include)) return false;
  if (question.exclude.includes(event.eventId)) return false;
  if (
    !Buffer.from(event.eventId)
      .subarray(0, Buffer.byteLength(question.prefix))
      .equals(Buffer.from(question.prefix))
  )
    return false;
  if (question.by === "users" && event.userId === undefined) return false;
  return question.metadata.every((test) => passes(event, test));
}

export interface SelectedBoard extends Omit<TrueBoard, "others"> {
  others: number | null;
}

/** Each item's count among the selected events. */
export function selectedCounts(
  events: readonly FullEvent[],
  question: SelectedQuestion,
): Map<string, number> {
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  for (const event of events) {
    if (!isSelected(event, question)) continue;
    const pair = JSON.stringify([event.eventId, event.userId]);
    const isCounted = question.by === "events" || !seen.has(pair);
    seen.add(pair);
    const step = question.by === "users" ? 1 : event.weight;
    if (isCounted) counts.set(event.eventId, (counts.get(event.eventId) ?? 0) + step);
  }
  return counts;
}

/** Of events their weights' sum; of users how many there are. */
export function selectedTotal(events: readonly FullEvent[], question: SelectedQuestion): number {
  const selected = events.filter((event) => isSelected(event, question));
  if (question.by === "users") return new Set(selected.map(({ userId }) => userId)).size;
  return selected.reduce((sum, { weight }) => sum + weight, 0);
}

export function selectedBoard(
  events: readonly FullEvent[],
  question: SelectedQuestion,
): SelectedBoard {
  const board = boardOf(selectedCounts(events, question), question);
  if (question.by === "events") return board;
  return { ...board, total: selectedTotal(events, question), others: null };
}
