// A real Chromium over a real service, for the tests of the pages.
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";
import { watchPage } from "../support/chromium.ts";
import type { RankstreamProcess } from "../support/service.ts";

/** A busy machine may take its time. */
const patienceMs = 20_000;

export interface Opened {
  page: Page;
  /** Whatever the page complained of. */
  complaints: string[];
  /** Addresses the page asked for. */
  addresses: string[];
}

/** A page of its own, at the service's `/` with this query. */
export async function openPage(
  browser: Browser,
  { url }: Pick<RankstreamProcess, "url">,
  search = "",
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(patienceMs);
  const { complaints, addresses } = watchPage(page);
  await page.goto(`${url}/${search}`);
  return { page, complaints, addresses };
}

/** So many events of each item. */
export function events(
  counts: Readonly<Record<string, number>>,
  eventType: string,
  more: object = {},
): object[] {
  return Object.entries(counts).flatMap(([eventId, count]) =>
    Array.from({ length: count }, () => ({ eventId, eventType, ...more })),
  );
}

/** The rows as read off the page: rank, item, count. */
export function rowsOf(page: Page): Promise<string[][]> {
  return page.locator("#rows tr").evaluateAll((rows) =>
    rows.map((row) => {
      const cells = row.querySelectorAll(".rank, .name, .count > :first-child");
      return [...cells].map((cell) => cell.textContent ?? "");
    }),
  );
}

export async function untilRows(page: Page, expected: string[][]): Promise<void> {
  const look = { timeout: patienceMs, interval: 20 };
  await expect.poll(() => rowsOf(page), look).toEqual(expected);
}

export function untilState(page: Page, state: string): Promise<void> {
  return page.locator(`.page[data-state="${state}"]`).waitFor();
}

/** How far the page reaches beyond its right edge, px. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/**
 * What axe finds against WCAG 2.2 A and AA, a line each; the page's context needs `bypassCSP`.
 */
export async function axeFaults(page: Page): Promise<string[]> {
  const isThere = await page.evaluate(() => "axe" in globalThis);
  if (!isThere) await page.addScriptTag({ path: axePath });
  // Half a fade would be measured as too little contrast.
  await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished)));
  return await page.evaluate(async () => {
    interface Axe {
      run(
        what: Document,
        options: object,
      ): Promise<{
        violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
      }>;
    }
    const { axe } = globalThis as unknown as { axe: Axe };
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run(document, { runOnly: { type: "tag", values: tags } });
    return violations.flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  });
}
