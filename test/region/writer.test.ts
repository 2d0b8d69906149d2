/**
 * Nothing that is copied counts twice: many writers over one log and store, each ended or paused
 * between reading and writing, against what the other region has counted.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { IngestReply, IngestRequest } from "../../src/edge/ingest-request.ts";
import type { RegionCount } from "../../src/model-region-wire.ts";
import { parseRegionType } from "../../src/model-regions.ts";
import { differencesOf } from "../../src/region/differences.ts";
import { KeyBudget } from "../../src/region/key-budget.ts";
import { partitionOf } from "../../src/region/partition-of.ts";
import { RegionWriter } from "../../src/region/writer.ts";
import { compareIds } from "../../src/store/order.ts";
import type { RegionCountsAnswer, RegionCountsQuery } from "../../src/store/region-questions.ts";
import { oraclePartition } from "../oracles/event-partition.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

const partitionCount = 3;
const minute = 29_000_000;
const folder = mkdtempSync(join(tmpdir(), "rankstream-writer-"));
const { signal } = new AbortController();

type Counts = Map<string, RegionCount>;

function add(counts: Counts, [start, type, id, count]: RegionCount): void {
  const key = `${start}/${type}/${id}`;
  counts.set(key, [start, type, id, count + (counts.get(key)?.[3] ?? 0)]);
}

function sorted(counts: Counts): RegionCount[] {
  return [...counts.values()].sort(
    (a, b) => a[0] - b[0] || compareIds(a[1], b[1]) || compareIds(a[2], b[2]),
  );
}

async function* streamed(rows: readonly RegionCount[]) {
  for (const row of rows) yield row;
}

/** A log, its keys and a store that counts at once: what any number of writers share. */
class Home {
  readonly counts: Counts = new Map();
  readonly #keys = new Map<string, string>();
  files = 0;

  async read({ from, to }: RegionCountsQuery): Promise<RegionCountsAnswer> {
    const rows = sorted(this.counts).filter(([start]) => start >= from && start < to);
    const path = join(folder, `${this.files++}.ndjson`);
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return { path, rows: rows.length, generation: 0 };
  }

  /** Each key once, as a worker counts: another body under it counts nothing. */
  append({ body, idempotencyKey = "" }: IngestRequest): IngestReply {
    const text = Buffer.from(body).toString();
    const known = this.#keys.get(idempotencyKey);
    if (known !== undefined && known !== text) {
      return { status: 422, headers: {}, body: '{"code":"idempotency_key_reused"}' };
    }
    const accepted = { accepted: 1, rejected: 0, errors: [] };
    const reply = { status: 202, headers: {}, body: JSON.stringify(accepted) };
    if (known !== undefined) return { ...reply, headers: { "idempotency-replayed": "true" } };
    this.#keys.set(idempotencyKey, text);
    const partitions = new Set<number>();
    for (const line of text.split("\n").slice(0, -1)) {
      const { eventId, eventType, timestamp, weight } = JSON.parse(line);
      expect(weight).toBeLessThanOrEqual(1_000_000);
      partitions.add(partitionOf(eventId, partitionCount));
      add(this.counts, [
        timestamp / 60_000,
        parseRegionType(eventType).eventType,
        eventId,
        weight,
      ]);
    }
    // One record: counted whole or not at all.
    expect(partitions.size).toBe(1);
    return reply;
  }
}

function grow(random: Random, counts: Counts, size: number): void {
  for (let i = 0; i < size; i++) {
    const count = random.chance(0.05) ? 2_500_000 : random.int(1, 9);
    const id = `${random.pick(["a", "\u{10ffff}", "\uffee"])}${random.int(0, 12)}`;
    add(counts, [minute + random.int(0, 2), random.pick(["t", "u"]), id, count]);
  }
}

interface WriterRun {
  home: Home;
  /** Waits before each append; throws where the writer ends. */
  before?: () => Promise<void>;
  batchBytesMax?: number;
  elapsed?: () => number;
}

function writerOf({ home, before, batchBytesMax = 10_000, elapsed }: WriterRun): RegionWriter {
  return new RegionWriter({
    region: "eu",
    regions: { counts: (query) => home.read(query) },
    edge: {
      ingest: async (request) => {
        await before?.();
        return home.append(request);
      },
    },
    partitionCount: () => partitionCount,
    batchBytesMax,
    keys: new KeyBudget(),
    ...(elapsed !== undefined && { elapsed }),
  });
}

const span = { level: "minute", from: minute, to: minute + 3 } as const;

