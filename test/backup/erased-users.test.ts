/**
 * A user who was erased after a backup does not come back with it: neither from what the backup
 * counts nor from the log beyond, to whatever moment; what came after the erasure does.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runIo } from "../support/cli-io.ts";
import { filesHolding } from "../support/folder-scan.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";
import { type Place, restore, takeBackup, untilBackedUp } from "./backup-world.ts";

const testMsMax = 120_000;
const waitMsMax = 60_000;
const userId = "user-0815-of-the-secret-list";
const email = "mail-of-the-secret-list";
const eventType = "heard";
const folder = temporaryFolder();
const place: Place = { RANKSTREAM_BACKUP_TO: folder };
const args = [
  ...["--backup-log-interval-ms", "150", "--backup-interval-ms", "0"],
  ...["--checkpoint-ms", "100", "--log-level", "warn"],
];

/** Events of a batch: a third of them the user's. */
const batchEvents = 30;
const batchOf = (name: string) =>
  Array.from({ length: batchEvents }, (_, i) => ({
    eventId: `item ${i % 5}`,
    eventType,
    ...(i % 3 === 0
      ? { userId, sessionId: `of ${name}`, metadata: { email, batch: name } }
      : { userId: `other ${i % 2}`, metadata: { batch: name } }),
  }));

/** The backup, and a moment after each batch. */
const was = { backup: "", before: 0, late: 0, erased: 0, after: 0 };

async function post(service: RankstreamProcess, name: string): Promise<number> {
  expect((await service.post(batchOf(name))).body.accepted).toBe(batchEvents);
  // What comes next is of a later millisecond.
  await sleep(5);
  const now = Date.now();
  await sleep(5);
  return now;
}

async function restored(to: number | string): Promise<RankstreamProcess> {
  const dataDir = join(temporaryFolder(), "restored");
  const done = await restore(place, dataDir, to, ["--base", was.backup]);
  expect(done, done.error).toMatchObject({ code: 0 });
  return startRankstream({ dataDir, args: ["--log-level", "warn", "--checkpoint-ms", "100"] });
}

/** Batches of the user's events, of all events, as they are told. */
async function eventsOf(service: RankstreamProcess) {
  const own = String((await service.get(`/users/${userId}/events`, {})).body).trim();
  const all = (await service.get("/leaderboard", { eventType, timeRange: "all", mode: "exact" }))
    .body.total;
  const batches = own === "" ? [] : own.split("\n").map((line) => JSON.parse(line).metadata.batch);
  return { own: [...new Set(batches)], events: batches.length, all };
}

beforeAll(async () => {
  const service = await startRankstream({ args, env: place });
  was.before = await post(service, "counted");
  was.backup = (await takeBackup(service)).id;
  was.late = await post(service, "in the log");
  const path = `/users/${userId}?metadata=email`;
  const erased = await service.request(path, { method: "DELETE" });
  expect(erased.body).toMatchObject({ events: 20, metadataKeys: ["email"] });
  was.erased = Date.now();
  await sleep(5);
  was.after = await post(service, "afterwards");
  await untilBackedUp(service, was.after);
  const documents = () => readdirSync(join(folder, "erasures"));
  await until(async () => expect(documents()).not.toEqual([]), waitMsMax);
  for (const name of documents()) {
    expect(readFileSync(join(folder, "erasures", name), "utf8")).not.toContain(userId);
  }
  await service.kill();
  rmSync(service.dataDir, { recursive: true });
}, testMsMax);

afterAll(() => rmSync(folder, { recursive: true }));

it(
  "stay erased at moments before and after, and what came later is there",
  async () => {
    const moments: [number | string, number, string[]][] = [
      [was.late, 2, []],
      [was.erased, 2, []],
      ["latest", 3, ["afterwards"]],
    ];
    for (const [to, batches, own] of moments) {
      const service = await restored(to);
      // As soon as it answers.
      expect(await eventsOf(service)).toEqual({
        own,
        events: own.length * 10,
        all: batches * batchEvents,
      });
      const jobs = async () => (await service.get("/jobs", {})).body.jobs;
      await until(
        async () => expect(await jobs()).toMatchObject([{ kind: "erasure", status: "done" }]),
        waitMsMax,
      );
      const exported = (await service.get("/export", { eventType, timeRange: "all" })).body;
      expect(exported).toContain("in the log");
      expect(exported.includes(email)).toBe(own.length > 0);
      await service.stop();
      if (own.length > 0) continue;
      // The stop has counted what the log held; a start lets go of it.
      const again = await startRankstream({ dataDir: service.dataDir, args });
      await again.stop();
      for (const text of [userId, email]) {
        const raw = await filesHolding(join(service.dataDir, "raw"), text);
        expect(raw).toEqual([]);
      }
    }
  },
  testMsMax,
);

it("are asked for: without a whole record of them nothing is restored", async () => {
  const [name] = readdirSync(join(folder, "erasures"));
  const path = join(folder, "erasures", name!);
  const whole = readFileSync(path);
  writeFileSync(path, whole.toString("utf8").replace(/[0-9](?=[0-9])/, "x"));
  try {
    const dataDir = join(temporaryFolder(), "damaged");
    const refused = await restore(place, dataDir, "latest");
    expect(refused.code).toBe(1);
    expect(refused.error).toContain(name);
    const looked = await runIo(["verify", "--backups"], { environment: place });
    expect(looked.code).not.toBe(0);
    expect(looked.out).toContain(name);
  } finally {
    writeFileSync(path, whole);
  }
  const looked = await runIo(["verify", "--backups"], { environment: place });
  expect(looked, looked.out).toMatchObject({ code: 0 });
}, 60_000);
