/**
 * The client of a Rankstream service: tracks events, each counted once; boards, once and live;
 * event types, health. Runs wherever there is `fetch`: Node, browsers, workers.
 */
import type { Status } from "../model-status.ts";
import { BackupClient } from "./backups.ts";
import type { BatchOptions, ClientOptions, DeleteOptions } from "./client-options.ts";
import type { TrackedEvent } from "./event-line.ts";
import type { ItemsQuery, ItemsReply } from "./item-histories.ts";
import type { MetricsHistory, MetricsQuery } from "./metrics-history.ts";
import type {
  BatchReply,
  CacheMatch,
  DeleteReply,
  EventType,
  EventTypeSettings,
  Health,
  Item,
  ItemLabel,
  ItemQuery,
  Job,
  LabelChange,
  LabelledItem,
  LabelsReply,
  Leaderboard,
  LeaderboardQuery,
  RangeQuery,
  Series,
  SeriesQuery,
  Snapshot,
  Trending,
  TrendingQuery,
} from "./replies.ts";
import {
  backoffMs,
  gzipped,
  ProblemError,
  parametersOf,
  problemOf,
  questionOf,
  sleep,
  UnreachableError,
} from "./requests.ts";
import { type BoardHandlers, type Subscription, Subscriptions } from "./subscriptions.ts";
import { type PostBatch, Tracker } from "./tracker.ts";
import type { TrackerOptions } from "./tracker-options.ts";
import { Transport } from "./transport.ts";
import { UserClient } from "./users.ts";

export type { EventRate, Status } from "../model-status.ts";
export type { Backup, Backups } from "./backups.ts";
export type { Refusal } from "./batch-outcome.ts";
export type * from "./client-options.ts";
export type { EventFault, TrackedEvent } from "./event-line.ts";
export { InvalidEventError } from "./event-line.ts";
export { FlushTimeoutError } from "./flush-waiters.ts";
export type * from "./item-histories.ts";
export type { LiveState } from "./live.ts";
export type * from "./metrics-history.ts";
export type * from "./regions.ts";
export type * from "./replies.ts";
export type { ProblemCode } from "./requests.ts";
export { ProblemError, UnreachableError } from "./requests.ts";
export type { BatchStorage } from "./stored-batches.ts";
export type { BoardHandlers, Subscription } from "./subscriptions.ts";
export { type Tracker, TrackerClosedError } from "./tracker.ts";
export type { TrackerOptions } from "./tracker-options.ts";
export type { EraseOptions, ErasureReply } from "./users.ts";

const jobMsMaxDefault = 600_000;

export class RankstreamClient {
  readonly url: string;
  readonly backups: BackupClient;
  readonly users: UserClient;
  readonly #transport: Transport;
  readonly #jobMsMax: number;
  readonly #tracking: TrackerOptions;
  readonly #subscriptions: Subscriptions;
  #tracker: Tracker | null = null;

  /** Throws TypeError when `url` or `key` is none. */
  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.url = this.#transport.url;
    this.backups = new BackupClient(this.#transport);
    this.users = new UserClient(this.#transport);
    this.#jobMsMax = options.jobMsMax ?? jobMsMaxDefault;
    this.#tracking = options.tracking ?? {};
    this.#subscriptions = new Subscriptions({
      url: this.url,
      WebSocket: options.WebSocket,
      ...(options.key !== undefined && { key: options.key }),
      refusal: () => this.#transport.liveRefusal(),
    });
    // What another page left is sent now, whether or not this one tracks anything.
    if (this.#tracking.storage !== undefined) this.#tracked();
  }

  /** A tracker of its own, beside the one behind `track()`: other bounds, other listeners. */
  tracker(options: TrackerOptions = {}): Tracker {
    const post: PostBatch = (body, key, { keepalive, signal }) => {
      const headers = { "content-type": "application/x-ndjson", "idempotency-key": key };
      const init: RequestInit = { method: "POST", headers, body };
      return this.#transport.attempt("/events", keepalive ? { ...init, keepalive } : init, signal);
    };
    return new Tracker(options, { post, url: this.url });
  }

