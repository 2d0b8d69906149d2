/**
 * Courses of a board's rows: asked for of those that are in sight, many at once, kept, and asked
 * for anew now and then.
 */
import { type Course, courseOf, type Histories } from "./courses.ts";

/** Items of one question. */
const batchItemsMax = 100;
/** Courses kept; those asked for longest ago go first. */
const keptMax = 2000;
/** After each answer this many times as long as it took nothing is asked. */
const restPerAsk = 2;
const failedWaitMs = 5000;
const askMsMax = 20_000;
export type AskHistories = (eventIds: string[], signal: AbortSignal) => Promise<Histories>;

/** Asks for what is wanted, one question at a time, and tells all it keeps after each answer. */
export class HistoryFeed {
  readonly #ask: AskHistories;
  readonly #onChange: (kept: ReadonlyMap<string, Course>) => void;
  readonly #refreshMs: number;
  readonly #kept = new Map<string, { course: Course; at: number }>();
  readonly #ending = new AbortController();
  #wanted: readonly string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;

  /** `refreshMs`: how old a course that is wanted may get. */
  constructor(
    ask: AskHistories,
    onChange: (kept: ReadonlyMap<string, Course>) => void,
    refreshMs: number,
  ) {
    this.#ask = ask;
    this.#onChange = onChange;
    this.#refreshMs = refreshMs;
    document.addEventListener("visibilitychange", this.#onSeen);
  }

  /** These are in sight now. */
  want(eventIds: readonly string[]): void {
    this.#wanted = eventIds;
    this.#plan(0);
  }

  /** Asks for nothing any more. */
  close(): void {
    this.#ending.abort();
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#onSeen);
  }

  #onSeen = (): void => this.#plan(0);

  #plan(waitMs: number): void {
    if (this.#isAsking || this.#ending.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), waitMs);
  }

  #ageOf(eventId: string, now: number): number {
    const at = this.#kept.get(eventId)?.at;
    return at === undefined ? Number.MAX_VALUE : now - at;
  }

  /** What is wanted and not known, or old; what is not known first. */
  #due(): string[] {
    const now = performance.now();
    return this.#wanted
      .filter((id) => this.#ageOf(id, now) >= this.#refreshMs)
      .sort((a, b) => this.#ageOf(b, now) - this.#ageOf(a, now))
      .slice(0, batchItemsMax);
  }

  async #run(): Promise<void> {
    if (this.#isAsking || document.hidden) return;
    const due = this.#due();
    if (due.length === 0) return this.#plan(this.#refreshMs);
    const started = performance.now();
    this.#isAsking = true;
    let waitMs = failedWaitMs;
    try {
      const { signal } = this.#ending;
      const late = AbortSignal.timeout(askMsMax);
      this.#keep(due, await this.#ask(due, AbortSignal.any([signal, late])));
      waitMs = (performance.now() - started) * restPerAsk;
    } catch {
      // The board itself says what is wrong: without courses it is none the worse.
    }
    this.#isAsking = false;
    this.#plan(waitMs);
  }

  /** Keeps what came; of what did not there is none, so that it isn't asked for at once again. */
  #keep(due: readonly string[], { bounds, items }: Histories): void {
    if (this.#ending.signal.aborted) return;
    const at = performance.now();
    const times = bounds.map((time) => Date.parse(time));
    const came = new Map(items.map(({ eventId, history }) => [eventId, history]));
    for (const eventId of due) {
      this.#kept.delete(eventId);
      this.#kept.set(eventId, { course: courseOf(came.get(eventId) ?? [], times), at });
    }
    for (const eventId of this.#kept.keys()) {
      if (this.#kept.size <= keptMax) break;
      this.#kept.delete(eventId);
    }
    this.#onChange(new Map([...this.#kept].map(([id, { course }]) => [id, course])));
  }
}
