// docs/how-to/from-a-web-page.md in a real Chromium: its page, served by another address.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../support/chromium.ts";
import { blocksOf } from "../support/markdown.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";
import { describePage } from "./page-checks.ts";

const page = "docs/how-to/from-a-web-page.md";
const html = blocksOf(page).find(({ marks }) => marks.file === "page.html")!.text;

let browser: Browser;
let shop: Server;
let shopUrl: string;
let service: RankstreamProcess;
let world: DocWorld;

beforeAll(async () => {
  shop = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(world.real(html));
  });
  await new Promise<void>((resolve) => shop.listen(0, "127.0.0.1", resolve));
  // Another port is another origin.
  shopUrl = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
  service = await startRankstream({ args: ["--cors-origins", shopUrl] });
  world = new DocWorld(service.url);
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  shop?.close();
});

describePage(page, () => world);

describe("the page", () => {
  it("sends what is clicked, and shows the board as it changes", async () => {
    const own = await browser.newPage();
    const complaints: string[] = [];
    own.on("pageerror", (error) => complaints.push(String(error)));
    await own.goto(shopUrl);
    for (const count of [1, 2]) {
      await own.getByRole("button").click();
      await own.getByText(`teapot: ${count}`, { exact: true }).waitFor({ timeout: 30_000 });
    }
    const { body } = await service.get("/leaderboard?eventType=wanted&mode=exact");
    expect(body.results).toMatchObject([{ eventId: "teapot", count: 2 }]);
    expect(complaints).toEqual([]);
  });
});
