// A key for the dashboard: asked for, kept in the tab, sent, forgotten; over each HTTP server.
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyOf, writeKeys } from "../access/access-fixture.ts";
import { launchBrowser } from "../support/chromium.ts";
import { httpServers } from "../support/http-servers.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { axeFaults, events, openPage, overflowOf, untilRows, untilState } from "./browser.ts";

const reader = keyOf("reader", { scopes: ["read"] });
const limited = keyOf("limited", { scopes: ["read"], eventTypes: ["play"] });
const sender = keyOf("sender", { scopes: ["ingest"] });
const owner = keyOf("owner");
const board = "?eventType=play&timeRange=all&k=5";
const rows = [
  ["1", "a", "3"],
  ["2", "b", "2"],
];

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** A service that counts `rows`, and the file of its keys. */
async function guarded(server: string) {
  const path = writeKeys([reader, limited, sender, owner]);
  const args = ["--access-keys", path, "--http-server", server, "--embed-origins", "own"];
  const service = await startRankstream({ args });
  const sent = await service.post(events({ a: 3, b: 2 }, "play"), { headers: owner.headers });
  expect(sent.status).toBe(202);
  return { service, path };
}

/** What a browser says of 401 and 403, and of a socket that isn't let in. */
function expectQuiet(complaints: readonly string[]): void {
  const isOfKey = (one: string) => /status of 40[13]|WebSocket connection to/.test(one);
  expect(complaints.filter((one) => !isOfKey(one))).toEqual([]);
}

const dialog = (page: Page) => page.getByRole("dialog", { name: "A key is needed" });

async function enter(page: Page, key: string): Promise<void> {
  await dialog(page).getByLabel("Key").fill(key);
  await page.keyboard.press("Enter");
}

const kept = (page: Page) => page.evaluate(() => sessionStorage.getItem("rankstream-key"));

describe.each(httpServers)("a dashboard with a key, over %s", (server) => {
  let service: RankstreamProcess;
  let path: string;
  beforeAll(async () => {
    ({ service, path } = await guarded(server));
  });

  it("asks for it, tries it, sends it with all that it asks, and is live", async () => {
    const { page, complaints } = await openPage(browser, service, board);
    const asked: [path: string, key: string | undefined][] = [];
    page.on("request", (request) => {
      asked.push([new URL(request.url()).pathname, request.headers()["authorization"]]);
    });
    const sockets: string[] = [];
    page.on("websocket", (socket) => {
      socket.on("framereceived", () => sockets.push(socket.url()));
    });
    await dialog(page).waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("key-field");
    await enter(page, keyOf("reader").key);
    await dialog(page).getByRole("alert").filter({ hasText: "The key is not valid" }).waitFor();
    await enter(page, sender.key);
    await dialog(page).getByRole("alert").filter({ hasText: "scope read" }).waitFor();
    asked.length = 0;
    await enter(page, reader.key);
    await untilRows(page, rows);
    await untilState(page, "open");
    await dialog(page).waitFor({ state: "detached" });
    await service.post(events({ b: 2 }, "play"), { headers: owner.headers });
    await untilRows(page, [
      ["1", "b", "4"],
      ["2", "a", "3"],
    ]);
    await service.post(events({ a: 1 }, "play"), { headers: owner.headers });
    expect(sockets).not.toEqual([]);
    expect(asked.map(([name]) => name)).toContain("/event-types");
    expect(asked.filter(([, key]) => key !== reader.headers.authorization)).toEqual([]);
    const { url } = service;
    expect([page.url(), await kept(page)]).toEqual([`${url}/${board}`, reader.key]);
    expect(
      await page.evaluate(() => JSON.stringify([localStorage, document.cookie])),
    ).not.toContain("rsk_");
    expectQuiet(complaints);
    await page.close();
  });

  it("asks again once the key is revoked, and goes on with another one", async () => {
    const { page, complaints } = await openPage(browser, service, `${board}#key=${limited.key}`);
    await page.locator("#rows tr").first().waitFor();
    await untilState(page, "open");
    writeKeys([reader, sender, owner], path);
    await dialog(page).waitFor();
    await dialog(page).getByText("The key is not valid").waitFor();
    expect(await kept(page)).toBeNull();
    await page.locator("#state", { hasText: "A key is needed" }).waitFor();
    await enter(page, reader.key);
    await page.locator("#state", { hasText: "Live" }).waitFor();
    await untilState(page, "open");
    writeKeys([reader, limited, sender, owner], path);
    expectQuiet(complaints);
    await page.close();
  });
});

