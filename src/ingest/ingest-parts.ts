/** The parts of a worker that count: kernel, scanner, aggregator, open minutes, in one memory. */
import { Aggregator, type AggregatorOptions } from "../kernel/aggregator.ts";
import { ChunkScanner, chunkScannerBounds } from "../kernel/chunk-scanner.ts";
import { ItemRegion } from "../kernel/item-region.ts";
import { Kernel } from "../kernel/kernel.ts";
import { layout } from "../kernel/layout.ts";
import { loadKernelModule } from "../kernel/module.ts";
import { OpenWindows, type OpenWindowsOptions } from "../kernel/open-windows.ts";
import { BlockScanner, type RecordPlace } from "./block-scanner.ts";
import type { IngestBegin, IngestThreadData } from "./messages.ts";
import { OpenMinutes, openMinutesMax } from "./open-minutes.ts";

const inputBytesMax = 4 * 1024 * 1024;
const countSlots = 2 ** 20;
const countHeapBytes = 16 * 1024 * 1024;
/** Of each open minute: 1 MiB of cells. */
const sketchShape = { depth: 4, widthLog2: 16 };
/** Of each open minute, for the candidates of all its types: about 50,000 of them. */
const candidatePoolBytes = 4 * 1024 * 1024;
/** Refused lines named of one record; of our own records, which the edge has judged, none. */
const errorsListedMax = 100;

/** Told of each event whose type finds no room; its text holds for the call only. */
export type OnUntyped = (place: { partition: number } & RecordPlace, text: Uint8Array) => void;

export interface IngestParts {
  aggregator: Aggregator;
  openMinutes: OpenMinutes;
  scanner: BlockScanner;
}

/**
 * In a kernel memory of just their size. `onUntyped`: see BlockScanner; with it `knownTypes` have
 * their room, whichever types come first.
 */
export async function makeIngestParts(
  data: IngestThreadData,
  begin: Pick<IngestBegin, "starts" | "floorMinute">,
  onUntyped?: OnUntyped,
  knownTypes: readonly string[] = [],
): Promise<IngestParts> {
  const { seed, candidatesMax } = data;
  const typesMax = Math.max(data.typesMax, knownTypes.length);
  const options: AggregatorOptions = {
    countSlots,
    countHeapBytes,
    typesMax,
    stringBytesMax: 2 * chunkScannerBounds.textBytesMax + layout.EVENT_TEXT_BYTES_MAX,
    seed,
    onCounts: (table) => openMinutes.addCounts(table),
    ...(onUntyped !== undefined && {
      onUntyped: (partition: number, text: Uint8Array) =>
        onUntyped({ partition, ...scanner.placeOf(text.byteOffset) }, text),
    }),
  };
  const windowOptions: OpenWindowsOptions = {
    ...sketchShape,
    windowsMax: openMinutesMax,
    candidatesMax: Math.min(candidatesMax, layout.CANDIDATES_MAX),
    typesMax,
    poolBytes: candidatePoolBytes,
    seed,
  };
  const bounds = { errorsMax: data.source.kind === "kafka" ? errorsListedMax : 1 };
  const memoryBytes =
    Aggregator.memoryBytes(options) +
    OpenWindows.memoryBytes(windowOptions) +
    ItemRegion.memoryBytes() +
    ChunkScanner.memoryBytes(bounds) +
    inputBytesMax +
    65_536;
  const kernel = await Kernel.load(await loadKernelModule(), memoryBytes);
  const chunks = new ChunkScanner(kernel, bounds);
  const aggregator = new Aggregator(kernel, options);
  for (const name of knownTypes) aggregator.types.indexOf(name);
  const windows = new OpenWindows(kernel, new ItemRegion(kernel), windowOptions);
  const openMinutes = new OpenMinutes(windows, aggregator.types, {
    floorMinute: begin.floorMinute,
    eventsMin: data.openMinuteEventsMin,
    partitions: begin.starts.map(({ partition }) => partition),
  });
  const scanner = new BlockScanner(kernel, chunks, aggregator, inputBytesMax, openMinutes);
  return { aggregator, openMinutes, scanner };
}
