// A real Jaeger on this machine: takes spans by OTLP over HTTP, keeps them in memory, answers as
// its own page asks it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findJaeger } from "../../tools/jaeger.mjs";
import { freePort } from "./free-port.ts";
import { temporaryFolder } from "./service.ts";

const startMsMax = 30_000;

export interface JaegerSpan {
  spanID: string;
  operationName: string;
  references: { refType: string; spanID: string }[];
  /** Microseconds. */
  startTime: number;
  duration: number;
  tags: { key: string; value: string | number | boolean }[];
}

function configured(otlp: number, query: number, grpc: number): string {
  return `service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}
  telemetry: {metrics: {level: none}, logs: {level: error}}
extensions:
  jaeger_query:
    storage: {traces: memory}
    http: {endpoint: "127.0.0.1:${query}"}
    grpc: {endpoint: "127.0.0.1:${grpc}"}
  jaeger_storage:
    backends: {memory: {memory: {max_traces: 1000}}}
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:${otlp}"}}}
processors:
  batch: {timeout: 100ms}
exporters:
  jaeger_storage_exporter: {trace_storage: memory}
`;
}

export class Jaeger {
  /** Where spans are sent. */
  readonly otlpUrl: string;
  readonly #url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, otlpUrl: string, url: string) {
    this.#child = child;
    this.otlpUrl = otlpUrl;
    this.#url = url;
  }

  /** Null where there is none on this machine. */
  static async start(): Promise<Jaeger | null> {
    const program = findJaeger();
    if (program === undefined) return null;
    const [otlp, query, grpc] = [await freePort(), await freePort(), await freePort()];
    const path = join(temporaryFolder(), "jaeger.yaml");
    writeFileSync(path, configured(otlp, query, grpc));
    const child = spawn(program, ["--config", `file:${path}`], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-10_000);
    });
    const jaeger = new Jaeger(child, `http://127.0.0.1:${otlp}`, `http://127.0.0.1:${query}`);
    for (const end = Date.now() + startMsMax; ; await sleep(100)) {
      const isUp = await fetch(`${jaeger.#url}/api/services`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return jaeger;
      if (child.exitCode === null && Date.now() < end) continue;
      await jaeger.stop();
      throw new Error(`Jaeger does not start\n${said}`);
    }
  }

  /** The spans of each trace of the service that it has. */
  async traces(service: string): Promise<JaegerSpan[][]> {
    const reply = await fetch(`${this.#url}/api/traces?service=${service}&limit=100`);
    const { data } = (await reply.json()) as { data: { spans: JaegerSpan[] }[] | null };
    return (data ?? []).map(({ spans }) => spans);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGTERM");
    await once(this.#child, "close");
  }
}
