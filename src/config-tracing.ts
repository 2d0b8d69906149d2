/** The options of traces, and the name by which logs and traces know this process. */
import { hostname } from "node:os";
import { quoted } from "./errors.ts";

interface TracingOptions {
  traceExporterUrl: string;
  traceHeaders: string;
  traceSampleRatio: string;
}

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const ratioForm = /^(?:0(?:\.\d+)?|1(?:\.0+)?|\.\d+)$/;

/** As `OTEL_EXPORTER_OTLP_HEADERS` has them: with what can't stand there in percent signs. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/**
 * `name=value` by comma, or `name: value`, a line each, where there are several lines. Null where
 * one of them is neither.
 */
function headersIn(text: string): Record<string, string> | null {
  if (text.trim() === "none") return {};
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const isByLine = lines.length > 1 || /^[\w-]+:/.test(text);
  const headers: Record<string, string> = {};
  for (const entry of isByLine ? lines : text.split(",")) {
    const [, name = "", value] = /^\s*([^=:\s]+)\s*[=:]\s*(.*?)\s*$/.exec(entry) ?? [];
    if (value === undefined || value === "" || !headerName.test(name)) return null;
    headers[name.toLowerCase()] = isByLine ? value : decoded(value);
  }
  return headers;
}

/** What is wrong with the options: expected and got; undefined where nothing is. */
export function tracingProblem(options: TracingOptions): string | undefined {
  const { traceExporterUrl: url, traceHeaders, traceSampleRatio: ratio } = options;
  const isHttp = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (url !== "none" && !isHttp) {
    return `traceExporterUrl: expected none or http://host:4318, got ${quoted(url)}`;
  }
  if (headersIn(traceHeaders) === null) {
    // They may hold a key: not shown.
    return "traceHeaders: expected name=value, several by comma or a line each";
  }
  if (!ratioForm.test(ratio)) {
    return `traceSampleRatio: expected a number 0..1 such as 0.01, got ${quoted(ratio)}`;
  }
  return undefined;
}

/** The options as the exporter takes them; null: nothing is traced. */
export function tracingOf(options: TracingOptions & { tracesPerSecondMax: number }) {
  const { traceExporterUrl: url, traceHeaders, traceSampleRatio, tracesPerSecondMax } = options;
  if (url === "none") return null;
  const sampling = { ratio: Number(traceSampleRatio), perSecondMax: tracesPerSecondMax };
  return { url, headers: headersIn(traceHeaders) ?? {}, sampling };
}

/** What this process is called where there are several. */
export function nodeNameOf({ nodeName }: { nodeName: string }): string {
  return nodeName === "own" ? hostname() : nodeName;
}
