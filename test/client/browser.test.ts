// The client in a page of another origin than the service's, in a real Chromium.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { beforeAll, expect, it } from "vitest";
import { blocksOf } from "../support/markdown.ts";
import { type RankstreamProcess, root, startRankstream } from "../support/service.ts";
import { hostPage, launchBrowser } from "./page-host.ts";

/** What docs/client.md says of it. */
const clientBytesMax = 10_000;

let browser: Browser;
let service: RankstreamProcess;
let origin: string;
let docsOrigin: string;
beforeAll(async () => {
  let serviceUrl = "";
  origin = await hostPage(
    () => `<!doctype html><script type="module">
      import * as rankstream from "${serviceUrl}/client.js";
      Object.assign(window, rankstream);
      window.connect = (tracking) =>
        new rankstream.RankstreamClient({ url: "${serviceUrl}", tracking });
      window.isLoaded = true;
    </script>`,
  );
  const [shown] = blocksOf("docs/client.md").filter(({ language }) => language === "html");
  docsOrigin = await hostPage(() => shown!.text.replaceAll("http://127.0.0.1:8080", serviceUrl));
  service = await startRankstream({ args: ["--cors-origins", `${origin},${docsOrigin}`] });
  serviceUrl = service.url;
  browser = await launchBrowser();
});

async function openPage(context: BrowserContext | Browser = browser): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin);
  await page.waitForFunction(() => (window as never)["isLoaded"] === true);
  return page;
}

async function count(eventType: string): Promise<number> {
  const query = { eventType, timeRange: "all", mode: "exact" };
  return (await service.get("/leaderboard", query)).body.total;
}

const patience = { timeout: 30_000, interval: 100 };

interface PageClient {
  track(event: object): boolean;
}

/** In the page: a client whose tracker sends nothing by itself for a minute, and its events. */
function hold(
  page: Page,
  eventType: string,
  events: number,
  { isStoring = false } = {},
): Promise<void> {
  return page.evaluate(
    ([type, howMany, stores]) => {
      const { connect } = window as never as { connect(tracking: object): PageClient };
      const storage = stores ? { storage: localStorage } : {};
      const client = connect({ batchMsMax: 60_000, ...storage });
      for (let i = 0; i < howMany; i++) {
        client.track({ eventId: `item-${i % 10}`, eventType: type, sessionId: "s".repeat(40) });
      }
    },
    [eventType, events, isStoring] as const,
  );
}

it("is one small module, for pages of any origin", async () => {
  const { status, headers, body } = await service.get("/client.js");
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(headers.get("access-control-allow-origin")).toBe("*");
  expect(headers.get("cache-control")).toBe("public, max-age=3600");
  const file = readFileSync(join(root, "build", "client.browser.js"), "utf8");
  expect(body).toBe(file);
  expect(gzipSync(file).length).toBeLessThan(clientBytesMax);
  expect(file).not.toMatch(/\bfrom\s*["']|\brequire\(/);
});

it("sends what it holds when the page is left, closed or hidden", async () => {
  const left = await openPage();
  await hold(left, "left", 3);
  await left.goto("about:blank");
  await expect.poll(() => count("left"), patience).toBe(3);

  // Of a context of its own, which outlives it as a browser does.
  const context = await browser.newContext();
  const closed = await openPage(context);
  await hold(closed, "closed", 250);
  await closed.close({ runBeforeUnload: true });
  await expect.poll(() => count("closed"), patience).toBe(250);
  await context.close();

  const hidden = await openPage();
  await hold(hidden, "hidden", 2);
  await hidden.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await expect.poll(() => count("hidden"), patience).toBe(2);
  await hidden.goto("about:blank");
  await left.close();
  await hidden.close();
});

it("leaves to the next page what a closing one may not send", async () => {
  const context = await browser.newContext();
  const first = await openPage(context);
  // Its batches arrive, or some of them, but it never hears of it.
  await first.route("**/events", async (route) => {
    if (route.request().method() === "POST") await route.fetch().catch(() => undefined);
    await route.abort().catch(() => undefined);
  });
  // More than the 64 KiB that may outlive a page.
  await hold(first, "much", 900, { isStoring: true });
  await expect.poll(() => count("much"), patience).toBeGreaterThan(0);
  await first.goto("about:blank");
  await first.close();
  const second = await openPage(context);
  const stored = () => second.evaluate(() => localStorage.length);
  expect(await stored()).toBe(9);
  await hold(second, "", 0, { isStoring: true });
  await expect.poll(() => count("much"), patience).toBe(900);
  await expect.poll(stored, patience).toBe(0);
  // Nothing comes twice.
  await second.close();
  expect(await count("much")).toBe(900);
  await context.close();
});

it("keeps what is tracked offline, beyond the page's end", async () => {
  const context = await browser.newContext();
  const first = await openPage(context);
  await context.setOffline(true);
  await hold(first, "offline", 5, { isStoring: true });
  await first.goto("about:blank");
  await context.setOffline(false);
  const second = await openPage(context);
  expect(await count("offline")).toBe(0);
  await hold(second, "", 0, { isStoring: true });
  await expect.poll(() => count("offline"), patience).toBe(5);
  await context.close();
});

it("does in a page what docs/client.md shows", async () => {
  const page = await browser.newPage();
  await page.goto(docsOrigin);
  await page.click("button");
  const board = () => page.locator("ol").textContent();
  await expect.poll(board, patience).toContain("song_123: 1");
  await page.click("button");
  await expect.poll(board, patience).toContain("song_123: 2");
  await page.close();
});
