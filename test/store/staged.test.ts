/** Chunks of the kernel as DuckDB reads them: as often as a commit is tried. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Aggregator } from "../../src/kernel/aggregator.ts";
import { ChunkScanner, inputPaddingBytes } from "../../src/kernel/chunk-scanner.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import { Database, rowsOf } from "../../src/store/database.ts";
import { StagedTables } from "../../src/store/staged.ts";

let database: Database;
beforeEach(async () => {
  database = await Database.open(":memory:");
});
afterEach(() => database.close());

const receivedAt = Date.UTC(2026, 10, 24);
const inputBytesMax = 4 << 20;

/** `count` events with ids short and long, users short, long and missing, as chunks. */
async function makeChunks(count: number) {
  const options = {
    countSlots: 1 << 14,
    countHeapBytes: 1 << 20,
    typesMax: 10,
    stringBytesMax: 8 << 20,
    seed: { low: 1, high: 2 },
  };
  const bytes = Aggregator.memoryBytes(options) + ChunkScanner.memoryBytes() + inputBytesMax;
  const kernel = await Kernel.load(await loadKernelModule(), bytes + 65_536);
  const scanner = new ChunkScanner(kernel);
  const aggregator = new Aggregator(kernel, options);
  const input = kernel.allocate(inputBytesMax + inputPaddingBytes);
  const events = Array.from({ length: count }, (_, i) => ({
    eventId: i % 2 === 0 ? `id-${i}` : `an-id-that-is-not-inline-${i}`,
    eventType: "play",
    timestamp: receivedAt - i,
    ...(i % 3 > 0 && { userId: i % 3 === 1 ? `u${i}` : `a-user-with-a-long-name-${i}` }),
  }));
  const text = Buffer.from(events.map((event) => JSON.stringify(event)).join("\n"));
  kernel.bytes.set(text, input);
  expect(scanner.scanChunk(input, text.length, receivedAt)).toBe("done");
  const high = Math.floor(receivedAt / 2 ** 32);
  kernel.exports["stampEvents"]!(scanner.eventsPtr, count, 0, receivedAt >>> 0, high);
  aggregator.add(scanner.eventsPtr, count);
  return { events, taken: aggregator.take() };
}

test("a commit that is tried again reads the same rows", async () => {
  const { events, taken } = await makeChunks(5000);
  expect(taken.raw.length).toBe(3);
  const staged = new StagedTables();
  staged.register(database.writer);
  for (let attempt = 0; attempt < 4; attempt++) {
    const typeIds = new Uint32Array([7]);
    const token = staged.stage({ raw: taken.raw, counts: taken.counts, typeIds });
    const raw = await rowsOf(
      database.writer,
      `SELECT event_id, user_id, epoch_ms(event_time) AS time FROM staged_events(${token})`,
    );
    const found = raw.map((row) => [row["event_id"], row["user_id"], Number(row["time"])]);
    const expected = events.map((row) => [row.eventId, row.userId ?? null, row.timestamp]);
    expect(found.sort(), `attempt ${attempt}`).toEqual(expected.sort());
    const counts = await rowsOf(
      database.writer,
      `SELECT event_id, type_id, count FROM staged_counts(${token}) ORDER BY event_id`,
    );
    expect(counts.map((row) => row["event_id"])).toEqual(events.map((row) => row.eventId).sort());
    expect(counts.every((row) => row["type_id"] === 7 && row["count"] === 1n)).toBe(true);
    staged.release(token);
    await expect(
      database.writer.run(`SELECT count(*) FROM staged_events(${token})`),
    ).rejects.toThrow(/nothing is staged/);
  }
});
