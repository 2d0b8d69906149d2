/**
 * What distinct items, event types, long ids and scattered times cost: one service each over a
 * fresh folder, the same number of events; the rate runs from the first POST to the exact board
 * with every event in it, and is given only after that board is the generator's own count.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EventStream, idPadding } from "./event-stream.ts";
import { askBoard, askExact, type Board, checkExact, postAll } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { median } from "./statistics.ts";
import { StreamCounts, type TrueBoard, trueBoard } from "./truth.ts";

const boardRows = 1000;
const dayMs = 86_400_000;
const spanMs = 60_000;
const asksApprox = 21;
const memoryEveryMs = 100;

/** One row of the table. */
interface Shape {
  name: string;
  ids: number;
  types: number;
  /** Bytes of an id; undefined: some dozen. */
  idBytes?: number;
  /** Events lie anywhere in so many days. */
  days?: number;
}

const shapes: readonly Shape[] = [
  { name: "10,000 ids", ids: 10_000, types: 3 },
  { name: "100,000 ids", ids: 100_000, types: 3 },
  { name: "1,000,000 ids", ids: 1_000_000, types: 3 },
  { name: "10,000,000 ids", ids: 10_000_000, types: 3 },
  { name: "1 type, 100,000 ids", ids: 100_000, types: 1 },
  { name: "10 types, 100,000 ids each", ids: 100_000, types: 10 },
  { name: "1,000 types, 100,000 ids each", ids: 100_000, types: 1000 },
  { name: "ids of 512 bytes, 100,000", ids: 100_000, types: 3, idBytes: 512 },
  { name: "shuffled over 31 days, 100,000 ids", ids: 100_000, types: 3, days: 31 },
];

const smokeShapes: readonly Shape[] = [
  { name: "200 types", ids: 100, types: 200 },
  { name: "ids of 512 bytes", ids: 100, types: 3, idBytes: 512 },
  { name: "shuffled over 31 days", ids: 100, types: 3, days: 31 },
];

interface Measured {
  shape: Shape;
  bytesPerEvent: number;
  distinct: number;
  eventsPerSecond: number;
  cpuUsPerEvent: number;
  residentBytesMax: number;
  storeBytesPerEvent: number;
  rawFiles: number;
  approxMs: number;
}

function typeName(type: number): string {
  return `type_${type}`;
}

function generate(options: BenchOptions, shape: Shape, events: number) {
  const eventTypes = Array.from({ length: shape.types }, (_, type) => typeName(type));
  const counts = new StreamCounts(shape.types, shape.ids);
  const length = shape.days === undefined ? spanMs : shape.days * dayMs;
  const stream = new EventStream(
    {
      seed: options.seed,
      ids: shape.ids,
      zipfExponent: 1,
      eventTypes,
      startMs: Date.now() - length,
      stepMs: length / events,
      lateShare: 0,
      lateMsMax: 0,
      form: "full",
      idBytes: shape.idBytes,
      shuffledOverMs: shape.days === undefined ? undefined : length,
    },
    (type, id) => counts.add(type, id),
  );
  const { bodies, bytes } = stream.makeBodies(events, options.bodyBytes);
  return { bodies, counts, bytesPerEvent: bytes / events };
}

/** The board with the padding of long ids taken off. */
function unpadded(board: Board): Board {
  const results = board.results.map((row) => {
    const end = row.eventId.indexOf(idPadding);
    return { ...row, eventId: end < 0 ? row.eventId : row.eventId.slice(0, end) };
  });
  return { ...board, results };
}

