/** What the parts trace requests through; telemetry-otel.ts makes spans of it, where asked to. */
import type { SpanAttributes, SpanNote, TraceContext } from "./model-trace.ts";

/** Whose side of a call a span is; `internal`: no call's. */
export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

/** One step of a request that is traced. */
export interface TraceSpan {
  readonly context: TraceContext;
  /** For what goes on elsewhere: in another process, thread, or later from the log. */
  readonly traceparent: string;
  /** Begins a step within this one. */
  child(name: string, kind?: SpanKind): TraceSpan;
  set(attributes: SpanAttributes): void;
  rename(name: string): void;
  /** Ends it, once. `error`: what it failed by; its code or name is told, not its words. */
  end(error?: unknown): void;
}

/** Sums since the start. */
export interface SpanTotals {
  sent: number;
  /** For lack of room. */
  dropped: number;
  /** The collector didn't take them. */
  failed: number;
  /** Requests not traced for the rate's sake. */
  limited: number;
}

export interface Tracing {
  /** False: nothing is ever traced, and nothing needs to be asked. */
  readonly isOn: boolean;
  /**
   * Begins the span of a request that has come; null where it is not traced. `traceparent`: what
   * it says of a trace that it is a part of.
   */
  begin(name: string, traceparent: string | undefined): TraceSpan | null;
  /** Makes spans of what threads have noted. */
  record(notes: readonly SpanNote[]): void;
  readonly totals: SpanTotals;
  /** Spans that wait to be sent, or are on their way. */
  readonly waiting: number;
  /** Sends what waits, as long as that may take. */
  close(): Promise<void>;
}

/** Traces nothing, at no cost: no module is loaded, no object made. */
export const noTracing: Tracing = Object.freeze({
  isOn: false,
  begin: () => null,
  record() {},
  totals: Object.freeze({ sent: 0, dropped: 0, failed: 0, limited: 0 }),
  waiting: 0,
  close: async () => undefined,
});

/** Runs `work` as a step of `span`, where there is one. */
export async function inSpan<T>(
  span: TraceSpan | null | undefined,
  name: string,
  work: (step: TraceSpan | null) => Promise<T>,
  kind: SpanKind = "internal",
): Promise<T> {
  if (!span) return work(null);
  const step = span.child(name, kind);
  try {
    const result = await work(step);
    step.end();
    return result;
  } catch (error) {
    step.end(error);
    throw error;
  }
}
