// GET /live/events over real services: a browser's EventSource that outlives a restart, and a
// stateless node that streams what the service behind it counts.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { StreamClient } from "../api/live-fixture.ts";
import { launchBrowser } from "../support/chromium.ts";
import { freePort } from "../support/free-port.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const dataDir = temporaryFolder();
const query = "eventType=t&timeRange=all";
const patience = { timeout: 20_000, interval: 50 };
let browser: Browser;
let service: RankstreamProcess;
let port: number;

beforeAll(async () => {
  port = await freePort();
  service = await startRankstream({ dataDir, port });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await service.stop();
});

const post = (to: RankstreamProcess) => to.post([{ eventId: "a", eventType: "t" }]);

interface Seen {
  type: string;
  id: string;
  total: unknown;
}

it("a stateless node streams, and goes on from the last event seen", async () => {
  const args = ["--role", "edge,query", "--upstream", service.url];
  const node = await startRankstream({ args });
  const { hostname: host, port: nodePort } = new URL(node.url);
  const address = { host, port: Number(nodePort) };
  await expect.poll(async () => (await node.get("/health/ready")).status, patience).toBe(200);
  const client = await StreamClient.open(address, query);
  const first = await client.until(({ type }) => type === "board");
  expect(first.data.board.total).toBe(0);
  client.close();
  expect((await post(node)).status).toBe(202);
  const after = await StreamClient.open(address, query, { "last-event-id": first.id as string });
  const diff = await after.until(({ data }) => data.changes?.set?.total === 1);
  expect([after.events[0]?.type, diff.data.seq > first.data.seq]).toEqual(["diff", true]);
  // Its stream is open still: the stop doesn't wait for it.
  await node.stop();
  await expect.poll(() => after.isEnded, patience).toBe(true);
});

it("an EventSource comes back after a restart, with the id of what it saw last", async () => {
  const page = await browser.newPage();
  const asked: (string | undefined)[] = [];
  page.on("response", async (response) => {
    const request = response.request();
    if (!request.url().includes("/live/events")) return;
    asked.push((await request.allHeaders())["last-event-id"]);
  });
  await page.goto(`${service.url}/`);
  await page.evaluate((search) => {
    const source = new EventSource(`/live/events?${search}`);
    const seen: Seen[] = [];
    Object.assign(globalThis, { seen });
    for (const type of ["board", "diff"]) {
      source.addEventListener(type, ({ data, lastEventId: id }) => {
        const { board, changes } = JSON.parse(data);
        seen.push({ type, id, total: (board ?? changes.set)?.total });
      });
    }
  }, query);
  const seen = () => page.evaluate(() => (globalThis as unknown as { seen: Seen[] }).seen);
  const totals = async () => (await seen()).map(({ total }) => total);
  await expect.poll(async () => (await totals()).includes(1), patience).toBe(true);
  await post(service);
  await expect.poll(async () => (await totals()).includes(2), patience).toBe(true);
  await service.stop();
  const before = await seen();
  service = await startRankstream({ dataDir, port });
  await post(service);
  await expect.poll(async () => (await totals()).includes(3), patience).toBe(true);
  // The service that knew that board is gone: the whole comes first.
  expect((await seen())[before.length]?.type).toBe("board");
  await expect.poll(() => asked, patience).toEqual([undefined, before.at(-1)?.id]);
  await page.close();
});
