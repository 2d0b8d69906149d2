// Snapshots as an analyst has them: taken by the command, moved, opened by another process that
// knows nothing of the service; the queries are those of docs/analysts.md.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { RankstreamProcess, root, startRankstream, temporaryFolder } from "../support/service.ts";

const day = Date.UTC(2026, 10, 24);
const hourMs = 3_600_000;
const events = 3000;

interface Played {
  eventId: string;
  eventType: string;
  timestamp: number;
  weight: number;
  userId?: string;
  metadata?: { country: string };
}

/** Of the day, and of the hours around it. */
function randomPlays(random: Random): Played[] {
  const zipf = new ZipfSampler(40, 1.1);
  return Array.from({ length: events }, () => ({
    eventId: `song_${zipf.draw(random)}`,
    eventType: random.chance(0.9) ? "song_play" : "video_play",
    timestamp: day + random.int(-2 * hourMs, 26 * hourMs),
    weight: random.pick([1, 1, 2]),
    ...(random.chance(0.7) && { userId: `user_${random.int(0, 30)}` }),
    ...(random.chance(0.8) && { metadata: { country: random.pick(["DE", "FR", "AT"]) } }),
  }));
}

const docs = readFileSync(join(root, "docs", "analysts.md"), "utf8");
const queries = [...docs.matchAll(/```sql\n(.+?)```/gs)].map(([, sql]) => sql!);

/** Opens the snapshot from within its folder, in a process of its own; rows as JSON. */
async function askAsStranger(folder: string, ...sql: string[]): Promise<unknown[][][]> {
  const library = join(root, "node_modules", "@duckdb", "node-api");
  const program = `
    const { DuckDBInstance } = require(${JSON.stringify(library)});
    (async () => {
      const options = { access_mode: "READ_ONLY" };
      const instance = await DuckDBInstance.create("rankstream.duckdb", options);
      const connection = await instance.connect();
      const answers = [];
      for (const sql of ${JSON.stringify(sql)}) {
        answers.push((await connection.runAndReadAll(sql)).getRowsJson());
      }
      console.log(JSON.stringify(answers));
    })();`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], { cwd: folder });
  return JSON.parse(stdout) as unknown[][][];
}

function sums(plays: readonly Played[], keyOf: (play: Played) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const play of plays) {
    counts.set(keyOf(play), (counts.get(keyOf(play)) ?? 0) + play.weight);
  }
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** The first worked query, by counting. */
function trueSongs(plays: readonly Played[], labels: ReadonlyMap<string, string>) {
  const inTime = plays.filter(
    ({ eventType, timestamp }) =>
      eventType === "song_play" && timestamp >= day + 10 * hourMs && timestamp < day + 18 * hourMs,
  );
  const songs = sums(inTime, ({ eventId }) => eventId).slice(0, 10);
  return songs.map(([id, count]) => [labels.get(id) ?? id, String(count)]);
}

/** The second one. */
function trueCountries(plays: readonly Played[]) {
  const ofDay = plays.filter(
    ({ eventType, timestamp }) =>
      eventType === "song_play" && timestamp >= day && timestamp < day + 24 * hourMs,
  );
  const top = sums(ofDay, ({ eventId }) => eventId).slice(0, 3);
  const rows = top.flatMap(([song]) => {
    const own = ofDay.filter(({ eventId }) => eventId === song);
    const countries = [...new Set(own.map(({ metadata }) => metadata?.country ?? null))];
    return countries.map((country) => {
      const there = own.filter(({ metadata }) => (metadata?.country ?? null) === country);
      const users = new Set(there.flatMap(({ userId }) => userId ?? []));
      const count = there.reduce((sum, { weight }) => sum + weight, 0);
      return { song, country, count, users: users.size };
    });
  });
  rows.sort(
    (a, b) =>
      (a.song === b.song ? 0 : a.song < b.song ? -1 : 1) ||
      b.count - a.count ||
      // NULL comes last.
      ((a.country ?? "~") < (b.country ?? "~") ? -1 : 1),
  );
  return rows.map(({ song, country, count, users }) => [
    song,
    country,
    String(count),
    String(users),
  ]);
}

