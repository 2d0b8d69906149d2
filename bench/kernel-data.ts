/** Events for the kernel's bench, and the kernel as an ingest worker has it. */
import { readFile } from "node:fs/promises";
import { Aggregator, type AggregatorOptions } from "../src/kernel/aggregator.ts";
import { ChunkScanner, inputPaddingBytes } from "../src/kernel/chunk-scanner.ts";
import { ItemRegion } from "../src/kernel/item-region.ts";
import { Kernel, type KernelExports } from "../src/kernel/kernel.ts";
import { layout } from "../src/kernel/layout.ts";
import { OpenWindows, type OpenWindowsOptions } from "../src/kernel/open-windows.ts";
import { EventScanner } from "../src/kernel/scanner.ts";
import { type Body, EventStream } from "./event-stream.ts";
import { StreamCounts } from "./truth.ts";

export const eventTypes = ["song_play", "song_like", "playlist_add"];
export const seed = { low: 0x9abcdef1, high: 0x12345678 };
/** As an ingest worker has them (src/ingest/ingest-thread.ts). */
export const sketchShape = { depth: 4, widthLog2: 16 };
export const workerBounds = {
  countSlots: 2 ** 20,
  countHeapBytes: 16 * 1024 * 1024,
  typesMax: 10_000,
  stringBytesMax: 9 * 1024 * 1024,
  candidatesMax: 4000,
  poolBytes: 4 * 1024 * 1024,
  openMinutes: 8,
};
const bodyBytes = 512 * 1024;
const minuteMs = 60_000;
const eventsPerSecond = 300_000;

/** A body as received, or as the log has it: with what the edge found in its lines. */
export interface MarkedBody extends Body {
  marks?: Uint8Array | undefined;
}

export interface KernelData {
  bodies: MarkedBody[];
  events: number;
  bytes: number;
  counts: StreamCounts;
  /** Epoch ms; the first event's minute begins here. */
  startMs: number;
}

/** Events of three types, full form, Zipf 1.0, from a minute's begin on. */
export function kernelData(given: { seed: number; events: number; ids: number }): KernelData {
  const counts = new StreamCounts(eventTypes.length, given.ids);
  const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - minuteMs;
  const stream = new EventStream(
    {
      seed: given.seed,
      ids: given.ids,
      zipfExponent: 1,
      eventTypes,
      startMs,
      stepMs: 1000 / eventsPerSecond,
      lateShare: 0,
      lateMsMax: 0,
      form: "full",
    },
    (type, id) => counts.add(type, id),
  );
  const { bodies, bytes } = stream.makeBodies(given.events, bodyBytes);
  return { bodies, events: given.events, bytes, counts, startMs };
}

/** The kernel with a memory of its own. */
export async function loadKernel(memoryBytes: number): Promise<Kernel> {
  const file = new URL("../../kernel/kernel.wasm", import.meta.url);
  return Kernel.load(await WebAssembly.compile(await readFile(file)), memoryBytes);
}

/** The same events as the log has them: validated by the edge, with marks (assembly/marks.ts). */
export async function asLogged(data: KernelData): Promise<KernelData> {
  const bounds = { bodyBytesMax: 2 * bodyBytes, errorsMax: 1, futureMsMax: minuteMs };
  const kernel = await loadKernel(EventScanner.memoryBytes(bounds) + 65_536);
  const scanner = new EventScanner(kernel, bounds);
  const bodies = data.bodies.map((body): MarkedBody => {
    const [block] = scanner.scanBatch(body.bytes, "ndjson", data.startMs, 1).blocks;
    // Good until the next batch is scanned, and no longer.
    return { ...body, bytes: block!.value.slice(), marks: block!.marks?.slice() };
  });
  return { ...data, bodies };
}

/** Milliseconds spent in each of the kernel's functions, in place of its plain exports. */
export class FunctionTimes {
  #ms = new Map<string, number>();

  /** What is made with this kernel from now on is timed. */
  constructor(kernel: Kernel) {
    const timed: KernelExports = {};
    for (const [name, work] of Object.entries(kernel.exports)) {
      if (typeof work !== "function") continue;
      timed[name] = (...args) => {
        const started = performance.now();
        const result = work(...args);
        this.add(name, performance.now() - started);
        return result;
      };
    }
    Object.defineProperty(kernel, "exports", { value: timed });
  }

