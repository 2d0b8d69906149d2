/** The model on paper beside the simulation, figure by figure. */
import { countRowBytes, rawEventBytes } from "../src/capacity/disk.ts";
import { fleetsOf } from "../src/capacity/growth-fleet.ts";
import type { GrowthInputs } from "../src/capacity/growth-inputs.ts";
import type { GrowthStore } from "../src/capacity/growth-store.ts";
import type { Load } from "../src/capacity/load.ts";
import { defaultBounds, measured } from "../src/capacity/measured.ts";
import { type Simulated, Simulation } from "./capacity-simulation.ts";

export interface Compared {
  what: string;
  unit: "bytes" | "rows" | "objects" | "commits";
  paper: number;
  simulated: number;
  /** Paper beside simulation is to be within 1 ± this. */
  bound: number;
}

export interface Comparison {
  store: GrowthStore;
  simulated: Simulated;
  figures: Compared[];
}

function figuresOf(store: GrowthStore, simulated: Simulated): Compared[] {
  const figure = (
    what: string,
    unit: Compared["unit"],
    [paper, found]: readonly [number, number],
    bound: number,
  ): Compared => ({ what, unit, paper, simulated: found, bound });
  const { bytes, objects, catalogRows, perDay } = store;
  const { countBytes } = simulated;
  return [
    figure("raw events", "bytes", [bytes.raw, simulated.rawBytes], 0.02),
    figure("counts of minutes", "bytes", [bytes.counts.minute, countBytes.minute], 0.1),
    figure("counts of hours", "bytes", [bytes.counts.hour, countBytes.hour], 0.1),
    figure("counts of days", "bytes", [bytes.counts.day, countBytes.day], 0.1),
    figure("sketches", "bytes", [bytes.sketches, simulated.sketchBytes], 0.15),
    figure("replaced files", "bytes", [bytes.replaced, simulated.replacedBytes], 0.15),
    figure("rows of counts", "rows", [store.countRows, simulated.countRows], 0.1),
    figure(
      "rows of counts committed a day",
      "rows",
      [perDay.deltaRows, simulated.deltaRowsPerDay],
      0.1,
    ),
    figure("objects of raw events", "objects", [objects.raw, simulated.objects.raw], 0.15),
    figure("objects of windows", "objects", [objects.windows, simulated.objects.windows], 0.15),
    figure("objects replaced", "objects", [objects.replaced, simulated.objects.replaced], 0.1),
    figure("objects written a day", "objects", [perDay.objects, simulated.objectsPerDay], 0.1),
    figure("bytes written a day", "bytes", [perDay.bytes, simulated.writtenBytesPerDay], 0.1),
    figure("commits a day", "commits", [perDay.commits, simulated.commitsPerDay], 0.05),
    figure("catalog: files", "rows", [catalogRows.files, simulated.catalogRows.files], 0.1),
    figure(
      "catalog: statistics",
      "rows",
      [catalogRows.statistics, simulated.catalogRows.statistics],
      0.1,
    ),
    figure(
      "catalog: snapshots",
      "rows",
      [catalogRows.snapshots, simulated.catalogRows.snapshots],
      0.1,
    ),
  ];
}

/** Simulates as many days as are kept (and some more, where `moreDays`), and compares. */
export function compare(
  load: Load,
  inputs: GrowthInputs,
  { seed, moreDays = 0 }: { seed: number; moreDays?: number },
): Comparison {
  const { store, ingest } = fleetsOf(load, inputs);
  const simulated = new Simulation(
    {
      eventsPerSecond: load.eventsPerSecond,
      eventsPerSecondPeak: load.eventsPerSecondPeak,
      eventTypes: load.eventTypes,
      items: load.items,
      retentionDays: load.retentionDays,
      processes: ingest,
      rawBytes: rawEventBytes(load),
      rowBytes: countRowBytes(load),
      sketchItemBytes: measured.sketchBytesPerItem.value,
      sketchBytesMax: measured.sketchBytesMax.value,
      listMax: defaultBounds.candidatesMax,
    },
    inputs,
    load.retentionDays + moreDays,
    seed,
  ).run();
  return { store, simulated, figures: figuresOf(store, simulated) };
}