describe("what is copied", () => {
  it("is what is missing, in few lines at a time, until nothing is", async () => {
    const random = randomFromEnvironment("region-writer");
    const theirs: Counts = new Map();
    const home = new Home();
    grow(random, theirs, 60);
    const writer = writerOf({ home, batchBytesMax: 400 });
    let rounds = 0;
    for (let isMore = true; isMore; rounds++) {
      const written = await writer.write(span, streamed(sorted(theirs)), signal);
      isMore = written.isMore;
      if (isMore) expect(written.added).toBeGreaterThan(0);
    }
    expect(rounds).toBeGreaterThan(1);
    expect(sorted(home.counts)).toEqual(sorted(theirs));
  });

  it("counts once where writers are paused, ended, and overtaken by others", async () => {
    const random = randomFromEnvironment("region-writers");
    for (let run = 0; run < 30; run++) {
      const home = new Home();
      const theirs: Counts = new Map();
      /** Those that read and did not write yet. */
      const paused: (() => void)[] = [];
      const writes: Promise<unknown>[] = [];
      for (let step = 0; step < 25; step++) {
        grow(random, theirs, random.int(0, 6));
        const before = () =>
          new Promise<void>((resolve, reject) => {
            const isEnded = random.chance(0.2);
            const go = () => (isEnded ? reject(new Error("killed")) : resolve());
            if (random.chance(0.5)) go();
            else paused.push(go);
          });
        const rows = sorted(theirs);
        const isPartial = random.chance(0.3);
        const seen = isPartial ? rows.filter(() => random.chance(0.5)) : rows;
        const write = writerOf({ home, before }).write(span, streamed(seen), signal);
        writes.push(write.catch((error) => expect(error.message).toBe("killed")));
        await new Promise((resolve) => setImmediate(resolve));
        while (paused.length > 0 && random.chance(0.4)) {
          paused.splice(random.int(0, paused.length - 1), 1)[0]!();
        }
        for (const [key, [, , , count]] of home.counts) {
          expect(count).toBeLessThanOrEqual(theirs.get(key)?.[3] ?? 0);
        }
      }
      for (let more = paused.pop(); more !== undefined || writes.length > 0; more = paused.pop()) {
        more?.();
        await new Promise((resolve) => setImmediate(resolve));
        if (paused.length === 0) await Promise.race([Promise.all(writes.splice(0)), tick(20)]);
      }
      for (let isMore = true; isMore; ) {
        const writer = writerOf({ home });
        isMore = (await writer.write(span, streamed(sorted(theirs)), signal)).isMore;
      }
      expect(sorted(home.counts)).toEqual(sorted(theirs));
    }
  });

  it("is given up where it was read too long ago", async () => {
    const home = new Home();
    const theirs: Counts = new Map();
    add(theirs, [minute, "t", "a", 1]);
    let now = 0;
    const elapsed = () => (now += 400_000);
    const written = await writerOf({ home, elapsed }).write(
      span,
      streamed(sorted(theirs)),
      signal,
    );
    expect(written).toEqual({ added: 0, isMore: true, refusal: null });
    expect(home.counts.size).toBe(0);
  });

  it.each([
    ["of another minute", [[minute + 3, "t", "a", 1]]],
    [
      "not in order",
      [
        [minute, "t", "b", 1],
        [minute, "t", "a", 1],
      ],
    ],
    [
      "there twice",
      [
        [minute, "t", "a", 1],
        [minute, "t", "a", 1],
      ],
    ],
    ["no count", [[minute, "t", "a", 0]]],
  ] as [string, RegionCount[]][])("is none of a region that tells what is %s", async (_, rows) => {
    const home = new Home();
    const write = writerOf({ home }).write(span, streamed(rows), signal);
    await expect(write).rejects.toThrow("expected counts");
    expect(home.counts.size).toBe(0);
  });

  it("leaves what is more here than there as it is", async () => {
    const ours: RegionCount[] = [
      [minute, "t", "a", 5],
      [minute, "t", "c", 1],
    ];
    const theirs: RegionCount[] = [
      [minute, "t", "a", 3],
      [minute, "t", "b", 2],
    ];
    const options = { region: "eu", partitionCount: 1, batchBytesMax: 1000 };
    const cells = [];
    for await (const cell of differencesOf(streamed(theirs), streamed(ours), options)) {
      cells.push(cell);
    }
    expect(cells).toHaveLength(1);
    expect(cells[0]!.batches).toMatchObject([{ before: 6, added: 2, partition: 0 }]);
  });
});

async function tick(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

it("lies in the partition that Kafka gives it", () => {
  const random = randomFromEnvironment("region-partition");
  const ids = ["", "a", "ab", "abc", "abcd", "\u{10ffff}\u00e9", "x".repeat(512)];
  for (let i = 0; i < 200; i++) ids.push(Buffer.from(random.bytes(random.int(1, 40))).toString());
  for (const id of ids) {
    for (const count of [1, 3, 4, 64])
      expect(partitionOf(id, count)).toBe(oraclePartition(id, count));
  }
});
