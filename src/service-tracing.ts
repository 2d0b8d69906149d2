/** Opens traces, where the configuration asks for them. */
import type { Config } from "./config.ts";
import { nodeNameOf, tracingOf } from "./config-tracing.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";
import { noTracing, type Tracing } from "./telemetry-tracing.ts";

/** Without an address for spans nothing of OpenTelemetry is loaded. */
export async function openTracing(
  config: Config,
  version: string,
  logger: Logger,
): Promise<Tracing> {
  const options = tracingOf(config);
  if (options === null) return noTracing;
  const { OtelTracing } = await import("./telemetry-otel.ts");
  return new OtelTracing({ ...options, version, nodeName: nodeNameOf(config), logger });
}

/** What becomes of spans. */
export function describeTracing(metrics: Metrics, tracing: Tracing): void {
  const total = (name: string, help: string, read: () => number) =>
    metrics.readCounter(`rankstream_trace_${name}_total`, help, read);
  total("spans_sent", "Spans that the collector took.", () => tracing.totals.sent);
  total("spans_dropped", "Spans dropped for lack of room.", () => tracing.totals.dropped);
  total("spans_failed", "Spans that could not be sent.", () => tracing.totals.failed);
  const limited = "Requests not traced, since too many were in that second.";
  total("requests_limited", limited, () => tracing.totals.limited);
  const waiting = "Spans waiting to be sent, or on their way.";
  metrics.readGauge("rankstream_trace_spans_waiting", waiting, () => tracing.waiting);
}
