// The item panel, what is trending and the status corner, in a real Chromium over a real service.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { courseWords } from "../../src/web/panels/panel-words.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { ItemOracle } from "../oracles/item-oracle.ts";
import { launchBrowser } from "../support/chromium.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { axeFaults, openPage as openIn } from "./browser.ts";

const hourMs = 3_600_000;
const eventType = "play";
const hours = 12;
/** Whole hours of yesterday and before: nothing of it moves while the tests run. */
const from = Math.floor(Date.now() / hourMs - 30) * hourMs;
const to = from + hours * hourMs;
const stretch = { eventType, from, to };
const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
const board = `?eventType=${eventType}&${range}&timeZone=UTC&k=10`;
const number = new Intl.NumberFormat("en");

/** Twenty items in the range, some before it, and one that is only in its second half. */
function makeEvents(random: Random): CountedEvent[] {
  const one = (eventId: string, timeMs: number) => ({ eventId, eventType, timeMs, weight: 1 });
  const within = () => from + random.int(0, hours * hourMs - 1);
  const usual = Array.from({ length: 900 }, () => {
    const eventId = `item ${Math.floor(random.int(0, 399) ** 2 / 8000)}`;
    return [one(eventId, within()), one(eventId, within() - hours * hourMs)];
  });
  const late = () => to - random.int(1, 4 * hourMs);
  const grown = Array.from({ length: 120 }, () => one("مطار دبي", late()));
  // All time is longer than can be ranked month by month.
  const old = one("old", Date.UTC(2001, 0, 1));
  return [...usual.flat(), ...grown, old];
}

let browser: Browser;
let service: RankstreamProcess;
let oracle: ItemOracle;
const dataDir = temporaryFolder();

beforeAll(async () => {
  const launching = launchBrowser();
  service = await startRankstream({ dataDir, args: ["--metrics-interval-ms", "1000"] });
  const events = makeEvents(randomFromEnvironment("panels"));
  const sent = events.map(({ timeMs, eventId }) => ({ eventId, eventType, timestamp: timeMs }));
  expect((await service.post(sent)).body).toMatchObject({ accepted: events.length });
  oracle = new ItemOracle(events);
  browser = await launching;
});
afterAll(() => browser?.close());

type PageOptions = Parameters<typeof openIn>[3];

const openPage = (search: string, options: PageOptions = {}) =>
  openIn(browser, service, search, { locale: "en-GB", ...options });

const factOf = (page: Page, name: string) =>
  page.locator("#item-panel dl div", { hasText: name }).locator("dd");

/** An item's counts hour by hour, by a recount. */
function hourlyOf(eventId: string): number[] {
  const alone = oracle.only(eventType, eventId);
  return Array.from({ length: hours }, (_, i) =>
    alone.total({ eventType, from: from + i * hourMs, to: from + (i + 1) * hourMs }),
  );
}

/** The item panel of the board's row at a place, opened by the keyboard. */
async function openByKeyboard(page: Page, eventId: string): Promise<void> {
  const name = page.locator(`#rows .name[data-item="${eventId}"]`);
  await name.focus();
  await page.keyboard.press("Enter");
  await page.locator("#item-panel h2", { hasText: eventId }).waitFor();
}

const focusIsIn = (page: Page, selector: string) =>
  page.evaluate((wanted) => document.activeElement?.closest(wanted) !== null, selector);

