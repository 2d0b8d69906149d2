// Commands that ask or tell a running service, all of them the same one.
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { columnsOf, sparkline, tableLines } from "../src/cli-text.ts";
import { makeTerminal, runIo } from "./support/cli-io.ts";
import { type RankstreamProcess, startRankstream } from "./support/service.ts";

let service: RankstreamProcess;
beforeAll(async () => {
  service = await startRankstream();
});
afterAll(() => service.stop());

const run = (args: string[], given: Parameters<typeof runIo>[1] = {}) =>
  runIo(args, { environment: { RANKSTREAM_URL: service.url }, ...given });

async function countOf(eventType: string, eventId: string): Promise<number> {
  const query = { eventType, eventId, timeRange: "all", mode: "exact" };
  return (await service.get("/items", query)).body.count;
}

describe("rankstream send", () => {
  it("sends one event with all its fields, once under a key", async () => {
    const args = ["send", "sent", "one", "--user", "u1", "--session", "s1", "--weight", "3"];
    const more = ["--meta", "a=b=c", "--meta", "d=", "--time", "2026-01-02T03:04:05Z"];
    for (let i = 0; i < 2; i++) {
      const { code, out, error } = await run([...args, ...more, "--key", "k1"]);
      expect([code, out, error]).toEqual([0, "1 accepted\n", ""]);
    }
    const exported = await run(["export", "--type", "sent"]);
    expect(JSON.parse(exported.out)).toEqual({
      eventId: "one",
      eventType: "sent",
      timestamp: "2026-01-02T03:04:05.000Z",
      userId: "u1",
      sessionId: "s1",
      metadata: { a: "b=c", d: "" },
      weight: 3,
    });
    expect(await run(["send", "sent", "two", "--time", "1767323045000"])).toMatchObject({
      code: 0,
    });
  });

  it("sends lines as they come, and tells those that are refused by number", async () => {
    const input = new PassThrough();
    const ended = run(["send", "--json"], { input });
    const line = '{"eventId":"piped","eventType":"lines"}\n';
    input.write(`${line}${line.slice(0, 5)}`);
    const deadline = Date.now() + 20_000;
    while ((await countOf("lines", "piped")) === 0 && Date.now() < deadline);
    expect(await countOf("lines", "piped")).toBe(1);
    input.write(`${line.slice(5)}\n`);
    input.end(`{"eventId":7}\nno\n${line.trim()}`);
    const { code, out, error } = await ended;
    const { accepted, rejected, errors } = JSON.parse(out);
    expect([code, accepted, rejected]).toEqual([1, 3, 2]);
    expect(errors.map((e: { line: number }) => e.line)).toEqual([4, 5]);
    expect(error).toMatch(/^line 4: .*\(\w+\)\nline 5: .*\(invalid_json\)\n$/);
    expect(await countOf("lines", "piped")).toBe(3);
  });

  it("refuses what is no event, and sends nothing for nothing", async () => {
    const refused = await run(["send", "sent", "x", "--time", "yesterday"]);
    expect([refused.code, refused.out]).toEqual([1, "0 accepted, 1 refused\n"]);
    expect(refused.error).toContain("(invalid_timestamp)");
    expect(await run(["send"])).toMatchObject({ code: 0, out: "0 accepted\n" });
    const long = await run(["send"], { input: Readable.from(["x".repeat(2_000_000)]) });
    expect([long.code, long.error]).toEqual([1, expect.stringContaining("longer than")]);
    for (const args of [
      ["send", "only_type"],
      ["send", "a", "b", "--weight", "0"],
    ]) {
      expect((await run(args)).code).toBe(2);
    }
    expect((await run(["send", "a", "b", "--meta", "x=1", "--meta", "x=2"])).code).toBe(2);
  });
});

