/** What caches keep, and what one level of them offers. */
import type { Stretch } from "./change-map.ts";

/** An answer as it is kept: the reply's text, and what it takes to know whether it still holds. */
export interface KeptAnswer {
  /** JSON. */
  text: string;
  /** Strong entity tag of the text, with its quotes. */
  etag: string;
  /** Of the rows after a board's, where it has any. */
  cursor?: string;
  /** Version of the data it was made from, at least. */
  version: number;
  /** Epoch ms. */
  madeAt: number;
  /** How long it took, ms. */
  tookMs: number;
  stretch: Stretch;
}

/** Which entries to drop: those that speak of the type and of part of the range; null: all. */
export interface Invalidation {
  eventType: string | null;
  /** Only those whose answer names this item. */
  eventId?: string | null | undefined;
  from: number | null;
  to: number | null;
}

/** One level. None of its methods throws: what it can't do it has not got. */
export interface AnswerLevel {
  readonly name: string;
  /** `stretch`: what the question is about. */
  get(key: string, stretch: Stretch): Promise<KeptAnswer | undefined>;
  /** `ttlMs`: how long it may be kept at most. */
  set(key: string, answer: KeptAnswer, ttlMs: number): void;
  /** Drops what matches; resolves with how many entries, as far as that is known. */
  invalidate(which: Invalidation): Promise<number>;
}

/** Whether an answer speaks of what is to be dropped. */
export function isMatch({ stretch, text }: KeptAnswer, which: Invalidation): boolean {
  const { eventType, eventId = null, from, to } = which;
  if (eventId !== null && !text.includes(JSON.stringify(eventId))) return false;
  if (eventType !== null && !stretch.eventTypes.includes(eventType)) return false;
  return stretch.from < (to ?? Infinity) && stretch.to > (from ?? -Infinity);
}
