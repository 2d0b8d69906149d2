// What DuckDB must do for answers to be of one moment.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { insertRows, rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import type { ReadLane } from "../../src/store/read-lanes.ts";
import { ReadLoad } from "../../src/store/read-load.ts";
import { temporaryFolder } from "../support/service.ts";

/** Two row groups of DuckDB and some: as many rows as a large slice of windows has. */
const rowsMoved = 300_000;
const parts = 2;
const moves = 12;
const readMs = 60_000;
const testMsMax = 120_000;

describe("readers", () => {
  let database: LocalDatabase;
  beforeAll(async () => {
    const path = join(temporaryFolder(), "store.duckdb");
    database = await LocalDatabase.open(path, databaseDefaults);
    await database.write(async (connection) => {
      await connection.run("CREATE TABLE here (item INTEGER, name VARCHAR)");
      await connection.run("CREATE TABLE there (item INTEGER, name VARCHAR)");
      const items = `SELECT range, 'item ' || range FROM range(${parts * rowsMoved})`;
      await insertRows(connection, "here", items);
    });
  });
  afterAll(() => database.close());

  /** Moves a part of the rows to the other table, through a temporary one as seals do. */
  async function move(from: string, to: string, part: number): Promise<void> {
    const within = `item >= ${part * rowsMoved} AND item < ${(part + 1) * rowsMoved}`;
    await database.write(async (connection) => {
      await connection.run(`CREATE OR REPLACE TEMP TABLE moving AS FROM ${from} WHERE ${within}`);
      await connection.run(`DELETE FROM ${from} WHERE ${within}`);
      await insertRows(connection, to, "SELECT item, name FROM moving ORDER BY item");
    });
  }

  it("see a large transaction whole or not at all", { timeout: testMsMax }, async () => {
    let isOver = false;
    const seen: number[] = [];
    const read = async () => {
      while (!isOver) {
        await database.read(readMs, async (connection) => {
          // Twice, for what a transaction has read once must not change.
          for (let i = 0; i < 2; i++) {
            const [row] = await rowsOf(
              connection,
              `SELECT (SELECT count(*) FROM here) + (SELECT count(*) FROM there) AS rows`,
            );
            seen.push(Number(row!["rows"]));
          }
        });
      }
    };
    const readers = Array.from({ length: databaseDefaults.readersMax }, read);
    for (let i = 0; i < moves; i++) {
      const part = Math.floor(i / 2) % parts;
      await move(i % 2 === 0 ? "here" : "there", i % 2 === 0 ? "there" : "here", part);
    }
    isOver = true;
    await Promise.all(readers);
    expect(seen.length).toBeGreaterThan(moves);
    expect(seen.filter((rows) => rows !== parts * rowsMoved)).toEqual([]);
  });
});

/** Of a query that has nothing to do but wait its turn. */
const shortMsMax = 5000;
const endless = "SELECT count(*) FROM range(10_000_000) AS a, range(1_000_000) AS b WHERE a > b";

