// docs/how-to/behind-a-cdn.md: what replies say of being kept, and what a real cache does by it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findNginx } from "../../tools/services.mjs";
import { freePort } from "../support/free-port.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const hourMs = 3_600_000;
const past = Date.now() - 5 * hourMs;
const readyMsMax = 10_000;

let service: RankstreamProcess;
let cache: ChildProcess | undefined;
let cacheUrl: string;

/** As a CDN: keeps what may be kept, by the whole address; says of each reply where it is from. */
function cacheFile(folder: string, port: number): string {
  // Its workers have to reach the folder, which is its maker's alone.
  return `
daemon off;
user root;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  proxy_cache_path ${folder}/kept keys_zone=kept:1m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${service.url};
      proxy_cache kept;
      proxy_cache_key $request_method$request_uri;
      proxy_cache_valid 404 1m;
      add_header x-cache $upstream_cache_status always;
    }
  }
}
`;
}

function isListening(): Promise<boolean> {
  return fetch(`${cacheUrl}/health/live`).then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function startCache(): Promise<void> {
  const program = findNginx();
  if (program === undefined) throw new Error("no nginx: npm run test:services brings it");
  const folder = temporaryFolder();
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  writeFileSync(file, cacheFile(folder, port));
  cache = spawn(program, ["-c", file, "-p", folder], { stdio: "ignore" });
  cacheUrl = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + readyMsMax;
  while (!(await isListening())) {
    if (Date.now() > deadline) throw new Error(`nginx was not there in ${readyMsMax} ms`);
    await sleep(50);
  }
}

beforeAll(async () => {
  service = await startRankstream();
  await service.post([{ eventId: "a", eventType: "play", timestamp: past }]);
  await startCache();
});

afterAll(async () => {
  cache?.kill("SIGTERM");
  if (cache?.exitCode === null && cache.signalCode === null) await once(cache, "exit");
});

const overPast = `from=${past - hourMs}&to=${past + hourMs}`;
const kept: [string, RegExp][] = [
  [`/leaderboard?eventType=play&${overPast}`, /^max-age=1\d$/],
  [`/event-types/play/series?${overPast}`, /^max-age=1\d$/],
  ["/leaderboard?eventType=play&timeRange=today", /^no-cache$/],
  [`/leaderboard?eventType=play&${overPast}&mode=exact`, /^no-cache$/],
  ["/", /^no-cache$/],
];
const neverKept = [
  "/status",
  "/changes?since=0",
  "/health/ready",
  "/metrics",
  "/event-types",
  "/event-types/none",
  "/jobs/none",
  "/nowhere",
  "/leaderboard",
];

describe("replies", () => {
  it.each(kept)("%s may be kept: %s", async (path, control) => {
    for (const what of ["made", "kept"]) {
      const { headers } = await service.get(path);
      const age = Number(headers.get("age") ?? 0);
      expect(headers.get("cache-control"), what).toMatch(control);
      const [, seconds] = /^max-age=(\d+)$/.exec(headers.get("cache-control")!) ?? [];
      if (seconds !== undefined) expect(Number(seconds) - age).toBe(10);
    }
    const first = await service.get(path);
    const etag = first.headers.get("etag")!;
    const again = await service.request(path, { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
  });

  it.each(neverKept)("%s is not kept", async (path) => {
    const { headers } = await service.get(path);
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("to what changes something are not kept", async () => {
    const posted = await service.post([{ eventId: "b", eventType: "other" }]);
    expect(posted.headers.get("cache-control")).toBe("no-store");
    const deleted = await service.request("/items/other/b?dryRun=true", { method: "DELETE" });
    expect([deleted.status, deleted.headers.get("cache-control")]).toEqual([200, "no-store"]);
  });
});

describe("a cache in front", () => {
  const from = async (path: string) => {
    const reply = await fetch(`${cacheUrl}${path}`);
    await reply.text();
    return reply.headers.get("x-cache");
  };

  it("answers for the past by itself, and asks for all else", async () => {
    const board = `/leaderboard?eventType=play&${overPast}&k=5`;
    expect([await from(board), await from(board)]).toEqual(["MISS", "HIT"]);
    for (const path of ["/leaderboard?eventType=play&timeRange=today", "/status", "/jobs/none"]) {
      expect([await from(path), await from(path)], path).toEqual(["MISS", "MISS"]);
    }
  });
});
