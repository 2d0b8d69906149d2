/**
 * Looks through a repository: every object its bases name, every part of their logs, and what it
 * says of erased users.
 */
import { assertFrameVersion } from "../log/frame.ts";
import { readErasures } from "./erasure-documents.ts";
import { type LogPart, runsOf } from "./log-parts.ts";
import type { BackupFile, BaseManifest, Codec } from "./manifest.ts";
import { isDamage, objectName, type Repository } from "./repository.ts";
import { type KeptLog, momentsOf, readLog, timeText } from "./restore-plan.ts";
import { readPart } from "./restored-log.ts";

export interface VerifyRepositoryOptions {
  /** Only that everything is there, not what is in it. */
  isQuick: boolean;
  /** Any moment since then (epoch ms) is to be restorable: gaps of the log are faults. */
  since: number;
  /** Told how far it is, 0..1, and with what. */
  onProgress(share: number, what: string): void;
  signal: AbortSignal;
}

/** What a repository was found to be. */
export interface VerifiedRepository {
  bases: number;
  objects: number;
  logParts: number;
  bytes: number;
  /** What is missing or damaged, and which bases need it. */
  faults: string[];
}

/** An object that bases name. */
interface Named {
  digest: string;
  codec: Codec;
  /** Ids of the bases, and a file it is of. */
  bases: Set<string>;
  file: string;
}

const readsAtOnce = 8;

function messageOf(error: unknown): string {
  if (isDamage(error)) return error.message;
  throw error;
}

/** Runs `work` for each item, several at once. */
async function forEach<T>(
  items: readonly T[],
  { signal }: VerifyRepositoryOptions,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      signal.throwIfAborted();
      await work(items[next++]!);
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, run));
}

function note(named: Map<string, Named>, base: BaseManifest, files: readonly BackupFile[]): void {
  const add = (digest: string, codec: Codec, file: string) => {
    const name = objectName(digest, codec);
    const known = named.get(name);
    if (known !== undefined) known.bases.add(base.id);
    else named.set(name, { digest, codec, bases: new Set([base.id]), file });
  };
  add(base.list, "br", "the list of files");
  for (const { path, parts, codec } of files) for (const part of parts) add(part, codec, path);
}

/** Looks at all there is. Throws `backup_unreachable`. */
export async function verifyRepository(
  repository: Repository,
  options: VerifyRepositoryOptions,
): Promise<VerifiedRepository> {
  const { bases, damaged } = await repository.readBases();
  const faults = damaged.map(({ error }) => error.message);
  if (repository.fault !== null) faults.unshift(repository.fault);
  const named = new Map<string, Named>();
  for (const base of bases) {
    try {
      const files = await repository.files(base);
      note(named, base, files);
      for (const { path, isDamaged } of files) {
        if (isDamaged === true) faults.push(`${base.id}: ${path} was damaged when backed up`);
      }
    } catch (error) {
      faults.push(`${base.id}: its list of files: ${messageOf(error)}`);
    }
  }
  await readErasures(repository).catch((error) => faults.push(messageOf(error)));
  const bytes = await verifyObjects(repository, named, options, faults);
  const logParts = await verifyLogs(repository, bases, options, faults);
  return { bases: bases.length, objects: named.size, logParts, bytes, faults };
}

/** Returns the bytes of all objects. */
async function verifyObjects(
  repository: Repository,
  named: ReadonlyMap<string, Named>,
  options: VerifyRepositoryOptions,
  faults: string[],
): Promise<number> {
  const sizes = new Map<string, number>();
  for await (const { name, bytes } of repository.destination.list("objects/")) {
    if (named.has(name)) sizes.set(name, bytes);
  }
  let done = 0;
  await forEach([...named], options, async ([name, { digest, codec, bases, file }]) => {
    const who = `needed by ${[...bases].join(", ")} for ${file}`;
    if (!sizes.has(name)) faults.push(`${name} is missing, ${who}`);
    else if (!options.isQuick) {
      await repository.readObject(digest, codec).catch((error) => {
        faults.push(`${messageOf(error)}, ${who}`);
      });
    }
    done++;
    options.onProgress(done / named.size, "objects");
  });
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Returns how many parts there are. */
async function verifyLogs(
  repository: Repository,
  bases: readonly BaseManifest[],
  options: VerifyRepositoryOptions,
  faults: string[],
): Promise<number> {
  const embedded = bases.filter(({ log }) => log.kind === "embedded");
  let count = 0;
  for (const logId of new Set(embedded.map(({ log }) => log.id))) {
    const kept = await readLog(repository, logId);
    const { parts } = kept;
    for (const base of embedded) {
      if (base.log.id !== logId || momentsOf(base, kept) !== null) continue;
      faults.push(`${base.id}: parts of the log that goes with it are missing`);
    }
    count += parts.length;
    if (kept.headFault !== null) faults.push(kept.headFault);
    faults.push(...gapsOf(bases, kept, logId, options.since));
    faults.push(...overlapsOf(parts));
    if (options.isQuick) continue;
    let done = 0;
    await forEach(parts, options, async (part) => {
      try {
        const { chunk, frames } = await readPart(repository, part);
        for (const { at } of frames) assertFrameVersion(chunk, at, `log ${logId}`);
      } catch (error) {
        faults.push(messageOf(error));
      }
      done++;
      options.onProgress(done / parts.length, "the log");
    });
  }
  return count;
}

/** What is missing of a log behind the base from which on any moment is to be restorable. */
function gapsOf(
  bases: readonly BaseManifest[],
  { parts }: KeptLog,
  logId: string,
  since: number,
): string[] {
  const own = bases.filter(({ log }) => log.id === logId);
  own.sort((a, b) => a.receivedThrough - b.receivedThrough);
  const anchor = own.findLast(({ receivedThrough }) => receivedThrough <= since) ?? own[0]!;
  const later = parts.filter(({ segment }) => segment >= anchor.log.segment!);
  const runs = runsOf(later);
  return runs.slice(1).map((run, i) => {
    const [before, after] = [runs[i]!.at(-1)!, run[0]!];
    const place = (segment: number, byte: number) => `segment ${segment}, byte ${byte}`;
    return (
      `log ${logId}: nothing from ${place(before.segment, before.end)} to ` +
      `${place(after.segment, after.start)}: what was received after ` +
      `${timeText(before.lastReceivedAt)} and before ${timeText(after.firstReceivedAt)} is missing`
    );
  });
}

/** Two services that copied logs of one name would have left parts that lie over each other. */
function overlapsOf(parts: readonly LogPart[]): string[] {
  const sorted = parts.toSorted((a, b) => a.segment - b.segment || a.start - b.start);
  return sorted.flatMap((part, i) => {
    const before = sorted[i - 1];
    if (before?.segment !== part.segment || before.end <= part.start) return [];
    return [`log ${part.logId}, segment ${part.segment}: two parts hold byte ${part.start}`];
  });
}
