/** A stream whose every event is remembered in 8 bytes, so that any range can be recounted. */
import { type Body, EventStream } from "./event-stream.ts";

export interface TimeSpan {
  /** Epoch ms. */
  from: number;
  /** Exclusive. */
  to: number;
}

export interface RecordedOptions {
  seed: number;
  events: number;
  ids: number;
  zipfExponent: number;
  startMs: number;
  spanMs: number;
  lateShare: number;
  lateMsMax: number;
  eventType: string;
  eventsPerBody: number;
}

export class RecordedStream {
  readonly options: RecordedOptions;
  /** Milliseconds after `startMs`, by place in the stream. */
  readonly #times: Uint32Array;
  readonly #ids: Uint32Array;
  readonly #stream: EventStream;
  /** Events of acknowledged bodies behind one that is not, by their first place. */
  readonly #beyond = new Map<number, number>();
  #recorded = 0;
  #acknowledged = 0;

  constructor(options: RecordedOptions) {
    this.options = options;
    this.#times = new Uint32Array(options.events);
    this.#ids = new Uint32Array(options.events);
    const { seed, ids, zipfExponent, startMs, lateShare, lateMsMax, eventType } = options;
    const stepMs = options.spanMs / options.events;
    const stream = { seed, ids, zipfExponent, startMs, lateShare, lateMsMax, stepMs };
    this.#stream = new EventStream(
      { ...stream, eventTypes: [eventType], form: "plain" },
      (_type, id, timeMs) => {
        this.#times[this.#recorded] = timeMs - startMs;
        this.#ids[this.#recorded++] = id;
      },
    );
  }

  /** Events given out so far. */
  get sent(): number {
    return this.#recorded;
  }

  /** Events at the stream's begin that are all acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The next body, or null once `until` events have been given out. */
  next(until: number): Body | null {
    const { eventsPerBody } = this.options;
    const left = until - this.#recorded;
    return left <= 0 ? null : this.#stream.nextBody(Math.min(left, eventsPerBody));
  }

  /** The body is acknowledged; bodies may be in any order. */
  acknowledge({ first, events }: Body): void {
    this.#beyond.set(first, events);
    for (;;) {
      const next = this.#beyond.get(this.#acknowledged);
      if (next === undefined) return;
      this.#beyond.delete(this.#acknowledged);
      this.#acknowledged += next;
    }
  }

  /** Counts by id of the events from place `begin` to before `end` in the span. */
  recount(span: TimeSpan, begin: number, end: number): Uint32Array {
    const counts = new Uint32Array(this.options.ids);
    const from = span.from - this.options.startMs;
    const to = span.to - this.options.startMs;
    for (let at = begin; at < end; at++) {
      const time = this.#times[at]!;
      if (time >= from && time < to) counts[this.#ids[at]!]!++;
    }
    return counts;
  }
}
