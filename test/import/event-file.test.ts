import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { type FileOptions, openEventFile } from "../../src/import/event-file.ts";
import { temporaryFolder } from "../support/service.ts";

const folder = temporaryFolder();

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Every event and every refusal of a file, and what it is known by. */
async function read(path: string, options: FileOptions = {}) {
  const opened = await openEventFile(path, options);
  const events: Record<string, unknown>[] = [];
  const refused: string[] = [];
  let rows = 0;
  let batches = 0;
  for await (const batch of opened.batches()) {
    expect(batch.firstRow).toBe(rows + 1);
    rows += batch.rows;
    batches += 1;
    const lines = Buffer.from(batch.body).toString("utf8").split("\n").slice(0, -1);
    for (const line of lines) events.push(JSON.parse(line));
    for (const { row, code, message } of batch.refused) refused.push(`${row} ${code} ${message}`);
  }
  const broken = await opened.brokenLines();
  opened.close();
  return { events, refused, rows, batches, broken, opened };
}

async function parquet(name: string, select: string): Promise<string> {
  const path = join(folder, name);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'America/New_York'");
  await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return path;
}

const ms = (iso: string) => Date.parse(iso);

describe("CSV", () => {
  it("becomes events: quotes, zones, empty values, every column", async () => {
    const path = file(
      "all.csv",
      `id,at,"who, exactly",s,n,a\n` +
        `"a ""b"", c",2024-07-01T10:00:00+02:00,u1,s1,3,x\r\n`.replace("\r", "") +
        `é\u4e2d,2024-07-01 10:00,,,,\n` +
        `"two\nlines",2024-07-01 10:00:00.1239Z,u,s,1,"\ttab"\n` +
        `d,1719828000000,u,s,1,y\n` +
        `e,2024-07-01,u,s,1,y\n` +
        `f,2024-07-01T10:00z,u,s,1,y\ng,2024-07-01 10:00-0530,u,s,1,y\n`,
    );
    const { events, refused, rows } = await read(path, {
      type: `t"y`,
      id: ["id"],
      time: "at",
      timeZone: "Europe/Berlin",
      user: "who, exactly",
      session: "s",
      weight: "n",
      meta: ["k=a", "who, exactly"],
    });
    expect([rows, refused]).toEqual([7, []]);
    const eventType = `t"y`;
    const full = { eventType, userId: "u", sessionId: "s", weight: 1 };
    const metadata = { k: "y", "who, exactly": "u" };
    expect(events).toEqual([
      {
        eventId: `a "b", c`,
        eventType,
        timestamp: ms("2024-07-01T08:00:00Z"),
        userId: "u1",
        sessionId: "s1",
        weight: 3,
        metadata: { k: "x", "who, exactly": "u1" },
      },
      { eventId: "é\u4e2d", eventType, timestamp: ms("2024-07-01T08:00:00Z"), metadata: {} },
      {
        eventId: "two\nlines",
        ...full,
        timestamp: ms("2024-07-01T10:00:00.123Z"),
        metadata: { k: "\ttab", "who, exactly": "u" },
      },
      { eventId: "d", ...full, timestamp: 1719828000000, metadata },
      { eventId: "e", ...full, timestamp: ms("2024-06-30T22:00:00Z"), metadata },
      { eventId: "f", ...full, timestamp: ms("2024-07-01T10:00:00Z"), metadata },
      { eventId: "g", ...full, timestamp: ms("2024-07-01T15:30:00Z"), metadata },
    ]);
  });

  it("names what is wrong with a row, and which", async () => {
    const path = file(
      "bad.csv",
      "id;kind;at;n\na;t;2024-02-30;1\n;t;2024-01-01;1\nb;;2024-01-01;1\nc;t;;1\n" +
        "d;t;infinity;1\ne;t;2024-01-01;x\nshort\nf;t;2024-01-01;1;more\ng;t;2024-01-01;\n",
    );
    const options = { typeColumn: "kind", id: ["id"], time: "at", weight: "n" };
    const { events, refused, broken, rows } = await read(path, options);
    expect(events).toEqual([{ eventId: "g", eventType: "t", timestamp: ms("2024-01-01") }]);
    expect(rows).toBe(7);
    expect(refused).toEqual([
      '1 invalid_timestamp timestamp: expected a time, got "2024-02-30"',
      "2 missing_field eventId: nothing in the column id",
      "3 missing_field eventType: nothing in the column kind",
      "4 missing_field timestamp: nothing in the column at",
      '5 invalid_timestamp timestamp: expected a time, got "infinity"',
      '6 wrong_type weight: expected an integer, got "x"',
    ]);
    expect(broken.map(({ line, code }) => [line, code])).toEqual([
      [8, "missing_columns"],
      [9, "too_many_columns"],
    ]);
  });

  it("reads times by a format, and numbers by their unit", async () => {
    const path = file("format.csv", "id\tat\tsec\na\t31.12.2023 23:30\t1704065400\n");
    const own = { type: "t", id: ["id"], timeZone: "Europe/Berlin" };
    const at = async (options: FileOptions) =>
      (await read(path, { ...own, ...options })).events[0]!["timestamp"];
    const format = { time: "at", timeFormat: "%d.%m.%Y %H:%M" };
    expect(await at(format)).toBe(ms("2023-12-31T22:30:00Z"));
    expect(await at({ time: "sec", timeUnit: "s" })).toBe(1704065400000);
    expect(await at({ time: "sec", timeUnit: "us" })).toBe(1704065);
  });

  it("is unpacked, and may begin with a byte order mark", async () => {
    const path = file("packed.csv.gz", gzipSync("\ufeffid,at\na,2024-01-01\n"));
    const { events, opened } = await read(path, { type: "t", id: ["id"], time: "at" });
    expect(events).toEqual([{ eventId: "a", eventType: "t", timestamp: ms("2024-01-01") }]);
    expect(opened.rowCount).toBe(null);
  });
});