describe("connections", () => {
  let database: LocalDatabase;
  beforeEach(async () => {
    database = await LocalDatabase.open(":memory:");
  });
  afterEach(() => database.close());

  it("a transaction left open keeps only one other from running", async () => {
    await database.writer.run("CREATE TABLE t (x INTEGER)");
    await database.writer.run("BEGIN TRANSACTION");
    await database.writer.run("INSERT INTO t VALUES (1)");
    const write = () =>
      database.write((connection) => connection.run("INSERT INTO t VALUES (2)").then(() => null));
    await expect(write()).rejects.toThrow(/transaction/);
    await write();
    expect(await rowsOf(database.writer, "FROM t")).toEqual([{ x: 2 }]);
  });

  it("what maintains beside the writer ends when the store closes", async () => {
    const maintaining = database.maintain((connection) => connection.run(endless));
    const judged = expect(maintaining).rejects.toThrow(/interrupt/i);
    await new Promise((resolve) => setTimeout(resolve, 50));
    database.refuseDeferrable();
    await judged;
    await expect(database.maintain(async () => 1)).rejects.toThrow(/closing/);
    const read = database.read(60_000, (connection) => rowsOf(connection, "SELECT 1 AS x"));
    expect(await read).toEqual([{ x: 1 }]);
  });

  it("a read has its time whatever the clock is set to", async () => {
    const real = Date.now;
    let shiftMs = 0;
    const clock = vi.spyOn(Date, "now").mockImplementation(() => {
      shiftMs += 3_600_000;
      return real() + shiftMs;
    });
    try {
      const read = database.read(5000, (connection) => rowsOf(connection, "SELECT 1 AS x"));
      expect(await read).toEqual([{ x: 1 }]);
    } finally {
      clock.mockRestore();
    }
  });

  it("a read past its budget is interrupted, and its connection answers the next", async () => {
    for (let i = 0; i < 4; i++) {
      const read = database.read(50, (connection) => connection.run(endless));
      await expect(read).rejects.toMatchObject({ code: "query_timeout" });
    }
    const read = database.read(60_000, (connection) => rowsOf(connection, "SELECT 1 AS x"));
    expect(await read).toEqual([{ x: 1 }]);
  });
});

const one = (connection: DuckDBConnection) => rowsOf(connection, "SELECT 1 AS x");
const forever = (connection: DuckDBConnection) => connection.run(endless);

