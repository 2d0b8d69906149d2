// Data folders that other versions wrote: today's program says what these said, counts on, begins
// again after kill -9 in the midst, and leaves alone what a later version wrote.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { crc32 } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import { segmentSeed } from "../../src/log/segment.ts";
import { storeFormat } from "../../src/store/migrations.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { type Fixture, fixtureNames, readFixture, unpack } from "./fixture.ts";
import { batches } from "./stream.mjs";

const testMsMax = 120_000;
/** Of the moment that it was asked, or of how it was found out. */
const passing = ["timeRange", "to", "effectiveTo", "asOf", "nextCursor", "plan"];

function lasting(body: unknown): unknown {
  if (typeof body !== "object" || body === null) return body;
  const own = Object.entries(body).filter(([name]) => !passing.includes(name));
  return Object.fromEntries(own);
}

async function expectAnswers(service: RankstreamProcess, answers: Fixture["answers"]) {
  for (const { path, body } of answers) {
    const answer = await service.get(path);
    expect(answer.status, path).toBe(200);
    const known = lasting(body);
    // What later versions say beside it is none of the old one's business.
    if (typeof known === "object")
      expect(lasting(answer.body), path).toMatchObject(known as object);
    else expect(answer.body, path).toEqual(body);
  }
}

const totalOf = async (service: RankstreamProcess, more = "") =>
  (await service.get(`/leaderboard?eventType=play&timeRange=all&mode=exact${more}`)).body;

describe.each(fixtureNames)("a folder of %s", (name) => {
  const fixture = readFixture(name);
  const start = { args: fixture.options };

  it("is answered as before, and counted on", { timeout: testMsMax }, async () => {
    const dataDir = unpack(fixture);
    const service = await startRankstream({ ...start, dataDir });
    expect(service.stderr).toContain('"the data folder was brought to a newer format"');
    expect(fixture.answers.length).toBeGreaterThan(30);
    await expectAnswers(service, fixture.answers);
    // A batch from before the upgrade is still known.
    const sent = batches().find(({ key }) => key === "producer/2")!;
    const lines = sent.events.map((event) => JSON.stringify(event)).join("\n");
    const replayed = await service.post(lines, { key: sent.key! });
    expect(replayed.headers.get("idempotency-replayed")).toBe("true");
    const before = await totalOf(service);
    const heard = { eventType: "play", eventId: "song 0", userId: "new", timestamp: Date.now() };
    expect((await service.post([heard, heard])).status).toBe(202);
    const after = await totalOf(service);
    expect(after.total).toBe(before.total + 2);
    expect(after.results[0]).toMatchObject({ eventId: "song 0" });
    expect(after.results[0].count).toBe(before.results[0].count + 2);
    await service.stop();
    const again = await startRankstream({ ...start, dataDir });
    expect(again.stderr).not.toContain("newer format");
    expect((await totalOf(again)).results).toEqual(after.results);
    expect((await totalOf(again, "&userId=new")).total).toBe(2);
    await again.stop();
  });

  const points: FailPointName[] = ["migrate.after_step", "migrate.before_commit"];
  it.each(points)("killed at %s begins again", { timeout: testMsMax }, async (failPoint) => {
    const dataDir = unpack(fixture);
    const killed = new RankstreamProcess({ ...start, dataDir, failPoint });
    expect(await killed.exited, killed.output()).toEqual({ code: null, signal: "SIGKILL" });
    const service = await startRankstream({ ...start, dataDir });
    await expectAnswers(service, fixture.answers.slice(0, 5));
    await service.stop();
  });
});

/** SHA-256 of every file, by path. */
function digestsOf(dataDir: string): Record<string, string> {
  const entries = readdirSync(dataDir, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    paths.sort().map((path) => {
      const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
      return [relative(dataDir, path), digest];
    }),
  );
}

async function expectRefused(dataDir: string, message: RegExp) {
  const before = digestsOf(dataDir);
  const refused = new RankstreamProcess({ dataDir });
  expect((await refused.exited).code, refused.output()).toBe(1);
  expect(refused.stderr).toMatch(message);
  expect(refused.stderr).toMatch(/Start that version, or restore a backup/);
  expect(digestsOf(dataDir)).toEqual(before);
}

/** A folder with events in the store's file, in its write-ahead log and in the log alone. */
async function usedFolder(): Promise<string> {
  const dataDir = temporaryFolder();
  const event = { eventType: "play", eventId: "a", timestamp: Date.now() };
  const first = await startRankstream({ dataDir });
  expect((await first.post(event)).status).toBe(202);
  await first.stop();
  const second = await startRankstream({ dataDir });
  expect((await second.post(event)).status).toBe(202);
  expect((await totalOf(second)).total).toBe(2);
  await second.kill();
  return dataDir;
}

describe("what a later version wrote is refused and left as it is", () => {
  it("a store", { timeout: testMsMax }, async () => {
    const dataDir = await usedFolder();
    const instance = await DuckDBInstance.create(join(dataDir, "store.duckdb"));
    const connection = await instance.connect();
    // As a crash leaves it: the change lies in the write-ahead log.
    await connection.run("PRAGMA disable_checkpoint_on_shutdown");
    await connection.run(`UPDATE meta SET value = CASE key
      WHEN 'format' THEN '${storeFormat + 1}' WHEN 'writtenBy' THEN '9.9.9' ELSE value END`);
    connection.closeSync();
    instance.closeSync();
    expect(Object.keys(digestsOf(dataDir))).toContain("store.duckdb.wal");
    const versions = `store format ${storeFormat + 1}, written by rankstream 9\\.9\\.9; this is `;
    await expectRefused(dataDir, new RegExp(versions));
  });

  it("a segment of the log", { timeout: testMsMax }, async () => {
    const dataDir = await usedFolder();
    const path = join(dataDir, "log", "0000000000000001.log");
    const bytes = readFileSync(path);
    bytes.writeUInt32LE(2, 12);
    bytes.writeUInt32LE(crc32(bytes.subarray(8, bytes.readUInt32LE(8))), 4);
    writeFileSync(path, bytes);
    await expectRefused(dataDir, /segment format 2; this version reads format 1/);
  });

  it("a frame of the log", { timeout: testMsMax }, async () => {
    const dataDir = await usedFolder();
    const path = join(dataDir, "log", "0000000000000001.log");
    const bytes = readFileSync(path);
    const at = bytes.readUInt32LE(8);
    const frame = bytes.subarray(at, at + bytes.readUInt32LE(at + 8));
    frame.writeUInt8(200, 12);
    const id = bytes
      .toString("hex", 16, 32)
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    frame.writeUInt32LE(crc32(frame.subarray(8), segmentSeed(id, 1)), 4);
    writeFileSync(path, bytes);
    await expectRefused(dataDir, /record format 200; this version reads formats 1 to \d+/);
  });
});
