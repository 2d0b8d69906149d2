/** Which base and how much of the log make up a moment. */
import { RankstreamError } from "../errors.ts";
import type { LogPosition } from "../log/log.ts";
import { type HeadDocument, headName, type LogPart, parsePart, runFrom } from "./log-parts.ts";
import { type BaseManifest, openDocument } from "./manifest.ts";
import type { Repository } from "./repository.ts";

/** What is to be restored. */
export interface RestoreTarget {
  /** Epoch ms: everything received by then, and nothing else; null: all there is. */
  to: number | null;
  /** The base to begin with; null: the newest that will do. */
  baseId: string | null;
}

export interface RestorePlan {
  base: BaseManifest;
  to: number | null;
  /** Parts of the log, in order, that hold everything wanted beyond the base. */
  parts: LogPart[];
}

/** What the repository has of a log. */
export interface KeptLog {
  parts: LogPart[];
  head: HeadDocument | null;
}

/** A base of the repository, with the moments that can be restored with it. */
export interface ListedBase {
  manifest: BaseManifest;
  moments: [number, number] | null;
}

/** Reads what there is of a log. */
export async function readLog({ destination }: Repository, logId: string): Promise<KeptLog> {
  const parts: LogPart[] = [];
  for await (const { name } of destination.list(`log/${logId}/`)) {
    const part = parsePart(name);
    if (part !== null) parts.push(part);
  }
  const name = headName(logId);
  const head = await destination.get(name);
  if (head === null) return { parts, head };
  const document = openDocument(name, head.toString("utf8"));
  return { parts, head: document as unknown as HeadDocument };
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function impossible(detail: string): RankstreamError {
  return new RankstreamError("restore_impossible", detail);
}

/** Whether the run goes as far as this place or further. */
export function reaches(run: readonly LogPart[], place: LogPosition): boolean {
  const last = run.at(-1);
  if (last === undefined) return false;
  return (
    last.segment > place.segment || (last.segment === place.segment && last.end >= place.position)
  );
}

/** Any moment from the first to the second can be restored with this base: epoch ms. */
export function momentsOf(base: BaseManifest, { parts, head }: KeptLog): [number, number] | null {
  const { segment, end } = base.log;
  if (segment === null || end === null) return null;
  const run = runFrom(parts, segment);
  if (!reaches(run, end)) return null;
  // Of the same millisecond as its last batch more may be missing.
  const seen = run.at(-1)!.lastReceivedAt - 1;
  const told = head !== null && reaches(run, head) ? head.through : 0;
  return [base.receivedThrough, Math.max(base.receivedThrough, seen, told)];
}

/** Why a moment can't be restored with this base. */
function refusal(to: number, base: BaseManifest, moments: [number, number] | null): string {
  const taken = `the base ${base.id} (of ${timeText(base.receivedThrough)})`;
  if (base.log.segment === null) {
    return (
      `the log of these backups is in Kafka: a base goes on from the topic, to its end. ` +
      `Choose a base with --base, such as ${taken}, or --to latest`
    );
  }
  if (moments === null) return `the log that goes with ${taken} is not in the repository`;
  return (
    `with ${taken} any moment up to ${timeText(moments[1])} can be restored, ` +
    `${timeText(to)} was asked for; what was received after that is not in the repository`
  );
}

/** Bases by their logs, the log of the newest base first, the newest base of each first. */
function linesOf(bases: readonly BaseManifest[]): BaseManifest[][] {
  const lines = new Map<string, BaseManifest[]>();
  for (const base of bases.toSorted((a, b) => b.createdAt - a.createdAt)) {
    const known = lines.get(base.log.id);
    if (known === undefined) lines.set(base.log.id, [base]);
    else known.push(base);
  }
  return [...lines.values()];
}

async function planLatest(repository: Repository, base: BaseManifest): Promise<RestorePlan> {
  const { segment, end } = base.log;
  if (segment === null || end === null) return { base, to: null, parts: [] };
  const { parts } = await readLog(repository, base.log.id);
  const run = runFrom(parts, segment);
  if (!reaches(run, end)) throw impossible(refusal(0, base, null));
  return { base, to: null, parts: run };
}

/** The plan for a moment with this base; else why not. */
async function planMoment(
  repository: Repository,
  base: BaseManifest,
  to: number,
): Promise<RestorePlan | string> {
  const kept = await readLog(repository, base.log.id);
  const moments = momentsOf(base, kept);
  if (moments === null || to > moments[1]) return refusal(to, base, moments);
  const run = runFrom(kept.parts, base.log.segment!);
  return { base, to, parts: run.filter(({ firstReceivedAt }) => firstReceivedAt <= to) };
}

/**
 * Finds what to restore from. Throws `backup_not_found`, and `restore_impossible`, which says
 * what would be possible.
 */
export async function planRestore(
  repository: Repository,
  { to, baseId }: RestoreTarget,
): Promise<RestorePlan> {
  const { address } = repository.destination;
  const all = await repository.bases();
  const bases = baseId === null ? all : all.filter(({ id }) => id === baseId);
  if (bases.length === 0) {
    const what = baseId === null ? "no backup" : `no backup ${JSON.stringify(baseId)}`;
    throw new RankstreamError("backup_not_found", `${address} holds ${what}`);
  }
  const lines = linesOf(bases);
  if (to === null) return planLatest(repository, lines[0]![0]!);
  const reasons: string[] = [];
  for (const line of lines) {
    const base = line.find(({ receivedThrough }) => receivedThrough <= to);
    if (base === undefined) continue;
    const plan = await planMoment(repository, base, to);
    if (typeof plan !== "string") return plan;
    reasons.push(plan);
  }
  const oldest = bases.toSorted((a, b) => a.receivedThrough - b.receivedThrough)[0]!;
  const tooOld =
    `${timeText(to)} is before the oldest base ` +
    `${oldest.id}, of ${timeText(oldest.receivedThrough)}`;
  throw impossible(reasons[0] ?? tooOld);
}

/** All bases, the oldest first, with the moments that can be restored from each. */
export async function listBases(repository: Repository): Promise<ListedBase[]> {
  const logs = new Map<string, KeptLog>();
  const listed: ListedBase[] = [];
  for (const manifest of await repository.bases()) {
    const { id } = manifest.log;
    const kept = logs.get(id) ?? (await readLog(repository, id));
    logs.set(id, kept);
    listed.push({ manifest, moments: momentsOf(manifest, kept) });
  }
  return listed;
}
