// What the panels and the status corner say.
import { describe, expect, it } from "vitest";
import type { ItemStanding, TrendingItem } from "../../../src/client/replies.ts";
import type { Status } from "../../../src/model-status.ts";
import {
  axisTexts,
  courseWords,
  growthText,
  growthWords,
  scoreWords,
  shortCount,
  standingCertainty,
  stepText,
} from "../../../src/web/panels/panel-words.ts";
import {
  bytesText,
  durationText,
  healthOf,
  statusLines,
} from "../../../src/web/panels/status-words.ts";

/** Intl's spaces and dashes differ by its data's version. */
const plain = (text: string) => text.replaceAll(/[\s\u2009\u202f]+/g, " ").replaceAll("–", "-");

it.each([
  [[], "nothing counted yet"],
  [[0, 0, 0], "no event"],
  [[7], "7"],
  [[12, 20, 80], "rising, 12 to 80"],
  [[80, 20, 12], "falling, 80 to 12"],
  [[5, 900, 900, 5, 6, 6], "falling, 5 to 6, at most 900"],
  [[1000, 1010, 1000], "steady, 1,000 to 1,000"],
])("the course %j is %s", (points, words) => {
  expect(courseWords(points)).toBe(words);
});

it.each([
  [0, "0"],
  [0.25, "0.3"],
  [99.94, "99.9"],
  [3694.7, "3,695"],
  [9999, "9,999"],
  [9999.6, "10K"],
  [12_345, "12.3K"],
  [4_500_000_000, "4.5B"],
])("%d is short %s", (count, text) => {
  expect(shortCount(count)).toBe(text);
});

function standing(more: Partial<ItemStanding>): ItemStanding {
  const ranks = { rank: 2, rankLower: 2, rankUpper: 2 };
  return { eventId: "a", count: 5, lower: 5, upper: 5, share: 0.1, ...ranks, ...more };
}

it.each([
  [{}, "Count and rank are proven exact.", true],
  [{ count: 0, lower: 0, upper: 0, rank: null }, "Proven: no event in this range.", true],
  [{ upper: 7 }, "The true count is surely 5–7.", false],
  [{ rankUpper: 4 }, "The count is proven exact, the true rank surely 2–4.", false],
  [{ upper: 6, rankLower: 1 }, "The true count is surely 5–6, the true rank surely 1–2.", false],
])("of %j it says how certain it is", (more, text, isCertain) => {
  expect(standingCertainty(standing(more))).toEqual({ text, isCertain });
});

it("says what grew, against what, and how sure that is", () => {
  const item = { count: 120, previousCount: 50, expected: 40.2, growth: 2.987 } as TrendingItem;
  expect(growthWords(item)).toBe(
    "120 seen where about 40.2 would have been usual: 3 times its share of before.",
  );
  expect(growthWords({ ...item, expected: 1234.5 })).toContain("about 1,235 would");
  const fresh = { ...item, previousCount: 0, growth: null };
  expect(growthWords(fresh)).toBe("120 seen, none in the period before.");
  expect([growthText(item), growthText(fresh)]).toEqual(["3×", "new"]);
  expect([4, 6, 10, 20].map(scoreWords)).toEqual([
    "clear",
    "strong",
    "very strong",
    "overwhelming",
  ]);
});

describe("moments", () => {
  const at = Date.UTC(2026, 2, 28, 22, 30);
  const hour = 3_600_000;

  it("of an axis say the date where it changes, in the zone", () => {
    const zone = "Europe/Berlin";
    expect(axisTexts([at, at + hour, at + 2 * hour], false, zone)).toEqual([
      "23:30\nMar 28",
      "00:30\nMar 29",
      "01:30",
    ]);
    expect(axisTexts([at, at + 24 * hour], true, zone)).toEqual(["Mar 28\n2026", "Mar 30"]);
  });

  it("of a step are as long as it", () => {
    const step = { from: at, to: at + hour };
    expect(plain(stepText(step, "minute", "UTC"))).toBe("Mar 28, 2026, 22:30");
    expect(plain(stepText(step, "hour", "UTC"))).toBe("Mar 28, 2026, 22:30 - 23:30");
    const day = { from: Date.UTC(2026, 2, 28), to: Date.UTC(2026, 2, 29) };
    expect(plain(stepText(day, "day", "UTC"))).toBe("Mar 28, 2026");
    const week = { ...day, to: Date.UTC(2026, 3, 4) };
    expect(plain(stepText(week, "week", "UTC"))).toBe("Mar 28 - Apr 3, 2026");
    const month = { from: Date.UTC(2026, 1, 1), to: Date.UTC(2026, 2, 1) };
    expect(plain(stepText(month, "month", "UTC"))).toBe("Feb 2026");
  });
});

