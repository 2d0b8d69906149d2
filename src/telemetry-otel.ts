/**
 * Spans by OpenTelemetry's SDK, sent by OTLP over HTTP as JSON. Loaded only where traces are
 * asked for: nothing else imports this file but for `import()`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Context,
  SpanKind as OtelKind,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { RankstreamError } from "./errors.ts";
import {
  formatTraceparent,
  parseTraceparent,
  type SpanAttributes,
  type SpanNote,
  type TraceContext,
  wallMs,
} from "./model-trace.ts";
import type { Logger } from "./telemetry.ts";
import { Sampling, type SamplingOptions } from "./telemetry-sampling.ts";
import type { SpanKind, SpanTotals, TraceSpan, Tracing } from "./telemetry-tracing.ts";

export interface OtelOptions {
  /** Of the collector: `/v1/traces` is added. */
  url: string;
  headers: Readonly<Record<string, string>>;
  sampling: SamplingOptions;
  version: string;
  /** Names this process among others. */
  nodeName: string;
  logger: Logger;
  bounds?: Partial<OtelBounds>;
}

export interface OtelBounds {
  /** Spans that wait to be sent or are on their way; more are dropped. */
  queuedSpansMax: number;
  batchSpansMax: number;
  /** How long a span waits for others to be sent with. */
  delayMs: number;
  sendMsMax: number;
  /** How long a stop waits for what is still to be sent. */
  closeMsMax: number;
}

const otelBounds: OtelBounds = Object.freeze({
  queuedSpansMax: 4096,
  batchSpansMax: 512,
  delayMs: 1000,
  sendMsMax: 10_000,
  closeMsMax: 2000,
});

const otelKinds: Readonly<Record<SpanKind, OtelKind>> = {
  internal: OtelKind.INTERNAL,
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
};

/** Random ids, but for the next span's where a thread has made one. */
class GivenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  readonly generateTraceId = () => this.#random.generateTraceId();
  given: string | null = null;

  readonly generateSpanId = () => {
    const id = this.given ?? this.#random.generateSpanId();
    this.given = null;
    return id;
  };
}

type ExportResult = Parameters<Parameters<SpanExporter["export"]>[1]>[0];

/** Counts what goes through it, and says when it fails. */
class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #logger: Logger;
  readonly totals: SpanTotals;
  waiting = 0;
  #isFailing = false;

  constructor(exporter: SpanExporter, totals: SpanTotals, logger: Logger) {
    this.#exporter = exporter;
    this.totals = totals;
    this.#logger = logger;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      this.waiting -= spans.length;
      this.#note(spans.length, result);
      done(result);
    });
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #note(spans: number, { code, error }: ExportResult): void {
    const hasFailed = code !== 0;
    if (hasFailed) this.totals.failed += spans;
    else this.totals.sent += spans;
    if (hasFailed) {
      const reason = error?.message ?? "the collector refused them";
      this.#logger.warn({ part: "traces", spans, reason }, "spans could not be sent");
    } else if (this.#isFailing) {
      this.#logger.info({ part: "traces" }, "spans can be sent again");
    }
    this.#isFailing = hasFailed;
  }
}

/** Drops what finds no room, and counts it: the SDK's own processor would do so in silence. */
class BoundedProcessor implements SpanProcessor {
  readonly #processor: SpanProcessor;
  readonly #exporter: WatchedExporter;
  readonly #queuedSpansMax: number;

  constructor(exporter: WatchedExporter, bounds: OtelBounds) {
    const { queuedSpansMax, batchSpansMax, delayMs, sendMsMax } = bounds;
    this.#exporter = exporter;
    this.#queuedSpansMax = queuedSpansMax;
    this.#processor = new BatchSpanProcessor({
      exporter,
      // It has room for all that passes here.
      maxQueueSize: queuedSpansMax + batchSpansMax,
      maxExportBatchSize: batchSpansMax,
      scheduledDelayMillis: delayMs,
      exportTimeoutMillis: 2 * sendMsMax,
    });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#exporter.waiting >= this.#queuedSpansMax) {
      this.#exporter.totals.dropped++;
      return;
    }
    this.#exporter.waiting++;
    this.#processor.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#processor.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#processor.shutdown();
  }
}

