/**
 * What the service keeps of a stream. While a minute runs: a sketch with conservative update and
 * candidates. Of sealed windows: each one's exact list and sealed sketch, here of sixteen windows
 * one after the other, added up as for an answer (src/store/approx.ts, refine.ts).
 */
import { candidateId, readCandidates } from "../src/kernel/candidates.ts";
import { ItemRegion, itemBlock, itemIds } from "../src/kernel/item-region.ts";
import { layout } from "../src/kernel/layout.ts";
import { OpenWindows, type OpenWindowsOptions } from "../src/kernel/open-windows.ts";
import { SealedSketchBuilder } from "../src/kernel/sealed-sketch.ts";
import { Sketch } from "../src/kernel/sketch.ts";
import { type FoundItem, type Summary, trueCounts } from "./accuracy-verdict.ts";
import { idOf, idText } from "./event-stream.ts";
import { loadKernel, seed, sketchShape, workerBounds } from "./kernel-data.ts";

const eventType = "song_play";
const minuteMs = 60_000n;
const eventsMax = 16_384;
const textBytesMax = eventsMax * 32;
const windowsSealed = 16;
/** Id, its length, count: what one row of a list takes. */
const listRowBytes = 24;
const encoder = new TextEncoder();

interface Region {
  events: number;
  text: number;
}

type LoadedKernel = Awaited<ReturnType<typeof loadKernel>>;

/** Puts located events of these items into the region, as the scanner would. */
function locate(kernel: LoadedKernel, { events, text }: Region, items: Uint32Array): void {
  const { view, bytes } = kernel;
  let at = text;
  items.forEach((item, i) => {
    const event = events + i * layout.EVENT_SIZE;
    const { written } = encoder.encodeInto(idText(item), bytes.subarray(at, at + 32));
    view.setUint32(event + layout.EVENT_ID_PTR, at, true);
    view.setUint32(event + layout.EVENT_ID_LEN, written, true);
    view.setUint32(event + layout.EVENT_TYPE_PTR, text - 64, true);
    view.setUint32(event + layout.EVENT_TYPE_LEN, eventType.length, true);
    view.setUint32(event + layout.EVENT_TYPE_INDEX, 0, true);
    view.setUint32(event + layout.EVENT_WEIGHT, 1, true);
    view.setBigInt64(event + layout.EVENT_TIMESTAMP, minuteMs, true);
    at += written;
  });
}

/** Lists of one window after all of the stream; by the upper and by the lower bound. */
export async function openMinute(items: Uint32Array, memoryBytes: number): Promise<Summary[]> {
  const sketchBytes = sketchShape.depth * 4 * 2 ** sketchShape.widthLog2;
  const options: OpenWindowsOptions = {
    ...sketchShape,
    windowsMax: 1,
    candidatesMax: workerBounds.candidatesMax,
    typesMax: 1,
    poolBytes: memoryBytes - sketchBytes - 65_536,
    seed,
  };
  const own = eventsMax * layout.EVENT_SIZE + textBytesMax + ItemRegion.memoryBytes() + 65_536;
  const kernel = await loadKernel(OpenWindows.memoryBytes(options) + own);
  const windows = new OpenWindows(kernel, new ItemRegion(kernel), options);
  const region = {
    events: kernel.allocate(eventsMax * layout.EVENT_SIZE),
    text: kernel.allocate(textBytesMax + 64) + 64,
  };
  encoder.encodeInto(eventType, kernel.bytes.subarray(region.text - 64));
  windows.open(1);
  let ms = 0;
  for (let from = 0; from < items.length; from += eventsMax) {
    const part = items.subarray(from, from + eventsMax);
    locate(kernel, region, part);
    const started = performance.now();
    kernel.exports["hashRows"]!(region.events, part.length, seed.low, seed.high);
    windows.update(region.events, part.length);
    ms += performance.now() - started;
  }
  const [list] = readCandidates(windows.candidates(1)).lists;
  const rows = Array.from({ length: list!.rows }, (_, row): FoundItem => {
    const [lower, upper] = [list!.lower[row]!, list!.upper[row]!];
    return { id: idOf(candidateId(list!, row)), estimate: upper, lower, upper };
  });
  const used = memoryBytes;
  const about = {
    usPerUpdate: (ms * 1000) / items.length,
    memoryBytes: used,
    outside: list!.outside,
  };
  const byUpper = rows.toSorted((a, b) => b.upper! - a.upper!);
  const byLower = rows
    .map((row) => ({ ...row, estimate: row.lower! }))
    .sort((a, b) => b.lower! - a.lower!);
  return [
    { name: "Rankstream, running minute", note: "by upper bound", ...about, rows: byUpper },
    {
      name: "Rankstream, running minute, lower",
      note: "by lower bound, as boards rank it",
      ...about,
      rows: byLower,
    },
  ];
}

