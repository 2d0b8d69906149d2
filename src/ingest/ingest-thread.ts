/** The thread of one ingest worker: composes reader, kernel, loop; speaks with main and store. */
import { parentPort, workerData } from "node:worker_threads";
import { RankstreamError } from "../errors.ts";
import { nodeFiles } from "../files.ts";
import { Aggregator, type AggregatorOptions } from "../kernel/aggregator.ts";
import { ChunkScanner, chunkScannerBounds } from "../kernel/chunk-scanner.ts";
import { ItemRegion } from "../kernel/item-region.ts";
import { Kernel } from "../kernel/kernel.ts";
import { layout } from "../kernel/layout.ts";
import { loadKernelModule } from "../kernel/module.ts";
import { OpenWindows, type OpenWindowsOptions } from "../kernel/open-windows.ts";
import { EmbeddedLogReader } from "../log/embedded-log-reader.ts";
import type { CheckpointPart, StoreToWorker } from "../store/store.ts";
import { BlockScanner } from "./block-scanner.ts";
import { IngestLoop } from "./ingest-loop.ts";
import type { FromIngestThread, IngestThreadData, ToIngestThread } from "./messages.ts";
import { OpenMinutes, openMinutesMax } from "./open-minutes.ts";
import { SeenBatches } from "./seen-batches.ts";

const main = parentPort!;
const data = workerData as IngestThreadData;
const inputBytesMax = 4 * 1024 * 1024;
const countSlots = 2 ** 20;
const countHeapBytes = 16 * 1024 * 1024;
/** Of each open minute: 1 MiB of cells. */
const sketchShape = { depth: 4, widthLog2: 16 };
/** Of each open minute, for the candidates of all its types: about 50,000 of them. */
const candidatePoolBytes = 4 * 1024 * 1024;
const progressMs = 1000;

function send(message: FromIngestThread): void {
  main.postMessage(message);
}

/** Scanner, aggregator, open minutes and input region in one kernel memory of just their size. */
async function makeKernel() {
  const { seed, typesMax, candidatesMax } = data;
  const options: AggregatorOptions = {
    countSlots,
    countHeapBytes,
    typesMax,
    stringBytesMax: 2 * chunkScannerBounds.textBytesMax + layout.EVENT_TEXT_BYTES_MAX,
    seed,
    onCounts: (table) => openMinutes.addCounts(table),
  };
  const windowOptions: OpenWindowsOptions = {
    ...sketchShape,
    windowsMax: openMinutesMax,
    candidatesMax: Math.min(candidatesMax, layout.CANDIDATES_MAX),
    typesMax,
    poolBytes: candidatePoolBytes,
    seed,
  };
  const memoryBytes =
    Aggregator.memoryBytes(options) +
    OpenWindows.memoryBytes(windowOptions) +
    ItemRegion.memoryBytes() +
    ChunkScanner.memoryBytes() +
    inputBytesMax +
    65_536;
  const kernel = await Kernel.load(await loadKernelModule(), memoryBytes);
  const chunks = new ChunkScanner(kernel, { errorsMax: 1 });
  const aggregator = new Aggregator(kernel, options);
  const windows = new OpenWindows(kernel, new ItemRegion(kernel), windowOptions);
  const openMinutes = new OpenMinutes(windows, aggregator.types, {
    floorMinute: data.floorMinute,
    eventsMin: data.openMinuteEventsMin,
    partitions: data.starts.map(({ partition }) => partition),
  });
  const scanner = new BlockScanner(kernel, chunks, aggregator, inputBytesMax, openMinutes);
  return { aggregator, openMinutes, scanner };
}

async function start(): Promise<void> {
  const { aggregator, openMinutes, scanner } = await makeKernel();
  const reader = await EmbeddedLogReader.open(nodeFiles, data.logFolder, {
    starts: data.starts,
    // The loop has taken all records in before it asks for more.
    sharesBuffer: true,
  });
  const loop = new IngestLoop({
    reader,
    scanner,
    aggregator,
    seen: new SeenBatches(data.seen),
    worker: data.worker,
    open: (isAsked) => openMinutes.part(isAsked),
    starts: data.starts,
    checkpointMs: data.checkpointMs,
    checkpointBytesMax: data.checkpointBytesMax,
    commit: (part: CheckpointPart) => {
      data.storePort.postMessage({ kind: "checkpoint", part }, [
        ...part.raw,
        ...part.counts,
        ...part.open.minutes.map(({ candidates }) => candidates),
      ]);
    },
    // The time of day may be set back: nothing would be due until then.
    now: () => performance.now(),
  });
  data.storePort.on("message", (message: StoreToWorker) => {
    if (message.kind === "failed") throw new Error(message.message);
    loop.committed();
  });
  main.on("message", (message: ToIngestThread) => {
    if (message.kind === "advance") {
      reader.advance(message.end);
      loop.nudge();
    } else if (message.kind === "flush") {
      loop.want(message.offsets);
    } else {
      loop.stop();
    }
  });
  const timer = setInterval(() => send({ kind: "progress", totals: loop.totals }), progressMs);
  await loop.run();
  clearInterval(timer);
  send({ kind: "progress", totals: loop.totals });
  await reader.close();
  data.storePort.close();
  main.close();
}

start().catch((error: unknown) => {
  const code = error instanceof RankstreamError ? error.code : null;
  send({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
  main.close();
  data.storePort.close();
});
