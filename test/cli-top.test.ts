import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BoardStyle, boardText } from "../src/cli-board.ts";
import { columnsOf } from "../src/cli-text.ts";
import type { Leaderboard } from "../src/client/client.ts";
import { makeTerminal, runIo } from "./support/cli-io.ts";
import { type RankstreamProcess, startRankstream } from "./support/service.ts";

const plain: BoardStyle = { hasColor: false, columnsMax: null };

function boardOf(rows: [string, number, number, number][], more: Partial<Leaderboard> = {}) {
  const board: Leaderboard = {
    timeRange: "A to B",
    from: "2024-01-01T00:00:00.000Z",
    to: "2024-01-02T00:00:00.000Z",
    effectiveFrom: "2024-01-01T00:00:00.000Z",
    effectiveTo: "2024-01-02T00:00:00.500Z",
    eventType: "t",
    k: 10,
    mode: "approx",
    certified: true,
    certifiedRanks: rows.length,
    partial: false,
    stale: false,
    asOf: "2024-01-02T00:00:00.000Z",
    total: 12_345,
    plan: {
      rowsRead: { lists: 0, counts: 0, raw: 0 },
      windows: { minute: 0, hour: 0, day: 0, month: 0 },
      sketches: 0,
    },
    distinct: 5,
    others: 7,
    results: rows.map(([eventId, count, lower, upper], i) => ({
      eventId,
      count,
      lower,
      upper,
      rank: i + 1,
      share: count / 12_345,
    })),
  };
  return { ...board, ...more };
}

describe("a board as text", () => {
  it("shows labels instead of ids, and lets none steer the terminal", () => {
    const board = boardOf([
      ["song_1", 7, 7, 7],
      ["song_2", 5, 5, 5],
    ]);
    board.results[0]!.label = "Blue\u001b[2J in Green";
    board.dropped = [
      {
        eventId: "song_3",
        label: "So What",
        previousCount: 3,
        previousRank: 2,
        count: 0,
        rank: null,
      },
    ];
    const text = boardText(board, plain);
    expect(text).toContain("1  Blue\\u001b[2J in Green");
    expect(text).toContain("2  song_2");
    expect(text).toContain("dropped out: So What (2)");
    expect(text).not.toMatch(/song_[13]|\u001b/);
  });

  it("aligns columns, wide and combining characters included", () => {
    const rows: [string, number, number, number][] = [
      ["東京", 12_000, 12_000, 12_000],
      ["e\u0301t\u00e9 👩‍👧", 300, 300, 300],
      ["a\u001b[31m\n", 38, 38, 38],
    ];
    expect(boardText(boardOf(rows), plain)).toBe(
      [
        "t, 2024-01-01 00:00:00 to 2024-01-02 00:00:00.500 UTC",
        `#  item${" ".repeat(16)}count   share`,
        `1  東京${" ".repeat(15)}12,000  97.21%`,
        `2  e\u0301t\u00e9 👩‍👧${" ".repeat(16)}300   2.43%`,
        `3  a\\u001b[31m\\u000a${" ".repeat(6)}38   0.31%`,
        "12,345 events of 5 items, 7 not shown",
        "certified: every count and rank is exact (approx)",
        "",
      ].join("\n"),
    );
  });

  it("shows bounds where counts are not exact, and what is proven", () => {
    const rows: [string, number, number, number][] = [
      ["a", 100, 90, 110],
      ["b", 80, 80, 80],
    ];
    const open = { certified: false, certifiedRanks: 1, distinct: null, stale: true };
    const bounds = { distinctLower: 4, distinctUpper: 9 };
    const text = boardText(boardOf(rows, { ...open, ...bounds }), plain);
    expect(text).toContain("1  a       100  0.81%  90 to 110\n2  b        80  0.65%   80 to 80\n");
    expect(text).toContain("12,345 events of 4 to 9 items, 7 not shown\n");
    expect(text).toContain(
      "estimated: ranks up to place 1 are proven, counts lie within the bounds (approx); " +
        "the newest events may be missing\n",
    );
    const none = boardText(boardOf(rows, { ...open, certifiedRanks: 0 }), plain);
    expect(none).toContain("estimated: no rank is proven");
    expect(boardText(boardOf(rows), plain)).toContain("certified: every rank is proven (approx)");
    expect(boardText(boardOf([]), plain)).toMatch(/\nno events\n$/);
  });

  it("cuts long ids to the terminal's width, and colours only when asked", () => {
    const rows: [string, number, number, number][] = [["漢".repeat(200), 5, 5, 5]];
    const text = boardText(boardOf(rows), { hasColor: true, columnsMax: 60 });
    const row = text.split("\n")[2]!;
    expect(row).toContain("漢…");
    expect(columnsOf(row)).toBeLessThan(60);
    expect(text).toContain("\u001b[1mt, ");
  });
});

