/** Backups of a running service: what a second one writes, when they are taken and stopped. */
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compared, documented, served } from "../docs/metrics.ts";
import { runIo } from "../support/cli-io.ts";
import { runCommand } from "../support/command.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";
import {
  fillRawFile,
  type Place,
  restore,
  serviceArgs,
  takeBackup,
  untilCounted,
} from "./backup-world.ts";

const testMsMax = 90_000;
const waitMsMax = 30_000;
const repository = temporaryFolder();
const place: Place = { RANKSTREAM_BACKUP_TO: repository };
let service: RankstreamProcess;

beforeAll(async () => {
  service = await startRankstream({ args: serviceArgs, env: place });
  await fillRawFile(service);
}, testMsMax);

afterAll(() => service.kill());

/** Bytes of each object there is, by name. */
function objects(): Map<string, number> {
  const folder = join(repository, "objects");
  const names = readdirSync(folder, { recursive: true }).map(String);
  const files = names.filter((name) => /\.(br|raw)$/.test(name));
  return new Map(files.map((name) => [name, statSync(join(folder, name)).size]));
}

async function verify() {
  return runIo(["verify", "--backups"], { environment: place });
}

describe("a second backup", () => {
  it(
    "after few events writes only what is new, and all that is gone",
    async () => {
      const first = await takeBackup(service);
      const before = objects();
      expect([...before.values()].reduce((sum, bytes) => sum + bytes, 0)).toBe(first.sentBytes);
      const few = Array.from({ length: 20 }, (_, i) => ({ eventId: `f${i}`, eventType: "few" }));
      expect((await service.post(few)).status).toBe(202);
      // A backup is of a commit: until then they are in the log alone.
      await untilCounted(service, "few");
      const second = await takeBackup(service);
      const fresh = [...objects()].filter(([name]) => !before.has(name));
      expect(fresh.length).toBeGreaterThan(0);
      expect(fresh.reduce((sum, [, bytes]) => sum + bytes, 0)).toBe(second.sentBytes);
      expect(second.sentBytes).toBeLessThan(first.sentBytes / 4);
      // Raw files are never written again.
      expect(fresh.filter(([name]) => name.endsWith(".raw"))).toEqual([]);

      const [raw] = [...before.keys()].filter((name) => name.endsWith(".raw"));
      rmSync(join(repository, "objects", raw!));
      expect(await verify()).toMatchObject({ code: 1, out: expect.stringContaining(raw!) });
      await takeBackup(service);
      expect(await verify()).toMatchObject({ code: 0 });
    },
    testMsMax,
  );
});

describe("a backup under way", () => {
  it(
    "is stopped when asked to, and the next one is done",
    async () => {
      // It may be done before it is stopped.
      await until(async () => {
        const begun = await service.request("/admin/backups", { method: "POST" });
        const path = begun.headers.get("location")!;
        const { status, body } = await service.request(path, { method: "DELETE" });
        expect(status).toBe(200);
        expect(body).toMatchObject({ status: "cancelled", error: { code: "backup_cancelled" } });
        const { body: all } = await service.get("/admin/backups");
        const own = all.backups.find(({ id }: { id: string }) => path.endsWith(id));
        expect(own).toMatchObject({ status: "cancelled" });
      }, waitMsMax);
      await takeBackup(service);
      expect(await verify()).toMatchObject({ code: 0 });
    },
    testMsMax,
  );
});

describe("what /metrics says of backups", () => {
  it("is what the page says, and what was done", async () => {
    const names = documented("With backups").map(({ name }) => name);
    const all = await served(service);
    const found = all.filter(({ name }) => name.startsWith("rankstream_backup_"));
    const sides = compared(documented("With backups"), found);
    expect(sides.found).toEqual(sides.page);
    expect(names.length).toBeGreaterThan(5);
    const text = String((await service.get("/metrics")).body);
    const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    const { body } = await service.get("/admin/backups");
    const done = body.backups.filter(({ status }: { status: string }) => status === "done");
    expect(figure("rankstream_backup_done_total")).toBe(done.length);
    expect(figure("rankstream_backup_failed_total")).toBe(0);
    expect(figure("rankstream_backup_last_sent_bytes")).toBe(done.at(-1).sentBytes);
    const last = Date.parse(done.at(-1).finishedAt) / 1000;
    expect(figure("rankstream_backup_last_success_timestamp_seconds")).toBeCloseTo(last, 1);
    expect(figure("rankstream_backup_log_gaps_total")).toBe(0);
  });
});

describe("without a service", () => {
  it(
    "rankstream backup --offline backs the folder up, not while a service runs",
    async () => {
      const { dataDir } = service;
      const args = ["backup", "--offline", "--data-dir", dataDir, "--json"];
      const held = await runCommand(args, place).ended;
      expect(held).toMatchObject({ code: 1, error: expect.stringMatching(/is held by/) });
      await service.post([{ eventId: "last", eventType: "few", weight: 7 }]);
      await service.kill();
      const ended = await runCommand(args, place).ended;
      expect(ended, ended.error).toMatchObject({ code: 0 });
      const backup = JSON.parse(ended.out);
      expect(backup).toMatchObject({ status: "done" });
      const target = join(temporaryFolder(), "restored");
      const done = await restore(place, target, "latest", ["--base", backup.id]);
      expect(done, done.error).toMatchObject({ code: 0 });
      const again = await startRankstream({ dataDir: target });
      const { body } = await again.get("/leaderboard", { eventType: "few", mode: "exact", k: 1 });
      expect(body).toMatchObject({ total: 27, results: [{ eventId: "last", count: 7 }] });
      await again.kill();
    },
    testMsMax,
  );
});

describe("the schedule", () => {
  it(
    "takes backups by itself, and keeps as many as the rules say",
    async () => {
      const own = temporaryFolder();
      const rules = ["--backup-keep", "last=2", "--backup-log-days", "0"];
      const args = ["--backup-interval-ms", "50", ...rules, "--log-level", "warn"];
      const env = { RANKSTREAM_BACKUP_TO: own };
      const taken = await startRankstream({
        args: [...args, "--backup-log-interval-ms", "100"],
        env,
      });
      await until(async () => {
        const text = String((await taken.get("/metrics")).body);
        const done = Number(/^rankstream_backup_done_total (\d+)$/m.exec(text)?.[1]);
        expect(done).toBeGreaterThan(3);
      }, waitMsMax);
      await taken.stop();
      const left = readdirSync(join(own, "bases"));
      expect(left.length).toBeGreaterThanOrEqual(2);
      expect(left.length).toBeLessThanOrEqual(3);
      expect(readdirSync(join(own, "retired")).length).toBeGreaterThan(0);
      const whole = await runIo(["verify", "--backups"], { environment: env });
      expect(whole, whole.out).toMatchObject({ code: 0 });
    },
    testMsMax,
  );
});