describe("Parquet", () => {
  it("reads times of every type, and joins ids", async () => {
    const path = await parquet(
      "times.parquet",
      `SELECT 'A' AS a, 7 AS b, TIMESTAMP '2024-07-01 10:00' AS plain,
        TIMESTAMPTZ '2024-07-01 10:00:00+00' AS zoned, DATE '2024-07-01' AS day,
        TIMESTAMP_NS '2024-07-01 10:00:00.0019' AS nanos, 1719828000 AS sec, 1719828000.5 AS part,
        '2024-07-01 10:00' AS words, true AS flag`,
    );
    const at = async (time: string, more: FileOptions = {}) =>
      (await read(path, { type: "t", id: ["a,b"], time, ...more })).events[0]!["timestamp"];
    const noon = ms("2024-07-01T10:00:00Z");
    const berlin = { timeZone: "Europe/Berlin" };
    expect(await at("plain")).toBe(noon);
    expect(await at("plain", berlin)).toBe(noon - 7_200_000);
    expect(await at("zoned", berlin)).toBe(noon);
    expect(await at("day", berlin)).toBe(ms("2024-06-30T22:00:00Z"));
    expect(await at("nanos")).toBe(noon + 1);
    expect(await at("sec", { timeUnit: "s" })).toBe(1719828000000);
    expect(await at("part", { timeUnit: "s" })).toBe(1719828000500);
    expect(await at("words")).toBe(noon);
    await expect(at("flag")).rejects.toThrow('--time: the column "flag" is BOOLEAN, no time');
    const { events } = await read(path, { type: "t", id: ["a", "b"], idSeparator: "/" });
    expect(events).toEqual([{ eventId: "A/7", eventType: "t" }]);
  });

  it("makes the same batches every time, in the order of the rows", async () => {
    // Rows of up to 4 KB: batches end by their bytes. Every 7th row is refused.
    const path = await parquet(
      "long.parquet",
      `SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE i || repeat('x', (i * 7919) % 4000) END AS id
        FROM range(45000) r(i) WHERE i % 3 = 0 OR i < 30000`,
    );
    const first = await read(path, { type: "t", id: ["id"] });
    expect(first.rows).toBe(35000);
    expect(first.batches).toBeGreaterThan(10);
    const wanted: string[] = [];
    const gone: number[] = [];
    let row = 0;
    for (let i = 0; i < 45000; i++) {
      if (i % 3 !== 0 && i >= 30000) continue;
      row += 1;
      if (i % 7 === 0) gone.push(row);
      else wanted.push(`${i}${"x".repeat((i * 7919) % 4000)}`);
    }
    expect(first.events.map((event) => event["eventId"])).toEqual(wanted);
    expect(first.refused.map((text) => Number(text.split(" ")[0]))).toEqual(gone);
    const second = await read(path, { type: "t", id: ["id"] });
    expect(second.batches).toBe(first.batches);
    expect(second.opened.producer).toBe(first.opened.producer);
    expect(first.opened.rowCount).toBe(35000);
  });
});