describe("the item panel", () => {
  it("says what a recount says, and is left by Escape to where it was opened", async () => {
    const { page, complaints } = await openPage(board);
    const [truth] = oracle.standings(stretch, ["item 1"]);
    const total = oracle.total(stretch);
    await openByKeyboard(page, "item 1");
    await page.locator(".item-certainty[data-certain=yes]").waitFor();
    expect(await factOf(page, "Count").textContent()).toBe(number.format(truth!.count));
    expect(await factOf(page, "Rank").textContent()).toBe(number.format(truth!.rank!));
    expect(await factOf(page, "Share").textContent()).toContain(`of ${number.format(total)}`);
    const { above, below } = oracle.neighbours(stretch, "item 1", 3);
    const names = await page.locator(".neighbours li :is(button, strong)").allTextContents();
    expect(names).toEqual([...above, { eventId: "item 1" }, ...below].map((row) => row.eventId));

    await page.locator(".step-choice select").selectOption("hour");
    await page.locator("h3", { hasText: "Count by hour" }).waitFor();
    await page.locator("summary", { hasText: "Counts as a table" }).click();
    await page.locator(".plot-table td").first().waitFor();
    const counted = await page.locator(".plot-table td").allTextContents();
    const hourly = hourlyOf("item 1");
    expect(counted).toEqual(hourly.map((count) => number.format(count)));

    for (let i = 0; i < 30; i++) await page.keyboard.press("Tab");
    const isTrapped = await page.evaluate(() => {
      const { activeElement } = document;
      return activeElement === document.body || activeElement?.closest("#item-panel") !== null;
    });
    expect(isTrapped).toBe(true);
    await page.keyboard.press("Escape");
    await page.locator("#item-panel").waitFor({ state: "detached" });
    expect(await focusIsIn(page, '[data-item="item 1"]')).toBe(true);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("goes on to a neighbour, and shows one that never was", async () => {
    const { page, complaints } = await openPage(`${board}&item=item%201`);
    const [next] = oracle.neighbours(stretch, "item 1", 1).below;
    await page.locator(".neighbours button", { hasText: next!.eventId }).first().click();
    await page.locator("#item-panel h2", { hasText: next!.eventId }).waitFor();
    expect(new URL(page.url()).searchParams.get("item")).toBe(next!.eventId);
    expect(await focusIsIn(page, "#item-panel")).toBe(true);
    await page.goto(`${service.url}/${board}&item=nobody`);
    await page.locator(".item-certainty", { hasText: "no event in this range" }).waitFor();
    expect(await factOf(page, "Rank").textContent()).toBe("none");
    await page.goto(`${service.url}/?eventType=${eventType}&timeRange=all&k=10&item=nobody`);
    await page.locator(".item-certainty", { hasText: "no event in this range" }).waitFor();
    await page.locator(".plot-canvas canvas").waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("takes the board to what is drawn over its plot, and by the keyboard to a step", async () => {
    const { page, complaints } = await openPage(`${board}&item=item%200`);
    await page.locator(".step-choice select").selectOption("hour");
    await page.locator("h3", { hasText: "Count by hour" }).waitFor();
    const over = page.locator('.plot[data-kind="counts"] .u-over');
    const box = (await over.boundingBox())!;
    const x = (hour: number) => box.x + (hour / hours) * box.width;
    await page.mouse.move(x(3.5), box.y + 60);
    await page.mouse.down();
    await page.mouse.move(x(4.5), box.y + 60);
    expect(await page.locator(".readout").first().textContent()).toContain("Count: ");
    await page.mouse.move(x(6.5), box.y + 60);
    await page.mouse.up();
    const chosen = { eventType, from: from + 3 * hourMs, to: from + 7 * hourMs };
    const isoOf = (ms: number) => new Date(ms).toISOString();
    const wanted = number.format(oracle.standings(chosen, ["item 0"])[0]!.count);
    await factOf(page, "Count").getByText(wanted, { exact: true }).waitFor();
    const ends = () => {
      const { searchParams } = new URL(page.url());
      return [searchParams.get("from"), searchParams.get("to")];
    };
    expect(ends()).toEqual([isoOf(chosen.from), isoOf(chosen.to)]);

    await page.locator(".step-choice select").selectOption("hour");
    await page.locator("summary", { hasText: "Counts as a table" }).click();
    await page.locator(".plot-table button").nth(1).press("Enter");
    await expect
      .poll(ends, { timeout: 10_000 })
      .toEqual([isoOf(from + 4 * hourMs), isoOf(from + 5 * hourMs)]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("is compared with the period before, on a phone in the dark without a fault", async () => {
    const options = { viewport: { width: 390, height: 800 }, isMobile: true, bypassCSP: true };
    const { page } = await openPage(`${board}&compare=previous&item=item%200`, {
      ...options,
      colorScheme: "dark",
    });
    const before = { eventType, from: from - hours * hourMs, to: from };
    const [was] = oracle.standings(before, ["item 0"]);
    await factOf(page, "Count")
      .getByText(`before: ${number.format(was!.count)}`)
      .waitFor();
    await page.locator(".plot-canvas canvas").first().waitFor();
    const widths = await page.locator("#item-panel").evaluate((panel) => {
      return [panel.scrollWidth, panel.clientWidth, innerWidth];
    });
    expect(widths[0]).toBe(widths[1]);
    expect(widths[0]).toBeLessThanOrEqual(widths[2]!);
    expect(await axeFaults(page)).toEqual([]);
    await page.close();
  });
});

describe("rows", () => {
  it("draw their course, said in words too, and stand still while no rank changes", async () => {
    const live = "rows";
    const post = async (counts: Record<string, number>) => {
      const sent = Object.entries(counts).flatMap(([eventId, count]) =>
        Array.from({ length: count }, () => ({ eventId, eventType: live })),
      );
      expect((await service.post(sent)).status).toBe(202);
    };
    await post({ a: 50, b: 20 });
    const { page, complaints } = await openPage(`${board}`);
    const course = page.locator('#rows tr:has([data-item="item 0"]) .trend svg');
    await course.waitFor();
    expect(await course.getAttribute("aria-label")).toBe(courseWords(hourlyOf("item 0")));

    await page.goto(`${service.url}/?eventType=${live}&timeRange=last_hour&k=10`);
    await page.locator("#rows tr").nth(1).waitFor();
    const tops = await page.locator("#rows").evaluateHandle((list) => {
      const seen = new Set<number>();
      const look = () => {
        const [row] = list.children;
        const place = row!.getBoundingClientRect().top - list.getBoundingClientRect().top;
        seen.add(Math.round(place));
        requestAnimationFrame(look);
      };
      // What comes in at first may still take its place.
      setTimeout(look, 600);
      return seen;
    });
    for (let i = 0; i < 4; i++) {
      await post({ a: 2, b: 1 });
      await page.waitForTimeout(400);
    }
    const grown = page.locator('#rows tr:has([data-item="a"]) .count', { hasText: "58" });
    await grown.waitFor();
    expect(await tops.evaluate((seen) => [...seen])).toEqual([0]);
    expect(complaints).toEqual([]);
    await page.close();
  });
});

describe("trending", () => {
  it("shows what grew and says so in words, without a fault", async () => {
    const { page, complaints } = await openPage(`${board}&view=trending`, { bypassCSP: true });
    const row = page.locator("table.trending tbody tr").first();
    await row.waitFor();
    expect(await row.locator("button").textContent()).toBe("مطار دبي");
    expect(await row.locator(".badge").textContent()).toBe("new");
    expect(await row.locator(".trend-seen").textContent()).toBe("120");
    await page.locator("summary", { hasText: "What this means" }).click();
    expect(await axeFaults(page)).toEqual([]);
    await row.locator("button").click();
    await page.locator("#item-panel h2", { hasText: "مطار دبي" }).waitFor();
    await page.locator(".item-certainty").waitFor();
    expect(await axeFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });
});

// The last: it stops the service.
describe("the service's charts", () => {
  const open = async (page: Page) => {
    await page.locator(".status-button").click();
    await page.locator(".charts-open").click();
    await page.locator("#charts-panel").waitFor();
  };

  it("show what was measured, by keyboard, on a phone in the dark without a fault", async () => {
    const { page, complaints, addresses } = await openPage(board, {
      colorScheme: "dark",
      viewport: { width: 390, height: 844 },
      bypassCSP: true,
    });
    await open(page);
    const chart = (id: string) => page.locator(`.chart[data-chart="${id}"]`);
    for (const id of ["events", "lag", "errors", "cpu", "memory", "disk"]) {
      await chart(id).locator("canvas").waitFor();
    }
    const words = await chart("memory").locator(".chart-canvas").getAttribute("aria-label");
    expect(words).toMatch(/^Memory: memory [\d.]+ MB last, [\d.]+ MB at most$/);
    expect(await chart("errors").locator(".chart-readout").textContent()).toMatch(/^[\d.]+$/);
    await chart("memory").locator("summary").focus();
    await page.keyboard.press("Enter");
    const cells = await chart("memory").locator("td").allTextContents();
    expect(cells.filter((text) => text.endsWith(" MB")).length).toBeGreaterThan(0);
    expect(cells).toContain("–");
    expect(await axeFaults(page)).toEqual([]);
    await page.locator("#charts-panel input").first().focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => addresses.some((address) => address.includes("step=600"))).toBe(true);
    await chart("memory").locator("canvas").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#charts-panel").waitFor({ state: "detached" });
    expect(await focusIsIn(page, ".status-button")).toBe(true);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("say why there are none", async () => {
    const { page } = await openPage(board);
    const empty = { from: "2026-11-24T11:00:00Z", to: "2026-11-24T12:00:00Z", isCut: false };
    let intervalSeconds: number | null = 60;
    await page.route("**/metrics/history*", (route) =>
      route.fulfill({ json: { ...empty, stepSeconds: 60, intervalSeconds, series: [] } }),
    );
    await open(page);
    await page.locator("#charts-panel", { hasText: "comes within 60 seconds" }).waitFor();
    intervalSeconds = null;
    await page.locator("#charts-panel label", { hasText: "Last day" }).click();
    await page.locator("#charts-panel", { hasText: "keeps no samples" }).waitFor();
    await page.locator("#charts-panel .panel-close").click();
    await page.locator("#charts-panel").waitFor({ state: "detached" });
    await page.close();
  });
});

describe("the status corner", () => {
  it("says how the service is, when it is gone, and when it is back", async () => {
    const { page } = await openPage(board, { bypassCSP: true });
    const button = page.locator(".status-button");
    await button.filter({ hasText: "events/s" }).waitFor();
    await button.click();
    const details = page.locator("#status-details");
    await details.filter({ hasText: "nothing waits" }).waitFor();
    expect(await details.textContent()).toContain("ready, running for");
    expect(await axeFaults(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await details.waitFor({ state: "detached" });
    expect(await focusIsIn(page, ".status-button")).toBe(true);
    const level = (name: string) =>
      page.locator(`#state[data-level="${name}"]`).waitFor({ timeout: 20_000 });
    await level("good");
    const port = Number(new URL(service.url).port);
    await service.kill();
    await level("bad");
    service = await startRankstream({ dataDir, port });
    // Or the page would wait for its next try.
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await level("good");
    await page.close();
  });
});
