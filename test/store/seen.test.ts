/** Idempotency state through the store: what is read back is the ledger that was saved. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { freeKeyLifeMs, IdempotencyLedger, type LedgerBounds } from "../../src/log/idempotency.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { readSeen, writeSeen } from "../../src/store/seen.ts";
import { randomFromEnvironment } from "../support/random.ts";

const partitions = 3;
const startMs = Date.UTC(2026, 10, 24);
/** Small, so that each is met. */
const bounds: Partial<LedgerBounds> = { detailsPerProducerMax: 4, detailsMax: 9, freeKeysMax: 12 };

let database: LocalDatabase;
beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: partitions, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
});
afterEach(() => database.close());

const keys = [
  ...["it's", 'a "key"', "é😀", "free 1", "free 2", "free 3", "a/b", "p/01"],
  ...["p", "q", "o'r"].flatMap((name) => Array.from({ length: 9 }, (_, i) => `${name}/${i}`)),
  `p/${Number.MAX_SAFE_INTEGER}`,
];
const digests = ["a", "b"].map((text) => Buffer.alloc(16, text));

/** Everything a ledger can be asked. */
function answersOf(ledger: IdempotencyLedger) {
  return {
    newest: ledger.newestReceivedAt,
    sizes: ledger.sizes(),
    known: keys.map((key) => digests.map((digest) => [key, ledger.look(key, digest)])),
    around: keys.map((key) => ledger.seenAround(key)),
  };
}

async function readLedger(partition: number) {
  const states = await database.read(60_000, readSeen);
  expect(states).toHaveLength(partitions);
  const ledger = new IdempotencyLedger(bounds);
  ledger.load(states[partition]!);
  return { loaded: ledger, storedRows: states[partition]!.rows.length };
}

it("is nothing in a new store", async () => {
  const states = await database.read(60_000, readSeen);
  const empty = { newestReceivedAt: 0, rows: [], runs: [] };
  expect(states).toEqual(Array.from({ length: partitions }, () => empty));
});

it("is the ledger's own, after any batches, failed commits and restarts", async () => {
  const random = randomFromEnvironment("seen");
  const ledgers = Array.from({ length: partitions }, () => new IdempotencyLedger(bounds));
  const marks = ledgers.map(({ mark }) => mark);
  const met = { seen: 0, mismatch: 0, failed: 0, restarted: 0 };
  let now = startMs;
  for (let step = 0; step < 150; step++) {
    const partition = random.int(0, partitions - 1);
    for (let batches = random.int(1, 5); batches > 0; batches--) {
      now += random.pick([0, 1, 1000, freeKeyLifeMs / 4]);
      const ledger = ledgers[partition]!;
      const key = random.pick(keys);
      const digest = random.pick(digests);
      ledger.record({ key: null, digest: null, receivedAt: now, partitionCount: 0 });
      const { state } = ledger.look(key, digest);
      if (state === "seen" || state === "mismatch") met[state]++;
      else if (state === "new") {
        const seen = ledger.seenAround(key);
        ledger.record({ key, digest, receivedAt: now, partitionCount: 4, seen });
      }
    }
    const changes = ledgers[partition]!.changesSince(marks[partition]!);
    const isFailing = random.chance(0.2);
    const commit = database.write(async (connection) => {
      await writeSeen(connection, { partition, ...changes });
      if (isFailing) throw new Error("no room");
    });
    if (isFailing) {
      await expect(commit).rejects.toThrow("no room");
      met.failed++;
      continue;
    }
    await commit;
    marks[partition] = changes.mark;
    const { loaded, storedRows } = await readLedger(partition);
    const { details, freeKeys } = loaded.sizes();
    // What the ledger forgot does not stay in the store.
    if (changes.rows.length > 0) expect(storedRows).toBe(details + freeKeys);
    expect(answersOf(loaded), `step ${step}`).toEqual(answersOf(ledgers[partition]!));
    if (random.chance(0.3)) {
      ledgers[partition] = loaded;
      marks[partition] = loaded.mark;
      met.restarted++;
    }
  }
  for (const count of Object.values(met)) expect(count).toBeGreaterThan(5);
});