describe("NDJSON", () => {
  it("without mapping is sent as it is", async () => {
    const lines = '{"eventId":"a"}\n\n  not json  \n{"eventId":"b"}';
    const opened = await openEventFile(file("events.ndjson", lines), {});
    const bodies: string[] = [];
    for await (const { body } of opened.batches()) bodies.push(Buffer.from(body).toString());
    expect(bodies).toEqual([`${lines}\n`]);
    expect(opened.producer).toMatch(/^import-[0-9a-f]{16}$/);
    const packed = await openEventFile(file("events.ndjson.gz", gzipSync(lines)), {});
    for await (const { body } of packed.batches())
      expect(Buffer.from(body).toString()).toBe(bodies[0]);
  });

  it("with a mapping is rows: numbers, odd names, lines that are no objects", async () => {
    const path = file(
      "rows.jsonl",
      '{"song/a":"x","n":12345678901234567890123,"at":"2024-01-01T00:00:00+01:00"}\n' +
        'nothing\n[1]\n{"song/a":null,"at":1704067200000}\n{"song/a":"y","at":1704067200000}\n',
    );
    const { events, refused } = await read(path, {
      type: "t",
      id: ["song/a"],
      time: "at",
      user: "n",
    });
    expect(events).toEqual([
      {
        eventId: "x",
        eventType: "t",
        timestamp: ms("2023-12-31T23:00:00Z"),
        userId: "12345678901234567890123",
      },
      { eventId: "y", eventType: "t", timestamp: 1704067200000 },
    ]);
    expect(refused.map((text) => text.split(" ").slice(0, 2).join(" "))).toEqual([
      "2 invalid_json",
      "3 wrong_type",
      "4 missing_field",
    ]);
  });
});

describe("what an import is known by", () => {
  it("differs by content and by mapping, not by name", async () => {
    const one = file("one.csv", "id,at\na,2024-01-01\n");
    const same = file("same.csv", "id,at\na,2024-01-01\n");
    const other = file("other.csv", "id,at\nb,2024-01-01\n");
    const own = { type: "t", id: ["id"], time: "at" };
    const producer = async (path: string, options: FileOptions = own) =>
      (await read(path, options)).opened.producer;
    expect(await producer(same)).toBe(await producer(one));
    const others = [
      await producer(one),
      await producer(other),
      await producer(one, { ...own, type: "u" }),
      await producer(one, { ...own, timeZone: "Asia/Tokyo" }),
      await producer(one, { ...own, meta: ["at"] }),
    ];
    expect(new Set(others).size).toBe(others.length);
  });
});

describe("a mapping that can't be meant", () => {
  const path = file("plays.csv", "song,artist,played_at\na,b,2024-01-01\n");
  const own: FileOptions = { type: "t", id: ["song"], time: "played_at" };
  it.each<[FileOptions, string]>([
    [
      { ...own, id: ["sogn"] },
      '--id: there is no column "sogn". Did you mean "song"? The columns are "song", "artist"',
    ],
    [{ ...own, time: "playedAt" }, 'no column "playedAt". Did you mean "played_at"?'],
    [{ ...own, meta: ["artist", "k=artis"] }, '--meta: there is no column "artis"'],
    [{ ...own, meta: ["artist", "artist=song"] }, '--meta: "artist" is named twice'],
    [{ ...own, type: undefined }, "which event type?"],
    [{ ...own, typeColumn: "artist" }, "--type and --type-column are both given"],
    [{ ...own, id: undefined }, "which column is the item?"],
    [
      { ...own, timeZone: "Berlin" },
      "--time-zone: expected an IANA name such as Europe/Berlin, got",
    ],
    [{ ...own, format: "cvs" }, 'csv, parquet or ndjson, got "cvs". Did you mean "csv"?'],
    [{ ...own, format: "parquet" }, "plays.csv can not be read: "],
  ])("%j", async (options, message) => {
    await expect(openEventFile(path, options)).rejects.toThrow(message);
  });

  it("or a file", async () => {
    const none = join(folder, "none.csv");
    await expect(openEventFile(none, own)).rejects.toThrow(`${none} can not be read (ENOENT)`);
    await expect(openEventFile(folder, { ...own, format: "csv" })).rejects.toThrow("is no file");
    await expect(openEventFile(file("what.bin", ""), own)).rejects.toThrow("Say --format csv");
    const empty = file("empty.csv", "");
    await expect(openEventFile(empty, own)).rejects.toThrow("there is no line of names");
    const twice = file("twice.csv", "a,b,a\n");
    await expect(openEventFile(twice, own)).rejects.toThrow('two columns are named "a"');
  });
});