it("writes stretches of time and bytes short", () => {
  const minute = 60_000;
  const times = [400, 12_900, 5.5 * minute, 150 * minute, 120 * minute, 76 * 60 * minute];
  expect(times.map(durationText)).toEqual([
    "0.4 s",
    "12 s",
    "5 min",
    "2 h 30 min",
    "2 h",
    "3 d 4 h",
  ]);
  expect([0, 999, 31_457_280, 999_999, 107e9, 5e15].map(bytesText)).toEqual([
    "0 B",
    "999 B",
    "31.5 MB",
    "1.0 MB",
    "107 GB",
    "5000 TB",
  ]);
});

function status(more: Partial<Status> = {}): Status {
  const rate = { total: 381_612, perSecond: 41.7, perSecondLastMinute: 42.3 };
  return {
    status: "ready",
    notReady: [],
    roles: ["edge", "ingest", "query"],
    version: "1.2.3",
    now: "2026-11-24T10:30:15.251Z",
    startedAt: "2026-11-24T08:00:00.000Z",
    uptimeSeconds: 9015,
    accepted: rate,
    counted: rate,
    lag: { ms: 0, records: 0, asOf: "2026-11-24T10:30:15.000Z" },
    checkpoints: { count: 8731, lastAt: null, ageMs: 381 },
    disk: { storeBytes: 3e7, logBytes: 8e6, freeBytes: 5e10, totalBytes: 1e11 },
    live: { clients: 1, boards: 3 },
    memory: { rssBytes: 4e8, heapBytes: 4e7, bufferBytes: 1e7 },
    upstream: null,
    ...more,
  };
}

/** A node without a store, and the service behind it. */
function node(behind: Status | null): Status {
  const nothing = { accepted: null, counted: null, lag: null, checkpoints: null, disk: null };
  return status({ ...nothing, upstream: { reachable: behind !== null, status: behind } });
}

describe("the corner", () => {
  const late = status({ lag: { ms: 12_000, records: 9, asOf: null } });
  const full = status({ disk: { storeBytes: 1, logBytes: 1, freeBytes: 4, totalBytes: 100 } });
  const broken = { status: "not_ready" as const, notReady: ["store"] };

  it.each([
    ["open", null, true, "good", "Live"],
    ["open", status(), true, "good", "Live"],
    ["open", node(status()), true, "good", "Live"],
    ["connecting", status(), true, "wait", "Connecting"],
    ["lost", status(), false, "bad", "Connection lost, trying again"],
    ["closed", null, true, "bad", "Closed"],
    ["open", status(), false, "bad", "The service does not answer"],
    ["open", status(broken), true, "bad", "Not ready: store"],
    ["open", node(status(broken)), true, "bad", "Not ready: store"],
    ["open", late, true, "wait", "Counting lags behind"],
    ["open", node(late), true, "wait", "Counting lags behind"],
    ["open", full, true, "wait", "The disk is almost full"],
  ] as const)("by %s %#", (live, known, isAnswering, level, words) => {
    expect(healthOf(live, known, isAnswering)).toEqual({ level, words });
  });

  it("tells all of a status, and of a node what it knows", () => {
    const lines = Object.fromEntries(statusLines(status(), "UTC"));
    expect(lines).toMatchObject({
      State: "ready, running for 2 h 30 min",
      Taken:
        "381,612 events since the start; 41.7 a second in the last 10 s, 42.3 in the last minute",
      "Last commit": "0.4 s ago",
      Disk: "store 30.0 MB, log 8.0 MB; 50.0 GB of 100 GB free",
      Memory: "400 MB, of it 40.0 MB objects and 10.0 MB buffers",
      Watching: "1 live client, 3 boards",
      Version: "1.2.3 (edge, ingest, query)",
    });
    expect(lines["Behind"]).toMatch(/^nothing waits; all counted up to \d/);
    const behind = Object.fromEntries(statusLines(late, "UTC"))["Behind"];
    expect(behind).toBe("9 batches wait, the oldest for at most 12 s");
    const own = statusLines(node(null), "UTC").map(([name]) => name);
    expect(own).toEqual(["State", "Memory", "Watching", "Version"]);
  });
});
