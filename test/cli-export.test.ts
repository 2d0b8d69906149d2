import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RowCounter } from "../src/import/export-download.ts";
import { makeTerminal, runIo } from "./support/cli-io.ts";
import { type Random, randomFromEnvironment } from "./support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";

const folder = temporaryFolder();
let service: RankstreamProcess;
let other: RankstreamProcess;
beforeAll(async () => {
  [service, other] = await Promise.all([startRankstream(), startRankstream()]);
});
afterAll(() => Promise.all([service.stop(), other.stop()]));

const texts = ["a", 'b "quoted", ', "c\nd\r\n", "\u0001\t\\", "漢字 👩‍👧", "'", "-0,5;", "=1+1"];

function randomEvent(random: Random) {
  const maybe = <T extends object>(part: T) => (random.chance(0.5) ? part : {});
  return {
    eventId: random.pick(texts) + random.int(0, 5),
    eventType: random.pick(["play", 'vi"ew', "a b"]),
    timestamp: new Date(Date.UTC(2026, 0, 1) + random.int(0, 40 * 86_400_000)).toISOString(),
    ...maybe({ userId: random.pick(texts) }),
    ...maybe({ sessionId: random.pick(texts) }),
    ...maybe({ metadata: { [random.pick(texts)]: random.pick(texts), k: "" } }),
    ...maybe({ weight: random.int(2, 1_000_000) }),
  };
}
type Event = ReturnType<typeof randomEvent>;

/** An event as text that is the same for the same event. */
function canonical(event: Event): string {
  return JSON.stringify(Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function eventsIn(text: string): string[] {
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line) => canonical(JSON.parse(line))).sort();
}

async function boardsOf({ get }: Pick<RankstreamProcess, "get">, types: string[]) {
  const boards: unknown[] = [];
  for (const eventType of types) {
    const { body } = await get("/leaderboard", { eventType, timeRange: "all", mode: "exact" });
    boards.push([eventType, body.total, body.distinct, body.results]);
  }
  return boards;
}

const run = (args: string[], url = service.url) => runIo([...args, "--url", url]);