async function check(url: string, shape: Shape, counts: StreamCounts): Promise<TrueBoard> {
  for (const type of new Set([0, 1, 2, shape.types - 1])) {
    if (type >= shape.types) continue;
    const eventType = typeName(type);
    const { board } = await askExact(url, { eventType, timeRange: "all", k: boardRows });
    const truth = trueBoard(counts.ofType(type), boardRows);
    checkExact(unpadded(board), truth, `${shape.name}: the board of ${eventType}`);
  }
  const reply = await fetch(`${url}/event-types`);
  const { eventTypes } = (await reply.json()) as { eventTypes: { total: number }[] };
  const total = eventTypes.reduce((sum, type) => sum + type.total, 0);
  const truth = trueBoard(counts.ofAll(), 1);
  if (eventTypes.length !== shape.types || total !== truth.total) {
    throw new Error(`${shape.name}: ${eventTypes.length} types with ${total} events`);
  }
  return truth;
}

async function askApprox(url: string): Promise<number> {
  const times: number[] = [];
  for (let asked = 0; asked < asksApprox; asked++) {
    const to = Date.now() + asked;
    const started = performance.now();
    const range = { from: to - 31 * dayMs, to, k: 100, mode: "approx" };
    const board = await askBoard(url, { eventType: typeName(0), ...range });
    if (typeof board === "string") throw new Error(board);
    times.push(performance.now() - started);
  }
  return median(times);
}

function countFiles(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".parquet"),
  ).length;
}

async function measure(options: BenchOptions, shape: Shape, events: number): Promise<Measured> {
  const { bodies, counts, bytesPerEvent } = generate(options, shape, events);
  const { serviceArgs: args, profileDir, connections } = options;
  const service = await ServiceProcess.start({ args, profileDir });
  let residentBytesMax = 0;
  const watching = setInterval(() => {
    residentBytesMax = Math.max(residentBytesMax, service.residentBytes());
  }, memoryEveryMs);
  try {
    const cpuUsed = service.meterCpu();
    const started = performance.now();
    let at = 0;
    await postAll(service.url, connections, () => bodies[at++] ?? null);
    await askExact(service.url, { eventType: typeName(0), timeRange: "all", k: 10 });
    const seconds = (performance.now() - started) / 1000;
    const cpu = cpuUsed().seconds;
    const { distinct } = await check(service.url, shape, counts);
    const approxMs = await askApprox(service.url);
    await service.stop();
    return {
      shape,
      bytesPerEvent,
      distinct,
      eventsPerSecond: events / seconds,
      cpuUsPerEvent: (cpu * 1e6) / events,
      residentBytesMax,
      storeBytesPerEvent: service.diskBytes().store / events,
      rawFiles: countFiles(join(service.dataDir, "raw")),
      approxMs,
    };
  } catch (error) {
    throw service.blame(error);
  } finally {
    clearInterval(watching);
    service.dispose();
  }
}

function describe(events: number, measured: Measured[]): Outcome {
  const head = ["", "events/s", "CPU µs/event", "resident MiB, at most", "approx board ms"];
  head.push("store bytes/event", "raw files", "bytes/event sent");
  const rows = measured.map((row) => [
    row.shape.name,
    whole(row.eventsPerSecond),
    fixed(row.cpuUsPerEvent),
    whole(row.residentBytesMax / 2 ** 20),
    fixed(row.approxMs, 1),
    fixed(row.storeBytesPerEvent, 1),
    whole(row.rawFiles),
    whole(row.bytesPerEvent),
  ]);
  return {
    name: "growth",
    title: `Growth: ${whole(events)} events each, Zipf 1.0, to an exact answer`,
    rows: [],
    tables: [{ head, rows }],
    notes: [],
    data: { events, measured },
  };
}

/** One service after another. */
export async function runGrowth(options: BenchOptions): Promise<Outcome[]> {
  const events = options.events ?? (options.smoke ? 3000 : 2_000_000);
  const measured: Measured[] = [];
  for (const shape of options.smoke ? smokeShapes : shapes) {
    measured.push(await measure(options, shape, events));
    say(`growth: ${shape.name}: ${whole(measured.at(-1)!.eventsPerSecond)} events/s`);
  }
  return [describe(events, measured)];
}
