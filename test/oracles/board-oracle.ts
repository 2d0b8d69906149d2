// The truth about boards, from the very events that were sent: a plain list, counted anew for
// every question. Shares no code with what it judges.

export interface CountedEvent {
  eventId: string;
  eventType: string;
  /** Epoch ms. */
  timeMs: number;
  weight: number;
}

export interface BoardQuestion {
  eventTypes: readonly string[];
  /** Epoch ms; `to` is exclusive. */
  from: number;
  to: number;
  k: number;
  offset: number;
  ties: "competition" | "dense" | "ordinal";
}

export interface TrueRow {
  eventId: string;
  count: number;
  rank: number;
}

export interface TrueBoard {
  total: number;
  distinct: number;
  /** Total less the counts of the rows shown and of those before them. */
  others: number;
  results: TrueRow[];
  /** Of every item in the range, also those not shown. */
  counts: ReadonlyMap<string, number>;
}

export class BoardOracle {
  #events: CountedEvent[] = [];

  add(event: CountedEvent): void {
    this.#events.push(event);
  }

  /** Takes out the events that are deleted; returns them. */
  forget(isDeleted: (event: CountedEvent) => boolean): CountedEvent[] {
    const deleted = this.#events.filter(isDeleted);
    this.#events = this.#events.filter((event) => !isDeleted(event));
    return deleted;
  }

  get events(): readonly CountedEvent[] {
    return this.#events;
  }

  counts(eventTypes: readonly string[], from: number, to: number): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { eventId, eventType, timeMs, weight } of this.#events) {
      if (timeMs < from || timeMs >= to || !eventTypes.includes(eventType)) continue;
      counts.set(eventId, (counts.get(eventId) ?? 0) + weight);
    }
    return counts;
  }

  board(question: BoardQuestion): TrueBoard {
    const { eventTypes, from, to } = question;
    return boardOf(this.counts(eventTypes, from, to), question);
  }
}

/** The board that these counts make. */
export function boardOf(
  counts: ReadonlyMap<string, number>,
  { k, offset, ties }: Pick<BoardQuestion, "k" | "offset" | "ties">,
): TrueBoard {
  const items = [...counts].map(([eventId, count]) => ({
    eventId,
    count,
    bytes: Buffer.from(eventId),
  }));
  items.sort((a, b) => b.count - a.count || Buffer.compare(a.bytes, b.bytes));
  const rankOf = (index: number): number => {
    if (ties === "ordinal") return index + 1;
    const better = items.filter(({ count }) => count > items[index]!.count);
    if (ties === "competition") return better.length + 1;
    return new Set(better.map(({ count }) => count)).size + 1;
  };
  const sum = (list: typeof items) => list.reduce((total, { count }) => total + count, 0);
  const shown = items.slice(offset, offset + k);
  return {
    total: sum(items),
    distinct: items.length,
    others: sum(items.slice(offset + k)),
    results: shown.map(({ eventId, count }, i) => ({
      eventId,
      count,
      rank: rankOf(offset + i),
    })),
    counts,
  };
}
