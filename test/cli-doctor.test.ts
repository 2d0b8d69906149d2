import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checksText } from "../src/cli-doctor.ts";
import type { Check } from "../src/service-checks.ts";
import { runIo } from "./support/cli-io.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";

let service: RankstreamProcess;
let version: string;
beforeAll(async () => {
  service = await startRankstream();
  version = (await service.get("/status")).body.version;
});
afterAll(() => service.stop());

async function doctor(args: string[], given: Parameters<typeof runIo>[1] = {}) {
  const run = await runIo(["doctor", "--json", ...args], { version, ...given });
  const { ok, checks } = JSON.parse(run.out) as { ok: boolean; checks: Check[] };
  const of = (name: string) => checks.filter((check) => check.name === name);
  const statusOf = (name: string) => of(name).map(({ status }) => status);
  return { code: run.code, ok, checks, of, statusOf };
}

describe("rankstream doctor", () => {
  it("finds a service well, and who holds its folder", async () => {
    const before = readdirSync(service.dataDir);
    const { port } = new URL(service.url);
    const found = await doctor(["--data-dir", service.dataDir, "--port", port]);
    expect([found.code, found.ok]).toEqual([0, true]);
    for (const name of ["node", "webassembly", "data folder", "service", "version", "clock"]) {
      expect(found.statusOf(name), name).toEqual(["ok"]);
    }
    expect(found.of("lock")[0]!.message).toContain(`process ${service.pid} holds`);
    expect(found.of("sizes")[0]!.message).toMatch(/^store \d+ MiB, log \d+ MiB$/);
    expect(found.of("sync")[0]!.message).toMatch(/ms$/);
    expect(found.of("port")).toEqual([]);
    expect(readdirSync(service.dataDir).sort()).toEqual(before.sort());
  });

  it("is content with a machine that nothing runs on yet", async () => {
    const dataDir = join(temporaryFolder(), "not", "yet");
    const found = await doctor(["--data-dir", dataDir, "--port", "0"]);
    // Something may run at the default address: it is only looked at.
    expect(found.statusOf("data folder")).toEqual(["ok"]);
    expect(found.of("data folder")[0]!.message).toContain("not there yet");
    expect(found.of("sync")).toEqual([]);
  });

  it("says what is wrong, and what to do", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const taken = createServer();
    taken.listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const environment = { RANKSTREAM_URL: "http://127.0.0.1:1", RANKSTREAM_PROT: "1" };
    const args = ["--data-dir", file, "--port", String(port), "--redis-url", "redis://[::1]:1"];
    const kafka = ["--log", "kafka", "--kafka-brokers", `127.0.0.1:${port},127.0.0.1:1`];
    const found = await doctor([...args, ...kafka], { environment, nodeVersion: "21.0.0" });
    taken.close();
    expect([found.code, found.ok]).toEqual([1, false]);
    expect(
      Object.fromEntries(found.checks.map(({ name }) => [name, found.statusOf(name)])),
    ).toEqual(
      expect.objectContaining({
        node: ["warn"],
        configuration: ["ok", "warn"],
        "data folder": ["fail"],
        redis: ["fail"],
        kafka: ["ok", "fail"],
        service: ["fail"],
        port: ["fail"],
      }),
    );
    const wrong = found.checks.filter(({ status }) => status !== "ok");
    expect(wrong.filter(({ hint }) => hint === undefined)).toEqual([]);
    const invalid = await doctor(["--workers", "0", "--port", "x"], { environment });
    expect([invalid.code, invalid.statusOf("configuration")]).toEqual([1, ["fail", "fail"]]);
  });

  it("looks at what a lake leans on, without its password", async () => {
    const environment = {
      RANKSTREAM_STORE: "ducklake:postgres:host=127.0.0.1 port=1 password=s3cret",
      RANKSTREAM_DATA: join(temporaryFolder(), "none"),
      RANKSTREAM_EXTENSION_DIRECTORY: temporaryFolder(),
    };
    const found = await doctor(["--port", "0"], { environment });
    for (const name of ["extensions", "catalog", "data"]) {
      expect(found.statusOf(name), name).toEqual(["fail"]);
    }
    expect([found.code, JSON.stringify(found.checks).includes("s3cret")]).toEqual([1, false]);
  });

  it("sees another version", async () => {
    const found = await doctor(["--url", service.url], { version: "9.9.9" });
    expect(found.of("version")[0]).toMatchObject({ status: "warn" });
    expect(found.code).toBe(0);
  });

  it("writes a line a check, hints below", () => {
    const checks: Check[] = [
      { name: "a", status: "ok", message: "good" },
      { name: "longer", status: "fail", message: "bad", hint: "do this" },
    ];
    expect(checksText(checks, (_style, text) => text)).toBe(
      `ok    a       good\nFAIL  longer  bad\n${" ".repeat(14)}do this\n`,
    );
  });
});
