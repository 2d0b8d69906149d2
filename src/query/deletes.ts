/** Deletes events, after everything acknowledged before has been counted. */
import type { DeleteAnswer, EventScope } from "../store/delete-questions.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface DeleteDeps {
  store: Pick<Store, "deleteEvents">;
  freshness: FreshnessDeps;
}

/** Events to delete: of a type, or of one of its items; of a range, or all. */
export interface DeleteRequest {
  eventType: string;
  eventId: string | null;
  /** Epoch ms, `to` exclusive; null: all times. */
  range: { from: number; to: number } | null;
  /** Only says what would go. */
  isDryRun: boolean;
}

/** All moments that events can have, epoch ms. */
const always = Object.freeze({ from: 0, to: Date.UTC(10_000, 0, 1) });

function replyOf(request: DeleteRequest, answer: DeleteAnswer) {
  const { eventType, eventId, range, isDryRun } = request;
  const time = (ms: number | null | undefined) =>
    ms === null || ms === undefined ? null : formatTimestamp(ms);
  return {
    dryRun: isDryRun,
    eventType,
    ...(eventId !== null && { eventId }),
    from: time(range?.from),
    to: time(range?.to),
    ...answer,
    firstSeen: time(answer.firstSeen),
    lastSeen: time(answer.lastSeen),
  };
}

/**
 * Deletes what is asked for and returns what went, once that is committed; of a dry run what would
 * go. Throws `query_timeout` when what was acknowledged before is not counted in time,
 * `query_cancelled`, `too_many_deletes`: nothing is deleted then.
 */
export async function deleteEvents(
  { store, freshness }: DeleteDeps,
  request: DeleteRequest,
  control: AskControl = {},
): Promise<object> {
  await passBarrier(freshness, control);
  const { eventType, eventId, range, isDryRun } = request;
  const scope: EventScope = { eventType, eventId, ...(range ?? always) };
  if (scope.from >= scope.to) return replyOf(request, noneOf());
  return replyOf(request, await store.deleteEvents({ ...scope, isDryRun }, control));
}

function noneOf(): DeleteAnswer {
  const numbers = { events: 0, count: 0, items: 0, windows: 0, files: 0 };
  return { ...numbers, firstSeen: null, lastSeen: null };
}
