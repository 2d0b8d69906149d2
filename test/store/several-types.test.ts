// Items and series of several types together against the same events as one type: every event is
// added twice, once under "both" and once under one of two others.
import { afterAll, beforeAll, expect, it } from "vitest";
import { readItem, readItems } from "../../src/store/item.ts";
import { readSeries } from "../../src/store/series.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";
import { DeleteFixture } from "./delete-fixture.ts";

const day = Date.UTC(2026, 10, 20);
const hourMs = 3_600_000;
const spanMs = 30 * hourMs;
const budgetMs = 60_000;
const parts = ["play", "\u001feu\u001fplay"];
const random = randomFromEnvironment("several types");

let fixture: DeleteFixture;
beforeAll(async () => {
  const options = { candidatesMax: 5, vectorsMax: 8, hasSketches: false };
  fixture = await new DeleteFixture(await temporaryFolder(), options).open();
  for (let round = 0; round < 3; round++) {
    const events: CountedEvent[] = Array.from({ length: 400 }, () => ({
      eventType: random.pick(parts),
      eventId: `song_${random.int(1, 20)}`,
      timeMs: day + random.int(0, spanMs - 1),
      weight: random.int(1, 4),
    }));
    await fixture.add([...events, ...events.map((event) => ({ ...event, eventType: "both" }))]);
    const endMinute = (day + spanMs) / 60_000 + 60 * 24 * 40;
    // The last ones stay as they are, beside sealed windows.
    if (round === 2) break;
    for (let i = 0; i < 3; i++) while ((await fixture.sealer.seal(endMinute, 9e12)).isMore);
  }
});
afterAll(() => fixture.close());

/** Bounds of bins, some on hours, some anywhere. */
function randomBounds(): number[] {
  const stepMs = random.pick([hourMs, 6 * hourMs, 24 * hourMs, random.int(1000, 9 * hourMs)]);
  const first = day + random.pick([0, hourMs, random.int(0, spanMs / 2)]);
  const count = random.int(1, 12);
  return Array.from({ length: count + 1 }, (_, i) => first + i * stepMs);
}

it("are what they are of one type", { timeout: 60_000 }, async () => {
  const { database, rawFiles } = fixture;
  let items = 0;
  for (let round = 0; round < 12; round++) {
    const bounds = randomBounds();
    const [from, to] = [bounds[0]!, bounds.at(-1)!];
    const eventId = `song_${random.int(1, 22)}`;
    const shape = { bounds, edgeRowsMax: 100_000, isExact: true, budgetMs };
    const series = { ...shape, eventIds: null, hasBusiest: true, hasDistinct: true };
    const single = { ...shape, eventIds: [eventId], hasBusiest: false, hasDistinct: false };
    const item = { eventId, neighbours: 3, from, to, bounds, hasRanks: true, budgetMs };
    const several = { eventIds: [eventId, "song_1"], from, to, bounds, budgetMs };
    const ask = (eventTypes: string[]) =>
      database.read(budgetMs, async (c) => {
        const { exactRows: _, ...counts } = await readSeries(c, rawFiles, {
          ...series,
          eventTypes,
        });
        const own = await readSeries(c, rawFiles, { ...single, eventTypes });
        return {
          counts,
          own: own.counts,
          item: await readItem(c, rawFiles, { ...item, eventTypes }),
          several: await readItems(c, rawFiles, { ...several, eventTypes }),
        };
      });
    const together = await ask(parts);
    expect(together, JSON.stringify(bounds)).toEqual(await ask(["both"]));
    if (together.item.item.count > 0) items++;
  }
  expect(items).toBeGreaterThan(3);
});

it("have bounds that hold the truth where lists alone are read", async () => {
  const { database, rawFiles, events } = fixture;
  let loose = 0;
  for (let round = 0; round < 40; round++) {
    const bounds = randomBounds();
    const eventId = `song_${random.int(1, 20)}`;
    const query = { bounds, eventIds: [eventId], isExact: false, edgeRowsMax: 0, budgetMs };
    const { counts } = await database.read(budgetMs, (c) =>
      readSeries(c, rawFiles, {
        ...query,
        eventTypes: parts,
        hasBusiest: false,
        hasDistinct: false,
      }),
    );
    for (let bin = 0; bin < bounds.length - 1; bin++) {
      const isIn = (event: CountedEvent) =>
        parts.includes(event.eventType) &&
        event.eventId === eventId &&
        event.timeMs >= bounds[bin]! &&
        event.timeMs < bounds[bin + 1]!;
      const truth = events.filter(isIn).reduce((sum, { weight }) => sum + weight, 0);
      const [lower, upper] = [counts[0]!.lower[bin]!, counts[0]!.upper[bin]!];
      expect(lower).toBeLessThanOrEqual(truth);
      expect(upper).toBeGreaterThanOrEqual(truth);
      if (lower < upper) loose++;
    }
  }
  expect(loose).toBeGreaterThan(10);
});