let service: RankstreamProcess;
beforeAll(async () => {
  service = await startRankstream();
  const event = (eventId: string) => ({ eventId, eventType: "song_play" });
  const from = (userId: string, country: string) => {
    return { ...event("x"), eventType: "view", userId, metadata: { country, "a=b": "=" } };
  };
  await service.post(["a", "a", "b"].map(event));
  await service.post([from("u1", "DE"), from("u1", "DE"), from("u2", "AT"), from("u3", "FR")]);
});
afterAll(() => service.stop());

function top(args: string[], environment: Record<string, string> = {}, isOut = true) {
  const given = { environment, terminal: makeTerminal(80, isOut) };
  return runIo(["top", "--url", service.url, ...args], given);
}

describe("rankstream top", () => {
  const own = ["--type", "song_play", "--mode", "exact"];

  it("shows the board of a running service", async () => {
    const { code, out, error } = await top([...own, "--no-color"]);
    expect([code, error]).toEqual([0, ""]);
    expect(out.split("\n").slice(1)).toEqual([
      "#  item  count   share",
      "1  a         2  66.67%",
      "2  b         1  33.33%",
      "3 events of 2 items, 0 not shown",
      "certified: every count and rank is exact (exact)",
      "",
    ]);
    const one = await top([...own, "-k", "1"], { NO_COLOR: "1" });
    expect(one.out).not.toContain("\u001b");
    expect(one.out).not.toContain("2  b");
    expect((await top(own, {}, false)).out).not.toContain("\u001b");
    expect((await top(own)).out).toContain("\u001b[1msong_play, ");
  });

  it("counts what the flags select", async () => {
    const ask = async (...flags: string[]) => {
      const { code, out, error } = await top(["--type", "view", "--json", ...flags]);
      expect([code, error]).toEqual([0, ""]);
      return JSON.parse(out);
    };
    const filters = ["--filter", "country=DE", "--filter", "country=AT"];
    expect((await ask(...filters)).total).toBe(3);
    expect((await ask(...filters, "--by", "users")).total).toBe(2);
    expect((await ask("--filter-not", "country=DE")).total).toBe(2);
    expect((await ask("--filter", "a=b==", "--user", "u3")).total).toBe(0);
    const users = ["--user", "u1", "--user", "u3"];
    const items = ["--prefix", "x", "--include", "x", "--include", "y", "--exclude", "z"];
    expect((await ask(...users, ...items)).total).toBe(3);
    const text = await top(["--type", "view", "--no-color", "--by", "users"]);
    expect(text.out).toContain("\n3 users of 1 items\n");
    expect((await top(["--type", "view", "--filter", "country"])).code).toBe(2);
  });

  it("prints the reply as JSON", async () => {
    const { out } = await top([...own, "--range", "all", "--json"]);
    const rows = [{ eventId: "a", count: 2, rank: 1 }, { eventId: "b" }];
    expect(JSON.parse(out)).toMatchObject({ total: 3, results: rows });
  });

  it("says what is wrong, and what may have been meant", async () => {
    const typo = await top(["--type", "song_plya"]);
    expect([typo.code, typo.error]).toEqual([
      0,
      'there is no event type "song_plya" yet. Did you mean "song_play"?\n',
    ]);
    const range = await top([...own, "--range", "lately"]);
    expect(range.code).toBe(1);
    expect(range.error).toMatch(/^rankstream: the service refused \(invalid_time_range\): .*\n$/);
    for (const args of [
      ["-k", "0"],
      ["-k", "1001"],
      ["--mode", "fast"],
      ["--url", "x"],
    ]) {
      expect((await top([...own, ...args])).code).toBe(2);
    }
    expect((await top([])).error).toContain("required option '--type <name>' not specified");
    const gone = await top([...own, "--url", "http://127.0.0.1:1"]);
    expect(gone.code).toBe(3);
    expect(gone.error).toMatch(
      /^rankstream: no service answers at http:\/\/127\.0\.0\.1:1 .*--url/,
    );
  });
});
