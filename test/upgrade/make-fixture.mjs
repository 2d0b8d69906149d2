// Makes a fixture of the upgrade test: a data folder written by the program that is named, and
// what that program answered about it.
//
//   git worktree add /somewhere COMMIT && (cd /somewhere && npm ci)
//   node test/upgrade/make-fixture.mjs /somewhere COMMIT NAME
//
// NAME becomes test/upgrade/fixtures/NAME.json.br. The stream is the same each time. The program
// is killed (-9) in the end, so that the store lacks what the log holds, as after a crash.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { askedOf, batches, lateBatch, uncounted } from "./stream.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const readyMsMax = 30_000;
const settleMs = 4000;
/** What the folder is made with, and must be opened with. */
const options = [
  ["--partitions", "2"],
  ["--candidates-max", "20"],
  ["--seal-interval-ms", "50"],
  ["--seal-quiet-ms", "100"],
  ["--coarsen-after-ms", "0"],
  ["--log-segment-bytes", "1MiB"],
].flat();

async function start(program, dataDir, more = []) {
  const args = [join(program, "build/cli.js"), "start", "--port", "0", "--data-dir", dataDir];
  const child = spawn(process.execPath, [...args, ...options, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  for await (const text of child.stdout.setEncoding("utf8")) {
    stdout += text;
    const url = /^Rankstream is ready on (http\S+)$/m.exec(stdout)?.[1];
    if (url === undefined) continue;
    const end = async (signal) => {
      child.kill(signal);
      await once(child, "close");
    };
    return { url, end };
  }
  throw new Error(`the program ended within ${readyMsMax} ms: ${stdout}`);
}

async function call(url, path, init = {}) {
  const reply = await fetch(`${url}${path}`, init);
  const text = await reply.text();
  const isJson = /^application\/(problem\+)?json/.test(reply.headers.get("content-type") ?? "");
  return { status: reply.status, body: isJson ? JSON.parse(text) : text };
}

async function must(url, path, init) {
  const { status, body } = await call(url, path, init);
  if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

function post(url, { key, events }) {
  const headers = { "content-type": "application/x-ndjson" };
  if (key !== undefined) headers["idempotency-key"] = key;
  const body = events.map((event) => JSON.stringify(event)).join("\n");
  return must(url, "/events", { method: "POST", headers, body });
}

/** All that a folder can hold: files and tables, tombstones, settings, labels, keys, jobs. */
async function fill(program, dataDir) {
  let service = await start(program, dataDir);
  const json = (method, body) => ({
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await must(service.url, "/event-types/visit", json("PUT", { aggregationWindow: 3600 }));
  await must(service.url, "/event-types/play", json("PUT", { description: "what was heard" }));
  for (const batch of batches()) await post(service.url, batch);
  await must(service.url, "/items/play/song%200", json("PUT", { label: "Nought" }));
  await must(service.url, "/leaderboard?eventType=play&timeRange=all&mode=exact");
  // Windows are sealed meanwhile, and built one above the other.
  await sleep(settleMs);
  // What lies in the store's file, and what in its write-ahead log.
  await service.end("SIGTERM");
  service = await start(program, dataDir);
  await post(service.url, lateBatch());
  await must(service.url, "/items/play/song%203", { method: "DELETE" });
  await must(service.url, "/leaderboard?eventType=play&timeRange=all&mode=exact");
  await service.end("SIGKILL");
  const slow = await start(program, dataDir, ["--checkpoint-ms", "60000"]);
  await post(slow.url, uncounted());
  await slow.end("SIGKILL");
}

/** What the program says of a copy of the folder: `{path, body}`, of what it knows to answer. */
async function answers(program, dataDir) {
  const copy = `${dataDir}-copy`;
  cpSync(dataDir, copy, { recursive: true });
  const service = await start(program, copy);
  const found = [];
  for (const path of askedOf()) {
    const { status, body } = await call(service.url, path);
    if (status === 200) found.push({ path, body });
    else process.stderr.write(`left out, ${status}: ${path}\n`);
  }
  await service.end("SIGTERM");
  rmSync(copy, { recursive: true });
  return found;
}

function filesOf(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    names
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort()
      .map((path) => [relative(folder, path), readFileSync(path).toString("base64")]),
  );
}

const [program, commit, name] = process.argv.slice(2);
if (name === undefined) {
  process.stderr.write("usage: make-fixture.mjs PROGRAM COMMIT NAME\n");
  process.exit(2);
}
const dataDir = mkdtempSync(join(tmpdir(), "rankstream-fixture-"));
await fill(program, dataDir);
const fixture = {
  commit,
  options,
  answers: await answers(program, dataDir),
  files: filesOf(dataDir),
};
rmSync(dataDir, { recursive: true });
const packed = brotliCompressSync(JSON.stringify(fixture), {
  params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 11 },
});
const target = join(here, "fixtures", `${name}.json.br`);
writeFileSync(target, packed);
process.stdout.write(`${target}: ${packed.length} bytes, ${fixture.answers.length} answers\n`);
for (const [path, text] of Object.entries(fixture.files)) {
  process.stdout.write(`  ${path} ${Math.round((text.length * 3) / 4)}\n`);
}
