/** Deletes between everything else that a store does, each step against the events left. */

import { describe, expect, it } from "vitest";
import { foreverMs } from "../../src/model.ts";
import type { EventScope } from "../../src/store/delete-questions.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";
import { checkAnswers, checkTypes, checkWindows } from "./delete-checks.ts";
import { DeleteFixture } from "./delete-fixture.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** RANKSTREAM_DELETE_STEPS: more of them. */
const steps = Number(process.env["RANKSTREAM_DELETE_STEPS"] ?? 25);
const testOptions = { timeout: 60_000 + 1000 * steps };
/** A month's end lies inside. */
const startMs = Date.UTC(2024, 0, 30, 22);
const spanMs = 3 * dayMs;
const types = ["play", "it's", "ünïcode"];
const random = randomFromEnvironment("deletes");

function randomTime(): number {
  const time = startMs + random.int(0, spanMs - 1);
  const step = random.pick([1, 1, 1000, minuteMs, hourMs]);
  return time - (time % step);
}

/** Few ids, so that ties and full lists are common; some need care. */
function randomId(): string {
  const id = Math.floor(random.float() ** 2 * 40);
  return id === 7 ? "'; DROP TABLE list_hour; --" : id === 8 ? "\u{10ffff}" : `item-${id}`;
}

function randomEvents(n: number): CountedEvent[] {
  const time = randomTime();
  // Now and then all in a few minutes, whose windows then have full lists.
  const timeOf = random.chance(0.5) ? randomTime : () => time + random.int(0, 3 * minuteMs);
  return Array.from({ length: n }, () => ({
    eventId: randomId(),
    eventType: random.pick(types),
    timeMs: timeOf(),
    weight: random.pick([1, 1, 1, 2, 5]),
  }));
}

function randomScope(): EventScope {
  const eventType = random.pick(types);
  const eventId = random.chance(0.6) ? randomId() : null;
  if (random.chance(eventId === null ? 0.2 : 0.5)) {
    return { eventType, eventId, from: 0, to: foreverMs };
  }
  const from = randomTime();
  const length = random.pick([1, 20_000, 5 * minuteMs, 3 * hourMs, dayMs]);
  return { eventType, eventId, from, to: from + 1 + random.int(0, length) };
}

async function deleteAtRandom(fixture: DeleteFixture): Promise<void> {
  const scope = randomScope();
  const expected = await fixture.deleter.dryRun(scope);
  const answer = await fixture.deleter.run(scope);
  const gone = fixture.forget(scope);
  const context = JSON.stringify({ scope, answer });
  const times = gone.map(({ timeMs }) => timeMs);
  expect(answer, context).toEqual(expected);
  expect(answer, context).toMatchObject({
    events: gone.length,
    count: gone.reduce((sum, { weight }) => sum + weight, 0),
    items: new Set(gone.map(({ eventId }) => eventId)).size,
    firstSeen: gone.length === 0 ? null : Math.min(...times),
    lastSeen: gone.length === 0 ? null : Math.max(...times),
  });
}

async function step(fixture: DeleteFixture, now: number): Promise<void> {
  const { sealer, rawFiles, compactor, graves } = fixture;
  const endMinute = Math.floor((startMs + random.int(0, 2 * spanMs)) / minuteMs);
  const does: [number, () => Promise<unknown>][] = [
    [4, () => fixture.add(randomEvents(random.int(1, 120)))],
    [5, () => deleteAtRandom(fixture)],
    [3, () => sealer.seal(endMinute, now)],
    [1, () => rawFiles.flushRecent(true)],
    [1, () => rawFiles.mergeSmall(now)],
    [1, () => rawFiles.rewriteHidden(now)],
    [1, () => rawFiles.replaced.remove(now)],
    [1, () => graves.step()],
    [1, () => compactor.settle()],
    [3, () => fixture.coarsen()],
    [0.3, () => fixture.restart()],
  ];
  let left = random.float() * does.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, run] of does) {
    left -= weight;
    if (left > 0) continue;
    await run();
    return;
  }
}

async function settle(fixture: DeleteFixture): Promise<void> {
  const endMinute = (startMs + 40 * dayMs) / minuteMs;
  for (let i = 0; i < 3; i++) while ((await fixture.sealer.seal(endMinute, 9e12)).isMore);
  await fixture.coarsen();
  while (await fixture.graves.step());
  while (await fixture.rawFiles.rewriteHidden(9e12));
}

/** Over all cases: chance may leave one of them with hardly anything. */
const seen = { rows: 0, certified: 0 };
let windowsChecked = 0;

describe("deletes", () => {
  it.each([
    ["at once", 4096, 1000, {}],
    ["in slices", 6, 0, {}],
    ["of types without minutes or hours", 4096, 1000, { play: 3600, "it's": 86_400 }],
    ["of such types in slices", 6, 0, { play: 86_400, "it's": 86_400 }],
  ])("at any time leave what a recount says: %s", testOptions, async (...given) => {
    const [, vectorsMax, partialVectorsMax, aggregationWindows] = given;
    const candidatesMax = random.pick([1, 2, 4, 7, 50]);
    const bounds = { candidatesMax, vectorsMax, partialVectorsMax, hasSketches: true };
    const options = { ...bounds, aggregationWindows };
    const fixture = await new DeleteFixture(temporaryFolder(), options).open();
    const ask = () => {
      const from = randomTime();
      const range = { types, from, to: from + 1 + random.int(0, random.pick([hourMs, spanMs])) };
      return checkAnswers(fixture, random, range, seen);
    };
    for (let i = 0; i < steps; i++) {
      await step(fixture, 1000 * i);
      await ask();
      if (i % 5 === 0) await checkTypes(fixture);
    }
    await settle(fixture);
    await checkTypes(fixture);
    const isCoarse = Object.keys(aggregationWindows).length > 0;
    windowsChecked += await checkWindows(fixture);
    for (let asked = 0; asked < 5; asked++) await ask();
    expect(await fixture.countOf("raw_tombstones")).toBe(0);
    expect(await fixture.countOf("type_graves")).toBe(0);
    expect(await fixture.countOf("deletes_under_way")).toBe(0);
    expect(fixture.coarsened.steps > 0, JSON.stringify(fixture.coarsened)).toBe(isCoarse);
    await fixture.close();
  });

  it("left windows and certain rows to check", () => {
    expect(windowsChecked).toBeGreaterThan(50);
    expect(seen.certified).toBeGreaterThan(0);
  });
});
