/**
 * A request's trace as it travels from part to part: W3C Trace Context in headers and in the log,
 * small records from threads. Nothing here knows of OpenTelemetry.
 */

/** A place in a trace. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  isSampled: boolean;
}

/** Characters of a `traceparent` of version 00. */
export const traceparentChars = 55;
const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const noTraceId = "0".repeat(32);
const noSpanId = "0".repeat(16);
const textCharsMax = 256;

/** What a `traceparent` says; null for what is none. Of later versions what version 00 has. */
export function parseTraceparent(text: string | undefined): TraceContext | null {
  if (text === undefined || text.length > textCharsMax) return null;
  const [, version, traceId, spanId, flags, more] = form.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (traceId === noTraceId || spanId === noSpanId) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The context as version 00 of `traceparent`. */
export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** What a span says beside its name and times: no user ids, no contents of events. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A step that a thread took, as it is handed to the thread that makes spans. */
export interface SpanNote {
  /** `traceparent` of the step that it is a part of. */
  parent: string;
  /** Its own id, by which others may be parts of it. */
  spanId: string;
  name: string;
  /** Epoch ms, by `wallMs`. */
  startMs: number;
  endMs: number;
  attributes: SpanAttributes;
}

/** Of a checkpoint that commits traced batches. */
export interface CheckpointTrace {
  /** `traceparent` of the steps that counted them; a bounded number. */
  parents: string[];
  /** Epoch ms, by `wallMs`. */
  handedOverMs: number;
}

/** Where the clock was set, it is followed from then on. */
const clockStepMs = 50;
let origin = performance.timeOrigin;

/** Epoch ms with fractions: what happens in one process is in order, whichever thread asks. */
export function wallMs(): number {
  const now = performance.now();
  const wall = Date.now();
  if (Math.abs(origin + now - wall) > clockStepMs) origin = wall - now;
  return origin + now;
}
