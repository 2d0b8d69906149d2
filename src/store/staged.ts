/**
 * Hands column chunks of the kernel to DuckDB as the table functions `staged_events(token)`,
 * `staged_counts(token)` and `staged_candidates(token)`: fixed columns by one copy, strings by one
 * copy of the column's heap plus its 16-byte rows, with the heap's address added. No JavaScript
 * value per row.
 *
 * The trick for strings: put the whole heap into the vector as its first string, read the
 * address DuckDB gave it from that row, then overwrite all rows.
 */
import type { DuckDBConnection, DuckDBTableFunction } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import type { CandidateList } from "../kernel/candidates.ts";
import { layout } from "../kernel/layout.ts";

/** Candidates of one minute and type. */
export interface StagedCandidates {
  minute: number;
  typeId: number;
  list: CandidateList;
}

/** What waits to be read by SQL, under a token. */
export interface Staged {
  raw?: readonly ArrayBuffer[];
  counts?: readonly ArrayBuffer[];
  /** Worker's type index → the store's type id, of `counts`. */
  typeIds?: Uint32Array;
  candidates?: readonly StagedCandidates[];
}

const validityBytes = layout.ROWS_MAX / 8;
const rawStringColumns = ["event_type", "event_id", "user_id", "session_id", "metadata"];

/** Fills one chunk of rows, some of what is staged; returns how many, 0 at the end. */
type Fill = (state: { staged: Staged; next: number }, output: duckdb.DataChunk) => number;

interface Column {
  name: string;
  type: duckdb.Type;
}

/** `n` rounded up as the kernel aligns columns. */
export function align16(n: number): number {
  return (n + 15) & ~15;
}

/** Longer strings lie in a heap. */
const inlineBytesMax = 12;
/** Rows of the column at hand. */
const stringRows = new Uint8Array(layout.ROWS_MAX * 16);
const stringWords = new Uint32Array(stringRows.buffer);

/** Rows of 16 bytes at `rowsAt`, long ones relative to a heap: into `vector`. */
function fillStrings(
  vector: duckdb.Vector,
  chunk: ArrayBuffer,
  rowsAt: number,
  rows: number,
  heapAt: number,
  heapBytes: number,
): void {
  // A copy: a commit that failed is tried again, and must find the chunk as it was.
  stringRows.set(new Uint8Array(chunk, rowsAt, rows * 16));
  putStrings(vector, new Uint8Array(chunk, heapAt, heapBytes), rows);
}

/** The first `rows` of `stringRows`, long ones relative to `heap`: into `vector`. */
function putStrings(vector: duckdb.Vector, heap: Uint8Array, rows: number): void {
  if (heap.length > inlineBytesMax) {
    duckdb.vector_assign_string_element_len(vector, 0, heap);
    const first = duckdb.vector_get_data(vector, 16);
    const view = new DataView(first.buffer, first.byteOffset, 16);
    addAddress(stringWords, rows, view.getUint32(8, true), view.getUint32(12, true));
  }
  duckdb.copy_data_to_vector(vector, 0, stringRows.buffer, 0, rows * 16);
}

/** Adds the heap's 64-bit address to the offset of every long string. */
function addAddress(words: Uint32Array, rows: number, low: number, high: number): void {
  for (let at = 0; at < rows * 4; at += 4) {
    if (words[at]! <= inlineBytesMax) continue;
    const sum = words[at + 2]! + low;
    words[at + 2] = sum;
    words[at + 3] = sum > 0xffffffff ? high + 1 : high;
  }
}

