/** rankstream verify of a data folder: whole, and with each kind of thing wrong in it. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { runIo } from "../support/cli-io.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { startRankstream, temporaryFolder } from "../support/service.ts";

const dayMs = 86_400_000;
const sealMsMax = 30_000;

let folder: string;

/** Events of three types over some days, of one of which only days are kept, and a delete. */
beforeAll(async () => {
  const random = randomFromEnvironment("verify");
  const args = ["--seal-quiet-ms", "0", "--seal-interval-ms", "100", "--coarsen-after-ms", "0"];
  const service = await startRankstream({ args: [...args, "--candidates-max", "5"] });
  folder = service.dataDir;
  await service.request("/event-types/sale", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ aggregationWindow: 86_400 }),
  });
  for (let batch = 0; batch < 30; batch++) {
    const events = Array.from({ length: 200 }, () => ({
      eventType: random.pick(["play", "click", "sale"]),
      eventId: `item ${random.int(0, 30)}`,
      timestamp: Date.now() - random.int(0, 40 * dayMs),
      weight: random.int(1, 3),
    }));
    const { status } = await service.post(events);
    expect(status).toBe(202);
  }
  const gone = await service.request("/event-types/play/events?timeRange=last_20_days", {
    method: "DELETE",
  });
  expect(gone.status).toBe(200);
  // Hours, days and a month.
  const isBuilt = () => expect(service.stderr).toMatch(/"rankstream\.windowsBuilt":[1-9]/);
  await vi.waitFor(isBuilt, { timeout: sealMsMax, interval: 200 });
  // Not sealed yet.
  await service.post([{ eventType: "play", eventId: "now" }]);
  await service.get("/leaderboard", { eventType: "play", mode: "exact" });
  await service.stop();
}, 60_000);

function copy(): string {
  const target = join(temporaryFolder(), "copy");
  cpSync(folder, target, { recursive: true });
  return target;
}

async function sql(dataDir: string, statement: string): Promise<void> {
  const instance = await DuckDBInstance.create(join(dataDir, "store.duckdb"));
  const connection = await instance.connect();
  await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

async function verify(dataDir: string) {
  const { code, out, error } = await runIo(["verify", "--data-dir", dataDir, "--json"]);
  expect(error).toBe("");
  const { checks } = JSON.parse(out) as { checks: { name: string; message: string }[] };
  const texts = Object.fromEntries(checks.map(({ name, message }) => [name, message]));
  return { code, counts: texts["counts"]!, files: texts["raw files"]!, log: texts["log"]! };
}

function flipByte(path: string, place: number): void {
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length * place)]! ^= 1;
  writeFileSync(path, bytes);
}

describe("verify of a data folder", () => {
  it("says that a whole one is, however often", async () => {
    for (let i = 0; i < 2; i++) {
      const found = await verify(folder);
      expect(found).toMatchObject({ code: 0 });
      expect(found.counts).toMatch(/^\d{4} events of weight \d+, as \d{3,} windows have them$/);
    }
  });

  const oneOf = (table: string, eventType = "click") =>
    `rowid = (SELECT max(rowid) FROM ${table} WHERE type_id = (
      SELECT type_id FROM event_types WHERE event_type = '${eventType}'))`;

  it.each([
    ["a minute", `UPDATE list_minute SET count = count + 1 WHERE ${oneOf("list_minute")}`],
    ["an hour", `DELETE FROM list_hour WHERE ${oneOf("list_hour")}`],
    ["a day off its list", `UPDATE tail_day SET count = count + 2 WHERE ${oneOf("tail_day")}`],
    ["a month", `UPDATE list_month SET event_id = 'other' WHERE ${oneOf("list_month")}`],
    // Its hours are gone.
    ["a whole day", `DELETE FROM window_day WHERE ${oneOf("window_day", "sale")}`],
    ["what is not folded", "UPDATE count_deltas SET count = count + 1"],
    ["a type's total", "UPDATE event_types SET total = total + 1 WHERE event_type = 'click'"],
    ["raw events in no file", "DELETE FROM raw_recent WHERE event_type = 'click'"],
  ])("finds a difference in %s", async (_what, statement) => {
    const dataDir = copy();
    await sql(dataDir, statement);
    const found = await verify(dataDir);
    expect(found.code, statement).toBe(1);
    expect(found.counts).toMatch(/^\d+ differences; /);
  });

  it("finds damage in the log, and a log of another store", async () => {
    const dataDir = copy();
    const [segment] = readdirSync(join(dataDir, "log"));
    const path = join(dataDir, "log", segment!);
    const whole = readFileSync(path);
    flipByte(path, 0.5);
    const damaged = await verify(dataDir);
    // Behind it are sound frames, but who writes to a log can't tell that from a torn end.
    expect(damaged.log).toMatch(/partition \d: counted up to \d+, the log has 0 to \d+/);
    writeFileSync(path, whole);
    await sql(dataDir, "UPDATE meta SET value = 'another' WHERE key = 'logId'");
    expect((await verify(dataDir)).log).toMatch(/the store counts another$/);
  });

  it("is refused while a service runs on the folder", async () => {
    const dataDir = copy();
    const service = await startRankstream({ dataDir });
    const refused = await runIo(["verify", "--data-dir", dataDir]);
    expect(refused).toMatchObject({ code: 1, error: expect.stringMatching(/is held by/) });
    await service.kill();
  }, 30_000);
});
