// docs/how-to/from-postgres.md, against a real PostgreSQL: what its script takes, and takes once.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { startPostgres } from "../support/postgres.ts";
import type { PostgresServer } from "../support/postgres-server.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";
import { describePage } from "./page-checks.ts";

let service: RankstreamProcess;
let postgres: PostgresServer;
let world: DocWorld;

beforeAll(async () => {
  [service, postgres] = await Promise.all([startRankstream(), startPostgres()]);
  world = new DocWorld(service.url, new Map(), postgres.environment);
});

describePage("docs/how-to/from-postgres.md", () => world);

/** Items and counts of the exact board of everything. */
async function counted(eventType: string): Promise<Record<string, number>> {
  const { body } = await service.get(
    `/leaderboard?eventType=${eventType}&timeRange=all&mode=exact`,
  );
  const rows = body.results as { eventId: string; count: number }[];
  return Object.fromEntries(rows.map(({ eventId, count }) => [eventId, count]));
}

function inTable(): Record<string, number> {
  const rows = postgres.query("SELECT song, count(*) FROM plays GROUP BY song").trim().split("\n");
  return Object.fromEntries(rows.map((row) => [row.split("|")[0], Number(row.split("|")[1])]));
}

function insert(song: string): void {
  postgres.query(`INSERT INTO plays (song, played_at) VALUES ('${song}', '2026-11-24 11:00Z')`);
}

const run = promisify(execFile);
function take(): Promise<unknown> {
  return run("bash", ["take-plays.sh"], { cwd: world.folder, env: world.environment });
}

describe("the rows taken", () => {
  it("are counted once by either way", async () => {
    expect(await counted("song_play")).toEqual({ song_123: 2, song_7: 1 });
    expect(await counted("play")).toEqual(inTable());
    await take();
    expect(await counted("play")).toEqual(inTable());
  });

  it("include those of a transaction that was open meanwhile, with a lower id", async () => {
    const psql = spawn("psql", ["-qAt"], {
      env: world.environment,
      stdio: ["pipe", "pipe", "ignore"],
    });
    psql.stdin.write("BEGIN; INSERT INTO plays (song) VALUES ('open') RETURNING 'there';\n");
    await once(psql.stdout, "data");
    insert("later");
    await take();
    expect(await counted("play")).not.toHaveProperty("open");
    psql.stdin.end("COMMIT;\n");
    await once(psql, "close");
    insert("last");
    await take();
    expect(await counted("play")).toEqual(inTable());
    expect(inTable()).toMatchObject({ open: 1, later: 1, last: 1 });
  });

  it("count once when a run was killed after it had sent them", async () => {
    const from = join(world.folder, "plays.from");
    const before = await run("cat", [from]);
    insert("song_123");
    await take();
    const { stdout: to } = await run("cat", [from]);
    // As if it had been killed before its last line.
    writeFileSync(join(world.folder, "plays.to"), to);
    writeFileSync(from, before.stdout);
    insert("song_7");
    await take();
    expect(existsSync(join(world.folder, "plays.to"))).toBe(false);
    await take();
    expect(await counted("play")).toEqual(inTable());
    rmSync(from);
  });
});