/** Layout in assembly/columns.ts. */
function fillRaw(state: { staged: Staged; next: number }, output: duckdb.DataChunk): number {
  const chunk = state.staged.raw?.[state.next++];
  if (chunk === undefined) return 0;
  const view = new DataView(chunk);
  const rows = view.getUint32(0, true);
  const wide = align16(rows * 8);
  let at: number = layout.RAW_HEADER_SIZE;
  duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(output, 0), 0, chunk, at, rows * 8);
  at += wide;
  duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(output, 1), 0, chunk, at, rows * 8);
  at += wide;
  duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(output, 2), 0, chunk, at, rows * 4);
  at += align16(rows * 4);
  const validityAt = at + rawStringColumns.length * rows * 16;
  for (let column = 0; column < rawStringColumns.length; column++) {
    const entry = 24 + column * 12;
    const vector = duckdb.data_chunk_get_vector(output, 3 + column);
    const heapAt = view.getUint32(entry, true);
    fillStrings(vector, chunk, at, rows, heapAt, view.getUint32(entry + 4, true));
    at += rows * 16;
    if (view.getUint32(entry + 8, true) === 0) continue;
    duckdb.vector_ensure_validity_writable(vector);
    const bits = validityAt + column * validityBytes;
    const bytes = Math.ceil(rows / 64) * 8;
    duckdb.copy_data_to_vector_validity(vector, 0, chunk, bits, bytes);
  }
  return rows;
}

/** Layout in assembly/exact-counts.ts. */
function fillCounts(state: { staged: Staged; next: number }, output: duckdb.DataChunk): number {
  const { counts = [], typeIds: idOf = new Uint32Array() } = state.staged;
  const chunk = counts[state.next++];
  if (chunk === undefined) return 0;
  const view = new DataView(chunk);
  const rows = view.getUint32(0, true);
  const narrow = align16(rows * 4);
  let at: number = layout.COUNTS_HEADER_SIZE;
  duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(output, 0), 0, chunk, at, rows * 4);
  at += narrow;
  const types = new Uint32Array(chunk, at, rows);
  const typeIds = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) typeIds[row] = idOf[types[row]!]!;
  const typeVector = duckdb.data_chunk_get_vector(output, 1);
  duckdb.copy_data_to_vector(typeVector, 0, typeIds.buffer, 0, rows * 4);
  at += narrow;
  duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(output, 2), 0, chunk, at, rows * 4);
  at += narrow;
  duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(output, 3), 0, chunk, at, rows * 8);
  at += align16(rows * 8);
  const ids = duckdb.data_chunk_get_vector(output, 4);
  fillStrings(ids, chunk, at, rows, view.getUint32(8, true), view.getUint32(12, true));
  return rows;
}

/** A u64 column of numbers below 2^53. */
function fillWide(vector: duckdb.Vector, values: Float64Array): void {
  const words = new Uint32Array(values.length * 2);
  for (const [row, value] of values.entries()) {
    words[2 * row] = value;
    words[2 * row + 1] = value / 2 ** 32;
  }
  duckdb.copy_data_to_vector(vector, 0, words.buffer, 0, words.byteLength);
}

/** `next` counts chunks; those of a list are whole but for its last. */
function fillCandidates(
  state: { staged: Staged; next: number },
  output: duckdb.DataChunk,
): number {
  let chunk = state.next++;
  for (const { minute, typeId, list } of state.staged.candidates ?? []) {
    const chunks = Math.ceil(list.rows / layout.ROWS_MAX);
    if (chunk >= chunks) {
      chunk -= chunks;
      continue;
    }
    const from = chunk * layout.ROWS_MAX;
    const end = Math.min(list.rows, from + layout.ROWS_MAX);
    const rows = end - from;
    for (const [column, value] of [minute, typeId].entries()) {
      const same = new Int32Array(rows).fill(value);
      const vector = duckdb.data_chunk_get_vector(output, column);
      duckdb.copy_data_to_vector(vector, 0, same.buffer, 0, rows * 4);
    }
    fillWide(duckdb.data_chunk_get_vector(output, 2), list.lower.subarray(from, end));
    fillWide(duckdb.data_chunk_get_vector(output, 3), list.upper.subarray(from, end));
    fillIds(duckdb.data_chunk_get_vector(output, 4), list, from, end);
    return rows;
  }
  return 0;
}

