// The benches' own truth, against plain counting: a bench that counts wrongly judges wrongly.
import { describe, expect, it } from "vitest";
import { countByParsing } from "../../bench/baseline.ts";
import { checkBounds, judge } from "../../bench/board-verdict.ts";
import { EventStream, idOf, idText } from "../../bench/event-stream.ts";
import { type Board, checkExact } from "../../bench/load.ts";
import { selfTimes } from "../../bench/profile.ts";
import { RecordedStream } from "../../bench/recorded-stream.ts";
import { latencyOf, median, spread } from "../../bench/statistics.ts";
import { StreamCounts, trueBoard } from "../../bench/truth.ts";
import { randomFromEnvironment } from "../support/random.ts";

const startMs = Date.UTC(2026, 10, 24, 10, 30);

function plainBoard(counts: Map<string, number>, k: number) {
  const rows = [...counts].filter(([, count]) => count > 0);
  rows.sort(([a, x], [b, y]) => y - x || Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return {
    total: rows.reduce((sum, [, count]) => sum + count, 0),
    distinct: rows.length,
    rows: rows.slice(0, k).map(([eventId, count]) => ({ eventId, count })),
  };
}

function exactBoard(rows: { eventId: string; count: number }[], rest: Partial<Board> = {}): Board {
  return {
    mode: "exact",
    certified: true,
    certifiedRanks: rows.length,
    stale: false,
    total: rows.reduce((sum, { count }) => sum + count, 0),
    distinct: rows.length,
    results: rows.map((row) => ({ ...row, lower: row.count, upper: row.count })),
    ...rest,
  };
}

describe("the event stream", () => {
  const options = {
    seed: 5,
    ids: 300,
    zipfExponent: 1,
    eventTypes: ["a", "b"],
    startMs,
    stepMs: 2.5,
    lateShare: 0,
    lateMsMax: 0,
    form: "full" as const,
  };

  it("counts what its bodies hold, in every spelling", () => {
    const counts = new StreamCounts(2, options.ids);
    const times: number[] = [];
    const stream = new EventStream(options, (type, id, timeMs) => {
      counts.add(type, id);
      times.push(timeMs);
    });
    const bodies = [stream.nextBody(5000, 200_000), stream.nextBody(3000)];
    const made = bodies.reduce((sum, body) => sum + body.events, 0);
    expect(stream.made).toBe(made);
    const lines = bodies.flatMap(({ bytes }) => Buffer.from(bytes).toString().trim().split("\n"));
    expect(lines).toHaveLength(made);
    const sent = lines.map((line) => JSON.parse(line));
    expect(sent.map(({ timestamp }) => new Date(timestamp).getTime())).toEqual(times);
    expect(new Set(lines.map((line) => Object.keys(JSON.parse(line)).join())).size).toBe(6);
    expect(lines.some((line) => line.includes("\\u00e9"))).toBe(true);
    const parsed = countByParsing(bodies);
    for (const [type, name] of options.eventTypes.entries()) {
      const truth = plainBoard(parsed.counts.get(name)!, 1000);
      expect(trueBoard(counts.ofType(type), 1000)).toEqual(truth);
    }
  });

  it("is the same from the same seed, another from another", () => {
    const text = (seed: number) => {
      const stream = new EventStream({ ...options, seed }, () => undefined);
      return Buffer.from(stream.nextBody(100).bytes).toString();
    };
    expect(text(5)).toBe(text(5));
    expect(text(5)).not.toBe(text(6));
  });

  it("gives each id a text of its own that leads back to it", () => {
    const ids = Array.from({ length: 5000 }, (_, at) => at * 997);
    expect(new Set(ids.map(idText)).size).toBe(ids.length);
    expect(ids.map(idText).map(idOf)).toEqual(ids);
  });
});

describe("true boards", () => {
  it("are those of plain counting, ties and short boards too", () => {
    const random = randomFromEnvironment("bench boards");
    for (let round = 0; round < 200; round++) {
      const most = random.pick([1, 2, 5, 6000]);
      const counts = Uint32Array.from({ length: random.int(0, 60) }, () => random.int(0, most));
      const k = random.int(1, 70);
      const named = new Map([...counts].map((count, id) => [idText(id), count]));
      expect(trueBoard(counts, k)).toEqual(plainBoard(named, k));
    }
  });

  it("refuse every other answer", () => {
    const rows = ["a", "b", "c"].map((eventId, at) => ({ eventId, count: 9 - at }));
    const truth = { total: 24, distinct: 3, rows };
    expect(() => checkExact(exactBoard(rows), truth, "x")).not.toThrow();
    const fail = (board: Board) => expect(() => checkExact(board, truth, "x")).toThrow();
    fail(exactBoard(rows, { total: 25 }));
    fail(exactBoard(rows, { distinct: 4 }));
    fail(exactBoard(rows, { mode: "approx" }));
    fail(exactBoard(rows.slice(0, 2), { total: 24, distinct: 3 }));
    fail(exactBoard([rows[1]!, rows[0]!, rows[2]!]));
    fail(exactBoard([...rows.slice(0, 2), { eventId: "c", count: 6 }], { total: 24 }));
  });
});

describe("verdicts on approximate boards", () => {
  const counts = Uint32Array.from([0, 50, 40, 30, 20]);
  const truth = trueBoard(counts, 3);
  const row = (id: number, lower: number, upper: number) => {
    return { eventId: idText(id), count: lower, lower, upper };
  };
  const board = (results: Board["results"], rest: Partial<Board> = {}): Board => {
    const open = { mode: "approx" as const, certified: false, certifiedRanks: 0, distinct: null };
    return { ...open, stale: false, total: 140, results, ...rest };
  };
  const verdict = (given: Board) => judge(given, counts, truth, 3, 1, "q");

  it("measure recall and error", () => {
    const given = board([row(1, 48, 50), row(2, 40, 40), row(4, 20, 33)], { certifiedRanks: 2 });
    const { recall, errorMean, exactShare } = verdict(given);
    expect(recall).toBeCloseTo(2 / 3);
    expect(errorMean).toBeCloseTo(2 / 3);
    expect(exactShare).toBeCloseTo(1 / 3);
  });

  it("refuse broken bounds, wrong certificates and totals", () => {
    const fine = [row(1, 50, 50), row(2, 40, 40), row(3, 30, 30)];
    const certified = { certified: true, certifiedRanks: 3 };
    expect(() => verdict(board(fine, certified))).not.toThrow();
    const refused: [Board["results"], Partial<Board>][] = [
      [[row(1, 51, 60), ...fine.slice(1)], {}],
      [[row(1, 40, 49), ...fine.slice(1)], {}],
      [[fine[0]!, fine[0]!], {}],
      [[fine[1]!, fine[0]!, fine[2]!], { certifiedRanks: 1 }],
      [[...fine.slice(0, 2), row(4, 20, 20)], certified],
      [fine.slice(0, 2), certified],
      [fine, { total: 141 }],
      [fine, { stale: true }],
      [fine, { total: 130, totalUpper: 139 }],
    ];
    for (const [results, rest] of refused) {
      expect(() => verdict(board(results, rest)), JSON.stringify(results)).toThrow();
    }
  });

  it("hold bounds between what was acknowledged and what was sent", () => {
    const sent = Uint32Array.from([0, 55, 40, 30, 20]);
    const check = (lower: number, upper: number, stale = false) =>
      checkBounds(board([row(1, lower, upper)], { stale }), counts, sent, "q");
    expect(() => check(55, 55)).not.toThrow();
    expect(() => check(50, 50)).not.toThrow();
    expect(() => check(56, 60)).toThrow();
    expect(() => check(40, 49)).toThrow();
    expect(() => check(40, 49, true)).not.toThrow();
  });
});

it("a recorded stream knows its acknowledged beginning and recounts any span", () => {
  const stream = new RecordedStream({
    ...{ seed: 3, events: 1000, ids: 40, zipfExponent: 1, startMs, spanMs: 600_000 },
    ...{ lateShare: 0.1, lateMsMax: 60_000, eventType: "a", eventsPerBody: 100 },
  });
  const sent: { eventId: string; timestamp: number }[] = [];
  const bodies = [250, 1000].flatMap((until) => {
    const made = [];
    for (let body = stream.next(until); body !== null; body = stream.next(until)) made.push(body);
    return made;
  });
  for (const { bytes } of bodies) {
    for (const line of Buffer.from(bytes).toString().trim().split("\n")) {
      sent.push(JSON.parse(line));
    }
  }
  expect(sent).toHaveLength(1000);
  const [first, second, third, ...others] = bodies;
  stream.acknowledge(second!);
  expect(stream.acknowledged).toBe(0);
  stream.acknowledge(first!);
  expect(stream.acknowledged).toBe(200);
  for (const body of others) stream.acknowledge(body);
  stream.acknowledge(third!);
  expect(stream.acknowledged).toBe(1000);
  const span = { from: startMs + 61_234, to: startMs + 300_001 };
  const expected = new Uint32Array(40);
  for (const { eventId, timestamp } of sent.slice(100, 900)) {
    if (timestamp >= span.from && timestamp < span.to) expected[idOf(eventId)]!++;
  }
  expect(stream.recount(span, 100, 900)).toEqual(expected);
  const times = sent.map(({ timestamp }) => timestamp);
  expect(times.filter((time, at) => time < (times[at - 1] ?? 0)).length).toBeGreaterThan(20);
});

it("statistics are the usual ones", () => {
  const samples = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect(latencyOf(samples)).toEqual({ count: 100, p50: 51, p99: 100, max: 100 });
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(spread([9, 10, 12])).toBeCloseTo(0.3);
});

it("a profile's self times add up by function", () => {
  const frame = (functionName: string) => ({ functionName, url: "file:///a/b.js", lineNumber: 4 });
  const nodes = ["read", "(idle)", "read"].map((name, id) => ({ id, callFrame: frame(name) }));
  const times = selfTimes({ nodes, samples: [0, 1, 2, 1], timeDeltas: [1e6, 5e5, 2e6, 1e6] });
  expect(times).toEqual([
    ["read b.js:5", 3],
    ["(idle) b.js:5", 1.5],
  ]);
});
