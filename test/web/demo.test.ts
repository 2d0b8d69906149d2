// The demo in a real Chromium, from a plain static host: what it shows is counted again here, by
// the oracle's sketch and a Map.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fastify from "fastify";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addPages } from "../../src/api/pages.ts";
import { itemCounterDefaults, itemType } from "../../src/kernel/item-counter.ts";
import { OracleSketch, oracleRowHash } from "../oracles/sketch-cells.ts";
import { launchBrowser, watchPage } from "../support/chromium.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";
import { root } from "../support/source-tree.ts";
import { type StaticServer, serveFolder } from "../support/static-server.ts";

const axePath = join(root, "node_modules", "axe-core", "axe.min.js");
const { seed } = itemCounterDefaults;

let browser: Browser;
let host: StaticServer;
beforeAll(async () => {
  browser = await launchBrowser();
  host = await serveFolder(join(root, "build", "web", "demo"));
});
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

interface Opened {
  page: Page;
  /** Whatever the page complained of. */
  complaints: string[];
  addresses: string[];
}

async function openDemo(
  url = `${host.url}/`,
  options: Parameters<Browser["newPage"]>[0] = {},
): Promise<Opened> {
  const page = await browser.newPage(options);
  const { complaints, addresses } = watchPage(page);
  await page.goto(url);
  await page.locator("#top tbody tr").first().waitFor();
  return { page, complaints, addresses };
}

/** Both sketches and the truth of a stream, by other means than the page's. */
class Recount {
  readonly truth = new Map<string, number>();
  readonly conservative: OracleSketch;
  readonly plain: OracleSketch;

  constructor(items: readonly string[], depth: number, width: number) {
    this.conservative = new OracleSketch(depth, width);
    this.plain = new OracleSketch(depth, width);
    for (const item of items) {
      this.truth.set(item, (this.truth.get(item) ?? 0) + 1);
      this.conservative.add(hashOf(item), 1);
      this.plain.addPlain(hashOf(item), 1);
    }
  }

  /** Counts of the true top, the greatest first. */
  topCounts(k: number): number[] {
    return [...this.truth.values()].sort((a, b) => b - a).slice(0, k);
  }
}

function hashOf(item: string): bigint {
  return oracleRowHash(itemType, item, seed.low, seed.high);
}

interface ShownRow {
  item: string;
  truth: number;
  conservative: number;
  plain: number;
  certain: boolean;
}

function shownRows(page: Page): Promise<ShownRow[]> {
  return page.locator("#top tbody tr").evaluateAll((rows) =>
    (rows as HTMLElement[]).map((row) => {
      const [truth, conservative, plain] = [...row.querySelectorAll("[data-value]")].map((cell) =>
        Number((cell as HTMLElement).dataset["value"]),
      );
      const certain = row.lastElementChild?.textContent === "proven";
      return {
        item: row.dataset["item"]!,
        truth: truth!,
        conservative: conservative!,
        plain: plain!,
        certain,
      };
    }),
  );
}

function shownCandidates(page: Page): Promise<{ item: string; lower: number; upper: number }[]> {
  return page.locator("#candidates li").evaluateAll((rows) =>
    (rows as HTMLElement[]).map(({ dataset }) => ({
      item: dataset["item"]!,
      lower: Number(dataset["lower"]),
      upper: Number(dataset["upper"]),
    })),
  );
}

async function setSlider(slider: Locator, value: number): Promise<void> {
  await slider.fill(String(value));
}

/** Plays to the stream's end at full speed. */
async function playOut(page: Page): Promise<void> {
  await setSlider(page.getByLabel("Speed"), 6);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await page.locator('#state[data-state="ended"]').waitFor({ timeout: 20_000 });
}

/** Everything on the page that says something of the stream, against the recount. */
async function holdAgainst(page: Page, items: readonly string[], depth: number, width: number) {
  const recount = new Recount(items, depth, width);
  const { truth } = recount;
  const updates = Number((await page.locator("#updates").textContent())!.replaceAll(",", ""));
  expect(updates).toBe(items.length);
  expect(await page.locator("#distinct").textContent()).toBe(truth.size.toLocaleString("en"));
  await page.getByLabel("Ranks shown").selectOption("50");
  const rows = await shownRows(page);
  const k = Math.min(50, truth.size);
  expect(rows.map((row) => row.truth)).toEqual(recount.topCounts(k));
  for (const row of rows) {
    expect(row.truth).toBe(truth.get(row.item));
    expect(row.conservative).toBe(recount.conservative.estimate(hashOf(row.item)));
    expect(row.plain).toBe(recount.plain.estimate(hashOf(row.item)));
    expect(row.conservative).toBeGreaterThanOrEqual(row.truth);
    expect(row.plain).toBeGreaterThanOrEqual(row.conservative);
  }
  const candidates = await shownCandidates(page);
  for (const { item, lower, upper } of candidates) {
    expect(lower).toBeLessThanOrEqual(truth.get(item)!);
    expect(upper).toBeGreaterThanOrEqual(truth.get(item)!);
  }
  const least = recount.topCounts(k).at(-1)!;
  const hits = candidates.slice(0, k).filter(({ item }) => truth.get(item)! >= least).length;
  expect(await page.locator("#recall").textContent()).toBe(`${hits} of ${k}`);
  const certain = rows.filter((row) => row.certain).length;
  expect(rows.slice(0, certain).every((row) => row.certain)).toBe(true);
  expect(await page.locator("#certain").textContent()).toBe(`${certain} of ${k}`);
  return { candidates, certain };
}

