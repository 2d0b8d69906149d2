import { describe, expect, test } from "vitest";
import {
  freeKeyLifeMs,
  IdempotencyLedger,
  type LedgerBounds,
  type LedgerChanges,
  type LedgerState,
} from "../../src/log/idempotency.ts";
import { classifyKey, parseIdempotencyKey } from "../../src/log/idempotency-key.ts";
import { provenByCounts, unionOfStates } from "../../src/log/ledger-union.ts";
import { SequenceRanges } from "../../src/log/sequence-ranges.ts";
import type { BatchHeader } from "../../src/model.ts";
import { heapBytesOf } from "../support/heap.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

const start = 1_780_000_000_000;
const digestA = Uint8Array.from({ length: 16 }, () => 10);
const digestB = Uint8Array.from({ length: 16 }, () => 11);

function header(key: string, receivedAt = start, digest = digestA): BatchHeader {
  return { key, digest, receivedAt, partitionCount: 2 };
}

describe("keys", () => {
  test.each([
    ["app/0", "app", 0],
    ["a/b/17", "a/b", 17],
    ["/1/2", "/1", 2],
    ["p/9007199254740991", "p", 9007199254740991],
    ["p/9007199254740992", null, 0],
    ["p/007", null, 0],
    ["p/-1", null, 0],
    ["p/1 ", null, 0],
    ["/5", null, 0],
    ["5", null, 0],
    ["käse/5", "käse", 5],
  ])("%s", (text, producer, sequence) => {
    expect(parseIdempotencyKey(text)).toEqual({ text, producer, sequence });
  });

  test.each([
    "",
    "a".repeat(257),
    "ä".repeat(129),
    "a\nb",
    "a\0",
    "\u007f",
    "\ud800",
    "a\u2028",
    "a\ufffd",
  ])("refused: %j", (text) => {
    expect(() => parseIdempotencyKey(text)).toThrow(/Idempotency-Key/);
  });

  test("256 bytes are fine", () => {
    expect(parseIdempotencyKey("ä".repeat(128)).producer).toBeNull();
  });
});

test("ranges agree with a plain set", () => {
  const random = randomFromEnvironment("sequence ranges");
  for (let round = 0; round < 300; round++) {
    const ranges = new SequenceRanges();
    const set = new Set<number>();
    for (let i = 0; i < 60; i++) {
      const from = random.int(0, 80);
      const to = random.chance(0.7) ? from : from + random.int(0, 12);
      let changes = false;
      for (let n = from; n <= to; n++) {
        changes ||= !set.has(n);
        set.add(n);
      }
      const probe = random.int(0, 100);
      expect(ranges.add(from, to)).toBe(changes);
      let low = probe;
      let high = probe;
      while (set.has(low - 1)) low--;
      while (set.has(high + 1)) high++;
      expect(ranges.runWith(probe)).toEqual({ from: low, to: high });
    }
    for (let n = 0; n < 100; n++) expect(ranges.has(n)).toBe(set.has(n));
    const runs = [...set].filter((n) => !set.has(n - 1)).length;
    expect(ranges.count).toBe(runs);
  }
});

