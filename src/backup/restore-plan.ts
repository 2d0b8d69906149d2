/** Which base and how much of the log make up a moment. */
import { RankstreamError } from "../errors.ts";
import type { LogPosition } from "../log/log.ts";
import {
  type Gap,
  gapBehind,
  type HeadDocument,
  headName,
  type LogPart,
  parsePart,
  runFrom,
} from "./log-parts.ts";
import { type BaseManifest, baseTime, openDocument } from "./manifest.ts";
import { isDamage, type ReadBases, type Repository } from "./repository.ts";

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
  /** Null: there is none, or it is damaged; then less is known to be there. */
  head: HeadDocument | null;
  headFault: string | null;
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
  if (head === null) return { parts, head, headFault: null };
  try {
    const document = openDocument(name, head.toString("utf8")) as unknown as HeadDocument;
    return { parts, head: document, headFault: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { parts, head: null, headFault: error.message };
  }
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

/** Moments that can be restored with one of the bases, as stretches, the earliest first. */
function stretchesOf(bases: readonly BaseManifest[], kept: KeptLog): [number, number][] {
  const stretches: [number, number][] = [];
  for (const base of bases.toSorted((a, b) => a.receivedThrough - b.receivedThrough)) {
    const moments = momentsOf(base, kept);
    const last = stretches.at(-1);
    if (moments === null) continue;
    if (last === undefined || moments[0] > last[1] + 1) stretches.push(moments);
    else last[1] = Math.max(last[1], moments[1]);
  }
  return stretches;
}

/** What is possible, nearest to a moment that is not. */
function possible(to: number, stretches: readonly [number, number][]): string {
  const before = stretches.findLast(([, end]) => end < to);
  const after = stretches.find(([from]) => from > to);
  const texts = [before, after]
    .filter((stretch) => stretch !== undefined)
    .map(([from, end]) => `from ${timeText(from)} to ${timeText(end)}`);
  return texts.length === 0
    ? "no moment of this log can be restored"
    : `any moment ${texts.join(" and ")} can be restored`;
}

/** What of the log is not there behind the beginning of a segment. */
function missingAfter({ before, after }: Gap): string {
  const from = before === null ? "" : ` after ${timeText(before.lastReceivedAt)}`;
  const to = after === null ? "" : ` and before ${timeText(after.firstReceivedAt)}`;
  return `what was received${from}${to} is not in the repository`;
}

/** Why a moment can't be restored with this base, of those of its log. */
function refusal(
  to: number,
  base: BaseManifest,
  { kept, bases }: { kept: KeptLog; bases: readonly BaseManifest[] },
): string {
  if (base.log.segment === null) {
    return (
      `the log of these backups is in Kafka: a base goes on from the topic, to its end. ` +
      `Choose --base ${base.id} (of ${timeText(base.receivedThrough)}) and --to latest`
    );
  }
  const missing = missingAfter(gapBehind(kept.parts, base.log.segment));
  return `${timeText(to)}: ${missing}; ${possible(to, stretchesOf(bases, kept))}`;
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

/** Throws `restore_impossible` rather than to leave out what lies behind a gap. */
async function planLatest(
  repository: Repository,
  base: BaseManifest,
  bases: readonly BaseManifest[],
): Promise<RestorePlan> {
  const { segment, end } = base.log;
  if (segment === null || end === null) return { base, to: null, parts: [] };
  const kept = await readLog(repository, base.log.id);
  const run = runFrom(kept.parts, segment);
  const gap = gapBehind(kept.parts, segment);
  if (reaches(run, end) && gap.after === null) return { base, to: null, parts: run };
  const newest = Math.max(...kept.parts.map(({ lastReceivedAt }) => lastReceivedAt), 0) + 1;
  const can = possible(newest, stretchesOf(bases, kept));
  throw impossible(`not all there is: ${missingAfter(gap)}; ${can}`);
}

/** The plan for a moment with this base, of those of its log; else why not. */
async function planMoment(
  repository: Repository,
  base: BaseManifest,
  bases: readonly BaseManifest[],
  to: number,
): Promise<RestorePlan | string> {
  const kept = await readLog(repository, base.log.id);
  const moments = momentsOf(base, kept);
  if (moments === null || to > moments[1]) return refusal(to, base, { kept, bases });
  const run = runFrom(kept.parts, base.log.segment!);
  return { base, to, parts: run.filter(({ firstReceivedAt }) => firstReceivedAt <= to) };
}

/** The bases to choose from. Throws `backup_not_found`, `backup_damaged`. */
function chooseFrom({ bases: all, damaged }: ReadBases, baseId: string | null, address: string) {
  const bases = baseId === null ? all : all.filter(({ id }) => id === baseId);
  if (bases.length > 0) return bases;
  const fault = damaged.find(({ id }) => baseId === null || id === baseId);
  if (fault !== undefined) throw fault.error;
  const what = baseId === null ? "no backup" : `no backup ${JSON.stringify(baseId)}`;
  throw new RankstreamError("backup_not_found", `${address} holds ${what}`);
}

/** A damaged base that might have been nearer is not passed over in silence. */
function checkNearer({ base, to }: RestorePlan, { damaged }: ReadBases): void {
  const nearer = damaged.findLast(
    ({ id }) => baseTime(id) + 1000 > base.createdAt && (to === null || baseTime(id) <= to),
  );
  if (nearer === undefined) return;
  const taken = `${base.id}, of ${timeText(base.receivedThrough)}`;
  throw impossible(
    `${nearer.error.message}; the restore would begin with ${taken}: ` +
      `say --base ${base.id} for that`,
  );
}

/** The plan with the best of these bases. Throws `restore_impossible`, with the first reason. */
async function planWith(
  repository: Repository,
  bases: readonly BaseManifest[],
  all: readonly BaseManifest[],
  to: number | null,
): Promise<RestorePlan> {
  const lines = linesOf(bases);
  const sameLog = (base: BaseManifest) => all.filter(({ log }) => log.id === base.log.id);
  if (to === null) {
    const newest = lines[0]![0]!;
    return planLatest(repository, newest, sameLog(newest));
  }
  let reason: string | undefined;
  for (const line of lines) {
    const base = line.find(({ receivedThrough }) => receivedThrough <= to);
    if (base === undefined) continue;
    const plan = await planMoment(repository, base, sameLog(base), to);
    if (typeof plan !== "string") return plan;
    reason ??= plan;
  }
  const oldest = bases.toSorted((a, b) => a.receivedThrough - b.receivedThrough)[0]!;
  const tooOld =
    `${timeText(to)} is before the oldest base ` +
    `${oldest.id}, of ${timeText(oldest.receivedThrough)}`;
  throw impossible(reason ?? tooOld);
}

/**
 * Finds what to restore from. Throws `backup_not_found`, `backup_damaged`, and
 * `restore_impossible`, which says what would be possible.
 */
export async function planRestore(
  repository: Repository,
  { to, baseId }: RestoreTarget,
): Promise<RestorePlan> {
  const read = await repository.readBases();
  const bases = chooseFrom(read, baseId, repository.destination.address);
  const plan = await planWith(repository, bases, read.bases, to);
  if (baseId === null) checkNearer(plan, read);
  return plan;
}

/** All sound bases, the oldest first, with the moments that can be restored from each. */
export async function listBases(repository: Repository): Promise<ListedBase[]> {
  const logs = new Map<string, KeptLog>();
  const listed: ListedBase[] = [];
  const { bases } = await repository.readBases();
  for (const manifest of bases) {
    const { id } = manifest.log;
    const kept = logs.get(id) ?? (await readLog(repository, id));
    logs.set(id, kept);
    listed.push({ manifest, moments: momentsOf(manifest, kept) });
  }
  return listed;
}
