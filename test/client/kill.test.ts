// The service is killed again and again while programs and a page track: what the boards say then
// is what was tracked, nothing lost and nothing doubled.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { findNodes } from "../../tools/nodes.mjs";
import { freePort } from "../support/free-port.ts";
import { randomFromEnvironment } from "../support/random.ts";
import {
  type RankstreamProcess,
  root,
  startRankstream,
  temporaryFolder,
} from "../support/service.ts";
import { hostPage, launchBrowser } from "./page-host.ts";

type Counts = Record<string, number>;

interface Report {
  version: string;
  tracked: Counts;
  boards: number;
  total: number;
  refused: unknown[];
  errors: number;
  fullTimes: number;
}

const program = join(root, "test", "client", "tracking-program.mjs");
const testMsMax = 180_000;
/** By turns from outside, and by itself between the log's sync and the reply. */
const killsMax = 3;
/** Events taken between two kills, at the least. */
const acceptedMin = 2000;

/** Tracks in a Node of its own until `end`, which resolves to what it says. */
function track(node: string, url: string, eventType: string): { end(): Promise<Report> } {
  const child = spawn(node, [program, url, eventType], { stdio: ["pipe", "pipe", "pipe"] });
  let out = "";
  let error = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    error += text;
  });
  const closed = once(child, "close");
  const end = async () => {
    child.stdin.end();
    const [code] = await closed;
    if (code !== 0) throw new Error(`${node} ended with ${code}\n${error}`);
    return JSON.parse(out) as Report;
  };
  return { end };
}

function pageHtml(serviceUrl: string): string {
  return `<!doctype html><script type="module">
    import { RankstreamClient } from "${serviceUrl}/client.js";
    const client = new RankstreamClient({
      url: "${serviceUrl}",
      tracking: { batchMsMax: 50, onRefused: (refusal) => window.refused.push(refusal) },
    });
    window.refused = [];
    window.tracked = {};
    const timer = setInterval(() => {
      for (let i = 0; i < 10; i++) {
        const eventId = "item-" + Math.floor(30 * Math.random() ** 2);
        if (!client.track({ eventId, eventType: "page" })) continue;
        window.tracked[eventId] = (window.tracked[eventId] ?? 0) + 1;
      }
    }, 20);
    window.finish = async () => {
      clearInterval(timer);
      await client.close({ timeoutMs: 60_000 });
      return { tracked: window.tracked, refused: window.refused };
    };
  </script>`;
}

async function board(service: RankstreamProcess, eventType: string): Promise<Counts> {
  const query = { eventType, timeRange: "all", mode: "exact", k: 1000 };
  const { status, body } = await service.get("/leaderboard", query);
  expect(status, JSON.stringify(body)).toBe(200);
  const rows = body.results as { eventId: string; count: number }[];
  return Object.fromEntries(rows.map(({ eventId, count }) => [eventId, count]));
}

async function openPage(origin: string): Promise<Page> {
  const page = await (await launchBrowser()).newPage();
  await page.goto(origin);
  await page.waitForFunction(() => Object.keys((window as never)["tracked"] ?? {}).length > 0);
  return page;
}

/** Lets some batches through, and then the reply to one of them is never sent. */
const replyNeverSent = (random: { int(low: number, high: number): number }) =>
  `edge.before_reply:${random.int(10, 60)}`;

/** Waits until all that track are at it again, so that the kill meets them. */
async function busy(service: RankstreamProcess): Promise<void> {
  const accepted = async () => (await service.get("/status")).body.accepted.total;
  await expect.poll(accepted, { timeout: 30_000 }).toBeGreaterThan(acceptedMin);
}

it("a service killed under load has counted each event once", { timeout: testMsMax }, async () => {
  const random = randomFromEnvironment("kills under track()");
  const port = await freePort();
  const dataDir = temporaryFolder();
  let serviceUrl = "";
  const origin = await hostPage(() => pageHtml(serviceUrl));
  const start = (failPoint?: string) => {
    const options = { port, dataDir, args: ["--cors-origins", origin] };
    return startRankstream(failPoint === undefined ? options : { ...options, failPoint });
  };
  let service = await start();
  serviceUrl = service.url;
  const nodes = [
    { eventType: "own", program: process.execPath },
    ...findNodes().map(({ major, program: path }) => ({
      eventType: `node-${major}`,
      program: path,
    })),
  ];
  const page = await openPage(origin);
  const tracking = nodes.map((node) => track(node.program, service.url, node.eventType));

  for (let kill = 0; kill < killsMax; kill++) {
    if (kill % 2 === 0) {
      await busy(service);
      await service.kill();
      await new Promise((resolve) => setTimeout(resolve, random.int(0, 1000)));
      service = await start(kill + 1 < killsMax ? replyNeverSent(random) : undefined);
    } else {
      await service.exited;
      service = await start();
    }
  }
  const [inPage, ...reports] = await Promise.all([
    page.evaluate(() => (window as never as { finish(): Promise<Report> }).finish()),
    ...tracking.map(({ end }) => end()),
  ]);
  for (const [i, report] of reports.entries()) {
    const { eventType } = nodes[i]!;
    const sum = Object.values(report.tracked).reduce((all, count) => all + count, 0);
    process.stdout.write(`${report.version}: ${sum} events, ${report.errors} failed attempts\n`);
    expect(report.refused).toEqual([]);
    expect(report.errors).toBeGreaterThan(0);
    expect(await board(service, eventType), report.version).toEqual(report.tracked);
    // Its live board went on, too.
    expect(report.total).toBe(sum);
  }
  expect(reports.some(({ fullTimes }) => fullTimes > 0)).toBe(true);
  expect(inPage.refused).toEqual([]);
  expect(await board(service, "page")).toEqual(inPage.tracked);
});
