/** What watches the service in the overhead bench: a scraper, and a place that takes traces. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { configOptions } from "../src/config-options.ts";

/** Nothing is measured, written or traced. */
export const offArgs: readonly string[] = Object.freeze([
  "--metrics",
  "off",
  "--log-level",
  "silent",
]);

/** Whether the service can send traces at all. */
export const hasTraces = "traceExporterUrl" in configOptions;

/** Everything as it is by default: metrics, lines from `info` on, traces at their usual ratio. */
export function onArgs(tracesUrl: string): string[] {
  const traces = hasTraces ? ["--trace-exporter-url", tracesUrl] : [];
  return ["--metrics", "on", "--log-level", "info", ...traces];
}

/** As often as Prometheus would at the most. */
const scrapeMs = 5000;

export interface Seen {
  scrapes: number;
  /** Of the largest reply to a scrape. */
  scrapeBytes: number;
  /** Of what was exported as traces. */
  traceBytes: number;
}

/** Takes whatever is exported to it, and asks for metrics now and then. */
export class Watchers {
  readonly #server: Server;
  readonly seen: Seen = { scrapes: 0, scrapeBytes: 0, traceBytes: 0 };
  #scraping: NodeJS.Timeout | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      request.on("data", (chunk: Buffer) => {
        this.seen.traceBytes += chunk.length;
      });
      request.on("end", () => {
        response.setHeader("content-type", "application/json");
        response.end("{}");
      });
    });
  }

  /** Listens on a free port of this machine. */
  static async start(): Promise<Watchers> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Watchers(server);
  }

  /** Where traces go to: OTLP over HTTP. */
  get tracesUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  /** Scrapes the service at once and from then on, until the function returned is called. */
  async scrape(url: string): Promise<() => void> {
    const once = async () => {
      const reply = await fetch(`${url}/metrics`);
      if (reply.status !== 200) throw new Error(`GET /metrics answered ${reply.status}`);
      const { length } = await reply.text();
      this.seen.scrapes += 1;
      this.seen.scrapeBytes = Math.max(this.seen.scrapeBytes, length);
    };
    await once();
    this.#scraping = setInterval(() => void once().catch(() => undefined), scrapeMs);
    return () => clearInterval(this.#scraping);
  }

  async close(): Promise<void> {
    clearInterval(this.#scraping);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
