/**
 * Takes events one by one and delivers each of them once: in batches, in order, each batch under
 * a key of its own and asked again under it, with the same bytes, until the answer is certain.
 */
import { type Outcome, outcomeOf, refuseAll } from "./batch-outcome.ts";
import { type Batch, BatchQueue } from "./batch-queue.ts";
import { eventLine, type TrackedEvent } from "./event-line.ts";
import { type FlushTimeoutError, FlushWaiters } from "./flush-waiters.ts";
import { isOffline, isServer, listenForLeaving } from "./leaving.ts";
import { backoffMs, type ProblemError, retryAfterMs, UnreachableError } from "./requests.ts";
import { StoredBatches } from "./stored-batches.ts";
import { type TrackerOptions, trackerSettings } from "./tracker-options.ts";

/** Nothing is taken any more: `close()` was called. */
export class TrackerClosedError extends Error {
  override readonly name = "TrackerClosedError";
}

/** Posts a batch once. Throws UnreachableError when nothing answers. */
export type PostBatch = (
  body: string,
  key: string,
  options: { keepalive: boolean; signal: AbortSignal },
) => Promise<Response>;

export interface TrackerPorts {
  post: PostBatch;
  /** What the batches are for: those stored for another service are left alone. */
  url: string;
}

const KiB = 1024;
const flushMsMaxDefault = 30_000;
/** Browsers refuse more than 64 KiB of bodies that outlive their page; others share it. */
const keepaliveBytesMax = 60 * KiB;
/** However long a `Retry-After` asks for. */
const retryAfterMsMax = 5 * 60_000;
/** An hourly key is forgotten after an hour; some of it is lost on the way, and by clocks. */
const hourlyKeyMsMax = 50 * 60_000;
/**
 * Batches refused as a whole leave gaps in a producer's numbers, of which the service remembers
 * about a thousand: then the tracker goes on as another producer.
 */
const gapsMax = 500;
const outcomeUnknown = "the service may have counted it, and can not be asked any more";

function unref(timer: ReturnType<typeof setTimeout>): void {
  // In Node a timer alone does not keep the process alive: its end is heard of otherwise.
  if (typeof timer === "object") (timer as { unref(): void }).unref();
}

export class Tracker {
  readonly #settings: ReturnType<typeof trackerSettings>;
  readonly #ports: TrackerPorts;
  readonly #queue: BatchQueue;
  readonly #stored: StoredBatches | null;
  readonly #isHourly: boolean;
  readonly #stop = new AbortController();
  readonly #stopListening: () => void;
  readonly #flushes = new FlushWaiters();
  #producer = crypto.randomUUID();
  #sequence = 0;
  #gaps = 0;
  #isClosed = false;
  #isSending = false;
  #isHeldForExit = false;
  /** On their way, and going on even if the page ends. */
  readonly #outliving = new Set<Batch>();
  #sealing: ReturnType<typeof setTimeout> | undefined;
  #endWait: () => void = () => undefined;
  #roomWaiters: (() => void)[] = [];
  #acknowledged = 0;
  #refused = 0;

