/**
 * Reads the candidates that an ingest worker hands over (drawn in assembly/candidates.ts). Needs
 * no kernel: any thread can read them.
 */
import { layout } from "./layout.ts";

/** Candidates of one event type in one open minute. Infinity is "no bound". */
export interface CandidateList {
  /** In the dictionary of the worker that made it. */
  typeIndex: number;
  /** Sum of weights of the type's events. */
  total: number;
  /** Upper bound on the count of each item that is no candidate; 0 when all items are. */
  outside: number;
  /** Candidates, in no order. */
  rows: number;
  lower: Float64Array;
  upper: Float64Array;
  /** UTF-8, end to end: id i is the bytes from idEnds[i − 1] (or 0) to idEnds[i]. */
  ids: Uint8Array;
  idEnds: Uint32Array;
}

export interface OpenMinute {
  /** Since 1970. */
  minute: number;
  /** Sum of weights of all its events. */
  total: number;
  /** Some type found no room for a list: of a type without one only the sketch says something. */
  untracked: boolean;
  lists: CandidateList[];
}

/** Little-endian u64 as numbers; all ones is Infinity. */
function bounds(buffer: ArrayBuffer, at: number, n: number): Float64Array {
  const words = new Uint32Array(buffer, at, n * 2);
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const low = words[2 * i]!;
    const high = words[2 * i + 1]!;
    const none = low === 0xffffffff && high === 0xffffffff;
    values[i] = none ? Number.POSITIVE_INFINITY : high * 2 ** 32 + low;
  }
  return values;
}

/** The buffer's content; ids are views on it. */
export function readCandidates(buffer: ArrayBuffer): OpenMinute {
  const view = new DataView(buffer);
  const lists: CandidateList[] = [];
  let at: number = layout.CANDIDATES_HEADER_SIZE;
  for (let left = view.getUint32(4, true); left > 0; left--) {
    const rows = view.getUint32(at + 4, true);
    const [outside, total] = bounds(buffer, at + 8, 2);
    const idBytes = view.getUint32(at + 24, true);
    const lowers = at + layout.CANDIDATES_LIST_SIZE;
    const ends = lowers + rows * 16;
    const ids = ends + rows * 4;
    lists.push({
      typeIndex: view.getUint32(at, true),
      total: total!,
      outside: outside!,
      rows,
      lower: bounds(buffer, lowers, rows),
      upper: bounds(buffer, lowers + rows * 8, rows),
      ids: new Uint8Array(buffer, ids, idBytes),
      idEnds: new Uint32Array(buffer, ends, rows),
    });
    at = Math.ceil((ids + idBytes) / 8) * 8;
  }
  return {
    minute: view.getUint32(8, true),
    total: bounds(buffer, 16, 1)[0]!,
    untracked: (view.getUint32(12, true) & layout.WINDOW_FLAG_UNTRACKED) !== 0,
    lists,
  };
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Id of one candidate. */
export function candidateId(list: CandidateList, row: number): string {
  const start = row === 0 ? 0 : list.idEnds[row - 1]!;
  return decoder.decode(list.ids.subarray(start, list.idEnds[row]!));
}
