// A real Prometheus and a real Alertmanager with the repository's own files; times are shorter,
// and addresses are those of the test.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { findAlertmanager, findPrometheus } from "../../tools/services.mjs";
import { freePort } from "../support/free-port.ts";
import { temporaryFolder } from "../support/service.ts";
import {
  alertmanagerFile,
  prometheusFile,
  type RuleFile,
  readYaml,
  ruleFiles,
} from "./monitoring-files.ts";

const readyMsMax = 30_000;
const outputCharsMax = 16 * 1024;

/** One call of a receiver. */
export interface Call {
  path: string;
  alerts: {
    status: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  }[];
}

interface AlertmanagerConfig {
  route: Route;
  receivers: { webhook_configs: { url: string }[] }[];
}

interface Route {
  group_wait?: string;
  group_interval?: string;
  active_time_intervals?: string[];
  routes?: Route[];
}

interface PrometheusConfig {
  global: Record<string, unknown>;
  rule_files: string[];
  alerting: { alertmanagers: { static_configs: { targets: string[] }[] }[] };
  scrape_configs: {
    job_name: string;
    authorization?: unknown;
    static_configs: { targets: string[] }[];
  }[];
}

/** What a query of Prometheus came to: its series, as they are now. */
export interface Found {
  metric: Record<string, string>;
  value: number;
}

export class MonitoringWorld {
  readonly calls: Call[] = [];
  readonly #folder = temporaryFolder();
  readonly #children: ChildProcess[] = [];
  #webhook: Server | undefined;
  #prometheus = "";

  /** Starts all three; `targets` are the addresses, host:port, of Rankstream's processes. */
  async start(targets: readonly string[]): Promise<void> {
    const webhook = await this.#listen();
    const [prometheusPort, alertmanagerPort] = [await freePort(), await freePort()];
    this.#startAlertmanager(alertmanagerPort, webhook);
    await this.#untilReady(`http://127.0.0.1:${alertmanagerPort}`);
    this.#startPrometheus(prometheusPort, alertmanagerPort, targets);
    this.#prometheus = `http://127.0.0.1:${prometheusPort}`;
    await this.#untilReady(this.#prometheus);
  }

  /** Ends what was started, by its own processes. */
  async stop(): Promise<void> {
    for (const child of this.#children) child.kill("SIGTERM");
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      }),
    );
    await new Promise((done) => (this.#webhook ? this.#webhook.close(done) : done(undefined)));
  }

  /** An expression's series now. Throws what Prometheus says of one it can't work out. */
  async query(expr: string): Promise<Found[]> {
    const body = new URLSearchParams({ query: expr });
    const reply = await fetch(`${this.#prometheus}/api/v1/query`, { method: "POST", body });
    const { status, data, error } = (await reply.json()) as {
      status: string;
      error?: string;
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (status !== "success") throw new Error(`${expr}: ${error}`);
    return data!.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Every rule by Prometheus' own account. */
  async rules(): Promise<{ name: string; health: string; lastError?: string }[]> {
    const reply = await fetch(`${this.#prometheus}/api/v1/rules`);
    const { data } = (await reply.json()) as {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    };
    return data.groups.flatMap(({ rules }) => rules);
  }

  async #listen(): Promise<string> {
    const server = createServer(async (request, reply) => {
      let text = "";
      for await (const chunk of request.setEncoding("utf8")) text += chunk;
      this.calls.push({ path: request.url!, ...(JSON.parse(text) as Pick<Call, "alerts">) });
      reply.end();
    });
    this.#webhook = server;
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  #startAlertmanager(port: number, webhook: string): void {
    const program = findAlertmanager()?.server;
    if (program === undefined) throw new Error("no Alertmanager: npm run test:services brings it");
    const config = readYaml<AlertmanagerConfig>(alertmanagerFile);
    const hasten = (route: Route) => {
      route.group_wait = "0s";
      route.group_interval = "1s";
      delete route.active_time_intervals;
      for (const one of route.routes ?? []) hasten(one);
    };
    hasten(config.route);
    for (const { webhook_configs } of config.receivers) {
      for (const one of webhook_configs) one.url = `${webhook}${new URL(one.url).pathname}`;
    }
    const file = this.#write("alertmanager.yml", config);
    this.#spawn(program, [
      `--config.file=${file}`,
      `--storage.path=${join(this.#folder, "alertmanager")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
    ]);
  }

  #startPrometheus(port: number, alertmanagerPort: number, targets: readonly string[]): void {
    const program = findPrometheus()?.server;
    if (program === undefined) throw new Error("no Prometheus: npm run test:services brings it");
    const config = readYaml<PrometheusConfig>(prometheusFile);
    Object.assign(config.global, {
      scrape_interval: "1s",
      scrape_timeout: "1s",
      evaluation_interval: "1s",
    });
    const [own] = config.scrape_configs.filter(({ job_name }) => job_name === "rankstream");
    delete own!.authorization;
    own!.static_configs = [{ targets: [...targets] }];
    config.scrape_configs = [own!];
    const [alertmanager] = config.alerting.alertmanagers;
    alertmanager!.static_configs = [{ targets: [`127.0.0.1:${alertmanagerPort}`] }];
    config.rule_files = ruleFiles.map((path) => this.#hastened(path));
    const file = this.#write("prometheus.yml", config);
    this.#spawn(program, [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(this.#folder, "prometheus")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--rules.alert.resend-delay=2s",
    ]);
  }

  /** A file of rules that are worked out every second, and fire after two. */
  #hastened(path: string): string {
    const file = readYaml<RuleFile>(path);
    for (const group of file.groups) {
      group.interval = "1s";
      for (const rule of group.rules) if (rule.for !== undefined) rule.for = "2s";
    }
    return this.#write(join("rules", basename(path)), file);
  }

  #write(name: string, content: unknown): string {
    mkdirSync(join(this.#folder, "rules"), { recursive: true });
    const path = join(this.#folder, name);
    writeFileSync(path, stringify(content));
    return path;
  }

  #spawn(program: string, args: string[]): void {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-outputCharsMax);
    });
    child.on("exit", (code) => {
      if (code !== 0 && code !== null) process.stderr.write(`${program} ended: ${said}\n`);
    });
    this.#children.push(child);
  }

  async #untilReady(url: string): Promise<void> {
    const deadline = Date.now() + readyMsMax;
    for (;;) {
      const isReady = await fetch(`${url}/-/ready`).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (isReady) return;
      if (Date.now() > deadline) throw new Error(`${url} was not ready in ${readyMsMax} ms`);
      await sleep(100);
    }
  }
}
