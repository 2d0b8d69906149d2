/**
 * What a load takes on a lake (docs/growth.md): worked out on paper, tried in a simulation, and
 * both held against a small real run. A figure that is further from the other than its bound is
 * an error. With a PostgreSQL, what its catalog takes is measured as well.
 */

import { loadavg } from "node:os";
import { countRowBytes, rawEventBytes } from "../src/capacity/disk.ts";
import { growthInputsWith } from "../src/capacity/growth-inputs.ts";
import { meanWindows } from "../src/capacity/growth-rows.ts";
import { parseLoad } from "../src/capacity/load.ts";
import { defaultBounds, measured } from "../src/capacity/measured.ts";
import { countText } from "../src/capacity/words.ts";
import { type CatalogRun, catalogRun } from "./capacity-catalog.ts";
import { type Compared, compare } from "./capacity-compare.ts";
import { type ListRun, listRun } from "./capacity-list.ts";
import { writePage } from "./capacity-page.ts";
import { type RealRun, realRun } from "./capacity-real.ts";
import { Simulation } from "./capacity-simulation.ts";
import {
  agreementTable,
  kindsTable,
  largeEventsPerDay,
  leversTable,
  limitsTable,
  loadOf,
  needsTable,
  targetTable,
  trafficTable,
} from "./capacity-tables.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Grid, type Outcome, percent, say, whole } from "./report.ts";

const realDays = 2;
/** Rows of counts of a real run, on paper and simulated, are within this of what is there. */
const rowsBound = 0.1;
/** Bytes are predicted with room: between these times of what is there. */
const bytesLeast = 0.75;
const bytesMost = 4;

/** One figure of the real run beside both predictions. */
interface Real {
  what: string;
  found: number;
  paper: number;
  simulated: number;
  least: number;
  most: number;
}

function againstReal(
  run: RealRun,
  options: { seed: number; types: number; items: number },
): Real[] {
  const load = parseLoad({
    eventsPerSecond: String(run.eventsPerSecond),
    eventsPerSecondPeak: String(run.eventsPerSecondPeak),
    eventBytes: String(Math.round(run.bytesPerEvent)),
    eventTypes: String(options.types),
    items: String(options.items),
    idBytes: "10",
    retentionDays: String(realDays),
  });
  const paper = meanWindows(load);
  const simulated = new Simulation(
    {
      eventsPerSecond: load.eventsPerSecond,
      eventsPerSecondPeak: load.eventsPerSecondPeak,
      eventTypes: load.eventTypes,
      items: load.items,
      retentionDays: realDays,
      processes: 1,
      rawBytes: rawEventBytes(load),
      // A byte a row: rows are asked for.
      rowBytes: 1,
      sketchItemBytes: measured.sketchBytesPerItem.value,
      sketchBytesMax: measured.sketchBytesMax.value,
      listMax: defaultBounds.candidatesMax,
    },
    growthInputsWith(),
    realDays,
    options.seed,
  ).run();
  const rows = (level: "minute" | "hour" | "day", windows: number): Real => ({
    what: `rows of counts, by the ${level}`,
    found: run.countRows[level],
    paper: paper[level].rows * windows,
    simulated: simulated.countBytes[level],
    least: 1 - rowsBound,
    most: 1 + rowsBound,
  });
  const bytes = (what: string, found: number, predicted: number): Real => {
    return {
      what,
      found,
      paper: predicted,
      simulated: predicted,
      least: bytesLeast,
      most: bytesMost,
    };
  };
  return [
    rows("minute", realDays * 1440),
    rows("hour", realDays * 24),
    rows("day", realDays),
    ...(run.rawBytesPerEvent === null
      ? []
      : [bytes("bytes of a raw event", run.rawBytesPerEvent, rawEventBytes(load))]),
    bytes("bytes of a row of counts", run.countRowBytes, countRowBytes(load)),
  ];
}

function checkReal(figures: readonly Real[]): void {
  for (const { what, found, paper, simulated, least, most } of figures) {
    for (const predicted of [paper, simulated]) {
      const ratio = predicted / found;
      if (ratio >= least && ratio <= most) continue;
      throw new Error(`${what}: ${predicted} predicted, ${found} found: not ${least} to ${most}`);
    }
  }
}

function checkCompared(figures: readonly Compared[]): void {
  for (const { what, paper, simulated, bound } of figures) {
    if (paper === simulated || Math.abs(paper / simulated - 1) <= bound) continue;
    throw new Error(`${what}: ${paper} on paper, ${simulated} simulated: beyond ${bound}`);
  }
}

function realGrid(figures: readonly Real[]): Grid {
  return {
    head: ["a real run", "found", "on paper", "simulated", "paper / found"],
    rows: figures.map(({ what, found, paper, simulated }) => [
      what,
      ...[found, paper, simulated].map((value) => (value < 100 ? fixed(value, 1) : whole(value))),
      fixed(paper / found),
    ]),
  };
}

