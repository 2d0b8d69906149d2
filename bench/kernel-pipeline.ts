/**
 * What an ingest worker does with events, in one thread and without log or store: copy, scan,
 * types, hash, exact counts, sketch and heap; each of the kernel's functions timed by itself.
 */
import { candidateId, readCandidates } from "../src/kernel/candidates.ts";
import { idOf } from "./event-stream.ts";
import { eventTypes, type KernelData, WorkerKernel } from "./kernel-data.ts";
import { median, percentile } from "./statistics.ts";
import { type Timing, type TimingBounds, timeAll } from "./timing.ts";
import { StreamCounts } from "./truth.ts";

/** Of one event, over all runs. */
export interface Part {
  name: string;
  usMedian: number;
  usP75: number;
}

export interface PipelineResult {
  total: Timing;
  parts: Part[];
}

const minuteMs = 60_000;
const partNames: Readonly<Record<string, string>> = {
  copy: "copy into the kernel's memory",
  scan: "scan and validate",
  resolveTypes: "event types",
  hashRows: "hash",
  countEvents: "exact counts",
  openWindow: "sketch and heap",
  updateOpen: "sketch and heap",
  updateCounts: "sketch and heap",
  emitCounts: "counts handed over",
  clearCounts: "counts handed over",
};

/** One pass over all bodies, as one checkpoint; its minute is opened anew. */
function pass(worker: WorkerKernel, data: KernelData): ArrayBuffer[] {
  const minute = data.startMs / minuteMs;
  const { windows, aggregator } = worker;
  const counts: ArrayBuffer[] = [];
  const handOver = () => void counts.push(...aggregator.take().counts);
  windows.close(minute);
  windows.open(minute);
  for (const body of data.bodies) {
    worker.scan(body, data.startMs, (events, n) => {
      worker.resolve(events, n);
      if (worker.updates === "event") windows.update(events, n);
      worker.count(events, n, handOver);
    });
  }
  handOver();
  return counts;
}

/** Calls `use` for each row of counts as they are handed over (assembly/exact-counts.ts). */
function eachCount(chunk: ArrayBuffer, use: (type: number, id: string, count: number) => void) {
  const view = new DataView(chunk);
  const rows = view.getUint32(0, true);
  const heap = view.getUint32(8, true);
  const padded = (bytes: number) => Math.ceil(bytes / 16) * 16;
  const types = 32 + padded(rows * 4);
  const counts = types + 2 * padded(rows * 4);
  const ids = counts + padded(rows * 8);
  for (let row = 0; row < rows; row++) {
    const at = ids + row * 16;
    const length = view.getUint32(at, true);
    const start = length <= 12 ? at + 4 : heap + view.getUint32(at + 8, true);
    const id = Buffer.from(chunk, start, length).toString("utf8");
    const count = Number(view.getBigUint64(counts + row * 8, true));
    use(view.getUint32(types + row * 4, true), id, count);
  }
}

/** Throws unless the exact counts are the truth and every candidate's bounds hold. */
function checkPass(worker: WorkerKernel, data: KernelData): void {
  const { types } = worker.aggregator;
  const typeOf = (index: number) => eventTypes.indexOf(types.name(index));
  const found = new StreamCounts(data.counts.types, data.counts.ids);
  for (const chunk of pass(worker, data)) {
    eachCount(chunk, (type, id, count) => {
      for (let i = 0; i < count; i++) found.add(typeOf(type), idOf(id));
    });
  }
  const { lists } = readCandidates(worker.windows.candidates(data.startMs / minuteMs));
  if (lists.length !== eventTypes.length) throw new Error(`${lists.length} lists of candidates`);
  for (const list of lists) {
    const truth = data.counts.ofType(typeOf(list.typeIndex));
    const own = found.ofType(typeOf(list.typeIndex));
    if (own.some((count, id) => count !== truth[id])) throw new Error("exact counts are wrong");
    for (let row = 0; row < list.rows; row++) {
      const count = truth[idOf(candidateId(list, row))]!;
      if (list.lower[row]! <= count && count <= list.upper[row]!) continue;
      throw new Error(`${count} is not within ${list.lower[row]} and ${list.upper[row]}`);
    }
  }
}

/** The pipeline's answer is checked, then it is timed, all of it and in parts. */
export async function timePipeline(
  name: string,
  updates: "event" | "item",
  data: KernelData,
  bounds: TimingBounds,
): Promise<PipelineResult> {
  const worker = await WorkerKernel.make(updates);
  checkPass(worker, data);
  const samples = new Map<string, number[]>();
  const run = () => {
    worker.times.take();
    pass(worker, data);
    const sums = new Map<string, number>();
    for (const [work, ms] of worker.times.take()) {
      const part = partNames[work];
      if (part === undefined) continue;
      sums.set(part, (sums.get(part) ?? 0) + (ms * 1000) / data.events);
    }
    for (const [part, us] of sums) samples.set(part, [...(samples.get(part) ?? []), us]);
  };
  const [total] = await timeAll([{ name, items: data.events, run }], bounds);
  const parts = [...samples].map(([part, us]) => {
    return { name: part, usMedian: median(us), usP75: percentile(us, 0.75) };
  });
  const order = Object.values(partNames);
  parts.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return { total: total!, parts };
}
