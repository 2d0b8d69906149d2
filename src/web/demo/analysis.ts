/** How well the sketches and the heap know the stream: held against the exact counts. */
import type { Lab } from "./lab.ts";

export interface JudgedItem {
  item: number;
  name: string;
  truth: number;
  conservative: number;
  plain: number;
  /** Of the heap; undefined for an item that is no candidate. */
  lower: number | undefined;
  upper: number | undefined;
  /** Whether the heap proves that it has this rank. */
  certain: boolean;
}

/** Mean error of a band of true ranks. */
export interface ErrorBand {
  /** From 1; the last rank of the band. */
  rank: number;
  conservative: number;
  plain: number;
}

export interface Analysis {
  /** The true top k. */
  rows: JudgedItem[];
  k: number;
  /** Of the true top k, how many the heap names in its own top k; k may be less than asked. */
  recalled: number;
  certain: number;
  bands: ErrorBand[];
  meanError: { conservative: number; plain: number };
  distinct: number;
}

/** Items by true count, the greatest first, then by when they first came. */
function ranked(counts: readonly number[]): Uint32Array {
  const order = Uint32Array.from(counts, (_, i) => i);
  return order.sort((a, b) => counts[b]! - counts[a]! || a - b);
}

function bandsOf(
  truth: readonly number[],
  conservative: Float64Array,
  plain: Float64Array,
): ErrorBand[] {
  const bands: ErrorBand[] = [];
  for (let from = 0; from < truth.length; ) {
    // Ranks one by one at first, then bands that grow by an eighth.
    const to = Math.min(truth.length, from + 1 + Math.floor(from / 8));
    let sums = [0, 0];
    for (let i = from; i < to; i++) {
      sums = [sums[0]! + conservative[i]! - truth[i]!, sums[1]! + plain[i]! - truth[i]!];
    }
    const [a, b] = sums.map((sum) => sum / (to - from));
    bands.push({ rank: to, conservative: a!, plain: b! });
    from = to;
  }
  return bands;
}

function meanError(truth: readonly number[], estimates: Float64Array): number {
  const sum = truth.reduce((all, count, i) => all + estimates[i]! - count, 0);
  return truth.length === 0 ? 0 : sum / truth.length;
}

/** Of the true top `k` and all errors. Takes some milliseconds per 10,000 distinct items. */
export function analyse(lab: Lab, kAsked: number): Analysis {
  const order = ranked(lab.counts);
  const truth = Array.from(order, (item) => lab.counts[item]!);
  const { conservative, plain } = lab.estimates(order);
  const k = Math.min(kAsked, order.length);
  const top = lab.top(k);
  const certainIds = new Set(top.items.slice(0, top.certain).map(({ id }) => id));
  const bounds = new Map(lab.heap().items.map((item) => [item.id, item]));
  const rows = Array.from(order.subarray(0, k), (item, i): JudgedItem => {
    const name = lab.names[item]!;
    const found = bounds.get(name);
    return {
      item,
      name,
      truth: truth[i]!,
      conservative: conservative[i]!,
      plain: plain[i]!,
      lower: found?.lower,
      upper: found?.upper,
      certain: certainIds.has(name),
    };
  });
  // Items with as many as the k-th are as good as it.
  const least = truth[k - 1] ?? 0;
  const recalled = top.items.filter(({ id }) => lab.counts[lab.numberOf(id)!]! >= least).length;
  return {
    rows,
    k,
    recalled,
    certain: top.certain,
    bands: bandsOf(truth, conservative, plain),
    meanError: {
      conservative: meanError(truth, conservative),
      plain: meanError(truth, plain),
    },
    distinct: order.length,
  };
}

/** Other items that share a cell with this one, the most frequent first; `max` at most. */
export function sharersOf(lab: Lab, item: number, max: number): { name: string; n: number }[][] {
  const own = lab.placesOf(item);
  const found: number[][] = own.map(() => []);
  for (let other = 0; other < lab.names.length; other++) {
    if (other === item) continue;
    lab.placesOf(other).forEach((place, row) => {
      if (place === own[row]) found[row]!.push(other);
    });
  }
  return found.map((others) =>
    others
      .sort((a, b) => lab.counts[b]! - lab.counts[a]!)
      .slice(0, max + 1)
      .map((other) => ({ name: lab.names[other]!, n: lab.counts[other]! })),
  );
}