describe("rankstream export", () => {
  it("writes what can be imported elsewhere, to the same events and boards", async () => {
    const random = randomFromEnvironment("export and import");
    const events = Array.from({ length: 600 }, () => randomEvent(random));
    const source = join(folder, "source.ndjson");
    writeFileSync(source, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
    expect(await run(["import", source])).toMatchObject({ code: 0 });
    const gone = events[0]!;
    const { eventType, eventId } = gone;
    const query = new URLSearchParams({ eventType, eventId, timeRange: "all" });
    expect((await service.request(`/items?${query}`, { method: "DELETE" })).status).toBe(200);
    const left = events.filter((e) => e.eventType !== eventType || e.eventId !== eventId);
    const wanted = left.map(canonical).sort();
    const types = [...new Set(left.map((event) => event.eventType))];
    const boards = await boardsOf({ get: (...a) => service.get(...a) }, types);
    for (const format of ["ndjson", "ndjson.gz", "csv", "csv.gz", "parquet"]) {
      const path = join(folder, `all.${format}`);
      const exported = await run(["export", path, "--json"]);
      expect(exported.code, exported.error).toBe(0);
      expect(JSON.parse(exported.out)).toMatchObject({ file: path, events: left.length });
      if (format === "ndjson") expect(eventsIn(readFileSync(path, "utf8"))).toEqual(wanted);
      if (format === "ndjson.gz") expect(gunzipSync(readFileSync(path)).length).toBeGreaterThan(9);
      const imported = await run(["import", path], other.url);
      expect([imported.code, imported.error]).toEqual([0, ""]);
      expect(await boardsOf({ get: (...a) => other.get(...a) }, types)).toEqual(boards);
      const again = await run(["export"], other.url);
      expect(eventsIn(again.out)).toEqual(wanted);
      for (const name of types) {
        const address = `/event-types/${encodeURIComponent(name)}`;
        await other.request(address, { method: "DELETE" });
      }
    }
  }, 60_000);

  it("takes a part of it, to stdout", async () => {
    const at = (day: number) => `2026-06-0${day}T10:30:00.000Z`;
    const one = { eventType: "part", eventId: "x" };
    await service.post([
      { ...one, timestamp: at(1), userId: "u1" },
      { ...one, timestamp: at(2), userId: "u2", weight: 4 },
      { ...one, timestamp: at(2), metadata: { country: "DE" } },
    ]);
    const part = async (...args: string[]) => {
      const { code, out, error } = await run(["export", "--type", "part", ...args]);
      expect([code, error]).toEqual([0, ""]);
      return out;
    };
    const line = (more: object) => JSON.stringify({ eventId: "x", eventType: "part", ...more });
    expect(await part("--range", `${at(2)}/P1D`, "--user", "u2")).toBe(
      `${line({ timestamp: at(2), userId: "u2", weight: 4 })}\n`,
    );
    expect(await part("--filter", "country=DE", "--format", "csv")).toBe(
      "eventId,eventType,timestamp,userId,sessionId,metadata,weight\n" +
        `x,part,${at(2)},,,"{""country"":""DE""}",1\n`,
    );
    const sums = "2026-06-01T00:00:00.000Z,part,x,1\n2026-06-02T00:00:00.000Z,part,x,5\n";
    expect(await part("--counts", "day", "--format", "csv")).toBe(
      `time,eventType,eventId,count\n${sums}`,
    );
    expect(await part("--exclude", "x")).toBe("");
  });

  it("replaces a file only when told to, and never leaves half of one", async () => {
    const path = join(folder, "kept.csv");
    writeFileSync(path, "kept");
    const refused = await run(["export", path]);
    expect([refused.code, refused.error]).toEqual([
      2,
      `rankstream: ${path} is there already; --force replaces it\n`,
    ]);
    expect(readFileSync(path, "utf8")).toBe("kept");
    expect(await run(["export", path, "--force"])).toMatchObject({ code: 0 });
    expect(readFileSync(path, "utf8")).toMatch(/^eventId,/);
    const nowhere = await run(["export", join(folder, "none", "a.csv")]);
    expect([nowhere.code, nowhere.error]).toEqual([
      1,
      `rankstream: ${join(folder, "none", "a.csv")} can not be written (ENOENT)\n`,
    ]);
  });

  it.each([
    [["export", "a.txt"], "--format ndjson"],
    [["export", "--json"], "to a file"],
    [["export", "--format", "parquet"], "name a file"],
    [["export", "a.parquet.gz"], "leave .gz out"],
    [["export", "--format", "xml"], "Allowed choices are ndjson, csv, parquet"],
  ])("exits with 2 for %j", async (args, message) => {
    const { code, error } = await runIo(args, { terminal: makeTerminal() });
    expect([code, error]).toEqual([2, expect.stringContaining(message)]);
  });

  it("says what is wrong: no service, no such range", async () => {
    const url = "http://127.0.0.1:1";
    const nobody = await run(["export"], url);
    expect([nobody.code, nobody.error]).toEqual([3, expect.stringContaining(url)]);
    const range = await run(["export", "--range", "someday"]);
    expect([range.code, range.error]).toEqual([1, expect.stringContaining("invalid_time_range")]);
  });
});

describe("an export that is not whole", () => {
  /** A service whose exports end as `finish` lets them. */
  async function exportTo(path: string, finish: (reply: ServerResponse) => void, args = [""]) {
    const server = createServer((_request, reply) => {
      reply.writeHead(200, { "x-rankstream-events": "3" });
      reply.write("{}\n{}\n", () => finish(reply));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const result = await run(["export", path, ...args.filter(Boolean)], url);
    server.closeAllConnections();
    server.close();
    return result;
  }

  it.each([
    ["broken off", (reply: ServerResponse) => reply.destroy(), "broke off"],
    ["too short", (reply: ServerResponse) => reply.end(), "2 of 3 events came"],
  ])("leaves no file: %s", async (_what, finish, message) => {
    const path = join(folder, "half.ndjson");
    const { code, error } = await exportTo(path, finish);
    expect([code, error]).toEqual([1, expect.stringContaining(message)]);
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
    expect((await exportTo("-", finish)).code).toBe(1);
  });

  it("leaves no file of Parquet without its end", async () => {
    const path = join(folder, "half.parquet");
    const { code } = await exportTo(path, (reply) => reply.end());
    expect([code, existsSync(path)]).toEqual([1, false]);
  });

  it("is told by rows, however their bytes come", () => {
    const csv = Buffer.from('h,i\n"a\nb",1\n"c""\n",2\nd,3\n');
    for (let size = 1; size <= csv.length; size++) {
      const counter = new RowCounter("csv");
      for (let at = 0; at < csv.length; at += size) counter.add(csv.subarray(at, at + size));
      expect(counter.rows).toBe(3);
    }
  });
});
