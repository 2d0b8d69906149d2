/** What a summary says of a stream, judged by plain counting in a Map. */
import { idText } from "./event-stream.ts";

/** One item as the summary has it. */
export interface FoundItem {
  id: number;
  estimate: number;
  /** Bounds that the summary says hold, where it gives any. */
  lower?: number;
  upper?: number;
}

export interface Summary {
  name: string;
  /** What stands in for a figure that isn't there, or must be said of one. */
  note: string;
  /** CPU time an update; null where it isn't the summary's own to make. */
  usPerUpdate: number | null;
  memoryBytes: number | null;
  /** As many as are asked for, at least; from the heaviest on where it tells no estimates. */
  rows: FoundItem[];
  /** What no item that isn't in `rows` has more than, where the summary says so. */
  outside?: number;
}

export interface Verdict {
  name: string;
  note: string;
  usPerUpdate: number | null;
  memoryBytes: number | null;
  /** Share of the k heaviest found among the first k; any of equals will do. */
  recall100: number;
  recall1000: number;
  /** |estimate − count| / count over the first 1000; null where no estimates are given. */
  errorMean: number | null;
  errorMax: number | null;
  /** Rows whose bounds don't hold, and items outside with more than is said; null: no bounds. */
  violations: number | null;
  /** First ranks that the bounds prove: each row surely before all others. */
  provenRanks: number | null;
}

const rowsJudged = 1000;

/** True counts of a stream. */
export function trueCounts(items: Uint32Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/** Count of the k-th heaviest item. */
function kthCount(sorted: readonly number[], k: number): number {
  return sorted[Math.min(k, sorted.length) - 1] ?? 0;
}

/** The greatest upper bound of what comes after a row, and the least id that has it. */
interface Strongest {
  upper: number;
  text: string;
}

/** No item that is off the list may be equal: its id is not known. */
function provenRanks(rows: readonly FoundItem[], outside: number): number {
  const after = new Array<Strongest>(rows.length);
  let most: Strongest = { upper: outside, text: "" };
  for (let i = rows.length - 1; i >= 0; i--) {
    after[i] = most;
    const own = { upper: rows[i]!.upper!, text: idText(rows[i]!.id) };
    const isEqual = own.upper === most.upper;
    if (own.upper > most.upper || (isEqual && own.text < most.text)) most = own;
  }
  const open = rows.slice(0, rowsJudged).findIndex(({ id, lower }, i) => {
    const { upper, text } = after[i]!;
    return lower! < upper || (lower === upper && idText(id) >= text);
  });
  return open < 0 ? Math.min(rows.length, rowsJudged) : open;
}

/** By estimate and, where these are equal, by the id's bytes, as boards are. */
function inOrder(rows: readonly FoundItem[]): FoundItem[] {
  const named = rows.map((row) => ({ row, text: idText(row.id) }));
  named.sort((a, b) => b.row.estimate - a.row.estimate || (a.text < b.text ? -1 : 1));
  return named.map(({ row }) => row);
}

/** Throws for rows named twice: whoever counts them twice could not be judged. */
export function judgeSummary(summary: Summary, truth: Map<number, number>): Verdict {
  const { outside, name, note, usPerUpdate, memoryBytes } = summary;
  const hasEstimates = summary.rows.every(({ estimate }) => Number.isFinite(estimate));
  const rows = hasEstimates ? inOrder(summary.rows) : summary.rows;
  const listed = new Set(rows.map(({ id }) => id));
  if (listed.size < rows.length) throw new Error(`${name}: ${rows.length - listed.size} twice`);
  const sorted = [...truth.values()].sort((a, b) => b - a);
  const recall = (k: number) => {
    const least = kthCount(sorted, k);
    const hits = rows.slice(0, k).filter(({ id }) => (truth.get(id) ?? 0) >= least).length;
    return hits / Math.min(k, sorted.length);
  };
  const first = rows.slice(0, rowsJudged);
  const errors = first.map(({ id, estimate }) => {
    const count = truth.get(id) ?? 0;
    return Math.abs(estimate - count) / Math.max(1, count);
  });
  const hasBounds = rows.some(({ upper }) => upper !== undefined);
  const broken = rows.filter(({ id, lower = 0, upper = Number.POSITIVE_INFINITY }) => {
    const count = truth.get(id) ?? 0;
    return lower > count || upper < count;
  }).length;
  let beyond = 0;
  if (outside !== undefined) {
    for (const [id, count] of truth) if (count > outside && !listed.has(id)) beyond++;
  }
  const isProving = outside !== undefined && rows.every(({ lower }) => lower !== undefined);
  return {
    ...{ name, note, usPerUpdate, memoryBytes },
    recall100: recall(100),
    recall1000: recall(1000),
    errorMean: hasEstimates ? errors.reduce((a, b) => a + b, 0) / errors.length : null,
    errorMax: hasEstimates ? Math.max(...errors) : null,
    violations: hasBounds ? broken + beyond : null,
    provenRanks: isProving ? provenRanks(rows, outside) : null,
  };
}
