/** The thread of one ingest worker: composes reader, kernel, loop; speaks with main and store. */
import { parentPort, workerData } from "node:worker_threads";
import { RankstreamError } from "../errors.ts";
import { nodeFiles } from "../files.ts";
import { EmbeddedLogReader } from "../log/embedded-log-reader.ts";
import type { CheckpointPart, StoreToWorker } from "../store/store.ts";
import { IngestLoop, type IngestLoopDeps } from "./ingest-loop.ts";
import { makeIngestParts } from "./ingest-parts.ts";
import {
  type FromIngestThread,
  type IngestBegin,
  type IngestThreadData,
  noTotals,
  type ToIngestThread,
} from "./messages.ts";
import type { OpenMinutes } from "./open-minutes.ts";
import { SeenBatches } from "./seen-batches.ts";
import { TraceNotes } from "./trace-notes.ts";

const main = parentPort!;
const data = workerData as IngestThreadData;
const progressMs = 1000;
/** The sketches are looked at once in so many words of progress. */
const fillEvery = 10;
/** Of the loop that counts now. */
let openMinutes: Pick<OpenMinutes, "fill"> | null = null;

function send(message: FromIngestThread): void {
  main.postMessage(message);
}

function commit(part: CheckpointPart): void {
  data.storePort.postMessage({ kind: "checkpoint", part }, [
    ...part.raw,
    ...part.counts,
    ...part.open.minutes.map(({ candidates }) => candidates),
  ]);
}

/** What all loops of this thread share. */
const shared = {
  worker: data.worker,
  checkpointMs: data.checkpointMs,
  checkpointBytesMax: data.checkpointBytesMax,
  totals: noTotals(),
  traces: new TraceNotes(),
  commit,
  // The time of day may be set back: nothing would be due until then.
  now: () => performance.now(),
} satisfies Partial<IngestLoopDeps>;

/** Counts fixed partitions of the embedded log. */
async function countEmbedded(folder: string, begin: IngestBegin): Promise<void> {
  const parts = await makeIngestParts(data, begin);
  const { aggregator, scanner } = parts;
  openMinutes = parts.openMinutes;
  const reader = await EmbeddedLogReader.open(nodeFiles, folder, {
    starts: begin.starts,
    // The loop has taken all records in before it asks for more.
    sharesBuffer: true,
  });
  const loop = new IngestLoop({
    ...shared,
    reader,
    scanner,
    aggregator,
    seen: new SeenBatches(begin.seen),
    open: (isAsked) => parts.openMinutes.part(isAsked),
    starts: begin.starts,
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
    } else if (message.kind === "stop") {
      loop.stop();
    }
  });
  await loop.run();
  await reader.close();
}

/** Counts what the consumer group gives to this thread. */
async function countGroup(source: IngestThreadData["source"] & { kind: "kafka" }) {
  const onOpen = (opened: OpenMinutes) => {
    openMinutes = opened;
  };
  const { GroupWorker } = await import("./group-worker.ts");
  const worker = new GroupWorker({ data, source, shared, send, onOpen });
  data.storePort.on("message", (message: StoreToWorker) => worker.settle(message));
  main.on("message", (message: ToIngestThread) => worker.receive(message));
  await worker.run();
}

async function start(): Promise<void> {
  const { source, begin } = data;
  let sketchFill = 0;
  let told = 0;
  const { totals, traces } = shared;
  const tell = () => {
    if (told++ % fillEvery === 0) sketchFill = openMinutes?.fill() ?? 0;
    totals.tracesLeftOut = traces.leftOut;
    const steps = traces.take();
    send({ kind: "progress", totals, sketchFill, ...(steps !== undefined && { steps }) });
  };
  const timer = setInterval(tell, progressMs);
  if (source.kind === "kafka") await countGroup(source);
  else await countEmbedded(source.folder, begin!);
  clearInterval(timer);
  tell();
  send({ kind: "done" });
  data.storePort.close();
  main.close();
}

start().catch((error: unknown) => {
  const code = error instanceof RankstreamError ? error.code : null;
  send({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
  main.close();
  data.storePort.close();
});