describe("reads beside others", () => {
  let database: LocalDatabase;
  let load: ReadLoad;
  const bounds = { quick: 2, slow: 3, apart: 1 };
  beforeEach(async () => {
    load = new ReadLoad();
    database = await LocalDatabase.open(
      ":memory:",
      { ...databaseDefaults, waitingReadsMax: bounds },
      load,
    );
  });
  afterEach(() => database.close());

  /** One that ends with `stop` only, once it runs. */
  async function endlessRead(lane: ReadLane) {
    const stop = new AbortController();
    const running = load.get(`${lane}Running`);
    const ended = database.read(readMs, forever, { lane, signal: stop.signal });
    ended.catch(() => undefined);
    await vi.waitFor(() => expect(load.get(`${lane}Running`)).toBe(running + 1));
    return { ended, stop: () => stop.abort() };
  }

  it.each(["quick", "slow", "apart"] as const)(
    "are cancelled while they run: %s",
    async (lane) => {
      const read = await endlessRead(lane);
      await new Promise((resolve) => setTimeout(resolve, 50));
      read.stop();
      await expect(read.ended).rejects.toMatchObject({ code: "query_cancelled" });
      expect(await database.read(shortMsMax, one, { lane })).toEqual([{ x: 1 }]);
      expect([load.get("cancelled"), load.get("timedOut")]).toEqual([1, 0]);
    },
  );

  it("are cancelled between statements too", async () => {
    const stop = new AbortController();
    let statements = 0;
    const read = database.read(
      readMs,
      async (connection) => {
        for (; ; statements++) {
          await one(connection);
          // As code between statements may: here the interrupt meets nothing.
          if (statements === 3) stop.abort();
          if (statements === 3) await new Promise((resolve) => setTimeout(resolve, 30));
        }
      },
      { signal: stop.signal },
    );
    await expect(read).rejects.toMatchObject({ code: "query_cancelled" });
    expect(statements).toBeGreaterThanOrEqual(3);
  });

  it("are dropped while they wait, by their signal or their time", async () => {
    const first = await endlessRead("slow");
    const stop = new AbortController();
    const cancelledOne = database.read(readMs, one, { lane: "slow", signal: stop.signal });
    const lateOne = database.read(60, one, { lane: "slow" });
    const impatientOne = database.read(readMs, one, { lane: "slow", waitMsMax: 30 });
    expect(load.get("slowWaiting")).toBe(3);
    const judged = [
      expect(cancelledOne).rejects.toMatchObject({ code: "query_cancelled" }),
      expect(lateOne).rejects.toMatchObject({ code: "query_timeout" }),
      expect(impatientOne).rejects.toMatchObject({ code: "query_timeout" }),
    ];
    stop.abort();
    await Promise.all(judged);
    // The one in their way ran all the while.
    expect([load.get("slowRunning"), load.get("slowWaiting")]).toEqual([1, 0]);
    const aborted = AbortSignal.abort();
    const never = database.read(readMs, one, { lane: "quick", signal: aborted });
    await expect(never).rejects.toMatchObject({ code: "query_cancelled" });
    first.stop();
    await expect(first.ended).rejects.toMatchObject({ code: "query_cancelled" });
  });

  it("wait in a bounded number", async () => {
    const first = await endlessRead("slow");
    const waiting = [1, 2, 3].map(() => database.read(readMs, one, { lane: "slow" }));
    const refused = database.read(readMs, one, { lane: "slow" });
    await expect(refused).rejects.toMatchObject({
      code: "too_many_queries",
      retryAfterSeconds: 1,
    });
    first.stop();
    expect(await Promise.all(waiting)).toHaveLength(3);
  });

  it("slow ones leave a reader to quick ones, and quick ones let slow ones come on", async () => {
    const blocking = await endlessRead("slow");
    const secondSlow = database.read(readMs, one, { lane: "slow" });
    for (let i = 0; i < 5; i++) await database.read(shortMsMax, one);
    expect(load.get("slowWaiting")).toBe(1);
    const quick = await endlessRead("quick");
    // Both readers are taken, and a quick one waits; the next reader set free is the slow one's.
    const waitingQuick = database.read(readMs, one);
    blocking.stop();
    expect(await secondSlow).toEqual([{ x: 1 }]);
    expect(await waitingQuick).toEqual([{ x: 1 }]);
    quick.stop();
  });

  it("apart run while all readers are taken", async () => {
    const others = [await endlessRead("slow"), await endlessRead("quick")];
    const grouped =
      "SELECT count(*) AS n FROM (SELECT range % 1000 FROM range(1000000) GROUP BY ALL)";
    const read = database.read(readMs, (c) => rowsOf(c, grouped), { lane: "apart" });
    expect(Number((await read)[0]!["n"])).toBe(1000);
    expect([load.get("slowRunning"), load.get("quickRunning")]).toEqual([1, 1]);
    for (const { stop } of others) stop();
  });

  it("apart tell how far they are while they run", async () => {
    await database.write((connection) => insertRange(connection, "numbers", 2_000_000));
    const hashes = "SELECT count(*) FROM numbers WHERE sha256(sha256(n::VARCHAR)) LIKE '%00000'";
    const stop = new AbortController();
    const shares: number[] = [];
    const read = database.read(
      readMs,
      async (connection) => {
        for (;;) await connection.run(hashes);
      },
      { lane: "apart", signal: stop.signal, onProgress: (share) => shares.push(share) },
    );
    read.catch(() => undefined);
    const between = () => expect(shares.some((share) => share > 0 && share < 1)).toBe(true);
    await vi.waitFor(between, { timeout: readMs });
    stop.abort();
    await expect(read).rejects.toMatchObject({ code: "query_cancelled" });
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  it("end when the database closes", async () => {
    const running = await Promise.all([endlessRead("quick"), endlessRead("apart")]);
    const judged = running.map(({ ended }) =>
      expect(ended).rejects.toMatchObject({ code: "query_cancelled" }),
    );
    await database.close();
    await Promise.all(judged);
    database = await LocalDatabase.open(":memory:");
  });

  it("tell whether those that began before have ended", async () => {
    expect(database.haveEnded(database.readsBegun)).toBe(true);
    const read = await endlessRead("apart");
    const later = database.readsBegun;
    expect(database.haveEnded(later)).toBe(false);
    expect(database.haveEnded(later - 1)).toBe(true);
    read.stop();
    await read.ended.catch(() => undefined);
    expect(database.haveEnded(later)).toBe(true);
  });
});

async function insertRange(connection: DuckDBConnection, table: string, rows: number) {
  await connection.run(`CREATE TABLE ${table} AS SELECT range AS n FROM range(${rows})`);
}

describe("a query that needs more memory than there is", () => {
  const greedy =
    "SELECT length(string_agg(range::VARCHAR || repeat('x', 100), ',')) FROM range(3000000)";

  it.each(["quick", "slow", "apart"] as const)("is an error of its own: %s", async (lane) => {
    const load = new ReadLoad();
    const options = { ...databaseDefaults, memoryBytesMax: 64e6 };
    const database = await LocalDatabase.open(join(temporaryFolder(), "s.duckdb"), options, load);
    for (let i = 0; i < 3; i++) {
      const read = database.read(readMs, (connection) => connection.run(greedy), { lane });
      await expect(read).rejects.toMatchObject({ code: "query_memory", retryAfterSeconds: 5 });
      expect(await database.read(readMs, one, { lane })).toEqual([{ x: 1 }]);
      await database.write((connection) => insertRange(connection, `after${i}`, 10));
    }
    expect(load.get("outOfMemory")).toBe(3);
    await database.close();
  });
});

describe("closing", () => {
  it("ends reads under way, and waits for them", async () => {
    const database = await LocalDatabase.open(":memory:", databaseDefaults);
    let hasEnded = false;
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const read = database.read(readMs, async (connection) => {
      const running = connection.run(
        "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b",
      );
      begin();
      await running.catch(() => undefined);
      // As a reader does that tidies up before it goes.
      await connection.run("SELECT 1").catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 100));
      hasEnded = true;
    });
    const ended = read.catch((error: unknown) => error);
    await begun;
    await database.close();
    expect(hasEnded).toBe(true);
    await ended;
    await expect(database.read(readMs, async () => undefined)).rejects.toThrow();
  });

  it("waits for the transaction under way, and takes none that comes meanwhile", async () => {
    const database = await LocalDatabase.open(":memory:", databaseDefaults);
    const steps: string[] = [];
    const slow = database.write(async (connection) => {
      await connection.run("CREATE TABLE numbers AS FROM range(1000000)");
      steps.push("written");
    });
    const closed = database.close().then(() => steps.push("closed"));
    const late = (connection: DuckDBConnection) => connection.run("DROP TABLE numbers");
    await expect(database.write(late)).rejects.toThrow("the store is closing");
    await expect(database.maintain(late)).rejects.toThrow("the store is closing");
    await Promise.all([slow, closed]);
    expect(steps).toEqual(["written", "closed"]);
  });
});

/** DuckDB's checksum of a header of its file: 8 bytes before the bytes it is of. */
function duckdbChecksum(header: Buffer): bigint {
  let sum = 5381n;
  for (let at = 8; at < header.length; at += 8) {
    sum ^= BigInt.asUintN(64, header.readBigUInt64LE(at) * 0xbf58476d1ce4e5b9n);
  }
  return sum;
}

it("names a file that a later DuckDB wrote", async () => {
  const path = join(temporaryFolder(), "store.duckdb");
  await (await LocalDatabase.open(path)).close();
  const bytes = readFileSync(path);
  const header = bytes.subarray(0, 4096);
  expect(header.readBigUInt64LE(0)).toBe(duckdbChecksum(header));
  header.writeBigUInt64LE(999n, 12);
  header.writeBigUInt64LE(duckdbChecksum(header), 0);
  writeFileSync(path, bytes);
  await expect(LocalDatabase.open(path)).rejects.toMatchObject({
    code: "data_folder_newer",
    message: expect.stringMatching(/: DuckDB storage version 999; this version reads versions? /),
  });
});
