// The page at / in a real Chromium, over a real service.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath } from "../support/chromium.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { root } from "../support/source-tree.ts";

const browserArgs = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Of all its files, packed. */
const pageBytesMax = 200 * 1000;

let browser: Browser;
/** Of all tests that don't stop theirs; each has an event type of its own. */
let service: RankstreamProcess;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: chromiumPath(), args: browserArgs });
  service = await startRankstream();
});
afterAll(() => browser?.close());

interface Opened {
  page: Page;
  /** Whatever the page complained of. */
  complaints: string[];
  /** Addresses the page asked for. */
  addresses: string[];
}

async function openPage(
  { url }: RankstreamProcess,
  search = "",
  options: Parameters<Browser["newPage"]>[0] = {},
): Promise<Opened> {
  const page = await browser.newPage(options);
  const complaints: string[] = [];
  const addresses: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("request", (request) => addresses.push(request.url()));
  await page.goto(`${url}/${search}`);
  return { page, complaints, addresses };
}

function events(counts: Record<string, number>, eventType: string): object[] {
  return Object.entries(counts).flatMap(([eventId, count]) =>
    Array.from({ length: count }, () => ({ eventId, eventType })),
  );
}

/** The rows as read off the page: rank, item, count. */
function rowsOf(page: Page): Promise<string[][]> {
  return page
    .locator("#rows tr")
    .evaluateAll((rows) =>
      rows.map((row) =>
        [...row.querySelectorAll(".rank, .name, .count")].map((cell) => cell.textContent ?? ""),
      ),
    );
}

async function untilRows(page: Page, expected: string[][]): Promise<void> {
  await expect.poll(() => rowsOf(page), { timeout: 15_000, interval: 20 }).toEqual(expected);
}

function untilState(page: Page, state: string): Promise<void> {
  return page.locator(`#state[data-state="${state}"]`).waitFor({ timeout: 15_000 });
}

