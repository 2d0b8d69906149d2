/** Deletes events, after everything acknowledged before has been counted. */
import { foreverMs } from "../model.ts";
import type { DeleteAnswer, EventScope } from "../store/delete-questions.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface DeleteDeps {
  store: Pick<Store, "deleteEvents">;
  freshness: FreshnessDeps;
  /** The names under which what other regions counted of the type is kept (regions.ts). */
  replicas: readonly string[];
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
const always = Object.freeze({ from: 0, to: foreverMs });

function replyOf(request: DeleteRequest, answer: DeleteAnswer, replicated: number | null) {
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
    ...(replicated !== null && { replicated }),
  };
}

/**
 * Deletes what is asked for and returns what went, once that is committed; of a dry run what would
 * go. `replicated` is the count of other regions' events among it, which come again unless they
 * are deleted there, too. Throws `query_timeout` when what was acknowledged before is not counted
 * in time, `query_cancelled`, `too_many_deletes`: nothing is deleted then.
 */
export async function deleteEvents(
  { store, freshness, replicas }: DeleteDeps,
  request: DeleteRequest,
  control: AskControl = {},
): Promise<object> {
  await passBarrier(freshness, control);
  const { eventType, eventId, range, isDryRun } = request;
  const scope: EventScope = { eventType, eventId, ...(range ?? always) };
  if (scope.from >= scope.to) return replyOf(request, noneOf(), replicas.length === 0 ? null : 0);
  const answer = await store.deleteEvents({ ...scope, isDryRun }, control);
  let replicated = 0;
  for (const name of replicas) {
    const replica = { ...scope, eventType: name, isDryRun };
    replicated += (await store.deleteEvents(replica, control)).count;
  }
  return replyOf(request, answer, replicas.length === 0 ? null : replicated);
}

function noneOf(): DeleteAnswer {
  const numbers = { events: 0, count: 0, items: 0, windows: 0, files: 0 };
  return { ...numbers, firstSeen: null, lastSeen: null };
}