describe("tables for analysts", () => {
  const dataDir = temporaryFolder();
  const args = ["--seal-interval-ms", "100", "--seal-quiet-ms", "0"];
  let service: RankstreamProcess;
  let plays: Played[];
  beforeAll(async () => {
    plays = randomPlays(randomFromEnvironment("analysts"));
    service = await startRankstream({ dataDir, args });
    await service.post(plays);
  });
  afterAll(() => service.stop());

  const snapshot = async (to: string) => {
    const command = [join(root, "build", "cli.js"), "snapshot", "--to", to, "--url", service.url];
    return await promisify(execFile)(process.execPath, command);
  };

  it("answer the documented queries as a recount does, wherever the folder is", async () => {
    expect(queries).toHaveLength(2);
    const body = JSON.stringify({ label: "The First" });
    const headers = { "content-type": "application/json" };
    await service.request("/items/song_play/song_0", { method: "PUT", headers, body });
    await service.request("/items/song_play/song_1", { method: "DELETE" });
    plays = plays.filter(
      ({ eventId, eventType }) => eventId !== "song_1" || eventType !== "song_play",
    );
    const late: Played = {
      eventId: "song_2",
      eventType: "song_play",
      timestamp: day + 11 * hourMs,
      weight: 1,
    };
    await service.post([late]);
    plays.push(late);
    const to = join(temporaryFolder(), "of", "monday");
    const { stdout } = await snapshot(to);
    expect(stdout).toMatch(/^[\d,]+ events and [\d,]+ counts as of \S+Z in \/.+\/monday\n$/);
    expect(readdirSync(join(dataDir, "snapshots"))).toEqual([]);
    const moved = join(temporaryFolder(), "moved");
    renameSync(to, moved);
    // What comes later isn't in it, nor does it need the service's own files.
    await service.request("/event-types/song_play", { method: "DELETE" });
    const metrics =
      "SELECT count(DISTINCT timestamp) > 0, max(metric_value)::INTEGER FROM system_metrics " +
      "WHERE metric_name = 'rankstream_events_accepted_total'";
    const total = "SELECT name, total FROM event_types ORDER BY name";
    const answers = await askAsStranger(moved, ...queries, total, metrics);
    expect(answers[0]).toEqual(trueSongs(plays, new Map([["song_0", "The First"]])));
    expect(answers[1]).toEqual(trueCountries(plays));
    const totals = sums(plays, ({ eventType }) => eventType).sort();
    expect(answers[2]).toEqual(totals.map(([name, count]) => [name, String(count)]));
    const [[isSampled, accepted]] = answers[3] as [[boolean, number]];
    expect(isSampled).toBe(true);
    expect(accepted).toBeGreaterThan(0);
  });

  it("say why there is none: a folder is there, a name is none", async () => {
    const failure = await snapshot(temporaryFolder()).catch((error) => error);
    expect([failure.code, failure.stderr]).toEqual([2, expect.stringContaining("--to: expected")]);
    const post = (query: string, headers = {}) =>
      service.request(`/admin/snapshot?${query}`, { method: "POST", headers });
    for (const name of ["..", "a/b", ".hidden", "-x", "", "x".repeat(65)]) {
      const { status, body } = await post(`name=${encodeURIComponent(name)}`);
      expect([status, body.code], name).toEqual([400, "invalid_parameter"]);
    }
    expect((await post("to=x")).body.code).toBe("unknown_parameter");
    expect((await post("", { origin: "https://evil.example" })).status).toBe(403);
    expect((await service.get("/admin/snapshots")).body).toEqual({ snapshots: [] });
    const made = await post("name=kept");
    expect([made.status, made.body.name]).toEqual([201, "kept"]);
    expect((await post("name=kept")).body.code).toBe("snapshot_exists");
    const list = (await service.get("/admin/snapshots")).body.snapshots;
    expect(list).toEqual([{ name: "kept", path: made.body.path }]);
    const drop = () => service.request("/admin/snapshots/kept", { method: "DELETE" });
    expect((await drop()).status).toBe(200);
    expect((await drop()).body.code).toBe("snapshot_not_found");
    expect(existsSync(made.body.path)).toBe(false);
  });

  it("leave nothing of one that a kill ended", async () => {
    await service.stop();
    const failing = new RankstreamProcess({ dataDir, failPoint: "snapshot.before_rename" });
    await failing.ready();
    const asked = failing.request("/admin/snapshot?name=torn", { method: "POST" });
    await expect(asked).rejects.toThrow();
    expect(await failing.exited).toMatchObject({ signal: "SIGKILL" });
    expect(readdirSync(join(dataDir, "snapshots"))).toEqual([
      expect.stringMatching(/^torn\..+\.tmp$/),
    ]);
    service = await startRankstream({ dataDir, args });
    expect(readdirSync(join(dataDir, "snapshots"))).toEqual([]);
    const again = await service.request("/admin/snapshot?name=torn", { method: "POST" });
    expect(again.status).toBe(201);
  });
});
