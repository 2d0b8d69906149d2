// The service's numbers as they are kept and told again, in steps.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { type MetricsQuery, readMetrics } from "../../src/store/metrics-history.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { type MetricSample, writeMetrics } from "../../src/store/system-metrics.ts";
import { readTypeFigures } from "../../src/store/type-figures.ts";

const minuteMs = 60_000;
const begin = Date.UTC(2026, 10, 24, 12);
let database: LocalDatabase;

beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
});

afterEach(() => database.close());

function write(minute: number, samples: MetricSample[]): Promise<void> {
  const at = begin + minute * minuteMs;
  return database.write((connection) => writeMetrics(connection, { at, samples, keepFrom: 0 }));
}

function read(query: Partial<MetricsQuery> & Pick<MetricsQuery, "names">) {
  const range = { from: begin, to: begin + 6 * minuteMs, stepMs: minuteMs };
  return database.read(5000, (connection) =>
    readMetrics(connection, { labels: {}, seriesMax: 10, ...range, ...query }),
  );
}

function one(name: string, value: number, labels: Record<string, string> = {}): MetricSample {
  return { name, value, labels };
}

describe("the history of the service's numbers", () => {
  it("has a value a step, the last one where it stayed, none where nothing ran", async () => {
    await write(-30, [one("a", 4), one("a", 9, { x: "y" })]);
    await write(0, [one("tick", 1)]);
    await write(1, [one("tick", 2), one("a", 6)]);
    await write(1.5, [one("a", 8)]);
    await write(2, [one("tick", 3)]);
    // The service did not run in minute 3.
    await write(4, [one("tick", 1)]);
    const { series, isCut } = await read({ names: ["a", "nothing"] });
    expect(isCut).toBe(false);
    expect(series).toEqual([
      {
        name: "a",
        labels: null,
        values: [4, 7, 8, null, 8, null],
        // The samples of minute 1 speak of a minute and a half.
        rates: [0, 4 / 90, 0, null, 0, null],
      },
      {
        name: "a",
        labels: '{"x":"y"}',
        values: [9, 9, 9, null, 9, null],
        rates: [0, 0, 0, null, 0, null],
      },
    ]);
  });

  it("is of one process where several keep theirs, and of the time from before that", async () => {
    const of = (process: string, value: number) => one("a_total", value, { process });
    await write(-1, [one("a_total", 90)]);
    await write(0, [one("a_total", 100)]);
    await write(1, [of("x", 1000)]);
    await write(1.5, [of("y", 7)]);
    await write(2, [of("x", 1006)]);
    await write(2.5, [of("y", 7)]);
    await write(3, [of("x", 1012)]);
    const { series } = await read({
      names: ["a_total"],
      ofProcess: "x",
      to: begin + 4 * minuteMs,
    });
    expect(series.map(({ labels, rates }) => [labels, rates.slice(2)])).toEqual([
      [null, [0, 0]],
      // Whatever the other kept between: a minute is sixty seconds of this one.
      ['{"process":"x"}', [6 / 60, 6 / 60]],
    ]);
  });

  it("tells how counters grow, also over a restart and from their first sample on", async () => {
    await write(-1, [one("a_total", 90)]);
    await write(-0.5, [one("a_total", 100)]);
    await write(0, [one("a_total", 110)]);
    await write(1, [one("a_total", 4), one("b_total", 7)]);
    await write(1.2, [one("a_total", 5), one("b_total", 9)]);
    const { series } = await read({ names: ["a_total", "b_total"], to: begin + 2 * minuteMs });
    expect(series.map(({ rates }) => rates)).toEqual([
      // Usual are 30 s: more than half as much again is taken for them.
      [10 / 30, 5 / 42],
      [null, 9 / 42],
    ]);
  });

  it("are not made slower by a step that isn't over, nor by a stop", async () => {
    for (const minute of [0, 1, 2, 3]) await write(minute, [one("a_total", 60 * minute)]);
    await write(33, [one("a_total", 60)]);
    const range = { to: begin + 40 * minuteMs, stepMs: 10 * minuteMs };
    const [series] = (await read({ names: ["a_total"], ...range })).series;
    // The first sample of all has none before it.
    expect(series!.rates).toEqual([180 / 240, null, null, 1]);
  });

  it("forgets what is older than an hour, and quantiles at once", async () => {
    await write(-70, [one("old", 1)]);
    await write(0, [one("s", 0.5, { quantile: "0.99" }), one("s", 0.25, { quantile: "0.5" })]);
    await write(0.5, [one("s", 0.75, { quantile: "0.99" })]);
    await write(1, [one("tick", 1)]);
    expect((await read({ names: ["old"] })).series).toEqual([]);
    const labels = { quantile: "0.99" };
    const { series } = await read({ names: ["s"], labels, to: begin + 2 * minuteMs });
    expect(series.map(({ values }) => values)).toEqual([[0.75, null]]);
  });

  it("is cut where there are too many series", async () => {
    await write(
      0,
      Array.from({ length: 12 }, (_, i) => one("a", i, { n: String(i + 10) })),
    );
    const { series, isCut } = await read({ names: ["a"] });
    expect(isCut).toBe(true);
    expect(series.map(({ labels }) => labels).slice(0, 2)).toEqual(['{"n":"10"}', '{"n":"11"}']);
    expect(series).toHaveLength(10);
  });
});

it("Distinct items are those of the newest windows, of fifty types and the others", async () => {
  const minute = begin / minuteMs;
  await database.writer.run(`INSERT INTO event_types SELECT range, 'type-' || range, 0,
    TIMESTAMP_MS '2024-01-01', TIMESTAMP_MS '2024-01-01' FROM range(60)`);
  await database.writer.run(`INSERT INTO window_minute
    SELECT ${minute} + m.range, t.range, 1000 - t.range, 10 * m.range + 1, 0
    FROM range(2) AS m, range(60) AS t`);
  await database.writer.run(`INSERT INTO window_hour VALUES (${minute - 60}, 7, 5, 3, 0)`);
  const figures = await database.read(5000, readTypeFigures);
  expect(figures).toHaveLength(52);
  expect(figures[0]).toEqual({ window: "minute", eventType: "type-0", items: 11 });
  expect(figures[50]).toEqual({ window: "minute", eventType: null, items: 110 });
  expect(figures[51]).toEqual({ window: "hour", eventType: "type-7", items: 3 });
});
