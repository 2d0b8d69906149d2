/** A start that fails leaves nothing open: no file, no thread, no port. */
import { readdirSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import type { Worker } from "node:worker_threads";
import { afterEach, expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import { startService } from "../src/service.ts";
import { silentLogger } from "../src/telemetry.ts";
import { temporaryFolder } from "./support/service.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A port that something listens on until the test ends. */
async function takenPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as { port: number }).port;
}

function configOf(dataDir: string, flags: Record<string, string>) {
  const given = { port: "0", dataDir, ...flags };
  return loadConfig({ flags: given, environment: {}, file: undefined }).config;
}

/** Files of the folder that this process holds open. */
function openFiles(folder: string): string[] {
  return readdirSync("/proc/self/fd")
    .map((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`);
      } catch {
        return "";
      }
    })
    .filter((path) => path.startsWith(folder));
}

const isLinux = process.platform === "linux";

/** Threads of this process that run, and all there were. */
let workers = 0;
const started: Worker[] = [];
process.on("worker", (worker) => {
  workers++;
  started.push(worker);
  worker.once("exit", () => workers--);
});

it.each([
  ["a taken port", "port_in_use"],
  ["another number of partitions", "log_mismatch"],
])("a start that fails for %s leaves nothing open", async (_what, code) => {
  const dataDir = temporaryFolder();
  const before = workers;
  const first = await startService(configOf(dataDir, {}), silentLogger);
  // What the checks below look for can be seen at all.
  expect(workers).toBeGreaterThan(before);
  if (isLinux) expect(openFiles(dataDir)).not.toEqual([]);
  await first.stop();
  const isPort = code === "port_in_use";
  const flags = isPort ? { port: String(await takenPort()) } : { partitions: "7" };
  const failed = startService(configOf(dataDir, flags), silentLogger);
  await expect(failed).rejects.toMatchObject({ code });
  if (isLinux) expect(openFiles(dataDir)).toEqual([]);
  expect(workers).toBe(before);
  const again = await startService(configOf(dataDir, {}), silentLogger);
  await again.stop();
});

it("says so, and hangs nowhere, when the store's thread ends", async () => {
  const dataDir = temporaryFolder();
  const threads = started.length;
  const service = await startService(configOf(dataDir, {}), silentLogger);
  const url = `http://${service.host}:${service.port}`;
  const post = () =>
    fetch(`${url}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ eventId: "x", eventType: "t" }),
    });
  expect((await post()).status).toBe(202);
  // The first thread of a start is the store's: it holds the folder.
  await started[threads]!.terminate();
  expect(await service.failed).toMatch(/store/);
  for (const mode of ["exact", "approx"]) {
    const answer = await fetch(`${url}/leaderboard?eventType=t&mode=${mode}`);
    expect(answer.status, mode).toBe(503);
  }
  await expect(service.stop()).rejects.toMatchObject({ code: "store_failed" });
});
