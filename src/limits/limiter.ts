/**
 * How often and how much each caller may ask and send. What a request may do is decided at once,
 * by what is known here; what others have let the same caller do is heard through a share a
 * moment later. Without an answer from there each process goes by its own knowledge.
 */
import { LRUCache } from "lru-cache";
import { RankstreamError } from "../errors.ts";
import type { KeyLimits } from "../model-access.ts";
import type { Counter, Metrics } from "../telemetry-metrics.ts";
import {
  batchRefusalOf,
  dayLeftMs,
  dayOf,
  isUnbounded,
  Levels,
  type LimitName,
  type Rates,
  type Refusal,
  ratesOf,
  refusalOf,
} from "./levels.ts";
import type { Share, Used } from "./share.ts";

export interface LimiterOptions {
  /** For callers whose key says nothing else; 0: without bound. */
  everybodys: Rates;
  /** Null: every process counts for itself. */
  share: Share | null;
  metrics: Metrics;
  /** Epoch ms; for tests. */
  now?: () => number;
}

/** Callers with keys that are known at once; keys are in a file that somebody made. */
const keyedMax = 100_000;
/** Addresses known at once: those not heard of for longest are forgotten, with their use. */
const addressesMax = 50_000;
/** Calls of the share under way; what is used meanwhile goes with the next. */
const sharingMax = 64;
/** Of addresses; all others are ids of keys. */
export const addressPrefix = "address ";

const titles: Readonly<Record<LimitName | "connections", string>> = {
  requests: "requests a second",
  events: "events a second",
  day: "events a day",
  connections: "open streams",
};

/** One caller. Methods throw `rate_limited`, `quota_exceeded`, `too_many_connections`. */
export class Caller {
  readonly subject: string;
  readonly #limiter: Limiter;
  readonly #levels: Levels;
  #own: KeyLimits;
  #rates: Rates;
  #open = 0;
  /** Not told to the others yet. */
  used: Used = { requests: 0, events: 0, dayEvents: 0 };
  isSharing = false;

  constructor(subject: string, limiter: Limiter, own: KeyLimits) {
    this.subject = subject;
    this.#limiter = limiter;
    this.#own = own;
    this.#rates = ratesOf(own, limiter.everybodys);
    this.#levels = new Levels(limiter.now());
  }

  get rates(): Rates {
    return this.#rates;
  }

  /** Streams open now. */
  get open(): number {
    return this.#open;
  }

  /** A key's limits may change while it is in use. */
  take(own: KeyLimits): this {
    if (own === this.#own) return this;
    this.#own = own;
    this.#rates = ratesOf(own, this.#limiter.everybodys);
    return this;
  }

  /** Takes one request; of one with events it is looked whether any would be taken. */
  request(hasEvents: boolean): void {
    const now = this.#settle();
    this.#refuse(refusalOf(this.#levels, this.#rates, hasEvents, now));
    this.#levels.requests++;
    this.used.requests++;
    this.#limiter.tell(this);
  }

  /** Takes a batch that was found to hold so many events, or refuses it as a whole. */
  admit(events: number): void {
    const now = this.#settle();
    const refusal = batchRefusalOf(this.#levels, this.#rates, events, now);
    if (refusal?.name === "day" && events > this.#rates.eventsPerDay) {
      const detail = `${events} events are more than a day's ${this.#rates.eventsPerDay}`;
      this.#throw(refusal, detail);
    }
    this.#refuse(refusal);
    this.spend(events);
  }

  /** Counts events that somebody else has taken. */
  spend(events: number): void {
    this.#levels.events += events;
    this.#levels.dayEvents += events;
    this.used.events += events;
    this.used.dayEvents += events;
    this.#limiter.tell(this);
  }

  /** Takes one stream; what is returned is to be called once when it has ended. */
  connect(): () => void {
    const { connections } = this.#rates;
    if (connections > 0 && this.#open >= connections) {
      this.#limiter.refused("connections");
      const detail = `${connections} ${titles.connections} are as many as the caller may have`;
      throw new RankstreamError("too_many_connections", detail, { retryAfterSeconds: 10 });
    }
    this.#open++;
    return () => {
      this.#open--;
    };
  }

  /** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10). */
  headers(hasEvents: boolean): Record<string, string> {
    const now = this.#settle();
    const { requestsPerSecond, eventsPerSecond, eventsPerDay } = this.#rates;
    const policies: string[] = [];
    const left: string[] = [];
    const add = (name: string, quota: number, seconds: number, used: number, reset: number) => {
      if (quota === 0) return;
      policies.push(`"${name}";q=${quota};w=${seconds}`);
      const remaining = Math.max(0, Math.floor(quota - used));
      left.push(`"${name}";r=${remaining};t=${Math.ceil(reset)}`);
    };
    const { requests, events, dayEvents } = this.#levels;
    add("requests", requestsPerSecond, 1, requests, requests / (requestsPerSecond || 1));
    if (hasEvents) {
      add("events", eventsPerSecond, 1, events, events / (eventsPerSecond || 1));
      add("day", eventsPerDay, 86_400, dayEvents, dayLeftMs(now) / 1000);
    }
    if (policies.length === 0) return {};
    return { ratelimit: left.join(", "), "ratelimit-policy": policies.join(", ") };
  }

  /** What all have used; what was used here since it was asked comes on top. */
  hear(shared: Used & { day: number }): void {
    const now = this.#settle();
    this.#levels.requests = shared.requests + this.used.requests;
    this.#levels.events = shared.events + this.used.events;
    if (shared.day === dayOf(now)) this.#levels.dayEvents = shared.dayEvents + this.used.dayEvents;
  }

  #settle(): number {
    const now = this.#limiter.now();
    const { day } = this.#levels;
    this.#levels.settle(now, this.#rates);
    if (this.#levels.day !== day) this.used.dayEvents = 0;
    return now;
  }

  #refuse(refusal: Refusal | null): void {
    if (refusal === null) return;
    const { requestsPerSecond, eventsPerSecond, eventsPerDay } = this.#rates;
    const quota = { requests: requestsPerSecond, events: eventsPerSecond, day: eventsPerDay };
    const detail = `${quota[refusal.name]} ${titles[refusal.name]} are used up`;
    this.#throw(refusal, detail);
  }

  #throw({ name, retryAfterSeconds }: Refusal, detail: string): never {
    this.#limiter.refused(name);
    const code = name === "day" ? "quota_exceeded" : "rate_limited";
    const extensions = { limit: name };
    throw new RankstreamError(code, detail, { retryAfterSeconds, extensions });
  }
}

