/**
 * What is counted and timed of every request, over either HTTP server. Labels are bounded: a route
 * is named by its pattern, and what is at no route is `unmatched`.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ErrorCode } from "../errors-table.ts";
import { type Histogram, requestBuckets } from "../telemetry-histogram.ts";
import type { Counter, Family, Gauge, Metrics } from "../telemetry-metrics.ts";
import { onceOver } from "./hang-up.ts";

/** Streams without end: how long they were open says nothing; who is there is counted apart. */
const endlessRoutes = new Set(["/live", "/live/events", "/tail"]);
/** Methods that are told apart where there is no route that names its own. */
const commonMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** Whoever asked has left before the reply's head was sent; as nginx says it. */
export const clientGoneStatus = 499;
const switchedStatus = 101;
const pageFiles = "/web/";

/** Requests of one route and method. */
export class RouteMetrics {
  readonly #requests: Family<Counter>;
  readonly #labels: readonly [string, string];
  readonly #byStatus = new Map<number, Counter>();
  readonly #seconds: Histogram | null;

  constructor(
    requests: Family<Counter>,
    labels: readonly [string, string],
    seconds: Histogram | null,
  ) {
    this.#requests = requests;
    this.#labels = labels;
    this.#seconds = seconds;
  }

  /** Notes one that is over. */
  done(status: number, seconds: number): void {
    let counter = this.#byStatus.get(status);
    if (counter === undefined) {
      counter = this.#requests.with(...this.#labels, String(status));
      this.#byStatus.set(status, counter);
    }
    counter.add();
    this.#seconds?.observe(seconds);
  }
}

export class HttpMetrics {
  readonly inFlight: Gauge;
  readonly #requests: Family<Counter>;
  readonly #seconds: Family<Histogram>;
  readonly #errors: Family<Counter>;
  readonly #routes = new Map<string, RouteMetrics>();
  readonly #isOn: boolean;

  constructor(metrics: Metrics) {
    this.#isOn = metrics.isOn;
    this.#requests = metrics.counterBy(
      "rankstream_http_requests_total",
      "Requests that are over; status 499: the client left before it was answered.",
      ["route", "method", "status"],
    );
    this.#seconds = metrics.histogramBy(
      "rankstream_http_request_duration_seconds",
      "From a request's head to the end of its reply, but for streams without end.",
      ["route", "method"],
      requestBuckets,
    );
    const underWay = "Requests under way, but for streams without end.";
    this.inFlight = metrics.gauge("rankstream_http_requests_in_flight", underWay);
    this.#errors = metrics.counterBy(
      "rankstream_http_errors_total",
      "Problem documents sent, by their code.",
      ["code"],
    );
  }

  /** Keep it where it is used often. */
  of(route: string, method: string): RouteMetrics {
    const key = `${method} ${route}`;
    let known = this.#routes.get(key);
    if (known === undefined) {
      const seconds = endlessRoutes.has(route) ? null : this.#seconds.with(route, method);
      known = new RouteMetrics(this.#requests, [route, method], seconds);
      this.#routes.set(key, known);
    }
    return known;
  }

  /** A problem document goes out; nothing where it is none. */
  failed(code: ErrorCode | undefined): void {
    if (code !== undefined) this.#errors.with(code).add();
  }

  /**
   * Measures every request that Fastify routes, where anything is measured, and tells `atEnd` of
   * each: listening twice to each end would cost 2 % of a small request. Call it before any other
   * hook is added.
   */
  attach(app: FastifyInstance, atEnd: AtEnd): void {
    if (!this.#isOn) {
      onEachEnd(app, atEnd);
      return;
    }
    app.addHook("onRequest", (request, reply, done) => {
      const { route, method } = labelsOf(request);
      const metrics = this.of(route, method);
      const isEndless = endlessRoutes.has(route);
      const since = performance.now();
      if (!isEndless) this.inFlight.add();
      const { raw } = reply;
      onceOver(raw, () => {
        const durationMs = performance.now() - since;
        const status = sentStatus(request, raw);
        if (!isEndless) this.inFlight.add(-1);
        metrics.done(status, durationMs / 1000);
        atEnd(request, reply, status, durationMs);
      });
      done();
    });
  }
}

/** What is done when a request is over; `status` is 499 where its client has left before. */
export type AtEnd = (
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  durationMs: number,
) => void;

function onEachEnd(app: FastifyInstance, atEnd: AtEnd): void {
  app.addHook("onRequest", (request, reply, done) => {
    const since = performance.now();
    const { raw } = reply;
    onceOver(raw, () => {
      atEnd(request, reply, sentStatus(request, raw), performance.now() - since);
    });
    done();
  });
}

/** Of a request that is over. */
export function sentStatus({ ws }: FastifyRequest, raw: FastifyReply["raw"]): number {
  if (raw.headersSent) return raw.statusCode;
  // The head of a WebSocket's reply isn't Node's.
  return ws === true ? switchedStatus : clientGoneStatus;
}

function labelsOf(request: FastifyRequest): { route: string; method: string } {
  const { method } = request;
  const { url } = request.routeOptions;
  if (url === undefined) {
    return { route: "unmatched", method: commonMethods.has(method) ? method : "other" };
  }
  return { route: url.startsWith(pageFiles) ? `${pageFiles}*` : url, method };
}
