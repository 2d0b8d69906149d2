/** How the rows in sight came about: each item's counts over the range, asked for one by one. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { client } from "../service.ts";
import { rangeQueryOf, type ShownView } from "../view-state.ts";

export type History = readonly number[];

/** A history is asked for again when it is older. */
const ageMsMax = 30_000;
/** Asked at once: rows have to come first. */
const asksMax = 2;
/** After an answer nothing is asked for so many times as long as it took: others ask, too. */
const restPerAsk = 2;
/** Kept at once; those longest not in sight go first. */
const keptMax = 1200;
const askMsMax = 20_000;

type Ask = (eventId: string, signal: AbortSignal) => Promise<History>;

/** Counts of several series that end together, added up from their ends. */
export function summed(series: readonly History[]): History {
  const length = Math.max(0, ...series.map((points) => points.length));
  return Array.from({ length }, (_, at) =>
    series.reduce((sum, points) => sum + (points[points.length - length + at] ?? 0), 0),
  );
}

/** Asks for what is in sight, little by little, and keeps the answers. */
export class Histories {
  readonly #ask: Ask;
  readonly #onChange: (kept: ReadonlyMap<string, History>) => void;
  readonly #ended = new AbortController();
  readonly #kept = new Map<string, { points: History; atMs: number }>();
  readonly #asking = new Set<string>();
  #wanted: readonly string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: Ask, onChange: (kept: ReadonlyMap<string, History>) => void) {
    this.#ask = ask;
    this.#onChange = onChange;
  }

  /** These are in sight now; the first are asked for first. */
  want(eventIds: readonly string[]): void {
    this.#wanted = eventIds;
    this.#askOn();
  }

  /** Asks for nothing any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#ended.abort();
  }

  #askOn(): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    const ageOf = (eventId: string) => now - (this.#kept.get(eventId)?.atMs ?? -Infinity);
    const due = this.#wanted.filter((id) => !this.#asking.has(id) && ageOf(id) >= ageMsMax);
    for (const eventId of due.slice(0, asksMax - this.#asking.size)) this.#askFor(eventId);
    if (due.length > 0 || this.#wanted.length === 0) return;
    const oldest = Math.max(0, ...this.#wanted.map(ageOf));
    this.#timer = setTimeout(() => this.#askOn(), Math.max(1000, ageMsMax - oldest));
  }

  async #askFor(eventId: string): Promise<void> {
    const started = performance.now();
    const { signal } = this.#ended;
    const patience = AbortSignal.timeout(askMsMax);
    this.#asking.add(eventId);
    let points = this.#kept.get(eventId)?.points ?? [];
    try {
      points = await this.#ask(eventId, patience);
    } catch {
      // A row without its plot is still a row; it is asked for again in a while.
    }
    if (signal.aborted) return;
    this.#kept.delete(eventId);
    this.#kept.set(eventId, { points, atMs: Date.now() });
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#onChange(new Map([...this.#kept].map(([id, kept]) => [id, kept.points])));
    setTimeout(
      () => {
        this.#asking.delete(eventId);
        if (!signal.aborted) this.#askOn();
      },
      (performance.now() - started) * restPerAsk,
    );
  }
}

/** Histories say what happened, not to whom: of boards of all events only. */
function hasHistories({ filters, by, isEmbedded }: ShownView): boolean {
  const isOfAll = filters.every(({ name }) => /^(?:include|exclude|prefix)$/.test(name));
  return isOfAll && by !== "users" && !isEmbedded;
}

export interface HistoriesInSight {
  /** Null where the view has none. */
  histories: ReadonlyMap<string, History> | null;
  want: (eventIds: readonly string[]) => void;
}

/** The histories of a view's items. */
export function useHistories(view: ShownView): HistoriesInSight {
  const [kept, setKept] = useState<ReadonlyMap<string, History>>(new Map());
  const key = JSON.stringify([view.eventTypes, rangeQueryOf(view), hasHistories(view)]);
  const asked = useMemo(() => {
    if (!hasHistories(view)) return null;
    const query = { ...rangeQueryOf(view), neighbours: 0 };
    const ask: Ask = async (eventId, signal) => {
      const of = (type: string) => client.item(type, eventId, query, signal);
      const items = await Promise.all(view.eventTypes.map(of));
      return summed(items.map(({ history }) => history.map(({ count }) => count)));
    };
    return new Histories(ask, setKept);
  }, [key]);
  useEffect(() => {
    setKept(new Map());
    return () => asked?.close();
  }, [asked]);
  return useMemo(
    () => ({
      histories: asked === null ? null : kept,
      want: (eventIds) => asked?.want(eventIds),
    }),
    [asked, kept],
  );
}