export class Limiter {
  readonly everybodys: Rates;
  readonly now: () => number;
  readonly #share: Share | null;
  readonly #keyed = new LRUCache<string, Caller>({ max: keyedMax });
  readonly #addresses = new LRUCache<string, Caller>({ max: addressesMax });
  readonly #refused: Record<LimitName | "connections", Counter>;
  /** Callers with something to tell. */
  readonly #untold = new Set<Caller>();
  #sharing = 0;
  #failures = 0;
  #isAlone = false;

  constructor({ everybodys, share, metrics, now = Date.now }: LimiterOptions) {
    this.everybodys = everybodys;
    this.now = now;
    this.#share = share;
    const help = "Requests refused because a caller's limit was reached.";
    const family = metrics.counterBy("rankstream_limits_refused_total", help, ["limit"]);
    const names = ["requests", "events", "day", "connections"] as const;
    const counters = names.map((name) => [name, family.with(name)]);
    this.#refused = Object.fromEntries(counters);
    metrics.readGauge("rankstream_limits_callers", "Callers whose use is known.", () => this.size);
    if (share === null) return;
    const alone = "1 while Redis does not answer: each process limits callers by itself.";
    metrics.readGauge("rankstream_limits_alone", alone, () => (this.#isAlone ? 1 : 0));
    const failed = "Times that Redis did not take what callers used.";
    metrics.readCounter("rankstream_limits_share_failures_total", failed, () => this.#failures);
  }

  get size(): number {
    return this.#keyed.size + this.#addresses.size;
  }

  /** The caller, where it is limited at all. `own`: what its key says. */
  of(subject: string, own: KeyLimits): Caller | null {
    const known = subject.startsWith(addressPrefix) ? this.#addresses : this.#keyed;
    const caller = known.get(subject);
    if (caller !== undefined) return caller.take(own);
    if (isUnbounded(ratesOf(own, this.everybodys))) return null;
    const made = new Caller(subject, this, own);
    known.set(subject, made);
    return made;
  }

  /** Counts a refusal. */
  refused(name: LimitName | "connections"): void {
    this.#refused[name].add();
  }

  /** The caller has used something: the others hear of it as soon as there is room. */
  tell(caller: Caller): void {
    if (this.#share === null) return;
    this.#untold.add(caller);
    this.#pump(this.#share);
  }

  async close(): Promise<void> {
    this.#untold.clear();
    await this.#share?.close();
  }

  #pump(share: Share): void {
    for (const caller of this.#untold) {
      if (this.#sharing >= sharingMax) return;
      if (caller.isSharing) continue;
      this.#untold.delete(caller);
      void this.#tellOne(share, caller);
    }
  }

  async #tellOne(share: Share, caller: Caller): Promise<void> {
    const { used, rates, subject } = caller;
    caller.used = { requests: 0, events: 0, dayEvents: 0 };
    caller.isSharing = true;
    this.#sharing++;
    try {
      const shared = await share.add(subject, used, rates);
      this.#isAlone = false;
      caller.hear(shared);
    } catch {
      this.#isAlone = true;
      this.#failures++;
      // What was used of a second has run off by the next time; of a day it still counts.
      caller.used.dayEvents += used.dayEvents;
    } finally {
      caller.isSharing = false;
      this.#sharing--;
      this.#pump(share);
    }
  }
}
