/** What is true of a stream: counts by (type, id), and boards made from counts. */
import { idText } from "./event-stream.ts";

export interface TrueRow {
  eventId: string;
  count: number;
}

export interface TrueBoard {
  total: number;
  distinct: number;
  /** The first k by count, then by the id's bytes. */
  rows: TrueRow[];
}

/** Counts of every (type, id) of a stream; 4 bytes each. */
export class StreamCounts {
  readonly types: number;
  readonly ids: number;
  readonly #counts: Uint32Array;

  constructor(types: number, ids: number) {
    this.types = types;
    this.ids = ids;
    this.#counts = new Uint32Array(types * ids);
  }

  add(type: number, id: number): void {
    this.#counts[type * this.ids + id]!++;
  }

  /** The counts by id of one type. */
  ofType(type: number): Uint32Array {
    return this.#counts.subarray(type * this.ids, (type + 1) * this.ids);
  }

  /** The counts by id, summed over all types. */
  ofAll(): Uint32Array {
    const sums = new Uint32Array(this.ids);
    for (let type = 0; type < this.types; type++) {
      const counts = this.ofType(type);
      for (let id = 0; id < sums.length; id++) sums[id]! += counts[id]!;
    }
    return sums;
  }
}

/** Counts below this are tallied in an array: nearly all are. */
const smallCountsMax = 4096;

/** The k-th count (the least one, where there are fewer), and how many ids have more. */
function threshold(counts: Uint32Array, k: number) {
  const small = new Uint32Array(smallCountsMax);
  const idsByCount = new Map<number, number>();
  let total = 0;
  let distinct = 0;
  for (let id = 0; id < counts.length; id++) {
    const count = counts[id]!;
    if (count === 0) continue;
    total += count;
    distinct++;
    if (count < smallCountsMax) small[count]!++;
    else idsByCount.set(count, (idsByCount.get(count) ?? 0) + 1);
  }
  for (const [count, ids] of small.entries()) if (ids > 0) idsByCount.set(count, ids);
  let above = 0;
  let least = 0;
  let atLeast = 0;
  for (const [count, ids] of [...idsByCount].sort(([a], [b]) => b - a)) {
    if (least > 0 && above + atLeast >= k) break;
    above += atLeast;
    least = count;
    atLeast = ids;
  }
  return { total, distinct, above, least };
}

/** Keeps the `room` smallest texts, in order. Ids have no surrogates: < is the bytes' order. */
function keepSmallest(kept: string[], room: number, text: string): void {
  if (room === 0 || (kept.length === room && text >= kept[room - 1]!)) return;
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (kept[middle]! < text) low = middle + 1;
    else high = middle;
  }
  kept.splice(low, 0, text);
  if (kept.length > room) kept.pop();
}

/** The board of `k` rows that the counts by id make. */
export function trueBoard(counts: Uint32Array, k: number): TrueBoard {
  const { total, distinct, above, least } = threshold(counts, k);
  const rows: TrueRow[] = [];
  const tied: string[] = [];
  // At the threshold more ids may be equal than there is room for.
  const room = k - above;
  for (let id = 0; id < counts.length; id++) {
    const count = counts[id]!;
    if (count > least) rows.push({ eventId: idText(id), count });
    else if (count === least && count > 0) keepSmallest(tied, room, idText(id));
  }
  rows.sort((a, b) => b.count - a.count || (a.eventId < b.eventId ? -1 : 1));
  rows.push(...tied.map((eventId) => ({ eventId, count: least })));
  return { total, distinct, rows: rows.slice(0, k) };
}