describe("a ledger", () => {
  test("knows a key again, and another body under it", () => {
    const ledger = new IdempotencyLedger();
    for (const key of ["free", "p/5"]) {
      expect(ledger.look(key, digestA)).toEqual({ state: "new" });
      ledger.record(header(key, start + 7));
      const seen = { state: "seen", receivedAt: start + 7, partitionCount: 2 };
      expect(ledger.look(key, digestA)).toEqual(seen);
      expect(ledger.look(key, null)).toEqual(seen);
      expect(ledger.look(key, digestB)).toEqual({ state: "mismatch" });
    }
    expect(ledger.look("p/4", digestA)).toEqual({ state: "new" });
    expect(ledger.look("q/5", digestA)).toEqual({ state: "new" });
  });

  test("forgets a free key an hour of record time later, a producer's never", () => {
    const ledger = new IdempotencyLedger();
    ledger.record(header("free"));
    ledger.record(header("p/1"));
    ledger.record({ ...header("", start + freeKeyLifeMs), key: null });
    expect(ledger.look("free", digestA).state).toBe("seen");
    ledger.record({ ...header("", start + freeKeyLifeMs + 1), key: null });
    expect(ledger.look("free", digestA).state).toBe("new");
    expect(ledger.look("p/1", digestA).state).toBe("seen");
    expect(ledger.sizes().freeKeys).toBe(0);
  });

  test("is full rather than forgetful", () => {
    const bounds = { producersMax: 2, runsPerProducerMax: 3, freeKeysMax: 2 };
    const ledger = new IdempotencyLedger(bounds);
    for (const key of ["f1", "f2", "p/1", "p/3", "p/5", "q/1"]) ledger.record(header(key));
    expect(ledger.look("f3", digestA)).toEqual({ state: "full", bound: "freeKeysMax" });
    expect(ledger.look("p/7", digestA)).toEqual({ state: "full", bound: "runsPerProducerMax" });
    expect(ledger.look("r/1", digestA)).toEqual({ state: "full", bound: "producersMax" });
    // What closes a gap or lengthens a run still fits.
    for (const key of ["p/2", "p/6", "p/0"]) expect(ledger.look(key, null).state).toBe("new");
    for (const key of ["f1", "f2", "p/1", "p/3", "p/5", "q/1"]) {
      expect(ledger.look(key, digestA).state).toBe("seen");
    }
    ledger.record(header("p/7"));
    expect(ledger.look("p/7", digestA).state).toBe("seen");
  });

  test("keeps the newest details only, and all sequences", () => {
    const ledger = new IdempotencyLedger({ detailsPerProducerMax: 2, detailsMax: 3 });
    for (const key of ["p/1", "p/2", "p/3", "q/1", "q/2"]) ledger.record(header(key));
    const old = { state: "seen", receivedAt: null, partitionCount: null };
    for (const key of ["p/1", "p/2"]) expect(ledger.look(key, digestB)).toEqual(old);
    for (const key of ["p/3", "q/1", "q/2"])
      expect(ledger.look(key, digestB).state).toBe("mismatch");
  });

  test("of one partition has no gaps where other partitions took the batches", () => {
    const edge = new IdempotencyLedger();
    const worker = new IdempotencyLedger();
    for (let sequence = 0; sequence < 5000; sequence++) {
      const key = `p/${sequence}`;
      const record = { ...header(key), seen: edge.seenAround(key) };
      edge.record(record);
      if (sequence % 4 === 0) {
        expect(worker.look(key, digestA).state).toBe("new");
        worker.record(record);
      }
    }
    expect(worker.changesSince(0).runs).toEqual([{ producer: "p", from: 0, to: 4996 }]);
  });

  test("stays small while many batches are under way side by side", () => {
    const random = randomFromEnvironment("side by side");
    const edge = new IdempotencyLedger();
    const worker = new IdempotencyLedger();
    const underWay: BatchHeader[] = [];
    let runsMax = 0;
    for (let sequence = 0; sequence < 5000; sequence++) {
      const key = `p/${sequence}`;
      underWay.push({ ...header(key), seen: edge.seenAround(key) });
      if (underWay.length < 64) continue;
      const [durable] = underWay.splice(random.int(0, underWay.length - 1), 1);
      edge.record(durable!);
      // One partition of four has events of it.
      if (random.chance(0.25)) worker.record(durable!);
      runsMax = Math.max(runsMax, worker.changesSince(0).runs.length);
    }
    expect(runsMax).toBeLessThan(500);
    const late = worker.changesSince(0).runs.reduce((sum, run) => sum + run.to - run.from + 1, 0);
    expect(late).toBeGreaterThan(4000);
  });

  test("never takes a batch that is still under way for one that is in the log", () => {
    const edge = new IdempotencyLedger();
    const worker = new IdempotencyLedger();
    for (const key of ["p/1", "p/2", "p/3"]) edge.record(header(key));
    // 4 is under way when 5 is appended.
    worker.record({ ...header("p/5"), seen: edge.seenAround("p/5") });
    expect(worker.look("p/4", digestA).state).toBe("new");
    for (const key of ["p/1", "p/3", "p/5"]) expect(worker.look(key, null).state).toBe("seen");
  });

  test("of one edge of several forgets its lowest runs, and refuses none", () => {
    const ledger = new IdempotencyLedger({ runsKept: 3, detailsPerProducerMax: 2 });
    for (let sequence = 1; sequence < 4000; sequence += 2) {
      expect(ledger.look(`p/${sequence}`, digestA).state).toBe("new");
      ledger.record(header(`p/${sequence}`));
    }
    expect(ledger.changesSince(0).runs.map(({ from }) => from)).toEqual([3995, 3997, 3999]);
    expect(ledger.look("p/1", digestA).state).toBe("new");
    expect(ledger.look("p/3999", digestB).state).toBe("mismatch");
  });
});