function contextOf({ traceId, spanId }: TraceContext): Context {
  const remote: SpanContext = {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  };
  return trace.setSpanContext(ROOT_CONTEXT, remote);
}

/** A span says by which kind of error it ended: words may hold anything. */
function errorTypeOf(error: unknown): string {
  if (error instanceof RankstreamError) return error.code;
  return error instanceof Error ? error.name : "error";
}

class OtelSpan implements TraceSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly context: TraceContext;

  constructor(tracer: Tracer, span: Span) {
    this.#tracer = tracer;
    this.#span = span;
    const { traceId, spanId } = span.spanContext();
    this.context = { traceId, spanId, isSampled: true };
  }

  get traceparent(): string {
    return formatTraceparent(this.context);
  }

  child(name: string, kind: SpanKind = "internal"): TraceSpan {
    const options = { kind: otelKinds[kind], startTime: wallMs() };
    const within = trace.setSpan(ROOT_CONTEXT, this.#span);
    return new OtelSpan(this.#tracer, this.#tracer.startSpan(name, options, within));
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes({ ...attributes });
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  end(error?: unknown): void {
    if (error !== undefined && error !== null) {
      this.#span.setAttribute("error.type", errorTypeOf(error));
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end(wallMs());
  }
}

export class OtelTracing implements Tracing {
  readonly isOn = true;
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #ids = new GivenIds();
  readonly #sampling: Sampling;
  readonly #exporter: WatchedExporter;
  readonly #bounds: OtelBounds;

  constructor({ url, headers, sampling, version, nodeName, logger, bounds }: OtelOptions) {
    this.#bounds = { ...otelBounds, ...bounds };
    const { sendMsMax } = this.#bounds;
    const exporter = new OTLPTraceExporter({
      url: `${url.replace(/\/+$/, "")}/v1/traces`,
      headers: { ...headers },
      timeoutMillis: sendMsMax,
    });
    const totals = { sent: 0, dropped: 0, failed: 0, limited: 0 };
    this.#exporter = new WatchedExporter(exporter, totals, logger);
    this.#sampling = new Sampling(sampling);
    this.#provider = new TracerProvider({
      // What comes here is to be traced: `begin` has chosen.
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
      resource: resourceFromAttributes({
        "service.name": "rankstream",
        "service.version": version,
        "service.instance.id": nodeName,
      }),
      spanProcessors: [new BoundedProcessor(this.#exporter, this.#bounds)],
    });
    this.#tracer = this.#provider.getTracer("rankstream", version);
  }

  get totals(): SpanTotals {
    return { ...this.#exporter.totals, limited: this.#sampling.limited };
  }

  get waiting(): number {
    return this.#exporter.waiting;
  }

  begin(name: string, traceparent: string | undefined): TraceSpan | null {
    const choice = this.#sampling.choose(traceparent);
    if (choice === null) return null;
    const { parent } = choice;
    const within = parent === null ? ROOT_CONTEXT : contextOf(parent);
    const options = { kind: OtelKind.SERVER, startTime: wallMs() };
    return new OtelSpan(this.#tracer, this.#tracer.startSpan(name, options, within));
  }

  record(notes: readonly SpanNote[]): void {
    for (const { parent, spanId, name, startMs, endMs, attributes } of notes) {
      const context = parseTraceparent(parent);
      if (context === null) continue;
      this.#ids.given = spanId;
      const options = { startTime: startMs, attributes: { ...attributes } };
      this.#tracer.startSpan(name, options, contextOf(context)).end(endMs);
      this.#ids.given = null;
    }
  }

  async close(): Promise<void> {
    const late = new AbortController();
    const { closeMsMax } = this.#bounds;
    const timeUp = sleep(closeMsMax, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([this.#provider.shutdown().catch(() => undefined), timeUp]);
    late.abort();
  }
}
