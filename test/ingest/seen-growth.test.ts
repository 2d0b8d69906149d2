// Batches sent again while the topic grows: whatever is appended in parts, by which edge, split
// by whichever number of partitions, and in whichever order a worker reads the partitions, every
// event is counted once. The model is a list of events and how often each was counted.
import { describe, expect, it } from "vitest";
import { SeenBatches } from "../../src/ingest/seen-batches.ts";
import type { LogRecord, SequenceRun } from "../../src/model.ts";
import type { SeenState } from "../../src/store/store.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

const rounds = 1500;
const histories = [[2, 4], [4, 8], [1, 3], [4, 8, 16], [1, 2, 6], [5]];
/** Lines of a record: more than any batch has. */
const wholeMax = 1000;
const startMs = Date.UTC(2026, 10, 24);
const empty: SeenState = Object.freeze({ newestReceivedAt: 0, rows: [], runs: [] });

interface Placed {
  record: LogRecord;
  /** The hashes of its events, by their number in the batch. */
  events: Map<number, number>;
  batch: Batch;
}

interface Batch {
  key: string;
  sequence: number | null;
  hashes: number[];
  counted: number[];
}

interface World {
  random: Random;
  counts: number[];
  partitions: Placed[][];
  linesMax: number;
}

/** What one edge knows to be in the log as a whole, of its one producer. */
class EdgeRun {
  readonly #whole = new Set<number>();

  note(sequence: number): void {
    this.#whole.add(sequence);
  }

  around(sequence: number): SequenceRun {
    let [from, to] = [sequence, sequence];
    while (this.#whole.has(from - 1)) from--;
    while (this.#whole.has(to + 1)) to++;
    return { from, to };
  }
}

/** Appends a batch split into so many partitions: all of it, or what chance lets through. */
function append(world: World, batch: Batch, count: number, edge: EdgeRun, isWhole: boolean) {
  const { random, partitions, linesMax } = world;
  const byPartition = new Map<number, number[]>();
  for (const [index, hash] of batch.hashes.entries()) {
    const list = byPartition.get(hash % count) ?? [];
    byPartition.set(hash % count, [...list, index]);
  }
  const seen = batch.sequence === null ? null : edge.around(batch.sequence);
  for (const [partition, indices] of byPartition) {
    for (let piece = 0; piece * linesMax < indices.length; piece++) {
      if (!isWhole && random.chance(0.4)) break;
      const own = indices.slice(piece * linesMax, (piece + 1) * linesMax);
      const record: LogRecord = {
        key: batch.key,
        digest: Buffer.alloc(16, batch.key),
        receivedAt: startMs,
        appendedAt: startMs,
        partitionCount: count,
        seen,
        piece,
        partition,
        offset: partitions[partition]!.length,
        value: new Uint8Array(0),
        lines: new Uint8Array(0),
      };
      const events = new Map(own.map((index) => [index, batch.hashes[index]!]));
      partitions[partition]!.push({ record, events, batch });
    }
  }
  if (isWhole && batch.sequence !== null) edge.note(batch.sequence);
}

function makeWorld(random: Random, linesMax: number, counts: number[]) {
  const partitions: Placed[][] = Array.from({ length: counts.at(-1)! }, () => []);
  const world: World = { random, counts, partitions, linesMax };
  const edges = [new EdgeRun(), new EdgeRun()];
  const isNumbered = random.chance(0.5);
  const batches = Array.from({ length: random.int(1, 4) }, (_, number): Batch => {
    const hashes = Array.from({ length: random.int(1, 12) }, () => random.int(0, 47));
    return {
      key: isNumbered ? `producer/${number}` : `free ${number}`,
      sequence: isNumbered ? number : null,
      hashes,
      counted: hashes.map(() => 0),
    };
  });
  // One after the other, as a client does that waits for its answers; each is whole in the end.
  for (const batch of batches) {
    for (let tries = random.int(0, 3); tries > 0; tries--) {
      append(world, batch, random.pick(counts), random.pick(edges), random.chance(0.3));
    }
    append(world, batch, random.pick(counts), random.pick(edges), true);
    if (random.chance(0.3)) append(world, batch, random.pick(counts), random.pick(edges), true);
  }
  return { world, batches };
}

const statesOf = (count: number) =>
  Array.from({ length: count }, (_, partition) => ({ partition, ...empty }));

/** Reads all partitions in turns at random; now and then as after a restart. */
function readAll({ random, counts, partitions }: World): void {
  let states: (SeenState & { partition: number })[] = statesOf(partitions.length);
  // Edges may know of a growth that the workers' assignment skipped.
  const known = counts.length > 2 && random.chance(0.5) ? [counts[0]!, counts.at(-1)!] : counts;
  let seen = new SeenBatches(states, known);
  const next = partitions.map(() => 0);
  for (;;) {
    const open = next.flatMap((at, partition) =>
      at < partitions[partition]!.length ? [partition] : [],
    );
    if (open.length === 0) return;
    const partition = random.pick(open);
    for (
      let run = random.int(1, 4);
      run > 0 && next[partition]! < partitions[partition]!.length;
      run--
    ) {
      take(seen, partitions[partition]![next[partition]!++]!);
    }
    if (!random.chance(0.1)) continue;
    states = restarted(states, seen);
    seen = new SeenBatches(states, known);
  }
}

function take(seen: SeenBatches, { record, events, batch }: Placed): void {
  const admission = seen.admit(record);
  if (admission === null) return;
  const { counted } = admission;
  for (const [index, hash] of events) {
    const isCounted = (counted ?? []).some(({ partitionCount, partitions }) =>
      partitions.has(hash % partitionCount),
    );
    if (isCounted) continue;
    batch.counted[index]! += 1;
  }
}

/** What a store would hold after these changes. */
function restarted(states: (SeenState & { partition: number })[], seen: SeenBatches) {
  const changes = new Map(seen.takeChanges().map((change) => [change.partition, change]));
  return states.map((state) => {
    const change = changes.get(state.partition);
    if (change === undefined) return state;
    const kept = state.runs.filter(({ producer }) => !change.producers.includes(producer));
    return {
      partition: state.partition,
      newestReceivedAt: change.newestReceivedAt,
      rows: [...state.rows, ...change.rows],
      runs: [...kept, ...change.runs],
    };
  });
}

function play(random: Random, linesMax: number, counts: number[]): void {
  const { world, batches } = makeWorld(random, linesMax, counts);
  readAll(world);
  const story = world.partitions.map((list) =>
    list.map(({ record: { key, partitionCount, piece }, events }) => {
      return `${key} of ${partitionCount}, piece ${piece}: ${[...events.values()]}`;
    }),
  );
  const text = JSON.stringify({ counts: world.counts, story }, null, 1);
  for (const { key, counted } of batches) {
    expect(counted, `${key}\n${text}`).toEqual(counted.map(() => 1));
  }
}

describe("batches sent again while a topic grows", () => {
  it("are counted once, in whatever order the partitions are read", () => {
    const random = randomFromEnvironment("growth");
    for (let round = 0; round < rounds; round++) {
      const own = random.fork(round);
      play(own, wholeMax, own.pick(histories));
    }
  });

  it("are counted once in pieces, too, while it does not", () => {
    const random = randomFromEnvironment("pieces");
    for (let round = 0; round < rounds; round++) {
      const own = random.fork(round);
      play(own, own.int(1, 4), [own.int(1, 5)]);
    }
  });
});