describe("rankstream types", () => {
  it("lists them, those with most events first", async () => {
    const event = (eventType: string) => ({ eventType, eventId: "x" });
    await service.post(["many", "many", "few", "many"].map(event));
    const settings = { description: "not \u001b[2Jmany", retentionDays: 30 };
    const init = { method: "PUT", headers: { "content-type": "application/json" } };
    await service.request("/event-types/few", { ...init, body: JSON.stringify(settings) });
    const { body } = await service.get("/leaderboard", { eventType: "many", mode: "exact" });
    expect(body.total).toBe(3);
    const { code, out } = await run(["types"]);
    expect(code).toBe(0);
    const lines = out.split("\n");
    expect(lines[0]).toMatch(/^type +events +first +last \(UTC\) +kept +finest +description$/);
    const own = lines.filter((line) => /^(?:many|few) /.test(line));
    expect(own[0]).toMatch(/^many +3 .* always +minutes$/);
    expect(own[1]).toMatch(/^few +1 .* 30 days +minutes +not \\u001b\[2Jmany$/);
    const { eventTypes } = JSON.parse((await run(["types", "--json"])).out);
    expect(eventTypes).toContainEqual(expect.objectContaining({ name: "few", retentionDays: 30 }));
  });
});

describe("rankstream item", () => {
  it("shows where one stands, and its history", async () => {
    const at = (hour: number) => new Date(Date.UTC(2026, 2, 1, hour)).toISOString();
    const events = [0, 1, 1, 1, 5].map((hour) => ({ eventId: "b", timestamp: at(hour) }));
    const others = ["a", "a", "a", "a", "a", "a", "c"].map((eventId) => ({
      eventId,
      timestamp: at(3),
    }));
    await service.post([...events, ...others].map((e) => ({ ...e, eventType: "placed" })));
    const args = [
      "item",
      "placed",
      "b",
      "--range",
      "2026-03-01T00:00:00Z/PT6H",
      "--mode",
      "exact",
    ];
    const { code, out } = await run(args);
    expect(code).toBe(0);
    expect(out.split("\n").slice(0, 13)).toEqual([
      "b in placed, 2026-03-01 00:00:00 to 2026-03-01 06:00:00 UTC",
      "count 5, 41.67% of 12",
      "rank 2",
      "first seen 2026-03-01 00:00:00, last 2026-03-01 05:00:00 UTC",
      "",
      "#  item  count",
      "1  a         6",
      "2  b         5",
      "3  c         1",
      "",
      "▃█   ▃",
      "by hour, 2026-03-01 00:00:00 to 2026-03-01 06:00:00 UTC; most 3 from 2026-03-01 01:00:00",
      "certified",
    ]);
    const terminal = { terminal: makeTerminal(40) };
    expect((await run(args, terminal)).out).toContain("\u001b[1m2  b         5\u001b[22m");
    expect(JSON.parse((await run([...args, "--json"])).out)).toMatchObject({ rank: 2, count: 5 });
    const none = await run(["item", "placed", "nobody"]);
    expect(none.out).toMatch(/count 0, 0\.00% of 0\nno rank\n/);
  });
});

describe("text", () => {
  it("draws a line of bars, neighbours added up where there is no room", () => {
    expect(sparkline([0, 1, 2, 4, 8], 80)).toBe(" ▁▂▄█");
    expect(sparkline([1, 1, 2, 2, 4], 3)).toBe("▄█▇".replace("▇", "█"));
    expect(sparkline([0, 0], 80)).toBe("  ");
    expect(sparkline(Array(1000).fill(1), 80)).toHaveLength(77);
    expect(sparkline([], 80)).toBe("");
  });

  it("gives way in the elastic column only", () => {
    const columns = [
      { name: "#", align: "right" as const },
      { name: "item", align: "left" as const, isElastic: true },
      { name: "count", align: "right" as const },
    ];
    const lines = tableLines(columns, [["1", "漢".repeat(40), "1,000,000"]], 40);
    expect(lines.map(columnsOf).every((width) => width <= 40)).toBe(true);
    expect(lines[1]).toMatch(/^1 {2}漢+… +1,000,000$/);
    expect(tableLines(columns, [["1", "x".repeat(90), "1"]], null)[1]).toContain("x".repeat(90));
  });
});
