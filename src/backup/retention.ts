/**
 * What goes of a repository, and when. A base that the rules don't keep is retired: it is none
 * from then on. Its objects stay for `safeMs` more, longer than any backup may take: one that
 * began before may count on them. Objects that neither a base nor one retired lately names go
 * once they are as old themselves; so does the log behind what it is kept for.
 */
import type { KeepRules } from "../model-backup.ts";
import type { StoredObject } from "./destination.ts";
import { keptBases } from "./keep-rules.ts";
import { type LogPart, parsePart } from "./log-parts.ts";
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
  const kept = keptBases(all, rules);
  const gone = all.filter((base) => !kept.has(base));
  for (const base of gone) await repository.retire(base);
  const pruned: Pruned = { bases: gone.map(({ id }) => id), objects: 0, logParts: 0, bytes: 0 };
  const named = new Set<string>();
  const nameAll = async (base: BaseManifest) => {
    for (const name of objectsOf(base, await repository.files(base))) named.add(name);
  };
  for (const base of kept) await nameAll(base);
  const overdue: BaseManifest[] = [];
  for (const { manifest, retiredAt } of await repository.retired()) {
    if (now - retiredAt < safe) await nameAll(manifest);
    else overdue.push(manifest);
  }
  const isOld = ({ modifiedAt }: StoredObject) => now - modifiedAt >= safe;
  const removeAll = async (prefix: string, isDue: (object: StoredObject) => boolean) => {
    const due: string[] = [];
    for await (const object of destination.list(prefix)) {
      if (!isDue(object)) continue;
      due.push(object.name);
      pruned.bytes += object.bytes;
    }
    await destination.remove(due);
    return due.length;
  };
  pruned.objects = await removeAll("objects/", (one) => isOld(one) && !named.has(one.name));
  const needed = neededLog([...kept], now - logMs);
  pruned.logParts = await removeAll("log/", (one) => {
    const part = parsePart(one.name);
    // Without any base of the log that goes on, one is being taken that needs all of it.
    if (part === null || !isOld(one)) return false;
    if (part.logId === ownLogId && !needed.has(part.logId)) return false;
    return !isNeeded(part, needed);
  });
  for (const base of overdue) await repository.forget(base);
  await destination.settle();
  return pruned;
}
