/** Pages of a ranking that is kept: what each says, and when they are gone. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Board, BoardRow } from "../../src/query/board.ts";
import { distantBoardOf, Pages } from "../../src/query/pages.ts";

function row(i: number): BoardRow {
  const count = 1000 - i;
  return { eventId: `ü${i}`, count, rank: i + 1, lower: count - 1, upper: count, share: 0 };
}

const board: Board = {
  timeRange: "A to B",
  from: "A",
  to: "B",
  effectiveFrom: "2026-11-24T10:00:00.000Z",
  effectiveTo: "2026-11-24T12:00:00.000Z",
  eventType: "play",
  k: 3,
  mode: "exact",
  certified: true,
  certifiedRanks: 3,
  partial: false,
  stale: false,
  asOf: "now",
  total: 10_000,
  distinct: 13,
  others: 9000,
  results: [0, 1, 2].map(row),
  plan: {
    rowsRead: { lists: 0, counts: 0, raw: 0 },
    windows: { minute: 0, hour: 0, day: 0, month: 0 },
    sketches: 0,
  },
};
const after = Array.from({ length: 10 }, (_, i) => row(i + 3));

describe("pages", () => {
  it("follow each other to the end, each about the same moment", () => {
    const pages = new Pages();
    const seen: BoardRow[] = [];
    let cursor: string | undefined = pages.keep(board, after, true);
    const others: (number | null)[] = [];
    for (let asked = 0; cursor !== undefined; asked++) {
      const page: Board = pages.page({ cursor, k: asked === 1 ? 4 : undefined });
      expect(page).toMatchObject({ asOf: "now", total: 10_000, k: asked === 1 ? 4 : 3 });
      expect([page.certified, page.certifiedRanks]).toEqual([true, page.results.length]);
      seen.push(...page.results);
      others.push(page.others);
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(after.map((one) => ({ ...one, share: one.count / 10_000 })));
    expect(others).toEqual(
      [9000 - 997 - 996 - 995, 9000 - 6958, 9000 - 9925].map((left) => Math.max(0, left)),
    );
  });

  it("are made when they are asked for, of a board that was kept elsewhere", async () => {
    const pages = new Pages();
    const elsewhere = { ...board, nextCursor: "A".repeat(16).concat(".0") };
    const distant = distantBoardOf(JSON.stringify(elsewhere))!;
    expect(distant).toEqual({ cursor: elsewhere.nextCursor, asOf: "now" });
    expect(pages.touch(distant.cursor)).toBe(false);
    let made = 0;
    pages.promise(distant, async () => {
      made++;
      const again = { ...board, asOf: "later" };
      return { ...again, nextCursor: pages.keep(again, after, true) };
    });
    expect(pages.touch(distant.cursor)).toBe(true);
    for (let i = 0; i < 2; i++) {
      await pages.prepare(distant.cursor);
      const page = pages.page({ cursor: distant.cursor, k: undefined });
      expect([page.asOf, page.results.map(({ rank }) => rank)]).toEqual(["now", [4, 5, 6]]);
      await pages.prepare(page.nextCursor!);
      expect(pages.page({ cursor: page.nextCursor!, k: 1 }).results[0]!.rank).toBe(7);
    }
    expect(made).toBe(1);
  });

  it("expire where the board can't be made as it was, or never was certain", async () => {
    const pages = new Pages();
    const cursor = "B".repeat(16).concat(".0");
    pages.promise({ cursor, asOf: "now" }, async () => null);
    await pages.prepare(cursor);
    expect(pages.touch(cursor)).toBe(false);
    expect(() => pages.page({ cursor, k: 1 })).toThrow("not kept any more");
    await pages.prepare("no cursor");
    const uncertain = { ...board, certified: false, nextCursor: cursor };
    expect(distantBoardOf(JSON.stringify(uncertain))).toBeNull();
    const quoting = { ...board, eventType: `"nextCursor":"${cursor}"` };
    expect(distantBoardOf(JSON.stringify(quoting))).toBeNull();
  });

  it("say that nothing is certain where that is not known", () => {
    const pages = new Pages();
    const page = pages.page({ cursor: pages.keep(board, after, false), k: 5 });
    expect([page.certified, page.certifiedRanks]).toEqual([false, 0]);
  });

  it("are gone after their time, unless they are given again", async () => {
    const pages = new Pages({ bytesMax: 1 << 20, ttlMs: 1000 });
    const [kept, left] = [pages.keep(board, after, true), pages.keep(board, after, true)];
    await sleep(700);
    expect(pages.touch(kept)).toBe(true);
    await sleep(700);
    expect(pages.page({ cursor: kept, k: 1 }).results.length).toBe(1);
    expect(pages.touch(left)).toBe(false);
    expect(() => pages.page({ cursor: left, k: 1 })).toThrow(
      expect.objectContaining({ code: "cursor_expired", status: 410 }),
    );
  });

  it("take no memory much beyond their time", async () => {
    const pages = new Pages({ bytesMax: 1 << 20, ttlMs: 500 });
    for (let i = 0; i < 50; i++) pages.keep(board, after, true);
    expect(pages.size).toBe(50);
    await sleep(600);
    pages.keep(board, after, true);
    expect(pages.size).toBe(1);
  });

  it("take bounded memory: the least recently read go first", () => {
    const pages = new Pages({ bytesMax: 12_000, ttlMs: 60_000 });
    const cursors = Array.from({ length: 20 }, () => pages.keep(board, after, true));
    const alive = cursors.filter((cursor) => pages.touch(cursor));
    expect(alive.length).toBeLessThan(6);
    expect(alive).toEqual(cursors.slice(-alive.length));
  });

  it("are gone once something of one of their types was deleted", () => {
    const pages = new Pages();
    const types = ["play", "view", "play,view", "playback"];
    const cursors = types.map((eventType) => pages.keep({ ...board, eventType }, after, true));
    const [ten, noon] = [Date.UTC(2026, 10, 24, 10), Date.UTC(2026, 10, 24, 12)];
    pages.drop("play", { from: noon, to: noon + 1 });
    pages.drop("play", { from: 0, to: ten });
    expect(cursors.map((cursor) => pages.touch(cursor))).toEqual([true, true, true, true]);
    pages.drop("play", { from: noon - 1, to: noon });
    expect(cursors.map((cursor) => pages.touch(cursor))).toEqual([false, true, false, true]);
  });

  it("are found by their cursors alone", () => {
    const pages = new Pages();
    const cursor = pages.keep(board, after, true);
    for (const wrong of ["", "x", `${cursor}0000000`, cursor.slice(1), "a.b", `${cursor}\n`]) {
      expect(() => pages.page({ cursor: wrong, k: 1 }), wrong).toThrow(
        expect.objectContaining({ code: "invalid_cursor", status: 400 }),
      );
    }
    expect(pages.page({ cursor: cursor.replace(/\.0$/, ".99"), k: 1 }).results).toEqual([]);
  });
});