/** The stored tables, as a store would keep them: changes applied as statements. */
class Tables {
  state: LedgerState = { newestReceivedAt: 0, rows: [], runs: [] };

  apply(changes: LedgerChanges): void {
    const { drops, ordinalBelow, expireBefore, producers } = changes;
    const rows = this.state.rows.filter((row) => {
      if (row.producer === null) return row.receivedAt >= expireBefore;
      const drop = drops.find(({ producer }) => producer === row.producer);
      return row.ordinal >= Math.max(ordinalBelow, drop?.ordinalBelow ?? 0);
    });
    const runs = this.state.runs.filter(({ producer }) => !producers.includes(producer));
    this.state = structuredClone({
      newestReceivedAt: changes.newestReceivedAt,
      rows: [...rows, ...changes.rows],
      runs: [...runs, ...changes.runs],
    });
  }
}

function randomHeader(random: Random, now: number): BatchHeader {
  const producer = random.pick(["a", "b", "c/d"]);
  const key = random.chance(0.4)
    ? `free ${random.int(0, 60)}`
    : `${producer}/${random.int(0, 120)}`;
  const receivedAt = now - (random.chance(0.2) ? random.int(0, 1.5 * freeKeyLifeMs) : 0);
  return { key, digest: random.pick([digestA, digestB]), receivedAt, partitionCount: 1 };
}

const smallBounds: Partial<LedgerBounds> = { detailsPerProducerMax: 12, detailsMax: 25 };

test("saved by changes and loaded again, a ledger answers as if it had never stopped", () => {
  const random = randomFromEnvironment("ledger persistence");
  for (let round = 0; round < 60; round++) {
    const forever = new IdempotencyLedger(smallBounds);
    let ledger = new IdempotencyLedger(smallBounds);
    let tables = new Tables();
    let mark = 0;
    let now = start;
    const taken: BatchHeader[] = [];
    for (let step = 0; step < 200; step++) {
      now += random.int(0, freeKeyLifeMs / 30);
      const next = randomHeader(random, now);
      const answer = ledger.look(next.key!, next.digest);
      expect(answer).toEqual(forever.look(next.key!, next.digest));
      checkAgainstHistory(taken, next, answer.state);
      if (answer.state === "new") {
        taken.push(next);
        ledger.record(next);
        forever.record(next);
      }
      if (random.chance(0.1)) {
        // A batch without key moves the time on, too.
        const keyless = { ...header("", now + random.int(0, freeKeyLifeMs / 2)), key: null };
        taken.push(keyless);
        ledger.record(keyless);
        forever.record(keyless);
      }
      if (random.chance(0.1)) {
        const changes = ledger.changesSince(mark);
        // A commit that fails leaves the tables, and the mark, as they were.
        if (random.chance(0.3)) continue;
        tables.apply(changes);
        mark = changes.mark;
      }
      if (random.chance(0.05)) {
        tables.apply(ledger.changesSince(mark));
        const state = tables.state;
        ledger = new IdempotencyLedger(smallBounds);
        ledger.load(random.chance(0.5) ? state : { ...state, rows: random.shuffle(state.rows) });
        mark = ledger.mark;
        expect(ledger.sizes()).toEqual(forever.sizes());
        expect(state.rows.length).toBe(ledger.sizes().details + ledger.sizes().freeKeys);
        const unchanged = ledger.changesSince(mark);
        expect([...unchanged.rows, ...unchanged.runs, ...unchanged.drops]).toEqual([]);
        const copy = new Tables();
        copy.state = state;
        tables = copy;
      }
    }
  }
});

/** The oracle: every batch ever taken, searched from the start. */
function checkAgainstHistory(taken: BatchHeader[], next: BatchHeader, state: string): void {
  const newest = Math.max(0, ...taken.map(({ receivedAt }) => receivedAt));
  const isFree = classifyKey(next.key!).producer === null;
  const before = taken.findLast(
    ({ key, receivedAt }) => key === next.key && (!isFree || receivedAt >= newest - freeKeyLifeMs),
  );
  if (!before) expect(state, next.key!).toBe("new");
  else if (Buffer.compare(before.digest!, next.digest!) === 0) expect(state).toBe("seen");
  else expect(isFree ? ["mismatch"] : ["mismatch", "seen"]).toContain(state);
}

