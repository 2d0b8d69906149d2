// Pictures of the dashboard for the docs, of a service of its own with the sample in it: run
// `npm run build` first, then `node tools/screenshots.mjs`. Writes docs/board.png, docs/images/.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { findChromium } from "./services.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const docs = join(root, "docs");
const patienceMs = 60_000;
/** Rows' courses come one after the other. */
const coursesMs = 6000;
const routes = ["ATL-ORD", "LAX-LAS", "DFW-DEN", "ORD-ATL", "PHX-LAX"];

/** A service on a free port; resolves to its address. */
function startService(dataDir) {
  const args = [join(root, "build", "cli.js"), "start", "--port", "0", "--data-dir", dataDir];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const address = new Promise((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const found = /ready on (http:\S+)/.exec(text);
      if (found) resolve(found[1]);
    });
    child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
  });
  return { child, address };
}

/** A few flights a second, so that the board is seen at work; the function returned ends it. */
function keepFlying(url) {
  let at = 0;
  const timer = setInterval(() => {
    const events = Array.from({ length: 20 }, () => {
      const route = routes[at++ % routes.length];
      return { eventId: route.slice(4), eventType: "flight_to", metadata: { late: "no" } };
    });
    const headers = { "content-type": "application/json" };
    fetch(`${url}/events`, { method: "POST", headers, body: JSON.stringify(events) }).catch(
      () => undefined,
    );
  }, 1000);
  return () => clearInterval(timer);
}

const common = "?eventType=flight_to&timeRange=last_24_hours&k=";
/** Name of the file, address and size. */
const pictures = [
  { name: "images/board-phone.png", search: `${common}10`, size: [390, 844] },
  {
    name: "images/compare.png",
    search: "?eventType=flight_route&timeRange=last_3_hours&k=8&compare=previous",
    size: [1440, 900],
  },
  { name: "images/item.png", search: `${common}10&item=ATL`, size: [1440, 1100] },
  {
    name: "images/trending.png",
    search: "?eventType=flight_to&timeRange=last_3_hours&k=10&view=trending",
    size: [1440, 700],
  },
  // The last: the rate in its corner is no longer that of the sample.
  { name: "board.png", search: `${common}10`, size: [1440, 860] },
];

async function take(browser, url, { name, search, size: [width, height] }) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: "light" });
  page.setDefaultTimeout(patienceMs);
  await page.goto(`${url}/${search}`);
  await page.waitForTimeout(coursesMs);
  await page.screenshot({ path: join(docs, name) });
  await page.close();
}

const dataDir = mkdtempSync(join(tmpdir(), "rankstream-pictures-"));
const { child, address } = startService(dataDir);
let browser;
try {
  mkdirSync(join(docs, "images"), { recursive: true });
  const url = await address;
  const args = ["--headless", "--no-sandbox", "--disable-gpu"];
  browser = await chromium.launch({ executablePath: findChromium(), args });
  const page = await browser.newPage({ viewport: { width: 1440, height: 640 } });
  page.setDefaultTimeout(patienceMs);
  await page.goto(url);
  await page.click("#load-sample");
  await page.locator("#rows tr").first().waitFor();
  await page.close();
  const land = keepFlying(url);
  for (const picture of pictures) await take(browser, url, picture);
  land();
} finally {
  await browser?.close();
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
  rmSync(dataDir, { recursive: true, force: true });
}