  add(name: string, ms: number): void {
    this.#ms.set(name, (this.#ms.get(name) ?? 0) + ms);
  }

  /** What was spent since the last call. */
  take(): Map<string, number> {
    const taken = this.#ms;
    this.#ms = new Map();
    return taken;
  }
}

export const aggregatorOptions: AggregatorOptions = {
  countSlots: workerBounds.countSlots,
  countHeapBytes: workerBounds.countHeapBytes,
  typesMax: workerBounds.typesMax,
  stringBytesMax: workerBounds.stringBytesMax,
  seed,
};

export const windowOptions: OpenWindowsOptions = {
  ...sketchShape,
  windowsMax: workerBounds.openMinutes,
  candidatesMax: workerBounds.candidatesMax,
  typesMax: workerBounds.typesMax,
  poolBytes: workerBounds.poolBytes,
  seed,
};

/** What an ingest worker has in its kernel's memory. */
export class WorkerKernel {
  readonly updates: "event" | "item";
  readonly kernel: Kernel;
  readonly times: FunctionTimes;
  readonly chunks: ChunkScanner;
  readonly aggregator: Aggregator;
  readonly windows: OpenWindows;
  readonly #input: number;
  #table = 0;

  /** Sketch and heap are updated by each event, or by items' sums when counts are handed over. */
  static async make(updates: "event" | "item" = "item"): Promise<WorkerKernel> {
    const bytes =
      Aggregator.memoryBytes(aggregatorOptions) +
      OpenWindows.memoryBytes(windowOptions) +
      ItemRegion.memoryBytes() +
      ChunkScanner.memoryBytes() +
      4 * bodyBytes;
    return new WorkerKernel(await loadKernel(bytes), updates);
  }

  private constructor(kernel: Kernel, updates: "event" | "item") {
    this.kernel = kernel;
    this.updates = updates;
    this.times = new FunctionTimes(kernel);
    this.chunks = new ChunkScanner(kernel);
    this.aggregator = new Aggregator(kernel, {
      ...aggregatorOptions,
      onCounts: (table) => {
        this.#table = table;
        if (updates === "item") this.windows.addCounts(table);
      },
    });
    this.windows = new OpenWindows(kernel, new ItemRegion(kernel), windowOptions);
    this.#input = kernel.allocate(2 * bodyBytes + inputPaddingBytes);
    // Says where the table is.
    this.aggregator.take();
  }

  /** Copies a body in and scans it; `use` gets its located events. Returns how many these were. */
  scan(
    { bytes, marks }: MarkedBody,
    receivedAt: number,
    use: (events: number, n: number) => void,
  ): number {
    const started = performance.now();
    this.kernel.bytes.set(bytes, this.#input);
    const given = { ptr: this.#input + bytes.length + inputPaddingBytes, bytes: 0 };
    if (marks !== undefined) {
      given.bytes = marks.length;
      this.kernel.bytes.set(marks, given.ptr);
    }
    this.times.add("copy", performance.now() - started);
    this.chunks.clear();
    let status = this.chunks.scanChunk(this.#input, bytes.length, receivedAt, "ndjson", given);
    for (;;) {
      use(this.chunks.eventsPtr, this.chunks.events);
      if (status === "done") return this.chunks.accepted;
      this.chunks.clear();
      status = this.chunks.resume();
    }
  }

  /** Types and row hashes of located events. */
  resolve(events: number, n: number): void {
    this.aggregator.types.resolve(events, n);
    this.kernel.exports["hashRows"]!(events, n, seed.low, seed.high);
  }

  /** Adds located events to the exact counts; handed over when the table is full. */
  count(events: number, n: number, handOver: () => void): void {
    for (let from = 0; ; ) {
      from = this.kernel.exports["countEvents"]!(this.#table, events, from, n);
      if (from === n) return;
      handOver();
    }
  }
}

/** The id's text of a located event. */
export function idTextAt({ view, bytes }: Kernel, event: number): string {
  const ptr = view.getUint32(event + layout.EVENT_ID_PTR, true);
  const length = view.getUint32(event + layout.EVENT_ID_LEN, true);
  return Buffer.from(bytes.buffer, ptr, length).toString("utf8");
}
