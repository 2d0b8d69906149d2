/**
 * Which bases are kept: `last=3,hourly=24,daily=14,weekly=8,monthly=12` keeps the three newest and
 * the newest of each of the last 24 hours that have one, of 14 days, and so on, in UTC, weeks from
 * Monday. A base that any of the rules names is kept. The newest is kept in any case.
 */

import type { KeepRules } from "../model-backup.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** 5 January 1970 was a Monday. */
const firstMondayMs = 4 * dayMs;

/** The period that holds a moment, as a number that differs from other periods'. */
const periods: Record<Exclude<keyof KeepRules, "last">, (ms: number) => number> = {
  hourly: (ms) => Math.floor(ms / hourMs),
  daily: (ms) => Math.floor(ms / dayMs),
  weekly: (ms) => Math.floor((ms - firstMondayMs) / (7 * dayMs)),
  monthly: (ms) => {
    const date = new Date(ms);
    return date.getUTCFullYear() * 12 + date.getUTCMonth();
  },
};

/** Those of the bases, in any order, that are kept. */
export function keptBases<Base extends { id: string; createdAt: number }>(
  bases: readonly Base[],
  rules: KeepRules,
): Set<Base> {
  const newestFirst = [...bases].sort(
    (a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1),
  );
  const kept = new Set(newestFirst.slice(0, Math.max(1, rules.last)));
  for (const [name, periodOf] of Object.entries(periods)) {
    const seen = new Set<number>();
    for (const base of newestFirst) {
      const period = periodOf(base.createdAt);
      if (seen.has(period)) continue;
      if (seen.size >= rules[name as keyof typeof periods]) break;
      seen.add(period);
      kept.add(base);
    }
  }
  return kept;
}