interface Sealed {
  listed: Map<number, number>;
  /** The least listed count; 0 when all items are listed. */
  threshold: number;
  sketch: Uint8Array | null;
}

/** A window's list of `rows` items, and a sketch of the others in the bytes that are left. */
function seal(items: Uint32Array, rows: number, builder: SealedSketchBuilder): Sealed {
  const ranked = [...trueCounts(items)].sort(([a, x], [b, y]) => y - x || a - b);
  const tail = ranked.slice(rows);
  if (tail.length === 0) return { listed: new Map(ranked), threshold: 0, sketch: null };
  builder.begin(tail.length);
  for (let from = 0; from < tail.length; from += eventsMax) {
    const part = tail.slice(from, from + eventsMax);
    const ids = part.map(([item]) => idText(item));
    builder.add(
      eventType,
      itemBlock(
        ids,
        part.map(([, count]) => count),
      ),
    );
  }
  const sketch = builder.finish(Number.POSITIVE_INFINITY);
  return { listed: new Map(ranked.slice(0, rows)), threshold: ranked[rows - 1]![1], sketch };
}

/** Sixteen sealed windows of the stream, together in these bytes, added up. */
export async function sealedWindows(items: Uint32Array, memoryBytes: number): Promise<Summary> {
  const each = Math.floor(memoryBytes / windowsSealed);
  const widthLog2Max = Math.floor(Math.log2((each * 0.75) / sketchShape.depth / 4));
  const shape = { depth: sketchShape.depth, widthLog2Max, seed };
  const sketchBytes = Sketch.memoryBytes(shape);
  const rows = Math.floor((each - sketchBytes) / listRowBytes);
  const options = { ...shape, sampleItemsMax: 65_536 };
  const kernel = await loadKernel(
    ItemRegion.memoryBytes() + SealedSketchBuilder.memoryBytes(options) + sketchBytes + 65_536,
  );
  const region = new ItemRegion(kernel);
  const builder = new SealedSketchBuilder(kernel, region, options);
  const sketch = new Sketch(kernel, region, shape);
  const size = Math.ceil(items.length / windowsSealed);
  const windows = Array.from({ length: windowsSealed }, (_, i) => {
    return seal(items.subarray(i * size, (i + 1) * size), rows, builder);
  });
  const candidates = [...new Set(windows.flatMap(({ listed }) => [...listed.keys()]))];
  const ids = itemIds(candidates.map(idText));
  const found = candidates.map((id) => ({ id, estimate: 0, lower: 0, upper: 0 }));
  for (const window of windows) {
    if (window.sketch !== null) sketch.load(window.sketch);
    const bounds = window.sketch === null ? null : sketch.estimates(eventType, ids);
    found.forEach((row, i) => {
      const count = window.listed.get(row.id);
      row.lower += count ?? 0;
      row.upper += count ?? Math.min(window.threshold, bounds?.[i] ?? 0);
    });
  }
  for (const row of found) row.estimate = row.upper;
  found.sort((a, b) => b.estimate - a.estimate || a.id - b.id);
  const kept = windows.reduce((sum, window) => sum + (window.sketch?.length ?? 0), 0);
  return {
    name: "Rankstream, 16 sealed windows",
    note: `lists of ${rows}, sketches up to 2^${widthLog2Max} wide; counted exactly before`,
    usPerUpdate: null,
    memoryBytes: kept + windows.reduce((sum, { listed }) => sum + listed.size * listRowBytes, 0),
    rows: found,
    outside: windows.reduce((sum, { threshold }) => sum + threshold, 0),
  };
}