  constructor(options: TrackerOptions, ports: TrackerPorts) {
    const settings = trackerSettings(options);
    const { storage, storedCharsMax } = settings;
    this.#settings = settings;
    this.#ports = ports;
    this.#queue = new BatchQueue(settings);
    this.#isHourly = settings.keys === "hourly";
    this.#stored = storage ? new StoredBatches(storage, ports.url, storedCharsMax) : null;
    this.#stopListening = listenForLeaving({
      onHide: () => this.#onHide(),
      onReturn: () => this.#onReturn(),
      onIdle: () => void this.#onIdle(),
    });
    this.#adoptStored();
  }

  /** Events taken and not answered yet. */
  get bufferedEvents(): number {
    return this.#queue.events;
  }

  /** Their bytes as NDJSON. */
  get bufferedBytes(): number {
    return this.#queue.bytes;
  }

  /** Events that the service has stored, and events that it won't count, since the start. */
  get totals(): { acknowledged: number; refused: number } {
    return { acknowledged: this.#acknowledged, refused: this.#refused };
  }

  /**
   * Takes an event, which is sent soon; never waits. False: the buffer is full and the event was
   * not taken, so drop it or wait for `ready()`. Throws InvalidEventError, TrackerClosedError.
   */
  track(event: TrackedEvent): boolean {
    if (this.#isClosed) throw new TrackerClosedError("track() after close()");
    const line = eventLine(event, this.#settings.now?.() ?? Date.now());
    const sealedBefore = this.#queue.lastOrdinal;
    if (!this.#queue.add(line)) return false;
    if (this.#queue.lastOrdinal > sealedBefore) this.#wake();
    if (this.#queue.hasOpen && this.#sealing === undefined) {
      this.#sealing = setTimeout(() => this.#sealNow(), this.#settings.batchMsMax);
      unref(this.#sealing);
    }
    return true;
  }

  /** Resolves once the buffer has room. Throws TrackerClosedError. */
  async ready(): Promise<void> {
    while (!this.#isClosed && !this.#queue.hasRoom) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
    if (this.#isClosed) throw new TrackerClosedError("the tracker was closed");
  }

  /**
   * Resolves once everything tracked so far is answered. Throws FlushTimeoutError when that takes
   * longer than `timeoutMs` (30 s): the events stay, and go on being sent.
   */
  flush({ timeoutMs = flushMsMaxDefault }: { timeoutMs?: number } = {}): Promise<void> {
    this.#sealNow();
    if (this.#queue.batches.length === 0) return Promise.resolve();
    const pending = () => this.#queue.events;
    return this.#flushes.add(this.#queue.lastOrdinal, timeoutMs, pending);
  }

  /**
   * Takes nothing more, sends what there is and ends. Throws FlushTimeoutError when that takes
   * longer than `timeoutMs` (30 s): what is not answered by then is stored, where there is a
   * `storage`, else lost.
   */
  async close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#isClosed = true;
    this.#tellRoom();
    try {
      await this.flush(options);
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#isClosed = true;
    this.#tellRoom();
    this.#stopListening();
    this.#store();
    this.#stop.abort(new TrackerClosedError("the tracker was closed"));
    this.#endWait();
  }

  #sealNow(): void {
    clearTimeout(this.#sealing);
    this.#sealing = undefined;
    this.#queue.seal();
    this.#wake();
  }

  #wake(): void {
    if (!this.#isSending) void this.#send();
  }

  /** Sends batch after batch until there is none. */
  async #send(): Promise<void> {
    this.#isSending = true;
    for (let attempt = 0; !this.#stop.signal.aborted; ) {
      const batch = this.#queue.batches[0];
      if (batch === undefined) break;
      const waitMs = isOffline() ? backoffMs(attempt) : await this.#attempt(batch, attempt);
      attempt = waitMs === null ? 0 : attempt + 1;
      if (waitMs !== null) await this.#wait(waitMs);
    }
    this.#isSending = false;
  }

  /** How long to wait before the batch is sent again; null when it is done with. */
  async #attempt(batch: Batch, attempt: number): Promise<number | null> {
    if (this.#giveUp(batch)) return null;
    const key = this.#keyOf(batch);
    batch.firstSentAt ??= Date.now();
    this.#stored?.update(batch);
    // Others may have used up what the browser allows: then only a plain request gets through.
    const keepalive = attempt === 0 && this.#mayOutlive(batch);
    if (keepalive) this.#outliving.add(batch);
    let failure: ProblemError | UnreachableError;
    let waitMs = backoffMs(attempt);
    try {
      const { signal } = this.#stop;
      const response = await this.#ports.post(batch.body, key, { keepalive, signal });
      const outcome = await outcomeOf(batch, response);
      if (outcome.kind !== "retry") {
        this.#settle(batch, outcome);
        return null;
      }
      if (outcome.mayBeStored) batch.isInDoubt = true;
      failure = outcome.error;
      waitMs = Math.max(waitMs, Math.min(retryAfterMs(response), retryAfterMsMax));
    } catch (error) {
      batch.isInDoubt = true;
      if (this.#stop.signal.aborted) return null;
      // Else the answer broke off, or was none of the service's.
      failure = error instanceof UnreachableError ? error : new UnreachableError(String(error));
    } finally {
      if (keepalive) this.#outliving.delete(batch);
    }
    if (batch.isSettled) return null;
    tell(this.#settings.onError, failure);
    return waitMs;
  }

  #keyOf(batch: Batch): string {
    if (batch.key === null) {
      if (this.#gaps >= gapsMax) {
        this.#producer = crypto.randomUUID();
        this.#sequence = 0;
        this.#gaps = 0;
      }
      // The service takes `producer/number` for a key to remember for good.
      const separator = this.#isHourly ? "." : "/";
      batch.key = `${this.#producer}${separator}${++this.#sequence}`;
    }
    return batch.key;
  }

  /** Two pages may split the same stored batch: its halves have the same keys in both. */
  #halfKey({ key }: Batch, half: number): string | null {
    if (this.#stored === null || key === null) return null;
    const separator = this.#isHourly ? "." : "/";
    return `${key.replaceAll("/", ".")}${separator}${half}`;
  }

  /**
   * Whether the batch is done with otherwise. Where the service may have forgotten its key it is
   * not sent again: it might count twice.
   */
  #giveUp(batch: Batch): boolean {
    if (batch.isSettled) return true;
    if (!this.#isHourly) return false;
    const stored = this.#stored?.look(batch.key) ?? null;
    if (stored === "gone" && this.#isOld(batch)) {
      // Another page had an answer to it, or the user wants it gone.
      this.#queue.settle(batch);
      this.#afterSettling();
      return true;
    }
    if (stored !== null && stored !== "gone" && batch.firstSentAt === null) {
      batch.firstSentAt = stored.firstSentAt;
      batch.isInDoubt = stored.firstSentAt !== null;
    }
    if (!batch.isInDoubt || !this.#isOld(batch)) return false;
    const refusals = refuseAll(batch, "outcome_unknown", outcomeUnknown);
    this.#settle(batch, { kind: "settled", accepted: 0, refusals });
    return true;
  }

  /** A batch that was never sent is as old as can be: who took it may have sent it any time. */
  #isOld({ firstSentAt }: Batch): boolean {
    return firstSentAt === null || Date.now() - firstSentAt >= hourlyKeyMsMax;
  }

  #mayOutlive(batch: Batch): boolean {
    if (isServer()) return false;
    const held = [...this.#outliving].reduce((sum, { bytes }) => sum + bytes, 0);
    return held + batch.bytes <= keepaliveBytesMax;
  }

  #settle(batch: Batch, outcome: Exclude<Outcome, { kind: "retry" }>): void {
    if (batch.isSettled) return;
    const wasStored = this.#stored?.remove(batch.key) === true;
    if (outcome.kind === "split") {
      this.#gaps += 1;
      const halves = this.#queue.split(batch, (half) => this.#halfKey(batch, half));
      if (wasStored) for (const half of halves) this.#stored?.put(half);
      return;
    }
    this.#queue.settle(batch);
    if (outcome.accepted === 0) this.#gaps += 1;
    this.#acknowledged += outcome.accepted;
    for (const refusal of outcome.refusals) {
      this.#refused += refusal.count;
      tell(this.#settings.onRefused, refusal);
    }
    this.#afterSettling();
  }

  #afterSettling(): void {
    if (this.#queue.hasRoom) this.#tellRoom();
    this.#flushes.settle(this.#queue.oldestOrdinal);
  }

  #tellRoom(): void {
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      unref(timer);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Sends what fits into what may outlive a page, and stores all of it where there is a store. */
  #onHide(): void {
    this.#sealNow();
    if (!isOffline()) {
      for (const batch of [...this.#queue.batches]) {
        if (!this.#outliving.has(batch) && this.#mayOutlive(batch)) void this.#attempt(batch, 0);
      }
    }
    this.#store();
  }

  #onReturn(): void {
    this.#endWait();
    this.#wake();
  }

  #store(): void {
    if (this.#stored === null) return;
    for (const batch of this.#queue.batches) {
      this.#keyOf(batch);
      this.#stored.put(batch);
    }
  }

  #adoptStored(): void {
    for (const { key, body, events, firstSentAt } of this.#stored?.list() ?? []) {
      this.#queue.adopt(body, events, key, firstSentAt);
    }
    this.#wake();
  }

  /** A process that has nothing else to do waits for what is not sent, but not for ever. */
  async #onIdle(): Promise<void> {
    if (this.#isHeldForExit || this.#queue.events === 0) return;
    this.#isHeldForExit = true;
    await this.flush({ timeoutMs: this.#settings.exitMsMax }).then(
      () => {
        this.#isHeldForExit = false;
      },
      (error: FlushTimeoutError) => {
        this.#end();
        tell(this.#settings.onError, error);
      },
    );
  }
}

/** What a listener throws is its own affair: thrown where it breaks nothing of ours. */
function tell<T>(listener: ((news: T) => void) | undefined, news: T): void {
  try {
    listener?.(news);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
