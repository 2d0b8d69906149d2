/**
 * What retention removes, over weeks of bases and log copies: nothing by which a moment of the
 * window, or a base that the rules keep, is restored; nothing young; and in the end all the rest.
 */
import { describe, expect, it } from "vitest";
import { planRestore } from "../../src/backup/restore-plan.ts";
import { prune, safeMs } from "../../src/backup/retention.ts";
import { verifyRepository } from "../../src/backup/verify-repository.ts";
import type { KeepRules } from "../../src/model-backup.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { dayMs, hourMs, RetentionWorld, type TrueBase } from "./retention-world.ts";

const none: KeepRules = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
const settings: { rules: KeepRules; logMs: number; basesMax: number }[] = [
  { rules: { ...none, last: 1 }, logMs: 5 * dayMs, basesMax: 20 },
  { rules: { ...none, last: 2, hourly: 5, daily: 3 }, logMs: 2 * dayMs, basesMax: 20 },
  { rules: { ...none, daily: 2, weekly: 3, monthly: 2 }, logMs: 0, basesMax: 12 },
  {
    rules: { last: 3, hourly: 24, daily: 14, weekly: 8, monthly: 12 },
    logMs: 7 * dayMs,
    basesMax: 60,
  },
];
const rounds = 50;
const probes = 25;

/** Of bases, newest first, those that are the first of one of `count` periods. */
function firstOfPeriods(bases: TrueBase[], count: number, nameOf: (iso: string) => string) {
  const seen: string[] = [];
  return bases.filter(({ createdAt }) => {
    const name = nameOf(new Date(createdAt).toISOString());
    if (seen.includes(name) || seen.length >= count) return false;
    seen.push(name);
    return true;
  });
}

function mondayOf(iso: string): string {
  const date = new Date(iso);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}

/** What the rules' text promises. */
function promised(bases: TrueBase[], rules: KeepRules): Set<TrueBase> {
  const newest = bases.toSorted((a, b) => b.createdAt - a.createdAt);
  return new Set([
    ...newest.slice(0, Math.max(1, rules.last)),
    ...firstOfPeriods(newest, rules.hourly, (iso) => iso.slice(0, 13)),
    ...firstOfPeriods(newest, rules.daily, (iso) => iso.slice(0, 10)),
    ...firstOfPeriods(newest, rules.weekly, mondayOf),
    ...firstOfPeriods(newest, rules.monthly, (iso) => iso.slice(0, 7)),
  ]);
}

type Setting = (typeof settings)[number];

/** What was possible before something was removed, by the world's own account. */
function recall(world: RetentionWorld, random: Random, { rules, logMs }: Setting) {
  const { now, objects } = world.place;
  const whole = world.wholeBases();
  const edges = whole.flatMap(({ receivedThrough }) => [receivedThrough - 1, receivedThrough]);
  const moments = Array.from({ length: probes }, () => now - random.int(0, logMs));
  const inWindow = [...moments, ...edges, now - logMs].filter((to) => to >= now - logMs);
  return {
    names: new Map([...objects].map(([name, { modifiedAt }]) => [name, modifiedAt])),
    moments: inWindow.filter((to) => world.isRestorable(to)),
    bases: [...promised(whole, rules)].filter((base) =>
      world.basesFor(base.receivedThrough).includes(base),
    ),
  };
}

async function check(world: RetentionWorld, before: ReturnType<typeof recall>): Promise<void> {
  const { now, objects } = world.place;
  for (const to of before.moments) {
    expect(world.basesFor(to).length, new Date(to).toISOString()).toBeGreaterThan(0);
  }
  for (const base of before.bases) {
    expect(world.basesFor(base.receivedThrough), base.id).toContain(base);
  }
  for (const [name, modifiedAt] of before.names) {
    if (objects.has(name) || now - modifiedAt >= safeMs) continue;
    // A base that is let go says so in another place.
    expect(objects.has(name.replace(/^bases/, "retired")), `${name} was young`).toBe(true);
  }
}