function catalogGrids({ commits, plans }: CatalogRun): Grid[] {
  return [
    {
      head: ["writers of the catalog", "commits/s", "COMMIT ms p50", "most"],
      rows: commits.map(({ writers, perSecond, msP50, msMax }) => [
        String(writers),
        fixed(perSecond, 1),
        fixed(msP50, 1),
        fixed(msMax, 0),
      ]),
    },
    {
      head: ["files of a table", "planning, ms"],
      rows: plans.map(({ files, ms }) => [whole(files), fixed(ms, 1)]),
    },
  ];
}

function listGrid({ finds }: ListRun): Grid {
  return {
    head: ["files of raw events", "finding a minute's, ms"],
    rows: finds.map(({ files, ms }) => [whole(files), fixed(ms, 1)]),
  };
}

/** Paper, simulation, a real run; the catalog where there is a PostgreSQL. */
export async function runCapacity(options: BenchOptions): Promise<Outcome[]> {
  const { seed, smoke, postgres, extensions, pageFile } = options;
  if (pageFile !== undefined) writePage(pageFile);
  const inputs = growthInputsWith();
  const days = smoke ? { retentionDays: "10" } : {};
  const loads = (smoke ? [1] : [1, 10]).map((factor) => loadOf(largeEventsPerDay * factor, days));
  say("capacity: simulating");
  const runs = loads.map((load) => {
    const { figures } = compare(load, inputs, { seed, moreDays: smoke ? 4 : 0 });
    checkCompared(figures);
    return { name: countText(load.eventsPerSecond * 86_400), figures };
  });
  const size = smoke ? { types: 3, items: 2000 } : { types: 5, items: 100_000 };
  say("capacity: a real run");
  const run = await realRun({
    seed,
    events: options.events ?? (smoke ? 20_000 : 2_000_000),
    eventTypes: size.types,
    items: size.items,
    connections: options.connections,
  });
  const real = againstReal(run, { seed, ...size });
  checkReal(real);
  const list = await listRun(smoke ? [1000, 5000] : [100_000, 1_000_000, 5_000_000]);
  const catalog =
    postgres === undefined || extensions === undefined
      ? null
      : await catalogRun({ postgres, extensions, smoke });
  const tables = [needsTable(inputs), kindsTable(inputs), targetTable(inputs)];
  tables.push(trafficTable(inputs));
  tables.push(limitsTable(inputs), leversTable(), agreementTable(runs), realGrid(real));
  tables.push(listGrid(list));
  const most = Math.max(...runs.flatMap(({ figures }) => figures.map(offBy)));
  return [
    {
      name: "capacity",
      title: `Capacity: paper beside a simulated year and ${whole(run.events)} real events`,
      rows: [
        ["paper beside simulation: furthest off", percent(most)],
        ["folding and building, µs of CPU a row of counts", fixed(foldCpuMicros(run))],
        ["  by the clock", fixed(run.sealMicrosPerRow)],
        ["real: bytes sent an event", fixed(run.bytesPerEvent, 1)],
        ["real: rows folded", whole(run.deltaRows)],
        ["real: sealed sketches, bytes", `${run.sketches}, ${whole(run.sketchBytes)}`],
        ["real: files of raw events", whole(run.rawFiles)],
        ["list of raw events' files, bytes a row", fixed(list.bytesPerRow, 1)],
        ...catalogRows(catalog),
      ],
      tables: [...tables, ...(catalog === null ? [] : catalogGrids(catalog))],
      notes: [
        `The machine's load at the end: ${fixed(loadavg()[0]!, 1)}, other work included.`,
        ...(catalog === null ? ["Not measured: a catalog (--postgres and --extensions)."] : []),
      ],
      data: { runs, run, real, list, catalog },
    },
  ];
}

function catalogRows(catalog: CatalogRun | null): [string, string][] {
  if (catalog === null) return [];
  const { rowsPerCommit, planMs, planMicrosPerFile, fileRowBytes, statRowBytes } = catalog;
  return [
    ["catalog: rows of a commit beside files", String(rowsPerCommit)],
    ["catalog: planning, ms and µs a file", `${fixed(planMs, 1)}, ${fixed(planMicrosPerFile)}`],
    ["catalog: bytes of a file, of a statistic", `${whole(fileRowBytes)}, ${whole(statRowBytes)}`],
  ];
}

/** What is left of the service's CPU without counting, for each row that is folded. */
function foldCpuMicros({ cpuMicrosPerEvent, bytesPerEvent, events, deltaRows }: RealRun): number {
  const { ingestCpuMicros, benchEventBytes } = measured;
  const counting = (ingestCpuMicros.value * bytesPerEvent) / benchEventBytes.value;
  return ((cpuMicrosPerEvent - counting) * events) / deltaRows;
}

function offBy({ paper, simulated }: Compared): number {
  return paper === simulated ? 0 : Math.abs(paper / simulated - 1);
}
