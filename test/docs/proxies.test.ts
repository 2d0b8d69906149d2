// docs/how-to/behind-a-proxy.md and behind-a-cdn.md: the files there, loaded by the real HAProxy,
// Caddy and nginx in front of two real nodes, of which one after the other is stopped.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { findCaddy, findHaproxy, findNginx } from "../../tools/services.mjs";
import { freePort } from "../support/free-port.ts";
import { blocksOf } from "../support/markdown.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { until as untilWithin } from "../support/until.ts";
import { DocWorld } from "./doc-world.ts";
import { describePage } from "./page-checks.ts";

const page = "docs/how-to/behind-a-proxy.md";
const waitMsMax = 30_000;
const until = <T>(look: () => Promise<T>) => untilWithin(look, waitMsMax);
const board = "eventType=song_play&timeRange=last_hour";

let service: RankstreamProcess;
const nodes: RankstreamProcess[] = [];
const ports: number[] = [];
const proxies = new Set<ChildProcess>();
let world: DocWorld;

async function startNode(index: number): Promise<void> {
  const args = ["--role", "edge,query", "--upstream", service.url];
  nodes[index] = await startRankstream({ port: ports[index]!, args });
}

beforeAll(async () => {
  ports.push(await freePort(), await freePort());
  service = await startRankstream();
  await Promise.all([startNode(0), startNode(1)]);
  world = new DocWorld(
    service.url,
    new Map([
      ["10.0.0.2:8080", `127.0.0.1:${ports[0]}`],
      ["10.0.0.3:8080", `127.0.0.1:${ports[1]}`],
    ]),
  );
});

afterAll(async () => {
  for (const proxy of proxies) {
    proxy.kill("SIGKILL");
    if (proxy.exitCode === null && proxy.signalCode === null) await once(proxy, "exit");
  }
});

interface Proxy {
  name: string;
  file: string;
  program: () => string | undefined;
  args: (file: string, folder: string) => string[];
  /** Where it may write, beside what the page says. */
  adapt?: (text: string, folder: string) => string;
}

const proxyKinds: Proxy[] = [
  {
    name: "HAProxy",
    file: "haproxy.cfg",
    program: findHaproxy,
    args: (file) => ["-db", "-f", file],
  },
  {
    name: "Caddy",
    file: "Caddyfile",
    program: findCaddy,
    args: (file) => ["run", "--adapter", "caddyfile", "--config", file],
  },
  {
    name: "nginx",
    file: "nginx.conf",
    program: findNginx,
    args: (file, folder) => ["-c", file, "-p", folder, "-g", "daemon off; pid nginx.pid;"],
    adapt: (text, folder) => text.replace("http {", `http {\n  access_log ${folder}/access.log;`),
  },
];

function blockNamed(file: string): string {
  const block = blocksOf(page).find(({ marks }) => marks.file === file);
  if (block === undefined) throw new Error(`${page} has no ${file}`);
  return block.text;
}

/** Starts it on a free port; its address. */
async function startProxy(kind: Proxy): Promise<string> {
  const port = await freePort();
  const folder = temporaryFolder();
  const listening = blockNamed(kind.file).replaceAll(/(:|listen )8000\b/g, (_, before) => {
    return `${before === ":" && kind.name === "HAProxy" ? "127.0.0.1:" : before}${port}`;
  });
  const file = world.write(kind.file, kind.adapt?.(listening, folder) ?? listening);
  const program = kind.program();
  if (program === undefined) throw new Error(`no ${kind.name}: npm run test:services brings it`);
  const env = { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(program, kind.args(file, folder), { stdio: "ignore", env, cwd: folder });
  proxies.add(child);
  const url = `http://127.0.0.1:${port}`;
  await until(async () => expect((await fetch(`${url}/health/ready`)).status).toBe(200));
  return url;
}

async function post(url: string, eventId: string): Promise<void> {
  const reply = await fetch(`${url}/events`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": eventId },
    body: JSON.stringify({ eventId, eventType: "song_play" }),
  });
  if (reply.status !== 202) throw new Error(`${reply.status} ${await reply.text()}`);
}

async function idsOf(url: string): Promise<string[]> {
  const reply = await fetch(`${url}/leaderboard?${board}&mode=exact&k=1000`);
  if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`);
  const { results } = (await reply.json()) as { results: { eventId: string; count: number }[] };
  return results.flatMap(({ eventId, count }) => Array<string>(count).fill(eventId));
}

/** The ids of the first board that comes over the WebSocket. */
async function liveIds(url: string): Promise<string[]> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/live`);
  try {
    await once(socket, "open");
    const query = { eventType: "song_play", timeRange: "last_hour", k: "1000" };
    socket.send(JSON.stringify({ type: "subscribe", id: "a", query }));
    const [message] = await once(socket, "message");
    const { board: first } = JSON.parse(String(message));
    return first.results.map(({ eventId }: { eventId: string }) => eventId);
  } finally {
    socket.terminate();
  }
}

/** The same of the first server-sent event. */
async function streamedIds(url: string): Promise<string[]> {
  const stop = new AbortController();
  const reply = await fetch(`${url}/live/events?${board}&k=1000`, { signal: stop.signal });
  try {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of reply.body!) {
      text += decoder.decode(chunk, { stream: true });
      const data = /^data: ?(.+)$/m.exec(text)?.[1];
      if (data === undefined || !/\n\n/.test(text.slice(text.indexOf(data)))) continue;
      const { board: first } = JSON.parse(data);
      return first.results.map(({ eventId }: { eventId: string }) => eventId);
    }
    throw new Error(`the stream ended after ${text}`);
  } finally {
    stop.abort();
  }
}

/** An event goes in and is seen on every way out. */
async function passes(url: string, eventId: string): Promise<void> {
  await until(() => post(url, eventId));
  await until(async () =>
    expect((await idsOf(url)).filter((id) => id === eventId)).toEqual([eventId]),
  );
  await until(async () => expect(await liveIds(url)).toContain(eventId));
  await until(async () => expect(await streamedIds(url)).toContain(eventId));
}

describePage(page, () => world);

describe.each(proxyKinds)("$name", (kind) => {
  it("passes all there is, whichever node is down", async () => {
    const url = await startProxy(kind);
    await passes(url, `${kind.file}-both`);
    for (const index of [0, 1]) {
      await nodes[index]!.kill();
      await passes(url, `${kind.file}-without-${index}`);
      await startNode(index);
    }
  }, 120_000);
});
