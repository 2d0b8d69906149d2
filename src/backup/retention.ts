/**
 * What goes of a repository, and when. A base that neither the rules nor the window of moments
 * keep is retired: it is none from then on. Its objects stay for `safeMs` more, longer than any
 * backup may take: one that began before may count on them. Objects that neither a base nor one
 * retired lately names go once they are as old themselves; so does the log behind what it is kept
 * for.
 */
import type { KeepRules } from "../model-backup.ts";
import type { StoredObject } from "./destination.ts";
import { keptBases } from "./keep-rules.ts";
import { type LogPart, parsePart, runsOf } from "./log-parts.ts";
import type { BaseManifest } from "./manifest.ts";
import { objectsOf, type Repository } from "./repository.ts";

export interface RetentionOptions {
  rules: KeepRules;
  /** Any moment this long ago can be restored, where bases and log reach so far. */
  logMs: number;
  safeMs: number;
}

/** Longer than a backup may take. */
export const safeMs = 24 * 3_600_000;

/** What went. */
export interface Pruned {
  bases: string[];
  objects: number;
  logParts: number;
  bytes: number;
}

/** Parts of a log that are needed: from a segment on, of what was received by then (epoch ms). */
interface Needed {
  segment: number;
  through: number;
}

/**
 * Within the window of moments bases stay that lie so many parts of it apart, whatever the rules
 * say: with the newest alone, the moments before it could not be restored; with the oldest alone,
 * its log would have to stay for ever.
 */
const windowSteps = 8;

/** The stretch without gaps that holds the beginning of a segment, by `log segment`. */
function stretchesOf(parts: readonly LogPart[]): Map<string, number> {
  const stretches = new Map<string, number>();
  for (const logId of new Set(parts.map((part) => part.logId))) {
    const own = parts.filter((part) => part.logId === logId);
    for (const [i, run] of runsOf(own).entries()) {
      for (const { segment, start } of run) {
        if (start === 0) stretches.set(`${logId} ${segment}`, i);
      }
    }
  }
  return stretches;
}

/**
 * Bases without which a moment since `since` (epoch ms) could not be restored any more: of each
 * stretch of a log without gaps the oldest of each step of the window, and of each log the newest
 * from before the window, where the log goes on within it (`parts`, `ownLogId`).
 */
function windowBases(
  bases: readonly BaseManifest[],
  parts: readonly LogPart[],
  ownLogId: string | null,
  { since, logMs }: { since: number; logMs: number },
): Set<BaseManifest> {
  const stepMs = Math.max(1, Math.ceil(logMs / windowSteps));
  const goesOn = new Set(
    parts.filter(({ lastReceivedAt }) => lastReceivedAt >= since).map(({ logId }) => logId),
  );
  if (ownLogId !== null) goesOn.add(ownLogId);
  const stretches = stretchesOf(parts);
  const needed = new Map<string, BaseManifest>();
  for (const base of bases.toSorted((a, b) => a.receivedThrough - b.receivedThrough)) {
    const { log, receivedThrough } = base;
    if (log.segment === null || !goesOn.has(log.id)) continue;
    const isBefore = receivedThrough <= since;
    const stretch = stretches.get(`${log.id} ${log.segment}`);
    const step = `${stretch} ${Math.floor(receivedThrough / stepMs)}`;
    const place = `${log.id} ${isBefore ? "before" : step}`;
    if (isBefore || !needed.has(place)) needed.set(place, base);
  }
  return new Set(needed.values());
}

/**
 * The log that is needed, by log. Each base needs a little, to be what was received by its own
 * time; and any moment since `since` is restored by all the log from the newest base before then
 * on, or from the oldest base where there is none so old.
 */
export function neededLog(bases: readonly BaseManifest[], since: number): Map<string, Needed[]> {
  const needed = new Map<string, Needed[]>();
  const logged = bases.filter(({ log }) => log.segment !== null);
  for (const logId of new Set(logged.map(({ log }) => log.id))) {
    const own = logged.filter(({ log }) => log.id === logId);
    own.sort((a, b) => a.receivedThrough - b.receivedThrough);
    const anchor = own.findLast(({ receivedThrough }) => receivedThrough <= since) ?? own[0]!;
    needed.set(logId, [
      { segment: anchor.log.segment!, through: Number.POSITIVE_INFINITY },
      // Where the log ended then, there may have been batches of a millisecond later.
      ...own.map(({ log, receivedThrough }) => ({
        segment: log.segment!,
        through: receivedThrough + 1,
      })),
    ]);
  }
  return needed;
}

function isNeeded(part: LogPart, needed: ReadonlyMap<string, readonly Needed[]>): boolean {
  return (needed.get(part.logId) ?? []).some(
    ({ segment, through }) => part.segment >= segment && part.firstReceivedAt <= through,
  );
}

/** Retires and removes what is due at `now` (epoch ms). `ownLogId`: the log that goes on. */
export async function prune(
  repository: Repository,
  { rules, logMs, safeMs: safe }: RetentionOptions,
  ownLogId: string | null,
  now: number,
): Promise<Pruned> {
  const { destination } = repository;
  const all = await repository.bases();
  const since = now - logMs;
  const parts: { part: LogPart; object: StoredObject }[] = [];
  for await (const object of destination.list("log/")) {
    const part = parsePart(object.name);
    if (part !== null) parts.push({ part, object });
  }
  const ofLogs = parts.map(({ part }) => part);
  const kept = new Set([
    ...keptBases(all, rules),
    ...windowBases(all, ofLogs, ownLogId, { since, logMs }),
  ]);
  const gone = all.filter((base) => !kept.has(base));
  for (const base of gone) await repository.retire(base);
  const { named, overdue } = await namedObjects(repository, kept, now - safe);
  const isOld = ({ modifiedAt }: StoredObject) => now - modifiedAt >= safe;
  const dueObjects: StoredObject[] = [];
  for await (const object of destination.list("objects/")) {
    if (isOld(object) && !named.has(object.name)) dueObjects.push(object);
  }
  const needed = neededLog([...kept], since);
  const dueParts = parts.filter(({ part, object }) => {
    // Without any base of the log that goes on, one is being taken that needs all of it.
    const isOwnBegin = part.logId === ownLogId && !needed.has(part.logId);
    return isOld(object) && !isOwnBegin && !isNeeded(part, needed);
  });
  const due = [...dueObjects, ...dueParts.map(({ object }) => object)];
  await destination.remove(due.map(({ name }) => name));
  for (const base of overdue) await repository.forget(base);
  await destination.settle();
  return {
    bases: gone.map(({ id }) => id),
    objects: dueObjects.length,
    logParts: dueParts.length,
    bytes: due.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/**
 * Objects that a base kept names, or one retired after `retiredBefore` (epoch ms); and the bases
 * that were retired before.
 */
async function namedObjects(
  repository: Repository,
  kept: ReadonlySet<BaseManifest>,
  retiredBefore: number,
): Promise<{ named: Set<string>; overdue: BaseManifest[] }> {
  const named = new Set<string>();
  const overdue: BaseManifest[] = [];
  const nameAll = async (base: BaseManifest) => {
    for (const name of objectsOf(base, await repository.files(base))) named.add(name);
  };
  for (const base of kept) await nameAll(base);
  for (const { manifest, retiredAt } of await repository.retired()) {
    if (retiredAt > retiredBefore) await nameAll(manifest);
    else overdue.push(manifest);
  }
  return { named, overdue };
}
