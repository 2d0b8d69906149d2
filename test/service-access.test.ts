// A real service and its file of keys, which changes while it runs.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { runIo } from "./support/cli-io.ts";
import { httpServers } from "./support/http-servers.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";

/** The file is looked at every second; a busy machine may take its time. */
const noticedMsMax = 20_000;

/** Runs `rankstream keys …` on this file; what it prints, without the line feed. */
async function keys(path: string, ...args: string[]): Promise<string> {
  const { code, out, error } = await runIo(["keys", ...args, "--access-keys", path]);
  expect([code, error.replace(/^the key \S+ is revoked\n$/, "")]).toEqual([0, ""]);
  return out.trimEnd();
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + noticedMsMax;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error("it did not come to that");
    await sleep(50);
  }
}

describe.each(httpServers)("a service with keys, over %s,", (httpServer) => {
  const path = join(temporaryFolder(), "keys.json");
  let service: RankstreamProcess;
  let reader = "";
  const headers = (key: string) => ({ authorization: `Bearer ${key}` });
  const status = async (key: string) =>
    (await service.request("/event-types", { headers: headers(key) })).status;
  const post = (key: string, eventId: string) =>
    service.post({ eventId, eventType: "a" }, { headers: headers(key) });

  beforeAll(async () => {
    reader = await keys(path, "create", "reader", "--scope", "read");
    // Polls with a key that isn't known yet count as guesses.
    const guesses = ["--wrong-keys-per-minute-max", "10000"];
    const args = ["--access-keys", path, "--http-server", httpServer, ...guesses];
    service = await startRankstream({ args });
  });

  it("takes new keys, and drops revoked ones, while it runs", async () => {
    expect([await status(reader), await status(`${reader}x`)]).toEqual([200, 401]);
    const other = await keys(path, "create", "other", "--scope", "read");
    await until(async () => (await status(other)) === 200);
    await keys(path, "revoke", "other");
    await until(async () => (await status(other)) === 401);
    expect(await status(reader)).toBe(200);
  });

  it("gives a key a new secret under load without one refusal", async () => {
    let key = await keys(path, "create", "load", "--scope", "ingest");
    await until(async () => (await post(key, "first")).status === 202);
    const first = key;
    const statuses = new Map<number, number>();
    let isOver = false;
    let sent = 0;
    const send = async () => {
      while (!isOver) {
        const { status: code } = await post(key, `e${sent++}`);
        statuses.set(code, (statuses.get(code) ?? 0) + 1);
      }
    };
    const senders = Promise.all([send(), send(), send(), send()]);
    for (let round = 0; round < 3; round++) {
      const next = await keys(path, "rotate", "load", "--overlap", "1h");
      // Whoever sends learns of the new key when it has been noticed, as by a later deployment.
      await until(async () => (await post(next, "probe")).status === 202);
      key = next;
      // Nobody is still on the way with the key of before.
      const answered = () => [...statuses.values()].reduce((sum, count) => sum + count, 0);
      const before = answered();
      await until(async () => answered() > before + 8);
    }
    isOver = true;
    await senders;
    expect([...statuses.keys()]).toEqual([202]);
    expect(statuses.get(202)).toBeGreaterThan(10);
    // Two rotations later the first secret is gone.
    expect((await post(first, "late")).body.code).toBe("key_invalid");
  });

  it("keeps its keys when the file is cut off, and takes the next good one", async () => {
    const whole = readFileSync(path, "utf8");
    writeFileSync(path, whole.slice(0, whole.length / 2));
    service.child.kill("SIGHUP");
    await until(async () => service.stderr.includes("the keys before stay in force"));
    expect(await status(reader)).toBe(200);
    writeFileSync(path, whole);
    const more = await keys(path, "create", "more", "--scope", "read");
    await until(async () => (await status(more)) === 200);
    expect(await status(reader)).toBe(200);
    expect(service.hasExited).toBe(false);
  });

  it("shows no secret in its log", () => {
    const secrets = /rsk_\w+_[\w-]{43}|[0-9a-f]{64}/;
    expect(service.output()).not.toMatch(secrets);
  });
});

describe("a start with a file of keys that can't be used", () => {
  it.each([
    ["missing", null, "it can not be read (ENOENT)"],
    ["cut off", '{"version":1,"ke', "it is not JSON, or cut off"],
  ])("is refused: %s", async (_what, text, expected) => {
    const path = join(temporaryFolder(), "keys.json");
    if (text !== null) writeFileSync(path, text, { mode: 0o600 });
    const service = new RankstreamProcess({ args: ["--access-keys", path] });
    expect((await service.exited).code).toBe(1);
    // Beside the log's line that it starts, one line for people.
    const said = service.stderr.trimEnd().split("\n");
    expect(said.filter((line) => !line.startsWith("{"))).toEqual([said.at(-1)]);
    expect(said.at(-1)).toContain(expected);
  });
});
