// The board at / in a real Chromium: it begins, follows, says what is certain, and comes back.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../support/chromium.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { events, openPage, rowsOf, untilRows, untilState } from "./browser.ts";

let browser: Browser;
/** Of all tests that don't stop theirs; each has an event type of its own. */
let service: RankstreamProcess;
beforeAll(async () => {
  [browser, service] = await Promise.all([launchBrowser(), startRankstream()]);
});
afterAll(() => browser?.close());

describe("the board", () => {
  // The first test: afterwards the service is not empty any more.
  it("shows how to begin, then the first event by itself", async () => {
    const { page, complaints, addresses } = await openPage(browser, service);
    await page.locator("#empty").waitFor();
    expect(await page.locator("#board").count()).toBe(0);
    const command = await page.locator("#curl").textContent();
    // Lines that end in a backslash are one command.
    const posted = /^curl (\S+) -H (\S+):(\S+) -d '(.+)'$/.exec(
      (command ?? "").replace(/ \\\n +/g, " "),
    );
    expect(posted?.slice(1, 4)).toEqual([
      `${service.url}/events`,
      "content-type",
      "application/json",
    ]);
    const reply = await service.post(posted![4]!, { contentType: "application/json" });
    expect(reply.status).toBe(202);
    await untilRows(page, [["1", "song_123", "1"]]);
    expect(await page.locator("#empty").count()).toBe(0);
    expect(new URL(page.url()).search).toBe("?eventType=song_play&timeRange=last_hour&k=10");
    expect(complaints).toEqual([]);
    const origins = new Set(addresses.map((address) => new URL(address).host));
    expect([...origins]).toEqual([new URL(service.url).host]);
    await page.close();
  });

  it("follows what is counted within about a second, and says what is certain", async () => {
    await service.post(events({ a: 5, b: 3, '<b>"c"</b>': 1 }, "followed"));
    const { page, complaints } = await openPage(browser, service, "?eventType=followed");
    await untilRows(page, [
      ["1", "a", "5"],
      ["2", "b", "3"],
      ["3", '<b>"c"</b>', "1"],
    ]);
    // A busy machine may first say that the newest events may not be in yet.
    await page.locator("#certainty", { hasText: /^All 3 ranks are proven exact\.$/ }).waitFor();
    await page.locator("#announcer", { hasText: /^a leads with 5\. All 3 ranks/ }).waitFor();
    await page.getByText("How do we know?").click();
    await page.getByText("where both bounds are equal the count is exact").waitFor();
    expect(await page.locator("#total").textContent()).toBe("9");
    expect(await page.locator("#distinct").textContent()).toBe("3");
    const delays: number[] = [];
    for (let round = 1; round <= 5; round++) {
      const reply = await service.post(events({ b: 3 }, "followed"));
      const started = Date.now();
      expect(reply.status).toBe(202);
      const count = page.locator("#rows tr", { hasText: "b" }).locator(".count > :first-child");
      await count.getByText(String(3 + round * 3), { exact: true }).waitFor();
      delays.push(Date.now() - started);
    }
    await untilRows(page, [
      ["1", "b", "18"],
      ["2", "a", "5"],
      ["3", '<b>"c"</b>', "1"],
    ]);
    delays.sort((a, b) => a - b);
    console.log(`a POST is on the board after ${delays.join(", ")} ms`);
    expect(delays[2]).toBeLessThan(10_000);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("moves rows that change rank, keeps the focus, and moves nothing if so wished", async () => {
    await service.post(events({ a: 2, b: 1 }, "moving"));
    for (const reducedMotion of ["no-preference", "reduce"] as const) {
      const { page } = await openPage(browser, service, "?eventType=moving", { reducedMotion });
      await page.locator("#rows tr").nth(1).waitFor();
      await page.evaluate(() => {
        const animate = Element.prototype.animate;
        Element.prototype.animate = function (this: Element, ...given) {
          const isMove = JSON.stringify(given[0]).includes("translateY");
          if (isMove) document.body.dataset["moves"] = "yes";
          return animate.apply(this, given);
        };
      });
      const [[, first, count], [, second]] = (await rowsOf(page)) as [string[], string[]];
      const moved = () => page.evaluate(() => document.body.dataset["moves"] === "yes");
      await service.post(events({ [first!]: 1 }, "moving"));
      const grown = String(Number(count) + 1);
      await expect
        .poll(async () => (await rowsOf(page))[0], { timeout: 15_000 })
        .toEqual(["1", first, grown]);
      expect(await moved(), "an event that changes no rank").toBe(false);
      await page.locator("#rows .name").nth(1).focus();
      await service.post(events({ [second!]: 3 }, "moving"));
      await expect
        .poll(async () => (await rowsOf(page))[0]?.[1], { timeout: 15_000 })
        .toBe(second);
      expect(await moved(), reducedMotion).toBe(reducedMotion === "no-preference");
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(second);
      await page.close();
    }
  });

  it("shows labels as text, and links only to http and https", async () => {
    await service.post(events({ a: 3, b: 2 }, "labelled"));
    const { page, complaints } = await openPage(browser, service, "?eventType=labelled");
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

  it("comes back when the service does, stopped or killed", async () => {
    const dataDir = temporaryFolder();
    const first = await startRankstream({ dataDir });
    const port = Number(new URL(first.url).port);
    await first.post(events({ a: 2, b: 1 }, "kept"));
    const { page } = await openPage(browser, first);
    await untilRows(page, [
      ["1", "a", "2"],
      ["2", "b", "1"],
    ]);
    await first.stop();
    await untilState(page, "lost");
    await page.locator("#lost", { hasText: "This is the board as of" }).waitFor();
    expect(await rowsOf(page)).toHaveLength(2);
    const second = await startRankstream({ dataDir, port });
    await untilState(page, "open");
    await second.post(events({ b: 4 }, "kept"));
    await untilRows(page, [
      ["1", "b", "5"],
      ["2", "a", "2"],
    ]);
    await second.kill();
    await untilState(page, "lost");
    const third = await startRankstream({ dataDir, port });
    await untilState(page, "open");
    await third.post(events({ c: 9 }, "kept"));
    await untilRows(page, [
      ["1", "c", "9"],
      ["2", "b", "5"],
      ["3", "a", "2"],
    ]);
    expect(await page.locator("#lost").count()).toBe(0);
    await third.kill();
    await page.close();
  });
});
