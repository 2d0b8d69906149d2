// Raw events in a bucket: what a server that stops, dies or damages does to them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { createS3Secret, lakeDirectory } from "../../src/store/lake-s3.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import type { RawFile } from "../../src/store/raw-file.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import type { RawPlace } from "../../src/store/raw-place.ts";
import { S3RawPlace } from "../../src/store/s3-raw-place.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { hasS3Place, makeS3Place } from "../support/raw-places.ts";
import { startS3 } from "../support/s3.ts";
import type { S3Server } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";

const startMs = Date.UTC(2026, 10, 24, 10);
const answerMsMax = 5000;
const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };

describe.runIf(hasS3Place())("objects", () => {
  let server: S3Server;
  let place: RawPlace;
  let root: string;
  let database: LocalDatabase;

  beforeEach(async () => {
    server ??= await startS3();
    // One that hangs since it was stopped takes no other test along.
    const signal = AbortSignal.timeout(answerMsMax);
    const answers = await fetch(server.endpoint, { signal }).catch(() => null);
    if (answers === null) {
      await server.kill();
      await server.start();
    }
    const made = await makeS3Place(server);
    ({ place, root } = made);
    database = await LocalDatabase.open(join(temporaryFolder(), "store.duckdb"), made.options);
    await database.write((connection) => prepareSchema(connection, identity));
  });
  afterEach(() => database.close());

  const open = () => new RawFiles(database, { ...rawFilesDefaults, place, removeAfterMs: 0 });

  /** Ids are long and all different: a million rows are about 40 MB. */
  const source = (rows: number) => `(SELECT
    make_timestamp_ms(${startMs})::TIMESTAMP_MS AS event_time, event_time AS received_at,
    1 AS weight, 'play' AS event_type, sha256(range::VARCHAR) AS event_id, NULL AS user_id,
    NULL AS session_id, NULL AS metadata FROM range(${rows}))`;

  async function add(raw: RawFiles, rows: number): Promise<RawFile> {
    const file = await raw.write(database.writer, source(rows), [startMs, startMs]);
    await database.write((connection) => raw.register(connection, file));
    return file;
  }

  const count = (raw: RawFiles) =>
    database.read(60_000, async (connection) => {
      const from = await raw.source(connection, 0, 9e12);
      const [row] = await rowsOf(connection, `SELECT count(event_id) AS n FROM ${from}`);
      return Number(row!["n"]);
    });

  const objects = () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);

  it("of two writers at once have names of their own, and both are found", async () => {
    const [one, other] = [open(), open()];
    const writing = [1, 2, 3].flatMap((i) => [
      one.write(database.writer, source(i), [startMs, startMs]),
      other.write(database.writer, source(10 * i), [startMs, startMs]),
    ]);
    const files = await Promise.all(writing);
    expect(new Set(files.map(({ path }) => path)).size).toBe(6);
    for (const file of files) await database.write((c) => one.register(c, file));
    expect(await count(one)).toBe(66);
    expect(await count(other)).toBe(66);
  });

  it("of many parts are whole, and no part is left", async () => {
    const raw = open();
    const file = await add(raw, 600_000);
    expect(file.bytes).toBeGreaterThan(15_000_000);
    expect(file.checksums).toHaveLength(Math.ceil(file.bytes / (1 << 20)));
    expect(await count(open())).toBe(600_000);
    expect(await place.endUploads(0)).toBe(0);
  });

  // Again where the server itself, on a busy machine, doesn't go on after SIGCONT.
  it("wait for a server that is silent for seconds", { retry: 1 }, async () => {
    const raw = open();
    await add(raw, 10);
    server.pause();
    const going = setTimeout(() => server.resume(), 3000);
    const writing = add(raw, 20);
    expect(await count(open())).toBe(10);
    await writing;
    clearTimeout(going);
    expect(await count(open())).toBe(30);
  });

  it("of a server that dies while they are written are not there, nor named", async () => {
    const raw = open();
    await add(raw, 10);
    const writing = add(raw, 1_500_000).catch((error) => error);
    const parts = join(server.folder, server.bucket, ".sgwtmp", "multipart");
    await until(async () => {
      expect(readdirSync(parts, { recursive: true }).length).toBeGreaterThan(3);
    }, 30_000);
    await server.kill();
    const error = await writing;
    expect(error).toMatchObject({ code: "raw_unreachable", retryAfterSeconds: 5 });
    expect(error.message).toContain(`${place.base}raw/date=2026-11-24/hour=10/`);
    expect(await count(raw).catch((failed) => failed)).toMatchObject({ code: "raw_unreachable" });
    expect(await count(open()).catch((failed) => failed)).toMatchObject({
      code: "raw_unreachable",
    });
    await server.start();
    expect(objects()).toHaveLength(1);
    expect(await count(raw)).toBe(10);
    const all = await rowsOf(database.writer, "SELECT path FROM raw_files");
    expect(all).toHaveLength(1);
    // Its parts are there still, until somebody ends the upload.
    expect(await place.endUploads(3_600_000)).toBe(0);
    expect(await place.endUploads(0)).toBe(1);
    expect(await place.endUploads(0)).toBe(0);
    await add(raw, 1_500_000);
    expect(await count(open())).toBe(1_500_010);
  }, 120_000);

  it("are copied to this machine, and gone without an error when removed twice", async () => {
    const raw = open();
    const file = await add(raw, 1000);
    const target = join(temporaryFolder(), "kept.parquet");
    await place.keep(file.path, target);
    expect(readFileSync(target)).toEqual(readFileSync(join(root, file.path)));
    await expect(place.keep(file.path, target)).rejects.toMatchObject({ code: "raw_unreachable" });
    await place.remove([file.path, file.path]);
    await place.remove([file.path]);
    expect(existsSync(join(root, file.path))).toBe(false);
    expect(await place.open(file.path)).toBe(null);
  });

  it("are all that SQL reaches of the bucket", async () => {
    await add(open(), 1);
    const outside = `s3://${server.bucket}/elsewhere.parquet`;
    const sql = `COPY (SELECT 1) TO '${outside}' (FORMAT parquet)`;
    await expect(database.writer.run(sql)).rejects.toThrow(/disabled by configuration/);
    const up = `${place.base}../elsewhere.parquet`;
    const climbing = database.writer.run(`COPY (SELECT 1) TO '${up}' (FORMAT parquet)`);
    await expect(climbing).rejects.toThrow();
    await expect(database.writer.run("SET http_timeout = 1")).rejects.toThrow(/locked/);
  });

  it("are read on when the connection breaks amid one", async () => {
    const raw = open();
    const file = await add(raw, 300_000);
    const whole = readFileSync(join(root, file.path));
    const relay = await startRelay(server.port, 3_000_000, 2);
    const [, , bucket, ...prefix] = place.base.split("/");
    const through = new S3RawPlace(
      { bucket: bucket!, prefix: prefix.join("/") },
      { ...server.access, endpoint: `http://127.0.0.1:${relay.port}` },
    );
    const reading = (await through.open(file.path))!;
    const read: Buffer[] = [];
    for (let part = await reading.next(999_999); part.length > 0; ) {
      read.push(Buffer.from(part));
      part = await reading.next(999_999);
    }
    await reading.close();
    expect(Buffer.concat(read).equals(whole)).toBe(true);
    expect(relay.broken()).toBe(2);
    await through.close();
    await relay.close();
  });
});

