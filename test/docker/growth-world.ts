// What docker/compose.growth.yaml starts, as processes on loopback: the same roles and options,
// the same haproxy.cfg, real Redis and HAProxy. Only addresses and places of files are others.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { findHaproxy } from "../../tools/services.mjs";
import { freePort } from "../support/free-port.ts";
import { startRedis } from "../support/redis.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { readCompose, readDocker } from "./compose-files.ts";

const waitMsMax = 30_000;
const compose = readCompose("compose.growth.yaml");
const proxies = new Set<ChildProcess>();

afterAll(async () => {
  for (const proxy of proxies) {
    if (proxy.exitCode !== null || proxy.signalCode !== null) continue;
    proxy.kill("SIGKILL");
    await once(proxy, "exit");
  }
});

export type NodeName = "node1" | "node2";

export class GrowthWorld {
  store!: RankstreamProcess;
  /** Where clients ask: HAProxy. */
  url = "";
  readonly #folder = temporaryFolder();
  readonly #nodes = new Map<NodeName, RankstreamProcess>();
  readonly #ports = new Map<NodeName, number>();
  #inside = "";
  #replaced: [string, string][] = [];

  async start(): Promise<this> {
    const redis = await startRedis();
    const redisUrl = join(this.#folder, "redis-url");
    writeFileSync(redisUrl, redis.url);
    this.#replaced = [["/run/secrets/redis_url", redisUrl]];
    this.store = await this.#process("store", await freePort());
    this.#replaced.push(["http://store:8080", this.store.url]);
    for (const name of ["node1", "node2"] as const) {
      this.#ports.set(name, await freePort());
      await this.startNode(name);
    }
    await this.#startHaproxy();
    return this;
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

  /** The service of the compose file, with its options. */
  #process(name: "store" | NodeName, port: number): Promise<RankstreamProcess> {
    const { environment = {} } = compose.services[name]!;
    const env = Object.entries(environment)
      // On loopback nobody needs a key; keys between nodes and store are tested apart.
      .filter(([variable]) => !/_(ACCESS_KEYS|UPSTREAM_KEY_FILE)$/.test(variable))
      .map(([variable, value]) => {
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
    const path = join(this.#folder, "haproxy.cfg");
    writeFileSync(path, config);
    proxies.add(spawn(program, ["-db", "-f", path], { stdio: "ignore" }));
    this.url = `http://127.0.0.1:${port}`;
    this.#inside = `http://127.0.0.1:${insidePort}`;
    await this.untilServing(2);
  }
}
