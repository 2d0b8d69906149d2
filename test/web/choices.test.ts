// What a reader can choose on the board: each choice is in the address, and back undoes it.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../support/chromium.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { events, openPage, untilRows } from "./browser.ts";

let browser: Browser;
let service: RankstreamProcess;
beforeAll(async () => {
  const options = { args: ["--embed-origins", "own"] };
  [browser, service] = await Promise.all([launchBrowser(), startRankstream(options)]);
});
afterAll(() => browser?.close());

function asked(page: Page): URLSearchParams {
  return new URL(page.url()).searchParams;
}

const hourMs = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

describe("the sample", () => {
  // The first test: it begins with an empty service.
  it("is loaded by a button, and counts once however often", async () => {
    const opened = await Promise.all([openPage(browser, service), openPage(browser, service)]);
    const [{ page, complaints }, second] = opened;
    const buttons = opened.map(({ page }) =>
      page.getByRole("button", { name: "Load the sample" }),
    );
    await Promise.all(buttons.map((button) => button.waitFor()));
    await Promise.all(buttons.map((button) => button.click()));
    await page.locator("#certainty", { hasText: "proven" }).waitFor();
    await page.locator("#total", { hasText: /^17,370$/ }).waitFor();
    await second.page.close();
    expect(asked(page).get("eventType")).toBe("flight_to");
    const first = page.locator("#rows tr").first();
    expect(await first.locator(".name").textContent()).toBe("Chicago (ORD)");
    await first.locator(".trend svg, .trend canvas").waitFor();
    // Of the two who loaded it, the second is told that each batch was counted: 422.
    expect(complaints.filter((line) => !line.includes("status of 422"))).toEqual([]);
    await page.close();
    const { body } = await service.get("/event-types");
    const totals = body.eventTypes.map(({ name, total }: Record<string, unknown>) => [
      name,
      total,
    ]);
    expect(Object.fromEntries(totals)).toEqual({ flight_to: 17_370, flight_route: 17_370 });
  });
});

