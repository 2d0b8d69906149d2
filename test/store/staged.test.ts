/** Chunks of the kernel as DuckDB reads them: as often as a commit is tried. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Aggregator } from "../../src/kernel/aggregator.ts";
import type { CandidateList } from "../../src/kernel/candidates.ts";
import { ChunkScanner, inputPaddingBytes } from "../../src/kernel/chunk-scanner.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { StagedTables } from "../../src/store/staged.ts";

let database: LocalDatabase;
beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
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

test("candidates keep their ids and bounds, over the ends of chunks too", async () => {
  const idOf = (row: number) => {
    if (row % 5 === 0) return `${row}`;
    return row % 5 === 1 ? `${row}`.padStart(12, "0") : `ünïcode-${"é".repeat(row % 5)}-${row}`;
  };
  const listOf = (rows: number, typeIndex: number): CandidateList => {
    const ids = Array.from({ length: rows }, (_, row) => Buffer.from(idOf(row)));
    let end = 0;
    return {
      typeIndex,
      total: 0,
      outside: 0,
      rows,
      lower: Float64Array.from(ids, (_, row) => row),
      upper: Float64Array.from(ids, (_, row) => row + 2 ** 40),
      ids: Buffer.concat(ids),
      idEnds: Uint32Array.from(ids, (id) => {
        end += id.length;
        return end;
      }),
    };
  };
  const staged = new StagedTables();
  staged.register(database.writer);
  const candidates = [5000, 0, 1, 2048].map((rows, i) => ({
    minute: 30_000_000 + i,
    typeId: i,
    list: listOf(rows, i),
  }));
  const token = staged.stage({ candidates });
  const rows = await rowsOf(database.writer, `SELECT * FROM staged_candidates(${token})`);
  const found = rows.map((row) =>
    ["minute", "type_id", "event_id", "lower", "upper"].map((name) => String(row[name])).join(),
  );
  const told = candidates.flatMap(({ minute, typeId, list }) =>
    Array.from({ length: list.rows }, (_, row) =>
      [minute, typeId, idOf(row), row, row + 2 ** 40].join(),
    ),
  );
  expect(found.sort()).toEqual(told.sort());
});