  /**
   * Takes an event, which is sent soon and counted once; never waits. False: the buffer is full
   * and the event was not taken. Throws InvalidEventError, TrackerClosedError.
   */
  track(event: TrackedEvent): boolean {
    return this.#tracked().track(event);
  }

  /** Resolves once `track()` would take an event. Throws TrackerClosedError. */
  ready(): Promise<void> {
    return this.#tracked().ready();
  }

  /** Resolves once everything tracked so far is answered. Throws FlushTimeoutError. */
  flush(options?: { timeoutMs?: number }): Promise<void> {
    return this.#tracked().flush(options);
  }

  /** Sends what was tracked and closes the tracker and all boards. Throws FlushTimeoutError. */
  async close(options?: { timeoutMs?: number }): Promise<void> {
    this.#subscriptions.close();
    await this.#tracker?.close(options);
  }

  /**
   * Watches a board: over one socket for all of this client's, opened again when it breaks. Ends
   * by `close()` of what is returned.
   */
  subscribe(query: LeaderboardQuery, handlers: BoardHandlers): Subscription {
    return this.#subscriptions.subscribe(query, handlers);
  }

  #tracked(): Tracker {
    this.#tracker ??= this.tracker(this.#tracking);
    return this.#tracker;
  }

  /**
   * Posts a batch, NDJSON unless `contentType` says otherwise, and resolves once its events are
   * durable. Retries (same key) when the service can't be reached, is full or busy. Throws
   * ProblemError (`no_valid_events` when every event was refused) and UnreachableError.
   */
  async postBatch(body: Uint8Array | string, options: BatchOptions = {}): Promise<BatchReply> {
    const headers: Record<string, string> = {
      "content-type": options.contentType ?? "application/x-ndjson",
      "idempotency-key": options.key ?? crypto.randomUUID(),
    };
    let sent = body as BodyInit;
    if (options.gzip === true) {
      sent = await gzipped(sent);
      headers["content-encoding"] = "gzip";
    }
    const init: RequestInit = { method: "POST", headers, body: sent };
    const response = await this.#transport.call("/events", init, options.signal);
    const reply = (await response.json()) as Omit<BatchReply, "replayed">;
    const { accepted, rejected, errors } = reply;
    const replayed = response.headers.get("idempotency-replayed") === "true";
    return { accepted, rejected, errors, replayed };
  }

  /** The board asked for. Throws ProblemError, UnreachableError. */
  async leaderboard(query: LeaderboardQuery, signal?: AbortSignal): Promise<Leaderboard> {
    return (await this.#answer(`/leaderboard?${parametersOf(query)}`, signal)) as Leaderboard;
  }

  /**
   * The page after a board, of the same ranking; `k` rows, default as many as the first page.
   * Throws ProblemError (`cursor_expired` after five minutes), UnreachableError.
   */
  async nextPage(cursor: string, k?: number, signal?: AbortSignal): Promise<Leaderboard> {
    return (await this.#json(
      `/leaderboard?${parametersOf({ cursor, k })}`,
      signal,
    )) as Leaderboard;
  }

  /** Where one item stands. Throws ProblemError, UnreachableError. */
  async item(
    eventType: string,
    eventId: string,
    query: ItemQuery = {},
    signal?: AbortSignal,
  ): Promise<Item> {
    // By parameters, since addresses can't hold "." and "..".
    const parameters = parametersOf({ eventType, eventId, ...query });
    return (await this.#answer(`/items?${parameters}`, signal)) as Item;
  }

  /** Where up to 1000 items stand, in the order given. Throws ProblemError, UnreachableError. */
  async items<const Query extends ItemsQuery = ItemsQuery>(
    eventType: string,
    eventIds: readonly string[],
    query: Query = {} as Query,
    signal?: AbortSignal,
  ): Promise<ItemsReply<Query>> {
    const path = `/items/${encodeURIComponent(eventType)}/batch?${parametersOf(query)}`;
    return (await this.#answer(path, signal, { eventIds })) as ItemsReply<Query>;
  }

  /** What grew beyond what chance explains. Throws ProblemError, UnreachableError. */
  async trending(query: TrendingQuery, signal?: AbortSignal): Promise<Trending> {
    return (await this.#answer(`/trending?${parametersOf(query)}`, signal)) as Trending;
  }

  /** How many events a type had, step by step. Throws ProblemError, UnreachableError. */
  async series(name: string, query: SeriesQuery = {}, signal?: AbortSignal): Promise<Series> {
    const path = `/event-types/${encodeURIComponent(name)}/series?${parametersOf(query)}`;
    return (await this.#answer(path, signal)) as Series;
  }

  /** Asks for a board as a job, whose result `job` tells once it is done. */
  async leaderboardJob(query: LeaderboardQuery, signal?: AbortSignal): Promise<Job> {
    const parameters = parametersOf({ ...query, async: true });
    const reply = (await this.#json(`/leaderboard?${parameters}`, signal)) as { job: Job };
    return reply.job;
  }

  /** How far a job is, and its result. Throws ProblemError, UnreachableError. */
  async job(id: string, signal?: AbortSignal): Promise<Job> {
    return (await this.#json(`/jobs/${encodeURIComponent(id)}`, signal)) as Job;
  }

  /** Stops a job, or forgets one that has ended. Throws ProblemError, UnreachableError. */
  async cancelJob(id: string, signal?: AbortSignal): Promise<Job> {
    const init = { method: "DELETE" };
    const response = await this.#transport.call(`/jobs/${encodeURIComponent(id)}`, init, signal);
    return (await response.json()) as Job;
  }

  /** How the service is, at a glance. Throws ProblemError, UnreachableError. */
  async status(signal?: AbortSignal): Promise<Status> {
    return (await this.#json("/status", signal)) as Status;
  }

  /** How the service's own numbers went. Throws ProblemError, UnreachableError. */
  async metricsHistory(query: MetricsQuery, signal?: AbortSignal): Promise<MetricsHistory> {
    return (await this.#json(`/metrics/history?${parametersOf(query)}`, signal)) as MetricsHistory;
  }

  /** Every event type there is. Throws ProblemError, UnreachableError. */
  async eventTypes(signal?: AbortSignal): Promise<EventType[]> {
    const reply = (await this.#json("/event-types", signal)) as { eventTypes: EventType[] };
    return reply.eventTypes;
  }

  /**
   * Describes an event type and says how long its events are kept, and which windows; what
   * `settings` leaves out stays as it is. Throws ProblemError, UnreachableError.
   */
  async putEventType(
    name: string,
    settings: EventTypeSettings,
    signal?: AbortSignal,
  ): Promise<EventType> {
    const path = `/event-types/${encodeURIComponent(name)}`;
    const init = { ...questionOf(settings), method: "PUT" };
    return (await (await this.#transport.call(path, init, signal)).json()) as EventType;
  }

  /**
   * Says what an item is called; what `label` leaves out stays as it is, null clears it. Resolves
   * to what it is called then. Throws ProblemError, UnreachableError.
   */
  async putLabel(
    eventType: string,
    eventId: string,
    label: Partial<ItemLabel>,
    signal?: AbortSignal,
  ): Promise<LabelledItem> {
    const init = { ...questionOf(label), method: "PUT" };
    const path = `/items?${parametersOf({ eventType, eventId })}`;
    return (await (await this.#transport.call(path, init, signal)).json()) as LabelledItem;
  }

  /** The same of up to 10,000 items. Throws ProblemError, UnreachableError. */
  async putLabels(labels: readonly LabelChange[], signal?: AbortSignal): Promise<LabelsReply> {
    const headers = { "content-type": "application/x-ndjson" };
    const body = labels.map((label) => `${JSON.stringify(label)}\n`).join("");
    const init = { method: "POST", headers, body };
    return (await (
      await this.#transport.call("/items/labels", init, signal)
    ).json()) as LabelsReply;
  }

  /**
   * Drops kept answers, all or those that match; resolves to how many. Never needed for answers
   * to be right. Throws ProblemError, UnreachableError.
   */
  async invalidateCache(which: CacheMatch | { all: true }, signal?: AbortSignal): Promise<number> {
    const response = await this.#transport.call(
      "/admin/cache/invalidate",
      questionOf(which),
      signal,
    );
    return ((await response.json()) as { invalidated: number }).invalidated;
  }

  /**
   * Deletes an event type with all of its events. Asks once, without a retry: a second delete
   * would take what came in between. Throws ProblemError, UnreachableError.
   */
  deleteEventType(name: string, options: DeleteOptions = {}): Promise<DeleteReply> {
    return this.#delete(`/event-types/${encodeURIComponent(name)}`, {}, options);
  }

  /** Deletes the events of a type in a range, else as `deleteEventType`. */
  deleteRange(name: string, range: RangeQuery, options: DeleteOptions = {}): Promise<DeleteReply> {
    return this.#delete(`/event-types/${encodeURIComponent(name)}/events`, { ...range }, options);
  }

  /** Deletes an item's events, of all times without a range, else as `deleteEventType`. */
  deleteItem(
    eventType: string,
    eventId: string,
    options: DeleteOptions & { range?: RangeQuery } = {},
  ): Promise<DeleteReply> {
    return this.#delete("/items", { eventType, eventId, ...options.range }, options);
  }

  /**
   * Writes what the service holds to files on its machine, in a folder of this name. Asks once.
   * Throws ProblemError, UnreachableError.
   */
  async takeSnapshot(name: string, signal?: AbortSignal): Promise<Snapshot> {
    const path = `/admin/snapshot?${parametersOf({ name })}`;
    const response = await this.#transport.attempt(path, { method: "POST" }, signal);
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as Snapshot;
  }

  /** Removes a snapshot from the service's machine. Throws ProblemError, UnreachableError. */
  async dropSnapshot(name: string, signal?: AbortSignal): Promise<void> {
    const path = `/admin/snapshots/${encodeURIComponent(name)}`;
    await (await this.#transport.call(path, { method: "DELETE" }, signal)).arrayBuffer();
  }

  /** Whether the service is ready; asks once. Throws UnreachableError when nothing answers. */
  async health(signal?: AbortSignal): Promise<Health> {
    const response = await this.#transport.attempt("/health/ready", {}, signal);
    await response.arrayBuffer();
    return { ready: response.ok, status: response.status };
  }

  async #delete(
    path: string,
    query: Record<string, unknown>,
    { dryRun = false, signal }: DeleteOptions,
  ): Promise<DeleteReply> {
    const parameters = parametersOf({ ...query, dryRun });
    const init = { method: "DELETE" };
    const response = await this.#transport.attempt(`${path}?${parameters}`, init, signal);
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as DeleteReply;
  }

  /** The answer to a question, at once or by a job. */
  async #answer(path: string, signal: AbortSignal | undefined, body?: object): Promise<unknown> {
    const response = await this.#transport.call(path, questionOf(body), signal);
    const reply: unknown = await response.json();
    if (response.status !== 202) return reply;
    return await this.#jobResult((reply as { job: Job }).job.id, signal);
  }

  async #jobResult(id: string, signal: AbortSignal | undefined): Promise<unknown> {
    const deadline = Date.now() + this.#jobMsMax;
    for (let attempt = 0; ; attempt++) {
      const { status, result, error } = await this.job(id, signal);
      if (status === "done") return result;
      if (status === "failed" || status === "cancelled") {
        throw new ProblemError(503, error ?? { code: "query_cancelled", detail: "job cancelled" });
      }
      if (Date.now() > deadline) throw new UnreachableError(`job ${id} takes too long`);
      await sleep(backoffMs(attempt), signal);
    }
  }

  async #json(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    return await (await this.#transport.call(path, {}, signal)).json();
  }
}