/** A way to the server that breaks so many answers off after so many bytes. */
async function startRelay(port: number, bytesMax: number, times: number) {
  let broken = 0;
  const relay: Server = createServer();
  relay.on("connection", (client) => {
    const behind = connect(port, "127.0.0.1");
    let bytes = 0;
    client.on("data", (chunk) => behind.write(chunk));
    behind.on("data", (chunk) => {
      bytes += chunk.length;
      client.write(chunk);
      if (bytes <= bytesMax || broken >= times) return;
      broken++;
      client.destroy();
      behind.destroy();
    });
    for (const [one, other] of [
      [client, behind],
      [behind, client],
    ] as const) {
      one.on("close", () => other.destroy());
      one.on("error", () => other.destroy());
    }
  });
  relay.removeAllListeners("request");
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  return {
    port: (relay.address() as AddressInfo).port,
    broken: () => broken,
    close: () => new Promise((resolve) => relay.close(resolve)),
  };
}

describe("a secret", () => {
  it("is of the lake's prefix alone, and has keys as they were given", async () => {
    expect(lakeDirectory("s3://bucket")).toBe("s3://bucket/");
    expect(lakeDirectory("s3://bucket/a/b")).toBe("s3://bucket/a/b/");
    expect(lakeDirectory("/lake")).toBe("/lake/");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const s3 = { endpoint: null, region: null, credentials: null };
    expect(await createS3Secret(connection, { dataPath: "/lake", s3: null })).toBe(null);
    const said: string[] = [];
    const stub = { run: async (sql: string) => said.push(sql) } as never;
    const credentials = { accessKeyId: "it's", secretAccessKey: "a secret" };
    const given = { ...s3, endpoint: "http://[::1]:9000", credentials };
    expect(await createS3Secret(stub, { dataPath: "s3://bucket/a", s3: given })).toBe(null);
    expect(said[0]).toContain("KEY_ID 'it''s', SECRET 'a secret'");
    expect(said[0]).toContain("SCOPE 's3://bucket/a/raw/'");
    expect(said[0]).toContain("ENDPOINT '[::1]:9000', URL_STYLE 'path', USE_SSL false");
    connection.closeSync();
    instance.closeSync();
  });

  it("has the keys of a role, and says when it is to be made anew", async () => {
    const endMs = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;
    vi.stubEnv("AWS_ACCESS_KEY_ID", "of a role");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "for an hour");
    vi.stubEnv("AWS_SESSION_TOKEN", "a token");
    vi.stubEnv("AWS_REGION", "eu-north-1");
    vi.stubEnv("AWS_CREDENTIAL_EXPIRATION", new Date(endMs).toISOString());
    const s3 = { endpoint: null, region: null, credentials: null };
    const said: string[] = [];
    const stub = { run: async (sql: string) => said.push(sql) } as never;
    const renewAt = await createS3Secret(stub, { dataPath: "s3://bucket/a", s3 });
    vi.unstubAllEnvs();
    expect(renewAt).toBe(endMs - 5 * 60_000);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("KEY_ID 'of a role', SECRET 'for an hour'");
    expect(said[0]).toContain("REGION 'eu-north-1'");
    expect(said[0]).toContain("SESSION_TOKEN 'a token'");
  });
});
