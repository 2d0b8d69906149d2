import { describe, expect, it } from "vitest";
import { SeenBatches } from "../../src/ingest/seen-batches.ts";
import { freeKeyLifeMs } from "../../src/log/idempotency.ts";
import type { LogRecord } from "../../src/model.ts";
import { carriedWhole } from "../../src/model-seen.ts";
import type { SeenState } from "../../src/store/store.ts";

const startMs = Date.UTC(2026, 10, 24);
const empty = (): SeenState => ({ newestReceivedAt: 0, rows: [], runs: [] });

function record(key: string | null, more: Partial<LogRecord> & { body?: string } = {}): LogRecord {
  const { body = "a", ...rest } = more;
  return {
    key,
    digest: key === null ? null : Buffer.alloc(16, body),
    receivedAt: startMs,
    partitionCount: 2,
    partition: 0,
    offset: 0,
    value: new Uint8Array(),
    lines: new Uint8Array(),
    ...rest,
  };
}

const admits = (seen: SeenBatches, given: LogRecord) => seen.admit(given) !== null;

describe("seen batches", () => {
  it.each(["free key", "producer/7"])("admit %s once in each partition", (key) => {
    const seen = new SeenBatches([empty(), empty()]);
    expect(admits(seen, record(key))).toBe(true);
    expect(admits(seen, record(key))).toBe(false);
    expect(admits(seen, record(key, { partition: 1 }))).toBe(true);
    expect(admits(seen, record(key, { partition: 1, body: "b" }))).toBe(false);
  });

  it("admit any number of batches without a key", () => {
    const seen = new SeenBatches([empty()]);
    for (let i = 0; i < 5; i++) expect(admits(seen, record(null))).toBe(true);
    expect(seen.takeChanges()).toEqual([]);
  });

  it("forget a free key by the time of the record at hand, whatever was read before", () => {
    const seen = new SeenBatches([empty()]);
    const last = startMs + freeKeyLifeMs;
    expect(admits(seen, record("key"))).toBe(true);
    expect(admits(seen, record("key", { body: "b", receivedAt: last }))).toBe(false);
    expect(admits(seen, record("key", { body: "b", receivedAt: last + 1 }))).toBe(true);
    expect(admits(seen, record("producer/1"))).toBe(true);
    expect(admits(seen, record("producer/1", { receivedAt: last * 2 }))).toBe(false);
  });

  it("hand over what changed since the last time, by partition, and go on from it", () => {
    const seen = new SeenBatches([empty(), empty()]);
    seen.admit(record("producer/1", { partition: 1 }));
    seen.admit(record("free key", { partition: 1, receivedAt: startMs + 5 }));
    seen.admit(record(null, { partition: 0 }));
    const [changes, ...others] = seen.takeChanges();
    expect(others).toEqual([]);
    expect(changes).toMatchObject({
      partition: 1,
      newestReceivedAt: startMs + 5,
      rows: [{ key: "producer/1" }, { key: "free key", producer: null }],
      producers: ["producer"],
      runs: [{ producer: "producer", from: 1, to: 1 }],
    });
    expect(seen.takeChanges()).toEqual([]);
    expect(admits(seen, record("producer/1", { partition: 1 }))).toBe(false);
    expect(seen.takeChanges()).toEqual([]);
    const restarted = new SeenBatches([empty(), changes!]);
    expect(restarted.takeChanges()).toEqual([]);
    expect(admits(restarted, record("free key", { partition: 1 }))).toBe(false);
    expect(admits(restarted, record("producer/1", { partition: 1 }))).toBe(false);
    expect(admits(restarted, record("producer/2", { partition: 1 }))).toBe(true);
    const [more] = restarted.takeChanges();
    expect(more!.rows.map(({ key }) => key)).toEqual(["producer/2"]);
    expect(more!.rows[0]!.ordinal).toBeGreaterThan(changes!.rows.at(-1)!.ordinal);
    expect(more!.runs).toEqual([{ producer: "producer", from: 1, to: 2 }]);
  });

  it.each([[[]], [[2]], [[1, 2]]])(
    "count nothing of a batch that another log counted whole, where partitions were %j",
    (counts) => {
      const row = { digest: null, receivedAt: startMs, partitionCount: carriedWhole };
      const carried = (): SeenState => ({
        newestReceivedAt: startMs,
        rows: [
          { ...row, ordinal: 1, key: "free key", producer: null },
          { ...row, ordinal: 2, key: "producer/7", producer: "producer" },
        ],
        runs: [{ producer: "producer", from: 1, to: 7 }],
      });
      const seen = new SeenBatches([carried(), carried()], counts);
      for (const partition of [0, 1]) {
        for (const piece of [0, 3]) {
          expect(admits(seen, record("free key", { partition, piece }))).toBe(false);
          expect(admits(seen, record("producer/7", { partition, piece }))).toBe(false);
          expect(admits(seen, record("producer/8", { partition, piece }))).toBe(true);
        }
      }
      const later = startMs + freeKeyLifeMs + 1;
      expect(admits(seen, record("producer/7", { piece: 3, receivedAt: later }))).toBe(false);
      expect(admits(seen, record("free key", { receivedAt: later }))).toBe(true);
    },
  );

  it("count no later piece again after an hour, also where the log has grown since", () => {
    const seen = new SeenBatches([empty(), empty()], [1, 2]);
    const sent = (piece: number) => record("producer/1", { partitionCount: 1, piece });
    expect([admits(seen, sent(0)), admits(seen, sent(1))]).toEqual([true, true]);
    const receivedAt = startMs + freeKeyLifeMs + 1;
    for (const partition of [0, 1]) {
      expect(admits(seen, record(null, { partition, receivedAt }))).toBe(true);
    }
    for (const partition of [0, 1]) {
      for (const piece of [0, 1]) {
        const again = record("producer/1", { partition, partitionCount: 2, piece, receivedAt });
        expect(admits(seen, again)).toBe(false);
        expect(admits(seen, { ...again, key: "producer/2" })).toBe(true);
      }
    }
  });

  it("know a carried batch in partitions that came later", () => {
    const row = { digest: null, receivedAt: startMs, partitionCount: carriedWhole };
    const own = { ...row, ordinal: 1, key: "free key", producer: null };
    const carried = { ...empty(), newestReceivedAt: startMs, rows: [own] };
    const seen = new SeenBatches([carried, empty()], [1, 2]);
    const sent = record("free key", { partition: 1, partitionCount: 2 });
    expect(admits(seen, sent)).toBe(false);
    expect(admits(seen, { ...sent, key: "another" })).toBe(true);
  });
});