function someItems(random: Random, n: number): string[] {
  const zipf = new ZipfSampler(400, 1.1);
  return Array.from({ length: n }, () => {
    const rank = zipf.draw(random);
    return rank % 5 === 0 ? `höre "${rank}", ja` : `item-${rank}`;
  });
}

describe("the demo", () => {
  it("counts a file dropped on it as an independent count does, whatever the shape", async () => {
    const random = randomFromEnvironment("demo file");
    const { page, complaints, addresses } = await openDemo();
    const items = someItems(random, 3000);
    const lines = items.map((eventId) => JSON.stringify({ eventId, eventType: "play" }));
    lines.splice(100, 0, "{not json", '{"eventType":"play"}');
    const dropped = await page.evaluateHandle((text) => {
      const data = new DataTransfer();
      data.items.add(new File([text], "events.ndjson"));
      return data;
    }, lines.join("\n"));
    await page.dispatchEvent("main", "drop", { dataTransfer: dropped });
    await page.locator("#file-name", { hasText: "events.ndjson" }).waitFor();
    await playOut(page);
    expect(await page.locator("#state").textContent()).toContain("2 lines without an item");
    await holdAgainst(page, items, 4, 32);
    await setSlider(page.getByLabel("Depth (rows)"), 2);
    await holdAgainst(page, items, 2, 32);
    // Another way to the same slider.
    await page.getByLabel("Depth (rows)").press("ArrowRight");
    await setSlider(page.getByLabel("Width (cells a row)"), 10);
    await setSlider(page.getByLabel("Heap size"), 60);
    const { candidates, certain } = await holdAgainst(page, items, 3, 1024);
    expect(candidates).toHaveLength(60);
    expect(certain).toBeGreaterThan(3);
    expect(complaints).toEqual([]);
    expect(new Set(addresses.map((address) => new URL(address).origin))).toEqual(
      new Set([host.url]),
    );
    await page.close();
  });

  it("reads a CSV column, and a text's words", async () => {
    const random = randomFromEnvironment("demo csv");
    const { page, complaints } = await openDemo();
    const items = someItems(random, 500);
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const rows = items.map((item, i) => `${i},${quoted(item)},"a\nline"`);
    const path = join(temporaryFolder(), "plays.csv");
    writeFileSync(path, ["id,song,note", ...rows].join("\r\n"));
    await page.getByText("File", { exact: true }).click();
    await page.getByLabel(/^File:/).setInputFiles(path);
    await page.getByLabel(/^Column/).fill("singer");
    await page.getByLabel(/^Column/).press("Tab");
    await page.getByRole("button", { name: "One step" }).click();
    await page.locator("#state", { hasText: "no column singer" }).waitFor();
    await page.getByLabel(/^Column/).fill("song");
    await page.getByLabel(/^Column/).press("Tab");
    await playOut(page);
    await holdAgainst(page, items, 4, 32);
    await page.getByText("Text", { exact: true }).click();
    await page.getByRole("textbox", { name: "Text" }).fill("A rose is a rose, is A ROSE!");
    await playOut(page);
    await holdAgainst(page, ["a", "rose", "is", "a", "rose", "is", "a", "rose"], 4, 32);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("shows which cells an update raises, and whose they are", async () => {
    const { page, complaints } = await openDemo();
    await page.getByText("Text", { exact: true }).click();
    const words = "to be or not to be that is the question to be".split(" ");
    await page.getByRole("textbox", { name: "Text" }).fill(words.join(" "));
    await setSlider(page.getByLabel("Width (cells a row)"), 4);
    for (let n = 1; n <= words.length; n++) {
      await page.getByRole("button", { name: "One step" }).click();
      const word = words[n - 1]!;
      await page.locator(`#shown[data-item="${word}"]`).waitFor();
      const before = new Recount(words.slice(0, n - 1), 4, 16);
      const after = new Recount(words.slice(0, n), 4, 16);
      const cells = await page
        .locator("#cells tbody tr")
        .evaluateAll((rows) =>
          rows.map((row) => [...row.children].slice(1, 4).map((cell) => cell.textContent ?? "")),
        );
      cells.forEach(([place, ...told], row) => {
        for (const [i, kind] of (["conservative", "plain"] as const).entries()) {
          const [was, is] = [before, after].map((n) => n[kind].rows[row]![Number(place) - 1]!);
          const expected = was === is ? `${is} stays` : `${was} → ${is}`;
          expect(told[i]!.replace(" (least)", "")).toBe(expected);
        }
      });
      const verdict = await page.locator("#verdict b").allTextContents();
      const hash = hashOf(word);
      const numbers = [after.conservative.estimate(hash), after.plain.estimate(hash)];
      expect(verdict).toEqual([...numbers, after.truth.get(word)].map(String));
    }
    await page.locator("#top").getByRole("button", { name: "question" }).click();
    expect(await page.locator("#shown").textContent()).toContain("Chosen: question");
    await page.getByLabel("Find an item").fill("nobody");
    await page.getByLabel("Find an item").press("Enter");
    await page.getByText("nobody has not been counted.").waitFor();
    await page.getByLabel("Find an item").fill("that");
    await page.getByLabel("Find an item").press("Enter");
    await page.locator('#shown[data-item="that"]').waitFor();
    // The first row's cell of "to", found again by a click on it.
    const place = Number(hashOf("to") % 16n);
    const map = page.getByRole("img", { name: /^Conservative/ });
    const box = (await map.boundingBox())!;
    await map.click({ position: { x: ((place + 0.5) / 16) * box.width, y: 15 } });
    await page.locator('#shown[data-item="to"]').waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("makes the same stream from the same settings, plays and pauses it", async () => {
    const { page, complaints } = await openDemo();
    const first = await shownRows(page);
    expect(await page.locator("#updates").textContent()).toBe("200");
    await page.getByRole("button", { name: "From the start" }).click();
    expect(await page.locator("#updates").textContent()).toBe("0");
    await setSlider(page.getByLabel("Speed"), 3);
    await page.getByRole("button", { name: "Play", exact: true }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    const counted = async () =>
      Number((await page.locator("#updates").textContent())!.replaceAll(",", ""));
    await expect.poll(counted, { timeout: 10_000 }).toBeGreaterThan(20);
    await page.getByRole("button", { name: "Pause" }).click();
    const paused = await counted();
    await page.getByRole("button", { name: "From the start" }).click();
    for (let n = 0; n < 2; n++) await page.getByRole("button", { name: "One step" }).click();
    expect(await counted()).toBe(2);
    expect(paused).toBeGreaterThan(20);
    const again = await openDemo();
    expect(await shownRows(again.page)).toEqual(first);
    await again.page.close();
    for (const [title, width] of [
      ["One row", "128"],
      ["Nothing stands out", "32"],
    ] as const) {
      await page.getByRole("button", { name: title }).click();
      await expect.poll(counted, { timeout: 10_000 }).toBe(2000);
      await page.locator("output", { hasText: new RegExp(`^${width}$`) }).waitFor();
    }
    expect(await page.locator("#certain").textContent()).toBe("0 of 10");
    expect(complaints).toEqual([]);
    await page.close();
  });
});

describe("its form", () => {
  it("measures the kernel in a worker, under the service's policy too", async () => {
    const app = fastify();
    await addPages(app, join(root, "build", "web"));
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    const { page, complaints } = await openDemo(`${url}/web/demo/`);
    await page.getByRole("button", { name: "Measure here" }).click();
    await page.locator("#speeds").waitFor({ timeout: 45_000 });
    const rates = await page
      .locator("#speeds tr")
      .evaluateAll((rows) => (rows as HTMLElement[]).map((row) => Number(row.dataset["rate"])));
    process.stderr.write(`demo: updates/s in Chromium: ${rates.join(", ")}\n`);
    expect(rates).toHaveLength(4);
    for (const rate of rates) expect(rate).toBeGreaterThan(0);
    expect(await page.locator("#speed").textContent()).toContain(
      "100,000 estimates, none below the true count; all cells the same in both builds",
    );
    expect(complaints).toEqual([]);
    await page.close();
    await app.close();
  });

  it("is accessible and fits, wide and on a phone, in light and dark", async () => {
    for (const [width, colorScheme] of [
      [1360, "dark"],
      [320, "light"],
    ] as const) {
      const viewport = { width, height: 800 };
      const { page, complaints } = await openDemo(`${host.url}/`, { viewport, colorScheme });
      await page.getByText("All of it, the greatest first").click();
      await page.addScriptTag({ path: axePath });
      const offences = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResult> } };
        const { violations } = await axe.run();
        return violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`);
      });
      expect(offences, `${width} ${colorScheme}`).toEqual([]);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow, `at ${width}`).toBeLessThanOrEqual(0);
      expect(complaints).toEqual([]);
      await page.close();
    }
  });
});

interface AxeResult {
  violations: { id: string; nodes: { html: string }[] }[];
}
