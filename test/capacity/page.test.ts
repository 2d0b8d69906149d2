// The calculator in a real Chromium, from a plain static host, and docs/capacity.md.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exampleLoads, parseLoad } from "../../src/capacity/load.ts";
import { measured } from "../../src/capacity/measured.ts";
import { planFor } from "../../src/capacity/plan.ts";
import { bytesText, countText, moneyText, percentText } from "../../src/capacity/words.ts";
import { launchBrowser, watchPage } from "../support/chromium.ts";
import { root } from "../support/source-tree.ts";
import { type StaticServer, serveFolder } from "../support/static-server.ts";

const axePath = join(root, "node_modules", "axe-core", "axe.min.js");

let browser: Browser;
let host: StaticServer;
beforeAll(async () => {
  browser = await launchBrowser();
  host = await serveFolder(join(root, "build", "web", "capacity"));
});
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

/** Rules that are broken, by what axe finds. */
async function axeViolations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: axePath });
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string }[] }> };
    };
    return (await axe.run()).violations.map(({ id }) => id);
  });
}

async function stepRows(page: Page): Promise<(string | null)[][]> {
  return page
    .locator("#steps tbody tr")
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
}

describe("the calculator", () => {
  it("shows the plan of what its address says, keeps up with the form, and is sound", async () => {
    const page = await browser.newPage({ colorScheme: "dark" });
    const { complaints, addresses } = watchPage(page);
    const texts = { eventsPerSecond: "5000", eventBytes: "1500", mustSurvive: "machine" };
    await page.goto(`${host.url}/?${new URLSearchParams(texts)}`);
    await page.locator("#steps").waitFor();
    const shown = async (of: Record<string, string>) => {
      const plan = planFor(parseLoad(of));
      const rows = await stepRows(page);
      expect(rows.map((row) => [row[4], row[5]])).toEqual(
        plan.steps.map(({ diskBytes, cost }) => [bytesText(diskBytes), moneyText(cost.all)]),
      );
    };
    await shown(texts);
    expect(await axeViolations(page)).toEqual([]);
    await page.getByLabel("Kept", { exact: true }).fill("30");
    await shown({ ...texts, retentionDays: "30" });
    expect(new URL(page.url()).searchParams.get("retentionDays")).toBe("30");
    await page.getByLabel("Kept", { exact: true }).fill("many");
    const alert = page.getByRole("alert");
    expect(await alert.textContent()).toContain("retentionDays: expected an integer 1..36500");
    await page.getByLabel("Kept", { exact: true }).fill("");
    await shown(texts);
    const [name, example] = Object.entries(exampleLoads)[1]!;
    await page.getByRole("link", { name }).click();
    await shown(example);
    await page.reload();
    await page.locator("#steps").waitFor();
    await shown(example);
    expect(complaints).toEqual([]);
    expect(addresses.every((address) => address.startsWith(host.url))).toBe(true);
    await page.close();
  });
});

describe("docs/capacity.md", () => {
  const text = readFileSync(join(root, "docs", "capacity.md"), "utf8");

  it("has the four examples as they are worked out", () => {
    for (const [name, texts] of Object.entries(exampleLoads)) {
      const { load, steps, smallest, classic } = planFor(parseLoad(texts));
      const step = steps.find((one) => one.name === smallest)!;
      const cells = [
        name,
        countText(load.eventsPerSecondPeak),
        String(steps.indexOf(step) + 1),
        `${step.processes}`,
        `${step.cores}`,
        bytesText(step.memoryBytes),
        bytesText(step.diskBytes),
        moneyText(step.cost.all),
        `${step.first.what}, ${percentText(step.first.share)}`,
        `${bytesText(classic.storedBytes)}, ${classic.ingestNodes} + ${classic.queryNodes}`,
      ];
      expect(text).toContain(`| ${cells.join(" | ")} |`);
    }
  });

  it("has every figure with where it was measured, and no other", () => {
    const rows = Object.values(measured).map(({ what, value, unit, from }) => {
      const number = value.toLocaleString("en", { maximumFractionDigits: 3 });
      return `| ${what} | ${number} ${unit} | ${from} |`;
    });
    const [, section] = text.split("## Figures\n");
    const found = section!.split("\n").filter((line) => /^\| (?!what \| value)/.test(line));
    expect(found).toEqual(rows);
  });
});
