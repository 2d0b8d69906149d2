// What docker/compose.growth.yaml starts, as processes on loopback: the same roles and options,
// the same haproxy.cfg, real Redis and HAProxy. Only addresses and places of files are others.
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { findHaproxy } from "../../tools/services.mjs";
import { endBy } from "../support/child-process.ts";
import { runCommand } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { startRedis } from "../support/redis.ts";
import {
  type Answer,
  type RankstreamProcess,
  startRankstream,
  temporaryFolder,
} from "../support/service.ts";
import { readCompose, readDocker } from "./compose-files.ts";

const waitMsMax = 30_000;
const compose = readCompose("compose.growth.yaml");
const proxies = new Set<ChildProcess>();

afterAll(async () => {
  for (const proxy of proxies) await endBy(proxy, "SIGKILL");
});

const nodeNames = ["node1", "node2"] as const;
export type NodeName = (typeof nodeNames)[number];

export class GrowthWorld {
  store!: RankstreamProcess;
  /** Where clients ask: HAProxy. */
  url = "";
  /** Those of a client that may do everything. */
  headers: Record<string, string> = {};
  readonly #folder = temporaryFolder();
  readonly #nodes = new Map<NodeName, RankstreamProcess>();
  readonly #ports = new Map<NodeName, number>();
  #inside = "";
  #replaced: [string, string][] = [];

  async start(): Promise<this> {
    const redis = await startRedis();
    this.#replaced = [
      ["/run/secrets/redis_url", this.#write("redis-url", redis.url)],
      ["172.30.81.0/24", "127.0.0.0/8"],
    ];
    await this.#makeKeys();
    this.store = await this.#process("store", await freePort());
    this.#replaced.push(["http://store:8080", this.store.url]);
    for (const name of nodeNames) this.#ports.set(name, await freePort());
    await Promise.all(nodeNames.map((name) => this.startNode(name)));
    await this.#startHaproxy();
    return this;
  }

  /** Asks the store itself. */
  ask(path: string): Promise<Answer> {
    return this.store.request(path, { headers: this.headers });
  }

  node(name: NodeName): RankstreamProcess {
    return this.#nodes.get(name)!;
  }

  async startNode(name: NodeName): Promise<void> {
    this.#nodes.set(name, await this.#process(name, this.#ports.get(name)!));
  }

  /** Resolves once HAProxy sends requests to so many nodes. */
  async untilServing(count: number): Promise<void> {
    const deadline = Date.now() + waitMsMax;
    const line = `haproxy_backend_active_servers{proxy="rankstream"} ${count}`;
    for (;;) {
      const reply = await fetch(`${this.#inside}/metrics`).catch(() => null);
      const text = (await reply?.text()) ?? "";
      if (text.includes(line)) return;
      if (Date.now() > deadline) throw new Error(`no ${line} in:\n${text.slice(0, 2000)}`);
      await sleep(50);
    }
  }

  #write(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** As docker/make-secrets.sh does. */
  async #makeKeys(): Promise<void> {
    const file = join(this.#folder, "keys.json");
    const make = async (name: string) => {
      const args = ["keys", "create", name, "--scope", "ingest,read,admin"];
      const { code, out, error } = await runCommand([...args, "--access-keys", file]).ended;
      if (code !== 0) throw new Error(`keys create ended with ${code}: ${error}`);
      return out;
    };
    const key = await make("client");
    this.headers = { authorization: `Bearer ${key.trim()}` };
    this.#replaced.push(
      ["/run/secrets/node_key", this.#write("node-key", await make("node"))],
      ["/etc/rankstream/keys.json", file],
    );
  }

  /** The service of the compose file, with its options. */
  #process(name: "store" | NodeName, port: number): Promise<RankstreamProcess> {
    const { environment = {} } = compose.services[name]!;
    const env = Object.entries(environment).map(([variable, value]) => {
      const real = this.#replaced.find(([shown]) => shown === value)?.[1] ?? value;
      return [variable, real];
    });
    return startRankstream({ port, env: Object.fromEntries(env) });
  }

  async #startHaproxy(): Promise<void> {
    const program = findHaproxy();
    if (program === undefined) throw new Error("no HAProxy: npm run test:services brings it");
    const [port, insidePort] = [await freePort(), await freePort()];
    const config = readDocker("haproxy/haproxy.cfg")
      .replace("bind :8000", `bind 127.0.0.1:${port}`)
      .replace("bind :8404", `bind 127.0.0.1:${insidePort}`)
      .replace(/\b(node[12]):8080/g, (_, name) => `127.0.0.1:${this.#ports.get(name)}`);
    const path = this.#write("haproxy.cfg", config);
    proxies.add(spawn(program, ["-db", "-f", path], { stdio: "ignore" }));
    this.url = `http://127.0.0.1:${port}`;
    this.#inside = `http://127.0.0.1:${insidePort}`;
    await this.untilServing(2);
  }
}
