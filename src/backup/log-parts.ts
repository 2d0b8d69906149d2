/**
 * The embedded log in a repository: stretches of its segment files as they are on the disk, each
 * from the beginning of a frame to the end of one, packed.
 *
 *   log/<log id>/<segment>/<start>-<end>-<first>-<last>-<before>.br
 *
 * start, end: bytes of the segment file, end exclusive; 0 begins with the segment's header.
 * first, last: receipts of its first and last batch, epoch ms. before: length of the segment file
 * before it, by which it is known that nothing is missing between two segments. All decimal, with
 * as many digits as make names and numbers sort alike.
 *
 *   log/<log id>/head.json       HeadDocument: how far all of it is here
 */

/** A stretch, as its name says. */
export interface LogPart {
  logId: string;
  segment: number;
  start: number;
  end: number;
  firstReceivedAt: number;
  lastReceivedAt: number;
  /** Bytes of the segment file before this one. */
  before: number;
}

/** Written over again and again. */
export interface HeadDocument {
  /** Epoch ms: everything that was received up to here, and ever acknowledged, is in. */
  through: number;
  segment: number;
  position: number;
}

const segmentDigits = 16;
const positionDigits = 10;
const timeDigits = 13;

const partPattern =
  /^log\/([0-9a-f-]{36})\/(\d{16})\/(\d{10})-(\d{10})-(\d{13})-(\d{13})-(\d{10})\.br$/;

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}

/** Names of a segment's parts begin so. */
export function segmentPrefix(logId: string, segment: number): string {
  return `log/${logId}/${padded(segment, segmentDigits)}/`;
}

export function headName(logId: string): string {
  return `log/${logId}/head.json`;
}

export function partName(part: LogPart): string {
  const { logId, segment, start, end, firstReceivedAt, lastReceivedAt, before } = part;
  const numbers = [
    padded(start, positionDigits),
    padded(end, positionDigits),
    padded(firstReceivedAt, timeDigits),
    padded(lastReceivedAt, timeDigits),
    padded(before, positionDigits),
  ];
  return `${segmentPrefix(logId, segment)}${numbers.join("-")}.br`;
}

/** What the name says; null: it is no part's. */
export function parsePart(name: string): LogPart | null {
  const match = partPattern.exec(name);
  if (match === null) return null;
  const [segment, start, end, firstReceivedAt, lastReceivedAt, before] = match
    .slice(2)
    .map(Number);
  return {
    logId: match[1]!,
    segment: segment!,
    start: start!,
    end: end!,
    firstReceivedAt: firstReceivedAt!,
    lastReceivedAt: lastReceivedAt!,
    before: before!,
  };
}

function byPlace(a: LogPart, b: LogPart): number {
  return a.segment - b.segment || a.start - b.start;
}

/** Whether nothing is between the two. */
function follows(before: LogPart, part: LogPart): boolean {
  if (part.segment === before.segment) return part.start === before.end;
  const isNext = part.segment === before.segment + 1;
  return isNext && part.start === 0 && part.before === before.end;
}

/** The parts of one log in order, as runs without anything missing inside. */
export function runsOf(parts: readonly LogPart[]): LogPart[][] {
  const runs: LogPart[][] = [];
  for (const part of [...parts].sort(byPlace)) {
    const last = runs.at(-1)?.at(-1);
    if (last !== undefined && follows(last, part)) runs.at(-1)!.push(part);
    else runs.push([part]);
  }
  return runs;
}

/**
 * The parts from the beginning of this segment on, as far as nothing is missing; empty where its
 * beginning is.
 */
export function runFrom(parts: readonly LogPart[], segment: number): LogPart[] {
  for (const run of runsOf(parts)) {
    const from = run.findIndex((part) => part.segment === segment && part.start === 0);
    if (from >= 0) return run.slice(from);
  }
  return [];
}

/** Parts right before and right after something that is missing; null: there is none. */
export interface Gap {
  before: LogPart | null;
  after: LogPart | null;
}

/** Where the parts of a log, from the beginning of this segment on, end for the first time. */
export function gapBehind(parts: readonly LogPart[], segment: number): Gap {
  const sorted = [...parts].sort(byPlace);
  const last = runFrom(parts, segment).at(-1);
  const before = last ?? sorted.findLast((part) => part.segment < segment);
  const at = before === undefined ? 0 : sorted.indexOf(before) + 1;
  return { before: before ?? null, after: sorted[at] ?? null };
}
