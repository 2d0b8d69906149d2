/**
 * What a caller has used, and whether there is room for more. A rate is a bucket that runs dry at
 * so much a second and holds a second's worth; a batch may fill it beyond its rim, and then
 * nothing more is taken until it has run down again: so batches of any size pass, and the mean is
 * held. A quota is a sum by days of UTC.
 */
import type { KeyLimits } from "../model-access.ts";

export type LimitName = "requests" | "events" | "day";

/** 0: without bound. */
export interface Rates {
  requestsPerSecond: number;
  eventsPerSecond: number;
  eventsPerDay: number;
  connections: number;
}

/** The caller's own limits, else those of everybody. */
export function ratesOf(own: KeyLimits, everybodys: Rates): Rates {
  return {
    requestsPerSecond: own.requestsPerSecond ?? everybodys.requestsPerSecond,
    eventsPerSecond: own.eventsPerSecond ?? everybodys.eventsPerSecond,
    eventsPerDay: own.eventsPerDay ?? everybodys.eventsPerDay,
    connections: own.connections ?? everybodys.connections,
  };
}

export function isUnbounded(rates: Rates): boolean {
  const { requestsPerSecond, eventsPerSecond, eventsPerDay, connections } = rates;
  return requestsPerSecond + eventsPerSecond + eventsPerDay + connections === 0;
}

const dayMs = 86_400_000;

/** Days since 1970, UTC. */
export function dayOf(epochMs: number): number {
  return Math.floor(epochMs / dayMs);
}

/** How many ms are left of the day. */
export function dayLeftMs(epochMs: number): number {
  return (dayOf(epochMs) + 1) * dayMs - epochMs;
}

/** What is in a caller's buckets. */
export class Levels {
  requests = 0;
  events = 0;
  day = 0;
  dayEvents = 0;
  #at: number;

  /** `now`: epoch ms. */
  constructor(now: number) {
    this.#at = now;
    this.day = dayOf(now);
  }

  /** Lets run off what has run off since the last time. */
  settle(now: number, rates: Rates): void {
    // A clock set back takes nothing away.
    const seconds = Math.max(0, now - this.#at) / 1000;
    this.#at = now;
    this.requests = Math.max(0, this.requests - seconds * rates.requestsPerSecond);
    this.events = Math.max(0, this.events - seconds * rates.eventsPerSecond);
    const day = dayOf(now);
    if (day <= this.day) return;
    this.day = day;
    this.dayEvents = 0;
  }
}

/** Why something is not taken, and when it would be. */
export interface Refusal {
  name: LimitName;
  retryAfterSeconds: number;
}

/** Of settled levels: why one more request is not taken, one with events where `hasEvents`. */
export function refusalOf(
  levels: Levels,
  rates: Rates,
  hasEvents: boolean,
  now: number,
): Refusal | null {
  const { requestsPerSecond: requests, eventsPerSecond: events, eventsPerDay } = rates;
  if (requests > 0 && levels.requests + 1 > Math.max(1, requests)) {
    const over = levels.requests + 1 - Math.max(1, requests);
    return { name: "requests", retryAfterSeconds: over / requests };
  }
  if (!hasEvents) return null;
  if (events > 0 && levels.events >= events) {
    return { name: "events", retryAfterSeconds: (levels.events - events + 1) / events };
  }
  const isUsedUp = eventsPerDay > 0 && levels.dayEvents >= eventsPerDay;
  return isUsedUp ? { name: "day", retryAfterSeconds: dayLeftMs(now) / 1000 } : null;
}

/** Of settled levels: why a batch of so many events is not taken. */
export function batchRefusalOf(
  levels: Levels,
  rates: Rates,
  events: number,
  now: number,
): Refusal | null {
  if (rates.eventsPerSecond > 0 && levels.events >= rates.eventsPerSecond) {
    return refusalOf(levels, { ...rates, requestsPerSecond: 0 }, true, now);
  }
  const { eventsPerDay } = rates;
  if (eventsPerDay === 0 || levels.dayEvents + events <= eventsPerDay) return null;
  return { name: "day", retryAfterSeconds: dayLeftMs(now) / 1000 };
}