describe("the page", () => {
  // The first test: afterwards the service is not empty any more.
  it("shows how to begin, then the first event by itself", async () => {
    const { page, complaints, addresses } = await openPage(service);
    await page.locator("#empty").waitFor();
    expect(await page.locator("#board").isVisible()).toBe(false);
    const command = await page.locator("#curl").textContent();
    const posted = /^curl -d '(.+)' -H (\S+):(\S+) (\S+)$/.exec(command ?? "");
    expect(posted?.slice(2)).toEqual([
      "content-type",
      "application/json",
      `${service.url}/events`,
    ]);
    const reply = await service.post(posted![1]!, { contentType: "application/json" });
    expect(reply.status).toBe(202);
    await untilRows(page, [["1", "song_123", "1"]]);
    expect(await page.locator("#empty").isVisible()).toBe(false);
    expect(new URL(page.url()).search).toBe("?eventType=song_play&timeRange=last_hour&k=10");
    expect(complaints).toEqual([]);
    const origins = new Set(addresses.map((address) => new URL(address).host));
    expect([...origins]).toEqual([new URL(service.url).host]);
    await page.close();
  });

  it("follows what is counted within about a second, and says what is certain", async () => {
    await service.post(events({ a: 5, b: 3, '<b>"c"</b>': 1 }, "followed"));
    const { page, complaints } = await openPage(service, "?eventType=followed");
    await untilRows(page, [
      ["1", "a", "5"],
      ["2", "b", "3"],
      ["3", '<b>"c"</b>', "1"],
    ]);
    // A busy machine may first say that the newest events may not be in yet.
    await page.locator("#certainty", { hasText: /^All 3 ranks are proven exact\.$/ }).waitFor();
    expect(await page.locator("#total").textContent()).toBe("9");
    expect(await page.locator("#distinct").textContent()).toBe("3");
    const delays: number[] = [];
    for (let round = 1; round <= 5; round++) {
      const reply = await service.post(events({ b: 3 }, "followed"));
      const started = Date.now();
      expect(reply.status).toBe(202);
      const count = String(3 + round * 3);
      await page.locator("#rows tr", { hasText: "b" }).getByText(count, { exact: true }).waitFor();
      delays.push(Date.now() - started);
    }
    await untilRows(page, [
      ["1", "b", "18"],
      ["2", "a", "5"],
      ["3", '<b>"c"</b>', "1"],
    ]);
    expect(delays.sort((a, b) => a - b)[2], `delays ${delays}`).toBeLessThan(1500);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("shows what its address says, and says what is chosen", async () => {
    await service.post(events({ a: 5, b: 3, c: 1 }, "play"));
    await service.post(events({ x: 2, y: 1 }, "view"));
    const { page, complaints } = await openPage(
      service,
      "?eventType=view&timeRange=last_2_hours&k=1",
    );
    await untilRows(page, [["1", "x", "2"]]);
    await page.getByLabel("Rows").selectOption("5");
    await untilRows(page, [
      ["1", "x", "2"],
      ["2", "y", "1"],
    ]);
    await page.getByLabel("Event type").selectOption("play");
    await untilRows(page, [
      ["1", "a", "5"],
      ["2", "b", "3"],
      ["3", "c", "1"],
    ]);
    expect(new URL(page.url()).search).toBe("?eventType=play&timeRange=last_2_hours&k=5");
    await page.getByLabel("Time range").selectOption("yesterday");
    await page.locator("#no-rows").waitFor();
    await page.getByRole("button", { name: "Show all time" }).click();
    await untilRows(page, [
      ["1", "a", "5"],
      ["2", "b", "3"],
      ["3", "c", "1"],
    ]);
    await page.goBack();
    await page.locator("#no-rows").waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("says what is wrong with its address", async () => {
    await service.post(events({ a: 5 }, "wrong"));
    const { page } = await openPage(service, "?eventType=wrong&timeRange=soon&k=10");
    await page.locator("#problem", { hasText: 'got "soon"' }).waitFor();
    await page.getByLabel("Time range").selectOption("all");
    await untilRows(page, [["1", "a", "5"]]);
    expect(await page.locator("#problem").isVisible()).toBe(false);
    await page.close();
  });

  it("comes back when the service does", async () => {
    const dataDir = temporaryFolder();
    const first = await startRankstream({ dataDir });
    await first.post(events({ a: 2, b: 1 }, "kept"));
    const { page } = await openPage(first);
    await untilRows(page, [
      ["1", "a", "2"],
      ["2", "b", "1"],
    ]);
    await first.stop();
    await untilState(page, "lost");
    expect(await rowsOf(page)).toHaveLength(2);
    const port = Number(new URL(first.url).port);
    const second = await startRankstream({ dataDir, port });
    await untilState(page, "open");
    await second.post(events({ b: 4 }, "kept"));
    await untilRows(page, [
      ["1", "b", "5"],
      ["2", "a", "2"],
    ]);
    await second.kill();
    await untilState(page, "lost");
    await page.close();
  });
});

describe("its form", () => {
  it("fits a phone, in either light, whatever the ids are", async () => {
    await service.post(events({ ["wide".repeat(100)]: 4, "two words": 3, ok: 1 }, "wide"));
    for (const [width, colorScheme] of [
      [320, "light"],
      [360, "dark"],
      [1440, "dark"],
    ] as const) {
      const viewport = { width, height: 700 };
      const { page, complaints } = await openPage(service, "?eventType=wide", {
        viewport,
        colorScheme,
      });
      await page.locator("#rows tr").nth(2).waitFor();
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow, `at ${width}`).toBeLessThanOrEqual(0);
      for (const selector of [".share", ".count", ".rank"]) {
        const box = await page.locator(`#rows tr:first-child ${selector}`).boundingBox();
        expect(box!.x + box!.width, `${selector} at ${width}`).toBeLessThanOrEqual(width);
      }
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = Number(/\d+/.exec(ground)?.[0]) > 128;
      expect(light).toBe(colorScheme === "light");
      expect(complaints).toEqual([]);
      await page.close();
    }
  });

  it("moves rows that change rank, and doesn't for readers who don't want it", async () => {
    await service.post(events({ a: 2, b: 1 }, "moving"));
    for (const reducedMotion of ["no-preference", "reduce"] as const) {
      const { page } = await openPage(service, "?eventType=moving", { reducedMotion });
      await page.locator("#rows tr").nth(1).waitFor();
      await page.evaluate(() => {
        const animate = Element.prototype.animate;
        Element.prototype.animate = function (this: Element, ...given) {
          document.body.dataset["moves"] = "yes";
          return animate.apply(this, given);
        };
      });
      const [first, second] = await rowsOf(page);
      await service.post(events({ [second![1]!]: 2 }, "moving"));
      await expect
        .poll(async () => (await rowsOf(page))[0]?.[1], { timeout: 15_000 })
        .toBe(second![1]);
      expect(first).toBeDefined();
      const moved = await page.evaluate(() => document.body.dataset["moves"] === "yes");
      expect(moved, reducedMotion).toBe(reducedMotion === "no-preference");
      await page.close();
    }
  });

  it("is a table with a name and heads, and can be worked by keys", async () => {
    await service.post(events({ a: 2, b: 1 }, "named"));
    const { page } = await openPage(service, "?eventType=named");
    await page.getByRole("table", { name: "named, last hour" }).waitFor();
    await page.getByRole("rowheader", { name: "a", exact: true }).waitFor();
    const heads = await page.getByRole("columnheader").allTextContents();
    expect(heads).toEqual(["Rank", "Item", "Count", "Share"]);
    const focused = () => page.evaluate(() => document.activeElement?.id);
    await page.getByLabel("Time range").focus();
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("k");
    await page.keyboard.press("2");
    await expect.poll(() => new URL(page.url()).searchParams.get("k")).toBe("20");
    await page.close();
  });

  it("shows labels as text, and links only to http and https", async () => {
    await service.post(events({ a: 3, b: 2 }, "labelled"));
    const { page, complaints } = await openPage(service, "?eventType=labelled");
    await untilRows(page, [
      ["1", "a", "3"],
      ["2", "b", "2"],
    ]);
    const put = (eventId: string, label: object) =>
      service.request(`/items/labelled/${eventId}`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(label),
      });
    await put("a", { label: "<img src=x onerror=alert(1)>", url: "https://a.example/?q=\"'<" });
    await put("b", { label: "Just B" });
    await untilRows(page, [
      ["1", "<img src=x onerror=alert(1)>", "3"],
      ["2", "Just B", "2"],
    ]);
    const links = page.locator("#rows a");
    expect(await links.evaluateAll((all) => all.map((a) => a.getAttribute("href")))).toEqual([
      "https://a.example/?q=\"'<",
    ]);
    expect(await page.locator("#rows .name").first().getAttribute("title")).toBe("a");
    await put("a", { label: null, url: null });
    await untilRows(page, [
      ["1", "a", "3"],
      ["2", "Just B", "2"],
    ]);
    expect(await links.count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("is small", () => {
    const folder = join(root, "build", "web");
    const own = readdirSync(folder).filter((name) => /\.(?:html|css|js|svg)$/.test(name));
    const bytes = own.reduce((sum, name) => {
      return sum + gzipSync(readFileSync(join(folder, name))).length;
    }, 0);
    expect(bytes).toBeLessThan(pageBytesMax);
  });
});
