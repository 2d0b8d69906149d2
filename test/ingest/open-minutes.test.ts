/** How full the sketches of the minutes under way are, as a worker's real parts have them. */
import { expect, it } from "vitest";
import { makeIngestParts } from "../../src/ingest/ingest-parts.ts";
import type { LogRecord } from "../../src/model.ts";

const now = Date.UTC(2026, 10, 24, 10, 30, 12);
const cells = 2 ** 16;

function record(offset: number, eventIds: string[], receivedAt: number): LogRecord {
  const lines = eventIds.map((eventId) => JSON.stringify({ eventId, eventType: "t" }));
  return {
    key: null,
    digest: null,
    receivedAt,
    partitionCount: 1,
    partition: 0,
    offset,
    value: Buffer.from(`${lines.join("\n")}\n`),
    lines: new Uint8Array(),
  };
}

it("The fill is the share of cells in use, of the fullest minute that is open", async () => {
  const data = {
    source: { kind: "embedded", folder: "/nowhere" },
    seed: { low: 1, high: 2 },
    candidatesMax: 100,
    typesMax: 10,
    openMinuteEventsMin: 0,
  } as unknown as Parameters<typeof makeIngestParts>[0];
  const starts = [{ partition: 0, offset: 0, tail: null }];
  const { aggregator, openMinutes, scanner } = await makeIngestParts(data, {
    starts,
    floorMinute: -1,
  });
  const take = (offset: number, ids: string[], receivedAt: number) => {
    scanner.take(record(offset, ids, receivedAt), null);
    scanner.finish();
    aggregator.take();
  };
  expect(openMinutes.fill()).toBe(0);
  take(0, ["a", "a", "a"], now);
  expect(openMinutes.fill()).toBe(1 / cells);
  const many = Array.from({ length: 20_000 }, (_, i) => `item ${i}`);
  take(1, many, now);
  // So many items thrown into cells at random leave a share of e^(−n / cells) empty.
  const expected = 1 - Math.exp(-20_001 / cells);
  expect(openMinutes.fill()).toBeGreaterThan(expected - 0.01);
  expect(openMinutes.fill()).toBeLessThan(expected + 0.01);
  // Ten minutes later that minute is closed.
  take(2, ["b", "c"], now + 10 * 60_000);
  expect(openMinutes.fill()).toBe(2 / cells);
});