describe("a key", () => {
  let service: RankstreamProcess;
  beforeAll(async () => {
    ({ service } = await guarded("fastify"));
  });
  const open = (search: string, options: BrowserContextOptions = {}) =>
    openPage(browser, service, search, options);

  it("is taken from the address, and from there alone", async () => {
    const context = await browser.newContext({
      permissions: ["clipboard-read", "clipboard-write"],
    });
    const page = await context.newPage();
    const seen: string[] = [];
    await page.goto(`${service.url}/${board}#key=${reader.key}`);
    await untilRows(page, rows);
    expect(page.url()).toBe(`${service.url}/${board}`);
    await page.locator("#share").click();
    for (const words of ["Copy link", "Copy as curl", "Copy as JSON", "Copy embed code"]) {
      await page.getByRole("button", { name: words }).click();
      await page.getByText(`${words.replace("Copy", "Copied")}.`).waitFor();
      seen.push(await page.evaluate(() => navigator.clipboard.readText()));
    }
    expect(seen.join("\n")).not.toContain("rsk_");
    expect(seen[1]).toContain('curl -H "Authorization: Bearer $RANKSTREAM_KEY" ');
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download CSV" }).click();
    expect((await saved).suggestedFilename()).toBe("leaderboard.csv");
    // Another one in the address begins anew: nothing of the first stays.
    await page.evaluate((key) => location.assign(`#key=${key}`), limited.key);
    await expect.poll(() => kept(page)).toBe(limited.key);
    await untilRows(page, rows);
    expect(page.url()).not.toContain("rsk_");
    await context.close();
  });

  it("is forgotten by a button, with all that was shown", async () => {
    const { page } = await open(`${board}#key=${reader.key}`);
    await untilRows(page, rows);
    await page.getByRole("button", { name: "Forget key" }).click();
    await dialog(page).waitFor();
    expect([await kept(page), await page.locator("#rows tr").count()]).toEqual([null, 0]);
    // Closed, it can be opened again.
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Enter a key" }).click();
    await dialog(page).waitFor();
    await page.close();
  });

  it("asks nothing while it is missing", async () => {
    const { page } = await open(board);
    await dialog(page).waitFor();
    await page.waitForLoadState("networkidle");
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("websocket", (socket) => asked.push(socket.url()));
    await page.waitForTimeout(5000);
    expect(asked).toEqual([]);
    await page.close();
  });

  it("that lacks a scope or a type is said where that is needed", async () => {
    const { page, complaints } = await open(`${board}#key=${limited.key}`);
    await untilRows(page, rows);
    await page.locator(".status-button").click();
    await page.locator(".charts-open").click();
    const charts = page.locator("#charts-panel");
    await charts.getByRole("alert").filter({ hasText: "for some event types only" }).waitFor();
    await page.goto(`${service.url}/?eventType=other&timeRange=all`);
    await page.locator("#problem", { hasText: "is not for the event type" }).waitFor();
    expectQuiet(complaints);
    await page.close();
    const empty = await startRankstream({ args: ["--access-keys", writeKeys([reader])] });
    const first = await openPage(browser, empty, `#key=${reader.key}`);
    const button = first.page.getByRole("button", { name: "Load the sample" });
    await button.click();
    await first.page.getByText("needs a key with the scopes ingest and admin").waitFor();
    expect(await first.page.locator("#curl").textContent()).toContain("Bearer $RANKSTREAM_KEY");
    await first.page.close();
  });

  it("is asked for without a fault, dark and on a phone too", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const viewport = { width: colorScheme === "dark" ? 360 : 1200, height: 760 };
      const { page } = await open(board, { colorScheme, viewport, bypassCSP: true });
      await dialog(page).waitFor();
      await enter(page, "no key");
      await dialog(page).getByRole("alert").filter({ hasText: "This is no key" }).waitFor();
      expect(await axeFaults(page)).toEqual([]);
      await page.keyboard.press("Escape");
      expect(await axeFaults(page)).toEqual([]);
      expect(await overflowOf(page)).toBe(0);
      await page.close();
    }
  });

  it("is not asked for within a page of others", async () => {
    const { page } = await open(`${board}&embed=1`);
    await page.locator("#key-needed").waitFor();
    expect(await dialog(page).count()).toBe(0);
    expect(await page.getByRole("button", { name: "Enter a key" }).count()).toBe(0);
    await page.close();
    // Its own page may bring one.
    const brought = await open(`${board}&embed=1#key=${limited.key}`);
    await untilRows(brought.page, rows);
    expect(brought.page.url()).not.toContain("rsk_");
    await brought.page.close();
  });

  it("of the dashboard is sent by the page at /docs, and not shown there", async () => {
    const { page, complaints } = await open(`${board}#key=${reader.key}`);
    await untilRows(page, rows);
    await page.getByRole("link", { name: /^API/ }).click();
    const block = page.locator("#operations-Operations-get_status");
    await block.locator(".opblock-summary-control").click();
    await block.locator(".execute").click();
    const status = block.locator(".live-responses-table .response .response-col_status").first();
    await status.filter({ hasText: "200" }).waitFor();
    expect(await block.locator(".curl-command").textContent()).toContain("/status");
    expect(await page.locator("body").textContent()).not.toContain("rsk_");
    await page.locator("#forget-key").click();
    await block.waitFor();
    expect([await kept(page), await page.locator("#forget-key").count()]).toEqual([null, 0]);
    // What Swagger UI says of an address of its own.
    expect(complaints.filter((one) => !one.startsWith("Deprecated: "))).toEqual([]);
    await page.close();
  });
});
