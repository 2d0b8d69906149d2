// A Chromium that playwright-core can drive, and what its pages complain of.
import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "../../tools/services.mjs";

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

/**
 * `executablePath` for `chromium.launch`: CHROMIUM_PATH when set, else what the PATH or the usual
 * places hold. Throws, naming what brings one, when there is none.
 */
function chromiumPath(): string {
  const path = findChromium();
  if (path !== undefined) return path;
  const place = process.env["CHROMIUM_PATH"] ?? "any usual place";
  throw new Error(`No Chromium at ${place}; run: npm run test:services`);
}

/** The caller closes it. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: browserArgs });
}

/** Filled from now on: whatever the page complains of, and the addresses it asks for. */
export function watchPage(page: Page): { complaints: string[]; addresses: string[] } {
  const complaints: string[] = [];
  const addresses: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("request", (request) => addresses.push(request.url()));
  return { complaints, addresses };
}
