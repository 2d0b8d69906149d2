/**
 * The kernel by itself, one thread: scanner, pipeline, sketches, memory. Each answer is checked
 * against plain counting before anything is timed; the other readers of the same bytes too.
 */
import { Random } from "../test/support/random.ts";
import { asLogged, kernelData } from "./kernel-data.ts";
import { timeParsers } from "./kernel-parsers.ts";
import { type PipelineResult, timePipeline } from "./kernel-pipeline.ts";
import {
  type Footprint,
  fixedBytes,
  footprints,
  minutesMerged,
  timeMerges,
  timeUpdates,
} from "./kernel-sketch.ts";
import type { BenchOptions } from "./options.ts";
import { type Grid, type Outcome, say, whole } from "./report.ts";
import { millions, type Timing, timingText } from "./timing.ts";

const targetEventsPerUs = 5;
const targetUpdatesPerUs = 30;

interface Result {
  parsers: Timing[];
  byItem: PipelineResult;
  byEvent: PipelineResult;
  /** As `byItem`, of lines that the edge has judged and marked: what a worker does. */
  marked: PipelineResult;
  updates: Timing[];
  merges: Timing[];
  footprints: Footprint[];
  fixed: [name: string, bytes: number][];
}

function kib(bytes: number | null): string {
  if (bytes === null) return "–";
  return bytes < 2 ** 20
    ? `${(bytes / 1024).toFixed(1)} KiB`
    : `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

function timingGrid(title: string, unit: string, timings: readonly Timing[]): Grid {
  const head = [title, `µs ${unit}`, "p75", "± %", "M/s", "runs"];
  const rows = timings.map(({ name, usMedian, usP75, rme, runs }) => {
    const rate = (1 / usMedian).toFixed(2);
    return [name, usMedian.toFixed(4), usP75.toFixed(4), rme.toFixed(1), rate, String(runs)];
  });
  return { head, rows };
}

function mergeGrid(timings: readonly Timing[]): Grid {
  const head = ["merge of 1 MiB sketches", "ms a MiB", "p75", "± %", "ms for 60 minutes", "runs"];
  const rows = timings.map(({ name, usMedian, usP75, rme, runs }) => {
    const hour = ((usMedian * minutesMerged) / 1000).toFixed(2);
    const each = [usMedian, usP75].map((us) => (us / 1000).toFixed(4));
    return [name, ...each, rme.toFixed(1), hour, String(runs)];
  });
  return { head, rows };
}

function partsGrid({ byItem, byEvent, marked }: Result): Grid {
  const names = [...new Set([...byItem.parts, ...byEvent.parts].map(({ name }) => name))];
  const cell = (result: PipelineResult, part: string) => {
    const found = result.parts.find(({ name }) => name === part);
    return found === undefined ? "–" : `${found.usMedian.toFixed(4)} (${found.usP75.toFixed(4)})`;
  };
  const rows = names.map((name) => [
    name,
    cell(byItem, name),
    cell(byEvent, name),
    cell(marked, name),
  ]);
  const totals = [byItem, byEvent, marked].map(({ total }) => total.usMedian.toFixed(4));
  rows.push(["all", ...totals]);
  const columns = ["updates an item", "updates an event", "an item, lines with marks"];
  const head = ["part, µs an event: median (p75)", ...columns];
  return { head, rows };
}

function memoryGrids(result: Result): Grid[] {
  const rows = result.footprints.map(({ items, events, sealedBytes, storedBytes, mapBytes }) => {
    return [whole(items), whole(events), kib(sealedBytes), kib(storedBytes), kib(mapBytes)];
  });
  const head = ["items of a window (Zipf 1.0)", "events", "sealed sketch", "as stored", "Map"];
  return [
    { head, rows },
    {
      head: ["an ingest worker, for any number of items", "memory"],
      rows: result.fixed.map(([name, bytes]) => [name, kib(bytes)]),
    },
  ];
}

function notesOf({ byItem, updates }: Result, notes: string[]): string[] {
  const missed: string[] = [];
  if (byItem.total.usMedian > 1 / targetEventsPerUs) {
    const rate = millions(byItem.total);
    missed.push(`NOT REACHED: ${targetEventsPerUs} M events/s through the pipeline: ${rate}.`);
  }
  if (updates[0]!.usMedian > 1 / targetUpdatesPerUs) {
    const rate = millions(updates[0]!);
    missed.push(`NOT REACHED: ${targetUpdatesPerUs} M updates/s of a sketch: ${rate}.`);
  }
  return [
    ...missed,
    ...notes,
    "JSON.parse, simdjson and DuckDB check no fields; the scanner checks all of an event's.",
  ];
}

/** Checks and times everything; about 50 seconds at the default size. */
export async function runKernel(options: BenchOptions): Promise<Outcome[]> {
  const events = options.events ?? (options.smoke ? 6000 : 400_000);
  const ids = options.ids ?? (options.smoke ? 2000 : 1_000_000);
  const bounds = { timeMs: options.smoke ? 5 : 1000, runsMin: options.smoke ? 2 : 7 };
  say(`kernel: making ${whole(events)} events of ${whole(ids)} ids`);
  const data = kernelData({ seed: options.seed, events, ids });
  const random = new Random(options.seed);
  const { timings: parsers, notes } = await timeParsers(options, data, bounds);
  const result: Result = {
    parsers,
    byItem: await timePipeline("sketch and heap once an item", "item", data, bounds),
    byEvent: await timePipeline("sketch and heap each event", "event", data, bounds),
    marked: await timePipeline("lines with marks", "item", await asLogged(data), bounds),
    updates: await timeUpdates(random, { events, ids }, bounds),
    merges: await timeMerges(random, bounds),
    footprints: await footprints(
      options.smoke ? [10_000] : [10_000, 100_000, 1_000_000, 10_000_000],
      options.smoke ? 10_000 : 1_000_000,
    ),
    fixed: fixedBytes(),
  };
  const merge = result.merges[0]!;
  const rows: Outcome["rows"] = [
    [
      "pipeline, µs an event",
      `${timingText(result.byItem.total)}, ${millions(result.byItem.total)}`,
    ],
    [
      "pipeline of a worker (lines with marks), µs an event",
      `${timingText(result.marked.total)}, ${millions(result.marked.total)}`,
    ],
    ["scanner, µs an event", `${timingText(parsers[0]!)}, ${millions(parsers[0]!)}`],
    [
      "scanner: times as fast as JSON.parse",
      (parsers[1]!.usMedian / parsers[0]!.usMedian).toFixed(1),
    ],
    [
      "sketch, ns an update",
      `${(result.updates[0]!.usMedian * 1000).toFixed(1)}, ${millions(result.updates[0]!)}`,
    ],
    ["merge of 60 minutes, ms", ((merge.usMedian * minutesMerged) / 1000).toFixed(2)],
  ];
  const tables = [
    timingGrid("reader", "an event", parsers),
    partsGrid(result),
    timingGrid("sketch of 1 MiB", "an update", result.updates),
    mergeGrid(result.merges),
    ...memoryGrids(result),
  ];
  const size = (data.bytes / data.events).toFixed(0);
  const title =
    `Kernel: ${whole(events)} events of ${size} bytes, Zipf 1.0 over ${whole(ids)} ids, ` +
    "one thread";
  return [
    { name: "kernel", title, rows, tables, notes: notesOf(result, notes), data: { ...result } },
  ];
}
