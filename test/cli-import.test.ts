import { once } from "node:events";
import { createReadStream, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./support/command.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";

const folder = temporaryFolder();
let service: RankstreamProcess;
beforeAll(async () => {
  service = await startRankstream();
});
afterAll(() => service.stop());

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function importFile(path: string, args: string[], url = service.url) {
  return runCommand(["import", path, "--url", url, ...args]);
}

async function countsOf(eventType: string) {
  const query = { eventType, timeRange: "all", mode: "exact", k: 1000 };
  const { body } = await service.get("/leaderboard", query);
  const rows: { eventId: string; count: number }[] = body.results;
  return { total: body.total, counts: rows.map(({ eventId, count }) => [eventId, count]) };
}

/** Passes requests on, slowly: so that an import can be stopped in its middle. */
async function slowly(delayMs: number) {
  const seen = { requests: 0 };
  const server = createServer((incoming, outgoing) => {
    seen.requests += 1;
    setTimeout(() => {
      const { method, url, headers } = incoming;
      const onward = request(`${service.url}${url}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
      onward.on("error", () => outgoing.destroy());
      outgoing.on("error", () => onward.destroy());
      incoming.on("error", () => onward.destroy());
    }, delayMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen, close };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("rankstream import", () => {
  it("counts a CSV file's rows, once", async () => {
    const path = file("a.csv", "song,at\nx,2024-01-01\ny,2024-01-02\nx,2024-01-03\n");
    const args = ["--type", "csv_play", "--id", "song", "--time", "at"];
    const first = await importFile(path, args).ended;
    expect(first).toMatchObject({ code: 0, error: "" });
    expect(first.out).toMatch(/^3 events counted in \d+ s \([\d,]+ rows\/s\)\n$/);
    const second = await importFile(path, [...args, "--json"]).ended;
    expect(second.code).toBe(0);
    expect(JSON.parse(second.out)).toMatchObject({
      file: path,
      rows: 3,
      events: 0,
      eventsBefore: 3,
      batches: 1,
      batchesBefore: 1,
      refused: 0,
      isComplete: true,
    });
    const third = await importFile(path, args).ended;
    expect(third.out).toContain("1 of 1 batches were already counted (3 events)");
    const counts = [
      ["x", 2],
      ["y", 1],
    ];
    expect(await countsOf("csv_play")).toEqual({ total: 3, counts });
  });

  it("counts rejected rows by reason, shows the first ones, ends with 1", async () => {
    const long = "x".repeat(600);
    const rows = `a,2024-01-01\n${long},2024-01-01\nb,soon\n,2024-01-01\nc\n${long},2024-01-01\n`;
    const path = file("b.csv", `song,at\n${rows}`);
    const args = ["--type", "bad_play", "--id", "song", "--time", "at"];
    const { code, out, error } = await importFile(path, args).ended;
    expect(code).toBe(1);
    expect(out).toMatch(/^1 events counted .*\n5 rows rejected\n$/);
    expect(error).toContain("  2 too_long\n    row 2: ");
    expect(error).toContain(
      '  1 invalid_timestamp\n    row 3: timestamp: expected a time, got "soon"',
    );
    expect(error).toContain("  1 missing_field\n    row 4: eventId: nothing in the column song\n");
    expect(error).toContain("  1 missing_columns\n    line 6: ");
    expect((await countsOf("bad_play")).counts).toEqual([["a", 1]]);
  });

  it("sends NDJSON events as they are", async () => {
    const event = (eventId: string) => `{"eventId":"${eventId}","eventType":"nd_play"}\n`;
    const path = file("c.ndjson", `${event("a")}nonsense\n\n${event("b")}`);
    const { code, error } = await importFile(path, []).ended;
    expect(code).toBe(1);
    expect(error).toMatch(/^ {2}1 invalid_json\n {4}row 2: /);
    expect((await countsOf("nd_play")).total).toBe(2);
  });

  it("says what is wrong in one line, and ends with 2 or 1", async () => {
    const path = file("d.csv", "song,at\nx,2024-01-01\n");
    const mistaken = await importFile(path, ["--type", "t", "--id", "sogn"]).ended;
    expect(mistaken).toMatchObject({ code: 2, out: "" });
    expect(mistaken.error).toBe(
      'rankstream: --id: there is no column "sogn". Did you mean "song"? ' +
        'The columns are "song", "at"\n',
    );
    const noFile = await importFile(join(folder, "none.csv"), ["--type", "t"]).ended;
    expect(noFile.code).toBe(1);
    expect(noFile.error).toMatch(
      /^rankstream: the file .*none\.csv can not be read \(ENOENT\)\n$/,
    );
    const flag = await importFile(path, ["--tipe", "t"]).ended;
    expect(flag.code).toBe(2);
    expect(flag.error).toContain("Did you mean one of --time, --type?");
    const url = await importFile(path, [], "localhost:8080").ended;
    expect(url.code).toBe(2);
    expect(url.error).toContain("Expected something like http://127.0.0.1:8080");
  });

  it.each(["SIGKILL", "SIGINT"] as const)(
    "goes on after a %s, counting each row once",
    async (kind) => {
      // 15 batches of 20,000 rows, item i % 7.
      const rows = Array.from({ length: 300_000 }, (_, i) => `item${i % 7},${i}\n`);
      const path = file(`${kind}.csv`, `song,n\n${rows.join("")}`);
      const type = `play_${kind}`;
      const args = ["--type", type, "--id", "song"];
      const proxy = await slowly(200);
      const first = importFile(path, args, proxy.url);
      await until(() => proxy.seen.requests >= 6);
      first.kill(kind);
      const { code, signal, error } = await first.ended;
      proxy.close();
      if (kind === "SIGKILL") expect(signal).toBe("SIGKILL");
      else {
        expect(code).toBe(130);
        expect(error).toContain("stopped: run the same command again to go on");
      }
      const partly = (await countsOf(type)).total;
      expect(partly).toBeGreaterThan(0);
      expect(partly).toBeLessThan(300_000);
      const second = JSON.parse((await importFile(path, [...args, "--json"]).ended).out);
      expect(second.batchesBefore).toBeGreaterThan(0);
      expect(second.events + second.eventsBefore).toBe(300_000);
      const expected = Array.from({ length: 7 }, (_, item) => [
        `item${item}`,
        Math.floor((300_000 - item + 6) / 7),
      ]);
      expect(await countsOf(type)).toEqual({ total: 300_000, counts: expected });
      const third = JSON.parse((await importFile(path, [...args, "--json"]).ended).out);
      expect(third).toMatchObject({ events: 0, eventsBefore: 300_000, batchesBefore: 15 });
      expect((await countsOf(type)).total).toBe(300_000);
    },
  );
});

describe("a file's digest", () => {
  it("is of all of it", async () => {
    const { digestFile } = await import("../src/import/file-digest.ts");
    const { createHash } = await import("node:crypto");
    const path = file("digest.txt", `${"line\n".repeat(500_000)}end`);
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    const expected = { sha256: hash.digest("hex"), bytes: 2_500_003, lines: 500_000 };
    expect(await digestFile(path)).toEqual(expected);
  });
});
