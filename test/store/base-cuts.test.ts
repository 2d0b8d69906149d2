/** Cuts of a store that goes on: what is read of its file later is the store at that commit. */
import { closeSync, existsSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { BaseCuts } from "../../src/store/base-cuts.ts";
import { rowsOf } from "../../src/store/database.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";

const checkpoints = { walBytesMax: 4_000_000, heldWalBytesMax: 2 ** 40 };

let folder: string;
let path: string;
let database: LocalDatabase;
let raw: RawFiles;

async function open(bounds = checkpoints): Promise<void> {
  database = await LocalDatabase.open(path, { ...databaseDefaults, checkpoints: bounds });
  const identity = { logId: "log", partitionCount: 2, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  await database.write(async (connection) => {
    await connection.run("CREATE TABLE IF NOT EXISTS a (k INTEGER, n BIGINT, s VARCHAR)");
    await connection.run("CREATE TABLE IF NOT EXISTS b (k INTEGER, s VARCHAR)");
  });
  raw = new RawFiles(database, {
    ...rawFilesDefaults,
    place: new FolderRawPlace(folder, nodeFiles),
    removeAfterMs: 0,
  });
}

beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder, "store.duckdb");
  await open();
});
afterEach(() => database.close());

const sums = `SELECT (SELECT count(*) || ' ' || coalesce(sum(hash(k, n, s)), 0) FROM a) AS a,
  (SELECT count(*) || ' ' || coalesce(sum(hash(k, s)), 0) FROM b) AS b,
  (SELECT string_agg(next_offset, ' ' ORDER BY partition) FROM log_offsets) AS offsets`;

type Sums = Record<"a" | "b" | "offsets", unknown>;

/** What was committed, by the offsets it was committed with. */
const history = new Map<string, Sums>();

/** One commit of whatever kind: small, as large as DuckDB writes ahead, deletes, new tables. */
async function commit(random: Random, k: number): Promise<void> {
  const rows = random.chance(0.2) ? 200_000 : 10_000;
  await database
    .write(async (connection) => {
      const insert = `INSERT INTO a SELECT ${k}, range, uuid() FROM range(${rows})`;
      await connection.run(`${insert}${random.chance(0.5) ? " RETURNING true" : ""}`);
      await connection.run(`INSERT INTO b SELECT ${k}, uuid() FROM range(500)`);
      if (random.chance(0.6)) await connection.run(`DELETE FROM a WHERE k = ${random.int(0, k)}`);
      if (random.chance(0.2)) await connection.run("CREATE OR REPLACE TABLE c AS FROM b");
      if (random.chance(0.1)) throw new Error("rolled back");
      await connection.run("UPDATE log_offsets SET next_offset = next_offset + 1");
      const [found] = (await rowsOf(connection, sums)) as Sums[];
      history.set(String(found!.offsets), found!);
    })
    .catch((error) => {
      if (error.message !== "rolled back") throw error;
    });
}

async function readCopy(copy: string): Promise<Sums> {
  const instance = await DuckDBInstance.create(copy);
  const connection = await instance.connect();
  const [found] = (await rowsOf(connection, sums)) as Sums[];
  connection.closeSync();
  instance.closeSync();
  return found!;
}

/** Reads so much of the file, slowly: commits and what DuckDB does of them come between. */
async function readSlowly(descriptor: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1 << 20) {
    readSync(descriptor, buffer, at, Math.min(1 << 20, bytes - at), at);
    await sleep(5);
  }
  return buffer;
}

describe("a cut of the store", () => {
  it("is the store as of one commit, however many follow while it is read", async () => {
    const random = randomFromEnvironment("base cuts");
    const cuts = new BaseCuts(database, raw);
    // Never closed: closing any descriptor of the file would end DuckDB's lock on it.
    const descriptor = openSync(path, "r");
    let isDone = false;
    let commits = 0;
    const writing = (async () => {
      while (!isDone) await commit(random, commits++);
    })();
    try {
      for (let round = 0; round < 4; round++) {
        await sleep(random.int(50, 600));
        const cut = await cuts.open();
        const before = commits;
        const walDescriptor = cut.walBytes > 0 ? openSync(`${path}.wal`, "r") : null;
        const file = await readSlowly(descriptor, cut.storeBytes);
        const wal = walDescriptor === null ? null : await readSlowly(walDescriptor, cut.walBytes);
        while (commits < before + 3) await sleep(5);
        expect(cuts.release(cut.id)).toBe(true);
        cuts.close(cut.id);
        if (walDescriptor !== null) closeSync(walDescriptor);
        const copy = join(folder, `copy-${round}.duckdb`);
        writeFileSync(copy, file);
        if (wal !== null) writeFileSync(`${copy}.wal`, wal);
        const found = await readCopy(copy);
        expect(found.offsets).toBe(cut.offsets.join(" "));
        expect(found).toEqual(history.get(cut.offsets.join(" ")));
      }
    } finally {
      isDone = true;
      await writing;
    }
  }, 120_000);

  it("says so where the WAL grew so long that it was written back", async () => {
    await database.close();
    await open({ walBytesMax: 1000, heldWalBytesMax: 2_000_000 });
    const cuts = new BaseCuts(database, raw);
    const insertRows = (k: number) =>
      database.write((c) => c.run(`INSERT INTO a SELECT ${k}, range, uuid() FROM range(10000)`));
    const whole = await cuts.open();
    await insertRows(0);
    expect(cuts.release(whole.id)).toBe(true);
    cuts.close(whole.id);
    const broken = await cuts.open();
    for (let k = 1; k < 20; k++) await insertRows(k);
    expect(cuts.release(broken.id)).toBe(false);
    expect(cuts.release(broken.id)).toBe(false);
    cuts.close(broken.id);
  });

  it("names the raw files of that moment, which stay until it is closed", async () => {
    const cuts = new BaseCuts(database, raw);
    const span: [number, number] = [1000, 1000];
    const event = `(SELECT make_timestamp_ms(1000)::TIMESTAMP_MS AS event_time,
      make_timestamp_ms(1000)::TIMESTAMP_MS AS received_at, 1 AS weight, 'play' AS event_type,
      'a' AS event_id, NULL::VARCHAR AS user_id, NULL::VARCHAR AS session_id,
      NULL::VARCHAR AS metadata)`;
    const file = await raw.write(database.writer, event, span);
    await database.write((connection) => raw.register(connection, file));
    const { path: name, bytes, checksums } = file;
    const cut = await cuts.open();
    expect(cut).toMatchObject({ rawFiles: [{ path: name, bytes, checksums }], total: 0 });
    await database.write((connection) => raw.unregister(connection, [name]));
    raw.replaced.retire([name], 0, false);
    await raw.replaced.remove(1e15);
    expect(existsSync(join(folder, name))).toBe(true);
    cuts.close(cut.id);
    await raw.replaced.remove(1e15);
    expect(existsSync(join(folder, name))).toBe(false);
    expect((await cuts.open()).rawFiles).toEqual([]);
  });

  it("is one of two at most", async () => {
    const cuts = new BaseCuts(database, raw);
    const { id } = await cuts.open();
    await cuts.open();
    await expect(cuts.open()).rejects.toMatchObject({ code: "too_many_backups" });
    cuts.close(id);
    await cuts.open();
  });
});
