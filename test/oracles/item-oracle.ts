// The truth about single items and series, from the very events that were sent: a plain list,
// looked through anew for every question. Shares no code with what it judges.
import type { CountedEvent } from "./board-oracle.ts";

export interface Stretch {
  eventType: string;
  /** Epoch ms; `to` is exclusive. */
  from: number;
  to: number;
}

export interface TrueStanding {
  count: number;
  /** 1 + items with more; null without an event. */
  rank: number | null;
}

export interface TrueNeighbour {
  eventId: string;
  count: number;
  rank: number;
}

const minuteMs = 60_000;

export class ItemOracle {
  readonly #events: readonly CountedEvent[];

  constructor(events: readonly CountedEvent[]) {
    this.#events = events;
  }

  #of({ eventType, from, to }: Stretch): CountedEvent[] {
    return this.#events.filter(
      (event) => event.eventType === eventType && event.timeMs >= from && event.timeMs < to,
    );
  }

  /** The truth about one item alone, quicker to ask many times. */
  only(eventType: string, eventId: string): ItemOracle {
    return new ItemOracle(
      this.#events.filter((event) => event.eventType === eventType && event.eventId === eventId),
    );
  }

  #counts(stretch: Stretch): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { eventId, weight } of this.#of(stretch)) {
      counts.set(eventId, (counts.get(eventId) ?? 0) + weight);
    }
    return counts;
  }

  total(stretch: Stretch): number {
    return this.#of(stretch).reduce((sum, { weight }) => sum + weight, 0);
  }

  distinct(stretch: Stretch): number {
    return new Set(this.#of(stretch).map(({ eventId }) => eventId)).size;
  }

  standings(stretch: Stretch, eventIds: readonly string[]): TrueStanding[] {
    const counts = this.#counts(stretch);
    return eventIds.map((eventId) => {
      const count = counts.get(eventId) ?? 0;
      if (count === 0) return { count, rank: null };
      return { count, rank: 1 + [...counts.values()].filter((other) => other > count).length };
    });
  }

  /** The `size` items before and after one that has events, in order of the ranking. */
  neighbours(stretch: Stretch, eventId: string, size: number) {
    const counts = this.#counts(stretch);
    const ranking = [...counts].sort(
      ([idA, a], [idB, b]) => b - a || Buffer.compare(Buffer.from(idA), Buffer.from(idB)),
    );
    const at = ranking.findIndex(([id]) => id === eventId);
    if (at < 0) return { above: [], below: [] };
    const rows = ranking.map(([id, count]): TrueNeighbour => {
      const rank = 1 + ranking.filter(([, other]) => other > count).length;
      return { eventId: id, count, rank };
    });
    return {
      above: rows.slice(Math.max(0, at - size), at),
      below: rows.slice(at + 1, at + 1 + size),
    };
  }

  /** First and last moment of an item, whenever; null for one that never was. */
  seen(eventType: string, eventId: string): { first: number; last: number } | null {
    const times = this.#events
      .filter((event) => event.eventType === eventType && event.eventId === eventId)
      .map(({ timeMs }) => timeMs);
    return times.length === 0 ? null : { first: Math.min(...times), last: Math.max(...times) };
  }

  /** The first moment of a type; null for one that never was. */
  firstOf(eventType: string): number | null {
    const times = this.#events
      .filter((event) => event.eventType === eventType)
      .map(({ timeMs }) => timeMs);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** The greatest count of a minute of UTC's, and the first minute that has it. */
  busiest(stretch: Stretch): { count: number; minute: number | null } {
    const byMinute = new Map<number, number>();
    for (const { timeMs, weight } of this.#of(stretch)) {
      const minute = timeMs - (timeMs % minuteMs);
      byMinute.set(minute, (byMinute.get(minute) ?? 0) + weight);
    }
    let best: { count: number; minute: number | null } = { count: 0, minute: null };
    for (const [minute, count] of [...byMinute].sort(([a], [b]) => a - b)) {
      if (count > best.count) best = { count, minute };
    }
    return best;
  }
}