/** Ids `from`..`end`−1 of a list. */
function fillIds(vector: duckdb.Vector, list: CandidateList, from: number, end: number): void {
  const { ids, idEnds } = list;
  const heapStart = from === 0 ? 0 : idEnds[from - 1]!;
  stringRows.fill(0, 0, (end - from) * 16);
  let start = heapStart;
  for (let row = 0; row < end - from; row++) {
    const idEnd = idEnds[from + row]!;
    const length = idEnd - start;
    const isInline = length <= inlineBytesMax;
    stringWords[row * 4] = length;
    stringRows.set(ids.subarray(start, isInline ? idEnd : start + 4), row * 16 + 4);
    if (!isInline) stringWords[row * 4 + 2] = start - heapStart;
    start = idEnd;
  }
  putStrings(vector, ids.subarray(heapStart, start), end - from);
}

/** Registers the table functions and keeps what they read. */
export class StagedTables {
  readonly #staged = new Map<number, Staged>();
  #nextToken = 1;

  /** Functions belong to the instance: register once, on any of its connections. */
  register(connection: DuckDBConnection): void {
    const { Type } = duckdb;
    const rawColumns: Column[] = [
      { name: "event_time", type: Type.TIMESTAMP_MS },
      { name: "received_at", type: Type.TIMESTAMP_MS },
      { name: "weight", type: Type.INTEGER },
      ...rawStringColumns.map((name) => ({ name, type: Type.VARCHAR })),
    ];
    const countColumns: Column[] = [
      { name: "minute", type: Type.INTEGER },
      { name: "type_id", type: Type.INTEGER },
      { name: "partition", type: Type.INTEGER },
      { name: "count", type: Type.BIGINT },
      { name: "event_id", type: Type.VARCHAR },
    ];
    const candidateColumns: Column[] = [
      { name: "minute", type: Type.INTEGER },
      { name: "type_id", type: Type.INTEGER },
      { name: "lower", type: Type.BIGINT },
      { name: "upper", type: Type.BIGINT },
      { name: "event_id", type: Type.VARCHAR },
    ];
    this.#registerOne(connection, "staged_events", rawColumns, fillRaw);
    this.#registerOne(connection, "staged_counts", countColumns, fillCounts);
    this.#registerOne(connection, "staged_candidates", candidateColumns, fillCandidates);
  }

  /** Makes `staged` readable under the returned token until `release`, any number of times. */
  stage(staged: Staged): number {
    const token = this.#nextToken++;
    this.#staged.set(token, staged);
    return token;
  }

  release(token: number): void {
    this.#staged.delete(token);
  }

  #registerOne(connection: DuckDBConnection, name: string, columns: Column[], fill: Fill): void {
    const definition = duckdb.create_table_function();
    duckdb.table_function_set_name(definition, name);
    duckdb.table_function_add_parameter(
      definition,
      duckdb.create_logical_type(duckdb.Type.BIGINT),
    );
    duckdb.table_function_set_bind(definition, (info) => {
      const token = Number(duckdb.get_int64(duckdb.bind_get_parameter(info, 0)));
      const staged = this.#staged.get(token);
      if (staged === undefined) {
        duckdb.bind_set_error(info, `${name}: nothing is staged under ${token}`);
        return;
      }
      for (const column of columns) {
        const type = duckdb.create_logical_type(column.type);
        duckdb.bind_add_result_column(info, column.name, type);
      }
      duckdb.bind_set_bind_data(info, { staged, next: 0 });
    });
    duckdb.table_function_set_init(definition, (info) => duckdb.init_set_max_threads(info, 1));
    duckdb.table_function_set_function(definition, (info, output) => {
      const state = duckdb.function_get_bind_data(info) as { staged: Staged; next: number };
      duckdb.data_chunk_set_size(output, fill(state, output));
    });
    // The high-level class adds JavaScript values per row; only its registration is used.
    connection.registerTableFunction({ table_function: definition } as DuckDBTableFunction);
  }
}