test("the edge's ledger is the union of the partitions'", () => {
  const edge = new IdempotencyLedger();
  const partitions = [new IdempotencyLedger(), new IdempotencyLedger()];
  for (let sequence = 0; sequence < 40; sequence++) {
    const key = sequence % 3 === 0 ? `free ${sequence}` : `p/${sequence}`;
    const record = { ...header(key, start + sequence), seen: edge.seenAround(key) };
    edge.record(record);
    partitions[sequence % 2]!.record(record);
    if (sequence % 5 === 0) partitions[(sequence + 1) % 2]!.record(record);
  }
  const loaded = new IdempotencyLedger();
  loaded.load(unionOfStates(partitions.map((ledger) => ledger.changesSince(0))));
  expect(loaded.sizes()).toEqual(edge.sizes());
  for (let sequence = 0; sequence < 50; sequence++) {
    for (const key of [`free ${sequence}`, `p/${sequence}`]) {
      expect(loaded.look(key, digestB)).toEqual(edge.look(key, digestB));
      expect(loaded.seenAround(key)).toEqual(edge.seenAround(key));
    }
  }
});

describe("what partitions have counted of batches, in a log that may hold parts of them", () => {
  const partitions = [new IdempotencyLedger(), new IdempotencyLedger()] as const;
  const [one, other] = partitions;
  // Whole, in the first partition alone as far as is known, and whole by what an edge said later.
  for (const ledger of partitions) ledger.record(header("free whole"));
  for (const ledger of partitions) ledger.record(header("p/1"));
  one.record(header("free part"));
  one.record(header("p/2"));
  one.record({ ...header("q/9"), seen: { from: 0, to: 9 } });
  other.record({ ...header("q/4"), seen: { from: 3, to: 4 } });
  const loaded = () => {
    const ledger = new IdempotencyLedger({ runsKept: 16, provenBytesMax: 1000 });
    const { state, proven } = provenByCounts(partitions.map((each) => each.changesSince(0)));
    ledger.load(state, proven);
    return ledger;
  };
  const states = (ledger: IdempotencyLedger, digest: Uint8Array, bytes?: number) =>
    ["free whole", "p/1", "free part", "p/2", "q/3", "q/9"].map(
      (key) => ledger.look(key, digest, bytes).state,
    );

  test("is seen only where all partitions have it", () => {
    expect(states(loaded(), digestA)).toEqual(["seen", "seen", "new", "new", "seen", "new"]);
  });

  test("refuses other bodies of all keys it knows", () => {
    const mismatch = "mismatch";
    expect(states(loaded(), digestB)).toEqual([
      mismatch,
      mismatch,
      mismatch,
      mismatch,
      "seen",
      mismatch,
    ]);
  });

  test("proves nothing of batches that may be several records", () => {
    expect(new Set(states(loaded(), digestA, 1001))).toEqual(new Set(["new"]));
  });

  test("is seen once it was appended again, whatever its size", () => {
    const ledger = loaded();
    for (const key of ["free part", "p/2"]) ledger.record(header(key));
    expect(ledger.look("free part", digestA, 5000).state).toBe("seen");
    expect(ledger.look("p/2", digestA, 5000).state).toBe("seen");
    expect(ledger.sizes()).toEqual(loaded().sizes());
  });
});

test("a key takes little memory, recorded or loaded", () => {
  const keys = 40_000;
  const recorded = () => {
    const ledger = new IdempotencyLedger();
    for (let i = 0; i < keys; i++) ledger.record(header(`key-${i}`, start + i));
    return ledger;
  };
  const { rows } = recorded().changesSince(0);
  const loaded = () => {
    const ledger = new IdempotencyLedger();
    ledger.load({ newestReceivedAt: start, rows, runs: [] });
    return ledger;
  };
  expect(heapBytesOf(recorded) / keys).toBeLessThan(400);
  expect(heapBytesOf(loaded) / keys).toBeLessThan(400);
});

test("a ledger that is not saved holds no more than it knows", () => {
  const bounds = { detailsMax: 100, detailsPerProducerMax: 100, isSaved: false };
  const batches = 40_000;
  const bytes = heapBytesOf(() => {
    const edge = new IdempotencyLedger(bounds);
    for (let i = 0; i < batches; i++) edge.record(header(`p/${i}`, start + i));
    return edge;
  });
  expect(bytes).toBeLessThan(10 * batches);
  expect(() => new IdempotencyLedger(bounds).changesSince(0)).toThrow("isSaved");
});
