/**
 * What checkpoints bring of users that were erased before: events whose record was received
 * before the erasure and that are counted only now. Live events were received later than any
 * erasure, so that a look at the column of times is all they cost.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { layout } from "../kernel/layout.ts";
import { rowsOf } from "./database.ts";
import { erasedSql } from "./erasure-sql.ts";
import { align16 } from "./staged.ts";

/** Epoch ms of the earliest and latest receipt in raw chunks (assembly/columns.ts). */
export function receiptSpan(chunks: readonly ArrayBuffer[]): [number, number] {
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const chunk of chunks) {
    const rows = new DataView(chunk).getUint32(0, true);
    const at = layout.RAW_HEADER_SIZE + align16(rows * 8);
    const words = new Uint32Array(chunk, at, rows * 2);
    for (let word = 0; word < words.length; word += 2) {
      const received = words[word]! + words[word + 1]! * 2 ** 32;
      if (received < first) first = received;
      if (received > last) last = received;
    }
  }
  return [first, last];
}

export class ErasedArrivals {
  #erasedThrough = Number.NEGATIVE_INFINITY;
  #receivedThrough = 0;
  #erasures = 0;

  static async load(connection: DuckDBConnection): Promise<ErasedArrivals> {
    const arrivals = new ErasedArrivals();
    await arrivals.reload(connection);
    return arrivals;
  }

  /** Reads what others may have erased since. */
  async reload(connection: DuckDBConnection): Promise<void> {
    const [row] = await rowsOf(connection, "SELECT max(erased_at) AS at FROM erased_users");
    if (row!["at"] !== null) this.note(Number(row!["at"]));
  }

  /** Users are erased as of `erasedAt` (epoch ms), once that is committed. */
  note(erasedAt: number): void {
    this.#erasedThrough = Math.max(this.#erasedThrough, erasedAt);
    this.#erasures++;
  }

  /** How often users were erased since the start. */
  get erasures(): number {
    return this.#erasures;
  }

  /** Epoch ms of the latest receipt of an event since the start; 0 before the first. */
  get receivedThrough(): number {
    return this.#receivedThrough;
  }

  /** A FROM source of what is to be kept of staged events: `chunks`, which are `source` in SQL. */
  sourceOf(chunks: readonly ArrayBuffer[], source: string): string {
    const [first, last] = receiptSpan(chunks);
    this.#receivedThrough = Math.max(this.#receivedThrough, last);
    return first > this.#erasedThrough ? source : erasedSql(source);
  }
}