async function verify({ repository, place }: RetentionWorld): Promise<string[]> {
  const signal = new AbortController().signal;
  const options = { isQuick: true, since: place.now, onProgress: () => undefined, signal };
  const { faults } = await verifyRepository(repository, options);
  // The world has gaps of its own.
  return faults.filter((fault) => !fault.includes(": nothing from segment"));
}

/** Some of the moments, by the code that restores: with a base that will do. */
async function checkPlans(world: RetentionWorld, moments: number[]): Promise<void> {
  for (const to of moments.slice(0, 5)) {
    const plan = await planRestore(world.repository, { to, baseId: null }).catch((error) => error);
    const bases = world.basesFor(to);
    expect(
      bases.map(({ id }) => id),
      plan.message,
    ).toContain(plan.base?.id);
  }
}

async function live(world: RetentionWorld, random: Random, setting: Setting): Promise<void> {
  const options = { rules: setting.rules, logMs: setting.logMs, safeMs };
  const { place } = world;
  const run = () => prune(world.repository, options, world.log.id, place.now);
  for (let round = 0; round < rounds; round++) {
    await world.live(random.int(hourMs, 14 * hourMs));
    if (random.chance(0.03)) world.restart();
    const during = random.chance(0.2);
    if (during) {
      const before = recall(world, random, setting);
      await world.takeBase(async () => {
        await run();
        await check(world, before);
      });
    } else if (!(await world.takeBase())) continue;
    const before = recall(world, random, setting);
    if (random.chance(0.4)) {
      place.changesLeft = random.int(0, 30);
      await run().catch((error) => expect(error.message).toBe("killed"));
      place.changesLeft = Number.POSITIVE_INFINITY;
      expect(await verify(world)).toEqual([]);
      await check(world, before);
    }
    await run();
    await check(world, before);
    await checkPlans(world, before.moments);
    expect(world.wholeBases().length).toBeLessThanOrEqual(setting.basesMax);
    expect(await verify(world)).toEqual([]);
  }
  await checkRest(world, setting, run);
}

/** Days later nothing is there that nothing needs. */
async function checkRest(
  world: RetentionWorld,
  { logMs }: Setting,
  run: () => Promise<unknown>,
): Promise<void> {
  const { place } = world;
  for (let i = 0; i < 3; i++) {
    while (!(await world.takeBase()));
    await run();
    place.now += 2 * safeMs;
  }
  await run();
  const whole = world.wholeBases();
  const isRetired = ({ id }: TrueBase) => {
    const retired = place.objects.get(`retired/${id}.json`);
    return retired !== undefined && place.now - retired.modifiedAt < safeMs;
  };
  const bases = [...whole, ...world.bases.filter(isRetired)];
  const needed = new Set(bases.flatMap(({ objects }) => objects));
  const names = [...place.objects.keys()];
  expect(names.filter((name) => name.startsWith("objects/") && !needed.has(name))).toEqual([]);
  expect(names.filter((name) => name.startsWith("bases/"))).toHaveLength(whole.length);
  const oldest = place.now - logMs * 1.2 - 5 * safeMs;
  const old = names.filter((name) => {
    const [kind, logId, segment, stretch] = name.split("/");
    if (kind !== "log" || stretch === undefined) return false;
    const [, , first, last] = stretch.split("-").map(Number);
    // The rest of a log behind its last base stays as long as that.
    const isOwn = whole.some(
      (base) =>
        base.log.id === logId &&
        base.segment <= Number(segment) &&
        (first! <= base.receivedThrough + 1 ||
          base === whole.findLast(({ log }) => log.id === logId)),
    );
    return last! < oldest && !isOwn;
  });
  expect(old).toEqual([]);
}

describe("retention", () => {
  it.each(settings)(
    "removes only what neither $rules nor a window of $logMs ms needs",
    async (setting) => {
      const random = randomFromEnvironment("retention");
      const world = new RetentionWorld(random);
      await world.open();
      await live(world, random, setting);
    },
    60_000,
  );
});
