// HAProxy in front of edges and answering processes, by the project's own configuration: events
// go to the edges, all else to who answers.
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll } from "vitest";
import { findHaproxy } from "../../tools/services.mjs";
import { readDocker } from "../docker/compose-files.ts";
import { endBy } from "../support/child-process.ts";
import { freePort } from "../support/free-port.ts";
import { temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";

/** A busy machine may take long. */
const servingMsMax = 600_000;
const proxies = new Set<ChildProcess>();

afterAll(async () => {
  for (const proxy of proxies) await endBy(proxy, "SIGKILL");
});

export type Backend = "edges" | "queries";
/** `HOST:PORT` of the servers of each. */
export type Backends = Record<Backend, readonly string[]>;

/** docker/haproxy/haproxy.cfg with these addresses, and its one backend made two. */
function configOf(publicAddress: string, insideAddress: string, backends: Backends): string {
  const own = readDocker("haproxy/haproxy.cfg");
  const found = /^backend rankstream\n[\s\S]*?(?=^\s+server )/m.exec(own)?.[0];
  if (found === undefined) throw new Error(`no backend in:\n${own}`);
  const made = Object.entries(backends).map(([name, addresses]) => {
    const servers = addresses.map((address, i) => `  server ${name}${i} ${address}\n`);
    return `${found.replace("rankstream", name)}${servers.join("")}\n`;
  });
  return own
    .replace(/^backend rankstream\n(?:[ \t].*\n)+/m, made.join(""))
    .replace("bind :8000", `bind ${publicAddress}`)
    .replace("bind :8404", `bind ${insideAddress}`)
    .replace("nbsrv(rankstream)", "nbsrv(queries)")
    .replace(
      "default_backend rankstream",
      "use_backend edges if { path /events } { method POST }\n  default_backend queries",
    );
}

export class StormProxy {
  /** Where clients ask. */
  readonly url: string;
  readonly #inside: string;

  private constructor(url: string, inside: string) {
    this.url = url;
    this.#inside = inside;
  }

  /** Starts it on this host, whether or not its servers are there yet. */
  static async start(host: string, backends: Backends): Promise<StormProxy> {
    const program = findHaproxy();
    if (program === undefined) throw new Error("no HAProxy: npm run test:services brings it");
    const [outside, inside] = [`${host}:${await freePort()}`, `${host}:${await freePort()}`];
    const file = join(temporaryFolder(), "haproxy.cfg");
    writeFileSync(file, configOf(outside, inside, backends));
    proxies.add(spawn(program, ["-db", "-f", file], { stdio: "ignore" }));
    return new StormProxy(`http://${outside}`, `http://${inside}`);
  }

  /** Resolves once it sends requests to so many of each. */
  async serving(counts: Record<Backend, number>): Promise<void> {
    await until(async () => {
      const text = await (await fetch(`${this.#inside}/metrics`)).text();
      for (const [name, count] of Object.entries(counts)) {
        const line = `haproxy_backend_active_servers{proxy="${name}"} ${count}\n`;
        if (!text.includes(line)) throw new Error(`HAProxy doesn't say ${line}`);
      }
    }, servingMsMax);
  }
}
