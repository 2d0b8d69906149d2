// Where a Chromium is that playwright-core can drive.
import { findChromium } from "../../tools/services.mjs";

/**
 * `executablePath` for `chromium.launch`: CHROMIUM_PATH when set, else what the PATH or the usual
 * places hold. Throws, naming what brings one, when there is none.
 */
export function chromiumPath(): string {
  const path = findChromium();
  if (path !== undefined) return path;
  const place = process.env["CHROMIUM_PATH"] ?? "any usual place";
  throw new Error(`No Chromium at ${place}; run: npm run test:services`);
}