describe("a choice", () => {
  it("of types, rows and range is in the address", async () => {
    await service.post(events({ a: 5, b: 3, c: 1 }, "play"));
    await service.post(events({ x: 2, a: 1 }, "view"));
    const search = "?eventType=view&timeRange=last_2_hours&k=1";
    const { page, complaints } = await openPage(browser, service, search);
    await untilRows(page, [["1", "x", "2"]]);
    await page.getByLabel("Rows").selectOption("5");
    await untilRows(page, [
      ["1", "x", "2"],
      ["2", "a", "1"],
    ]);
    await page.locator("#event-type").click();
    await page.getByLabel("Search event types").fill("pla");
    await page.getByRole("checkbox", { name: "Sum with play" }).check();
    await untilRows(page, [
      ["1", "a", "6"],
      ["2", "b", "3"],
      ["3", "x", "2"],
      ["4", "c", "1"],
    ]);
    expect(asked(page).getAll("eventType")).toEqual(["view", "play"]);
    await page.getByLabel("Search event types").press("Enter");
    await untilRows(page, [
      ["1", "a", "5"],
      ["2", "b", "3"],
      ["3", "c", "1"],
    ]);
    await page.locator("#time-range").click();
    await page.getByRole("button", { name: "Yesterday" }).click();
    await page.locator("#no-rows").waitFor();
    expect(asked(page).get("timeZone")).not.toBeNull();
    await page.getByRole("button", { name: "Show all time" }).click();
    await page.locator("#rows tr").nth(2).waitFor();
    await page.goBack();
    await page.locator("#no-rows").waitFor();
    await page.goForward();
    await page.locator("#rows tr").nth(2).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("of two moments is of the zone chosen, and steps by as long", async () => {
    const timestamp = "2026-03-28T23:30:00Z";
    await service.post(events({ night: 4 }, "dated", { timestamp }));
    const { page } = await openPage(browser, service, "?eventType=dated&timeRange=all");
    await untilRows(page, [["1", "night", "4"]]);
    await page.locator("#time-range").click();
    await page.getByLabel("Time zone").selectOption("Europe/Berlin");
    await page.getByLabel("From", { exact: true }).fill("2026-03-29T00:00");
    await page.getByLabel("To (not included)").fill("2026-03-28T00:00");
    await page.getByRole("button", { name: "Show this range" }).click();
    await page.getByText("The end must come after the start.").waitFor();
    await page.getByLabel("To (not included)").fill("2026-03-30T00:00");
    await page.getByRole("button", { name: "Show this range" }).click();
    // The day on which the clocks go forward has 23 hours there.
    await expect.poll(() => asked(page).get("from")).toBe("2026-03-28T23:00:00.000Z");
    expect(asked(page).get("to")).toBe("2026-03-29T22:00:00.000Z");
    await untilRows(page, [["1", "night", "4"]]);
    await page.getByRole("button", { name: "The period before" }).click();
    await page.locator("#no-rows").waitFor();
    expect(asked(page).get("from")).toBe("2026-03-27T23:00:00.000Z");
    await page.getByRole("button", { name: "The period after" }).click();
    await untilRows(page, [["1", "night", "4"]]);
    await page.close();
  });

  it("of filters shows as chips, and takes them away", async () => {
    const of = (country: string) => ({ metadata: { country } });
    await service.post(events({ a: 3 }, "filtered", of("DE")));
    await service.post(events({ b: 5, a: 1 }, "filtered", of("FR")));
    const { page } = await openPage(browser, service, "?eventType=filtered");
    await untilRows(page, [
      ["1", "b", "5"],
      ["2", "a", "4"],
    ]);
    await page.locator("#filters").click();
    await page.getByRole("textbox", { name: "Key" }).fill("country");
    await page.getByLabel("Value").fill("DE");
    await page.getByRole("button", { name: "Add filter" }).click();
    await untilRows(page, [["1", "a", "3"]]);
    expect(asked(page).get("filter.country")).toBe("DE");
    await page.getByRole("button", { name: "Remove the filter country is DE" }).click();
    await untilRows(page, [
      ["1", "b", "5"],
      ["2", "a", "4"],
    ]);
    await page.close();
  });

  it("to compare says what each row was, and who dropped out", async () => {
    await service.post(
      events({ old: 9, a: 3, b: 2 }, "compared", { timestamp: ago(1.5 * hourMs) }),
    );
    await service.post(events({ a: 2, b: 4, fresh: 1 }, "compared"));
    const search = "?eventType=compared&timeRange=last_hour";
    const { page } = await openPage(browser, service, search);
    await page.getByRole("button", { name: "Compare", exact: true }).click();
    await page.locator("#dropped", { hasText: "was rank 1 with 9" }).waitFor();
    const changes = page.locator("#rows .change > :first-child");
    expect(await changes.allTextContents()).toEqual(["▲2", "=", "new"]);
    expect(await page.locator("#rows .before").allTextContents()).toEqual(["2", "3", "0"]);
    expect(asked(page).get("compare")).toBe("previous");
    await page.close();
  });

  it("of a row opens its item, and Escape or back closes it", async () => {
    await service.post(events({ a: 2, b: 1 }, "opened"));
    const { page } = await openPage(browser, service, "?eventType=opened");
    await page.locator("#rows .name").nth(1).click();
    expect(asked(page).get("item")).toBe("b");
    await page.getByRole("button", { name: /close/i }).first().waitFor();
    await page.goBack();
    await expect.poll(() => asked(page).has("item")).toBe(false);
    await expect.poll(() => page.getByRole("button", { name: /close/i }).count()).toBe(0);
    await page.close();
  });

  it("that the service refuses is explained", async () => {
    await service.post(events({ a: 5 }, "wrong"));
    const search = "?eventType=wrong&timeRange=soon&k=10";
    const { page } = await openPage(browser, service, search);
    await page.locator("#problem", { hasText: 'got "soon"' }).waitFor();
    await page.locator("#time-range").click();
    await page.getByRole("button", { name: "All time" }).click();
    await untilRows(page, [["1", "a", "5"]]);
    expect(await page.locator("#problem").count()).toBe(0);
    await page.close();
  });
});

describe("the board elsewhere", () => {
  it("is copied as link, command, table, document and code", async () => {
    await service.post(events({ "it's": 2, b: 1 }, "shared"));
    const permissions = ["clipboard-read", "clipboard-write"];
    const search = "?eventType=shared&timeRange=all";
    const { page } = await openPage(browser, service, search, { permissions });
    await page.locator("#rows tr").nth(1).waitFor();
    await page.locator("#share").click();
    const copied = async (name: string) => {
      await page.getByRole("button", { name, exact: true }).click();
      await page.getByText(`${name.replace("Copy", "Copied")}.`).waitFor();
      return await page.evaluate(() => navigator.clipboard.readText());
    };
    expect(await copied("Copy link")).toBe(page.url());
    const command = await copied("Copy as curl");
    expect(command).toMatch(
      /^curl '?http:.*\/leaderboard\?eventType=shared&timeRange=all&k=10'?$/,
    );
    const csv = await copied("Copy as CSV");
    expect(csv.split(/\r?\n/).slice(0, 2)).toEqual([
      "rank,eventId,count,lower,upper,share",
      expect.stringMatching(/^1,it's,2,2,2,0\.66/),
    ]);
    expect(JSON.parse(await copied("Copy as JSON"))).toMatchObject({ eventType: "shared" });
    expect(await copied("Copy embed code")).toContain("&amp;embed=1");
    const waiting = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download CSV" }).click();
    expect((await waiting).suggestedFilename()).toBe("leaderboard.csv");
    await page.close();
  });

  it("opens an item by a click anywhere in its row, and comes back to it", async () => {
    const { page } = await openPage(browser, service, "?eventType=shared");
    await page.locator("#rows tr .count").first().click();
    await expect.poll(() => asked(page).get("item")).toBe("it's");
    await page.locator("#item-panel h2").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#item-panel").waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("it's");
    await page.close();
  });

  it.each([1280, 760])("opens its panels within a window %d px wide", async (width) => {
    const viewport = { width, height: 800 };
    const { page } = await openPage(browser, service, "?eventType=shared", { viewport });
    for (const id of ["event-type", "time-range", "filters", "options", "share"]) {
      await page.click(`#${id}`);
      const { x, width: own } = (await page.locator(`#${id}-panel`).boundingBox())!;
      expect(x, id).toBeGreaterThanOrEqual(0);
      expect(x + own, id).toBeLessThanOrEqual(width);
    }
    await page.close();
  });

  it("offers shorter ranges where there is nothing before to compare with", async () => {
    const search = "?eventType=shared&timeRange=last_24_hours&view=trending";
    const { page } = await openPage(browser, service, search);
    await page.locator("#trending", { hasText: "the period before has no events" }).waitFor();
    await page.getByRole("button", { name: "Last hour" }).click();
    await expect.poll(() => asked(page).get("timeRange")).toBe("last_hour");
    await page.close();
  });

  it("is bare when embedded, and may be framed where that is allowed", async () => {
    await service.post(events({ a: 2 }, "framed"));
    const { page } = await openPage(browser, service, "?eventType=framed&embed=1");
    await untilRows(page, [["1", "a", "2"]]);
    expect(await page.locator("#controls, header").count()).toBe(0);
    // A page of the service's own origin that may frame anything.
    const framing = `${service.url}/framing-page`;
    await page.route(framing, (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>frames</title>" }),
    );
    const framed = async (search: string) => {
      await page.goto(framing);
      await page.evaluate((source) => {
        const frame = document.createElement("iframe");
        frame.src = source;
        document.body.append(frame);
      }, `${service.url}/${search}`);
      const frame = page.frameLocator("iframe");
      const rows = frame.locator("#rows tr");
      return await rows
        .first()
        .waitFor({ timeout: 4000 })
        .then(
          () => true,
          () => false,
        );
    };
    expect(await framed("?eventType=framed&embed=1")).toBe(true);
    expect(await framed("?eventType=framed")).toBe(false);
    await page.close();
  });
});
