/** Time of receipt under a clock that is set back and forth: it only grows. */
import { describe, expect, it } from "vitest";
import type { BatchScanner } from "../../src/edge/edge.ts";
import { SeenBatches } from "../../src/ingest/seen-batches.ts";
import { freeKeyLifeMs, IdempotencyLedger } from "../../src/log/idempotency.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { makeEdge, plainScanner } from "./edge-fixture.ts";

const startMs = Date.UTC(2026, 10, 24, 10, 30);
const partitions = 3;
const freshStates = () =>
  Array.from({ length: partitions }, () => ({ newestReceivedAt: 0, rows: [], runs: [] }));

/** Puts a batch into the partition its event's id names. */
const scanner: BatchScanner = {
  scanBatch(...args) {
    const batch = plainScanner.scanBatch(...args);
    const partition = Number(/"eventId":"(\d)/.exec(Buffer.from(args[0]).toString())?.[1] ?? 0);
    return { ...batch, blocks: batch.blocks.map((block) => ({ ...block, partition })) };
  },
};

function setUp(ledger: IdempotencyLedger) {
  const clock = { now: startMs };
  const parts = makeEdge({ scanner, ledger, now: () => clock.now });
  const post = async (partition: number, body: string, key?: string) => {
    const event = JSON.stringify({ eventId: `${partition}`, eventType: body });
    const reply = await parts.edge.ingest({
      body: Buffer.from(event),
      contentType: "application/json",
      idempotencyKey: key,
    });
    return { status: reply.status, isReplay: "idempotency-replayed" in reply.headers };
  };
  return { clock, post, appended: parts.log.appended };
}

/** Whether workers count each record: nobody skips what was acknowledged. */
function counted(appended: ReturnType<typeof setUp>["appended"]): boolean[] {
  const seen = new SeenBatches(freshStates());
  const offsets = new Array<number>(partitions).fill(0);
  return appended.flatMap(({ header, blocks }) =>
    blocks.map(({ partition, value, lines }) => {
      const offset = offsets[partition]!++;
      return seen.admit({ ...header, partition, value, lines, offset }) !== null;
    }),
  );
}

describe("the time of receipt", () => {
  it("stays where it was while the clock is behind", async () => {
    const { clock, post, appended } = setUp(new IdempotencyLedger());
    await post(0, "a");
    clock.now -= 5000;
    await post(0, "a");
    clock.now += 5001;
    await post(0, "a");
    expect(appended.map(({ header }) => header.receivedAt - startMs)).toEqual([0, 0, 1]);
  });

  it("is not before what the log holds from before a restart", async () => {
    const ledger = new IdempotencyLedger();
    const newest = startMs + 86_400_000;
    ledger.record({ key: null, digest: null, receivedAt: newest, partitionCount: 1 });
    const { post, appended } = setUp(ledger);
    await post(0, "a");
    expect(appended[0]!.header.receivedAt).toBe(newest);
  });

  it("lets a key that was forgotten be counted anew, though the clock was set back", async () => {
    const { clock, post, appended } = setUp(new IdempotencyLedger());
    await post(0, "first", "key");
    clock.now += freeKeyLifeMs + 1;
    await post(1, "other");
    clock.now = startMs + 1;
    expect(await post(0, "second", "key")).toEqual({ status: 202, isReplay: false });
    expect(counted(appended)).toEqual([true, true, true]);
  });

  it("never makes a worker skip what was acknowledged, whatever the clock does", async () => {
    const random = randomFromEnvironment("receipt");
    const { clock, post, appended } = setUp(new IdempotencyLedger());
    const outcomes = { stored: 0, replayed: 0, refused: 0 };
    for (let i = 0; i < 3000; i++) {
      clock.now += random.pick([1, 1000, -3000, 600_000, -550_000, 4_000_000, -3_900_000]);
      const key = random.chance(0.8) ? `key ${random.int(0, 5)}` : undefined;
      const partition = random.int(0, partitions - 1);
      const { status, isReplay } = await post(partition, random.pick(["a", "b"]), key);
      outcomes[status === 422 ? "refused" : isReplay ? "replayed" : "stored"]++;
    }
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(30);
    expect(appended).toHaveLength(outcomes.stored);
    expect(counted(appended)).toEqual(appended.map(() => true));
    const times = appended.map(({ header }) => header.receivedAt);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});
