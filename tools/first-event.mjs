// A reader's way by the README alone, timed: clone, npm ci, npm start, its first curl, and the
// event on the board in a browser.
//   node tools/first-event.mjs           all of it, in a fresh clone of the last commit
//   node tools/first-event.mjs --here    from the start on, with what is built here
// Prints the seconds of each step. The address is a free port's instead of the README's.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { findChromium } from "./services.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installMsMax = 15 * 60_000;
const readyMsMax = 120_000;
const documented = "http://127.0.0.1:8080";
const steps = [];

async function timed(name, work) {
  const began = performance.now();
  const result = await work();
  const seconds = (performance.now() - began) / 1000;
  steps.push(seconds);
  process.stdout.write(`${name}: ${seconds.toFixed(1)} s\n`);
  return result;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The README's commands that begin like this; throws where there is none. */
function commandOf(readme, beginning) {
  const blocks = [...readme.matchAll(/```sh\n(.+?)\n```/gs)].map(([, text]) => text);
  const found = blocks.find((text) => text.startsWith(beginning));
  if (found === undefined) throw new Error(`the README has no command ${beginning}`);
  return found;
}

function run(command, cwd, env) {
  const options = { cwd, env, stdio: ["ignore", "pipe", "inherit"], timeout: installMsMax };
  return execFileSync("bash", ["-c", `set -euo pipefail; ${command}`], options).toString();
}

/** Runs it until it says that it is ready; the process group to end. */
async function start(command, cwd, env) {
  const child = spawn("bash", ["-c", command], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ready = (async () => {
    let out = "";
    for await (const text of child.stdout.setEncoding("utf8")) {
      out += text;
      if (out.includes("Rankstream is ready on ")) return;
    }
    throw new Error(`${command} ended:\n${out}`);
  })();
  const late = AbortSignal.timeout(readyMsMax);
  const gaveUp = new Promise((_resolve, reject) => {
    late.addEventListener("abort", () => reject(new Error(`${command} was not ready in time`)));
  });
  try {
    await Promise.race([ready, gaveUp]);
    return child;
  } catch (error) {
    end(child);
    throw error;
  }
}

function end(child) {
  try {
    process.kill(-child.pid, "SIGTERM");
  } catch {
    // It has ended by itself.
  }
}

async function seen(url, text) {
  const browser = await chromium.launch({
    executablePath: findChromium(),
    args: ["--headless", "--no-sandbox", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.getByText(text, { exact: true }).first().waitFor({ timeout: readyMsMax });
  } finally {
    await browser.close();
  }
}

async function main(isHere) {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-first-event-"));
  const place = isHere ? root : join(folder, "rankstream");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { ...process.env, RANKSTREAM_PORT: port, RANKSTREAM_DATA_DIR: join(folder, "data") };
  let service;
  try {
    if (!isHere) {
      await timed("git clone", () => run(`git clone -q '${root}' rankstream`, folder, env));
      await timed("npm ci", () => run("npm ci --silent --no-audit --no-fund", place, env));
    }
    const readme = readFileSync(join(place, "README.md"), "utf8");
    const startCommand = commandOf(readme, "npm start");
    service = await timed(startCommand, () => start(startCommand, place, env));
    const send = commandOf(readme, "curl ").replaceAll(documented, url);
    await timed("the event", () => run(send.replace("curl", "curl -sS --fail"), place, env));
    await timed("on the board", () => seen(url, "song_123"));
    const total = steps.reduce((sum, seconds) => sum + seconds, 0);
    process.stdout.write(`from nothing to the board: ${total.toFixed(1)} s\n`);
  } finally {
    if (service !== undefined) end(service);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
  }
}

await main(process.argv.includes("--here"));
