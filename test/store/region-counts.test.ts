/** Sums and counts for other regions, against a plain list of events, at any state of sealing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { cellMinutes, type RegionHorizon, regionLevels } from "../../src/model-region-wire.ts";
import { parseRegionType, regionTypeName } from "../../src/model-regions.ts";
import { compareIds } from "../../src/store/order.ts";
import { readRegionTotals, writeRegionCounts } from "../../src/store/region-counts.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";
import { DeleteFixture } from "./delete-fixture.ts";

const dayMinutes = 1440;
const firstDay = Math.floor(Date.UTC(2026, 0, 30) / 60_000);
const types = ["play", "vi\u00ebw", regionTypeName("eu", "play"), regionTypeName("eu-2", "play")];
const whole = { from: 0, to: firstDay + 30 * dayMinutes };
const budgetMs = 60_000;

function randomEvents(random: Random, size: number): CountedEvent[] {
  return Array.from({ length: size }, () => ({
    eventId: random.pick(["a", "b", 'q"\\', "\u{10ffff}", "\uffee", "line\nend", "\u0001"]),
    eventType: random.pick(types),
    timeMs: (firstDay + random.int(0, 4 * dayMinutes)) * 60_000 + random.int(0, 60_000),
    weight: random.pick([1, 1, 7]),
  }));
}

/** [start, type, id, count] of the region, by cell, in the order of the lines. */
function oracle(
  events: readonly CountedEvent[],
  region: string | null,
  minutes: number,
  horizons: readonly RegionHorizon[],
): [number, string, string, number][] {
  const sums = new Map<string, [number, string, string, number]>();
  for (const { eventType: name, eventId, timeMs, weight } of events) {
    const of = parseRegionType(name);
    const minute = Math.floor(timeMs / 60_000);
    const since = horizons.find(({ eventType }) => eventType === of.eventType)?.minute ?? 0;
    if (of.region !== region || minute < since) continue;
    const start = minute - (minute % minutes);
    const row = sums.get(`${start}/${of.eventType}/${eventId}`) ?? [
      start,
      of.eventType,
      eventId,
      0,
    ];
    row[3] += weight;
    sums.set(`${start}/${of.eventType}/${eventId}`, row);
  }
  return [...sums.values()].sort(
    (a, b) => a[0] - b[0] || compareIds(a[1], b[1]) || compareIds(a[2], b[2]),
  );
}

function totalsOf(rows: readonly [number, string, string, number][]): [number, number][] {
  const sums = new Map<number, number>();
  for (const [start, , , count] of rows) sums.set(start, (sums.get(start) ?? 0) + count);
  return [...sums];
}

async function check(fixture: DeleteFixture, horizons: RegionHorizon[]): Promise<void> {
  const place = { folder: join(fixture.folder, "exports"), files: nodeFiles };
  for (const region of [null, "eu", "eu-2", "us"]) {
    const spans = regionLevels.map((level) => ({ level, ...whole }));
    const cells = await fixture.database.read(budgetMs, (c) =>
      readRegionTotals(c, { region, horizons, spans, budgetMs }),
    );
    for (const [i, level] of regionLevels.entries()) {
      const rows = oracle(fixture.events, region, cellMinutes[level], horizons);
      expect(cells[i]!.map(([start, total]) => [start, total])).toEqual(totalsOf(rows));
      const written = await fixture.database.read(budgetMs, (c) =>
        writeRegionCounts(
          c,
          { region, horizons, level, ...whole, itemsMax: null, budgetMs },
          place,
        ),
      );
      const lines = readFileSync(written.path, "utf8").split("\n").slice(0, -1);
      expect(lines.map((line) => JSON.parse(line))).toEqual(rows);
      expect(written.rows).toBe(rows.length);
    }
  }
}

it("tells sums and counts of each region's types, whatever is sealed", async () => {
  const random = randomFromEnvironment("region-counts");
  const options = { candidatesMax: 3, vectorsMax: 4096, hasSketches: false };
  const fixture = await new DeleteFixture(temporaryFolder(), options).open();
  try {
    await check(fixture, []);
    for (let round = 0; round < 4; round++) {
      await fixture.add(randomEvents(random, random.int(50, 400)));
      const horizons = random.chance(0.5)
        ? [{ eventType: "play", minute: firstDay + random.int(0, 4) * dayMinutes }]
        : [];
      await check(fixture, horizons);
      const end = firstDay + random.int(0, 5 * dayMinutes);
      for (let i = 0; i < 40; i++) {
        const { isMore } = await fixture.sealer.seal(end, 9e12);
        if (!isMore) break;
      }
      await check(fixture, horizons);
    }
  } finally {
    await fixture.close();
  }
});

it("gives so many greatest items of each cell and type", async () => {
  const options = { candidatesMax: 3, vectorsMax: 4096, hasSketches: false };
  const fixture = await new DeleteFixture(temporaryFolder(), options).open();
  try {
    const at = (eventType: string, eventId: string, weight: number) =>
      ({ eventType, eventId, weight, timeMs: firstDay * 60_000 }) satisfies CountedEvent;
    await fixture.add([at("x", "c", 5), at("x", "b", 5), at("x", "a", 1), at("y", "z", 1)]);
    const query = { region: null, horizons: [], level: "minute", ...whole, budgetMs } as const;
    const place = { folder: join(fixture.folder, "exports"), files: nodeFiles };
    const { path } = await fixture.database.read(budgetMs, (c) =>
      writeRegionCounts(c, { ...query, itemsMax: 1 }, place),
    );
    const lines = [
      [firstDay, "x", "b", 5],
      [firstDay, "y", "z", 1],
    ];
    expect(readFileSync(path, "utf8")).toBe(
      lines.map((row) => `${JSON.stringify(row)}\n`).join(""),
    );
  } finally {
    await fixture.close();
  }
});

it("says where the parts of a cell are not kept", async () => {
  const options = { candidatesMax: 9, vectorsMax: 4096, hasSketches: false };
  const aggregationWindows = { hourly: 3600 };
  const fixture = await new DeleteFixture(temporaryFolder(), {
    ...options,
    aggregationWindows,
  }).open();
  try {
    const timeMs = firstDay * 60_000;
    const event = (eventType: string) => ({ eventType, eventId: "a", weight: 1, timeMs });
    await fixture.add([event("hourly"), event("plain")]);
    const end = firstDay + 3 * dayMinutes;
    for (let i = 0; i < 40; i++) if (!(await fixture.sealer.seal(end, 9e12)).isMore) break;
    for (let i = 0; i < 10; i++) await fixture.coarsen();
    expect(fixture.coarsened.steps).toBeGreaterThan(0);
    const spans = regionLevels.map((level) => ({ level, ...whole }));
    const cells = await fixture.database.read(budgetMs, (c) =>
      readRegionTotals(c, { region: null, horizons: [], spans, budgetMs }),
    );
    expect(cells).toEqual([[[firstDay, 1, 0]], [[firstDay, 2, 1]], [[firstDay, 2, 0]]]);
  } finally {
    await fixture.close();
  }
});
