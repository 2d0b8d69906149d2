// The API's reference at /docs in a real Chromium, over a real service.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyOf, writeKeys } from "../access/access-fixture.ts";
import { sampleEvents } from "../api/sample-events.ts";
import { launchBrowser, watchPage } from "../support/chromium.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const shownMsMax = 30_000;

describe("the page at /docs", () => {
  let browser: Browser;
  let service: RankstreamProcess;
  let page: Page;
  let complaints: string[] = [];
  let addresses: string[] = [];

  beforeAll(async () => {
    service = await startRankstream();
    await service.post(sampleEvents);
    // An exact answer waits until all of them are counted.
    await service.get("/leaderboard", { eventType: "song_play", mode: "exact" });
    browser = await launchBrowser();
    page = await browser.newPage();
    ({ complaints, addresses } = watchPage(page));
    await page.goto(`${service.url}/docs`);
    await page.locator(".opblock").first().waitFor({ timeout: shownMsMax });
  });
  afterAll(() => browser?.close());

  it("shows every operation, from this service alone", async () => {
    const { body } = await service.get("/openapi.json");
    const told = Object.entries<object>(body.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const shown = await page.locator(".opblock").evaluateAll((blocks) =>
      blocks.map((block) => {
        const text = (name: string) => block.querySelector(name)?.textContent ?? "";
        const path = block.querySelector("[data-path]")?.getAttribute("data-path") ?? "";
        return `${text(".opblock-summary-method")} ${path}`;
      }),
    );
    expect(shown.sort()).toEqual(told.sort());
    expect(complaints).toEqual([]);
    // Pictures of the style sheet are in it.
    const elsewhere = addresses.filter((one) => !one.startsWith(`${service.url}/`));
    expect(elsewhere.filter((one) => !one.startsWith("data:"))).toEqual([]);
  });

  it("asks the service for a leaderboard, with the values of the example", async () => {
    const block = page.locator("#operations-Boards-get_leaderboard");
    await block.locator(".opblock-summary-control").click();
    await block.locator(".execute").click();
    const reply = block.locator(".live-responses-table .response");
    await reply.first().waitFor({ timeout: shownMsMax });
    const asked = addresses.find((one) => one.startsWith(`${service.url}/leaderboard?`));
    const status = await reply.locator(".response-col_status").first().textContent();
    expect([asked, status]).toEqual([asked, "200"]);
    expect(asked).toContain("eventType=song_play");
    expect(await reply.locator(".highlight-code").first().textContent()).toContain('"song_3"');
    expect(complaints).toEqual([]);
  });

  it("asks with the key that is entered, of a service that wants one", async () => {
    const reader = keyOf("reader", { scopes: ["read"] });
    const guarded = await startRankstream({ args: ["--access-keys", writeKeys([reader])] });
    await page.goto(`${guarded.url}/docs`);
    const block = page.locator("#operations-Operations-get_status");
    await block.waitFor({ timeout: shownMsMax });
    const { paths } = (await guarded.get("/openapi.json")).body;
    expect(paths["/status"].get.security).toEqual([{ key: ["read"] }]);
    expect(paths["/health/live"].get.security).toEqual([]);
    await block.locator(".opblock-summary-control").click();
    const status = block.locator(".live-responses-table .response .response-col_status").first();
    await block.locator(".execute").click();
    await status.filter({ hasText: "401" }).waitFor({ timeout: shownMsMax });
    await page.locator(".auth-wrapper .authorize").first().click();
    await page.locator(".modal-ux input").fill(reader.key);
    await page.locator(".modal-ux .authorize").click();
    await page.locator(".modal-ux .btn-done").click();
    await block.locator(".execute").click();
    await status.filter({ hasText: "200" }).waitFor({ timeout: shownMsMax });
    // What the browser says of the 401.
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([]);
    complaints.length = 0;
  });

  it("is served with entity tags, packed, under a policy without eval", async () => {
    const file = `${service.url}/web/docs/swagger-ui-bundle.js`;
    const first = await fetch(file);
    expect(first.headers.get("content-encoding")).toBe("gzip");
    const policy = first.headers.get("content-security-policy")!;
    expect(policy).toContain("script-src 'self';");
    expect((await first.text()).length).toBeGreaterThan(1_000_000);
    const again = await fetch(file, {
      headers: { "if-none-match": first.headers.get("etag")! },
      cache: "no-store",
    });
    expect(again.status).toBe(304);
    expect((await fetch(`${service.url}/docs`)).headers.get("content-type")).toContain("html");
  });
});
