/**
 * Pages of boards that don't shift: what follows the rows shown is kept with the board's own
 * moment, and read by a cursor. Bounded in rows, bytes and time; beyond, a cursor has expired.
 */
import { randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { RankstreamError } from "../errors.ts";
import type { Board, BoardRow } from "./board.ts";

export interface PageRequest {
  cursor: string;
  /** Rows of the page; undefined: as many as the first one. */
  k: number | undefined;
}

/** A board that was shown, and the rows after it. */
interface Ranking {
  /** The board without its rows. */
  head: Omit<Board, "results" | "nextCursor">;
  /** Ids with NUL between them: they hold none. */
  ids: string;
  /** count, lower, upper and rank of each row. */
  numbers: Float64Array;
  isCertain: boolean;
}

const idBytes = 12;
const cursorForm = /^([\w-]{16})\.(\d{1,5})$/;
const numbersOfRow = 4;
const headBytes = 2048;

export const pagesDefaults = Object.freeze({
  /** Of all rankings kept. */
  bytesMax: 64 * 1024 * 1024,
  /** After the last reply that gave a cursor of it. */
  ttlMs: 300_000,
});

/** A board kept elsewhere, whose cursor came with it. */
export interface DistantBoard {
  cursor: string;
  asOf: string;
}

const remakesMax = 10_000;

/** Makes a board again, of the same data; null where something of it has changed. */
export type Remake = () => Promise<Board | null>;

/** What is in the text of a board that has a cursor and is certain; else null. */
export function distantBoardOf(text: string): DistantBoard | null {
  // A quote within a JSON string has a backslash before it: these can only be names.
  const cursor = /"nextCursor":"([\w.-]+)"/.exec(text)?.[1];
  const asOf = /"asOf":"([^"]+)"/.exec(text)?.[1];
  if (cursor === undefined || asOf === undefined) return null;
  return text.includes('"certified":true') ? { cursor, asOf } : null;
}

/** How many rows are kept after a first page of `k` rows of an exact ranking. */
export function exactRowsAfter(k: number): number {
  return Math.min(10_000, Math.max(1000, 10 * k)) - k;
}

/** The same of an approximate one: as many as the lists give without further looking. */
export function approxRowsAfter(k: number): number {
  return Math.max(0, 1000 - k);
}

export class Pages {
  readonly #rankings: LRUCache<string, Ranking>;
  /** Rankings that are made when somebody turns their page. */
  readonly #remakes: LRUCache<string, { asOf: string; remake: Remake }>;
  readonly #ttlMs: number;
  #purgeAt = 0;

  constructor({ bytesMax, ttlMs }: { bytesMax: number; ttlMs: number } = pagesDefaults) {
    this.#rankings = new LRUCache({
      maxSize: bytesMax,
      ttl: ttlMs,
      sizeCalculation: ({ ids, numbers }) => 2 * ids.length + numbers.byteLength + headBytes,
    });
    this.#remakes = new LRUCache({ max: remakesMax, ttl: ttlMs });
    this.#ttlMs = ttlMs;
  }

  /** How many rankings take memory, expired ones included. */
  get size(): number {
    return this.#rankings.size;
  }

  /** Keeps the rows after a board; returns the cursor of the first of them. */
  keep(board: Board, after: readonly BoardRow[], isCertain: boolean): string {
    this.#purge();
    const { results: _, ...head } = board;
    const numbers = new Float64Array(after.length * numbersOfRow);
    for (const [i, { count, lower, upper, rank }] of after.entries()) {
      numbers.set([count, lower, upper, rank], i * numbersOfRow);
    }
    const id = randomBytes(idBytes).toString("base64url");
    const ids = after.map(({ eventId }) => eventId).join("\0");
    this.#rankings.set(id, { head, ids, numbers, isCertain });
    return `${id}.0`;
  }

  /** Most cursors are never followed: what has expired would stay until `bytesMax` is full. */
  #purge(): void {
    const now = performance.now();
    if (now < this.#purgeAt) return;
    this.#purgeAt = now + this.#ttlMs;
    this.#rankings.purgeStale();
    this.#remakes.purgeStale();
  }

  /** Lets a cursor live on, since it was given again; whether it was still there. */
  touch(cursor: string): boolean {
    const id = idOf(cursor);
    const options = { updateAgeOnGet: true };
    const isPromised = this.#remakes.get(id, options) !== undefined;
    return this.#rankings.get(id, options) !== undefined || isPromised;
  }

  /** Lets the cursor of a board kept elsewhere live here: its rows are made when asked for. */
  promise({ cursor, asOf }: DistantBoard, remake: Remake): void {
    this.#remakes.set(idOf(cursor), { asOf, remake });
  }

  /** Makes the rows that were promised, where the cursor is of such a board. */
  async prepare(cursor: string): Promise<void> {
    const id = idOf(cursor);
    const promised = this.#remakes.get(id);
    if (promised === undefined || this.#rankings.has(id)) return;
    const board = await promised.remake();
    if (board?.nextCursor === undefined) {
      this.#remakes.delete(id);
      return;
    }
    const made = idOf(board.nextCursor);
    const ranking = this.#rankings.get(made);
    if (ranking === undefined) return;
    // Nothing has changed since: it is as of the board that was shown.
    this.#rankings.set(id, { ...ranking, head: { ...ranking.head, asOf: promised.asOf } });
    this.#rankings.delete(made);
  }

  /** Forgets the rankings that speak of events that were deleted; of all times without a range. */
  drop(eventType: string, range: { from: number; to: number } | null): void {
    for (const [id, { head }] of this.#rankings.entries()) {
      const isOf =
        Date.parse(head.effectiveFrom) < (range?.to ?? Number.POSITIVE_INFINITY) &&
        Date.parse(head.effectiveTo) > (range?.from ?? Number.NEGATIVE_INFINITY);
      if (isOf && head.eventType.split(",").includes(eventType)) this.#rankings.delete(id);
    }
  }

  /** The page at the cursor. Throws `invalid_cursor`, `cursor_expired`. */
  page({ cursor, k: asked }: PageRequest): Board {
    const match = cursorForm.exec(cursor);
    if (match === null) {
      const detail = "cursor: expected the nextCursor of a reply, got another text";
      throw new RankstreamError("invalid_cursor", detail, { extensions: { parameter: "cursor" } });
    }
    const [, id, position] = match as unknown as [string, string, string];
    const ranking = this.#rankings.get(id, { updateAgeOnGet: true });
    if (ranking === undefined) {
      throw new RankstreamError(
        "cursor_expired",
        "the ranking of this cursor is not kept any more",
      );
    }
    const k = asked ?? ranking.head.k;
    const start = Number(position);
    const rows = rowsOf(ranking);
    const results = rows.slice(start, start + k);
    const end = start + results.length;
    const { others } = ranking.head;
    const passed = rows.slice(0, end).reduce((sum, { count }) => sum + count, 0);
    return {
      ...ranking.head,
      k,
      certified: ranking.isCertain,
      certifiedRanks: ranking.isCertain ? results.length : 0,
      others: others === null ? null : Math.max(0, others - passed),
      results,
      ...(end < rows.length && { nextCursor: `${id}.${end}` }),
    };
  }
}

function idOf(cursor: string): string {
  return cursorForm.exec(cursor)?.[1] ?? "";
}

function rowsOf({ head, ids, numbers }: Ranking): BoardRow[] {
  return ids.split("\0").map((eventId, i) => {
    const [count, lower, upper, rank] = numbers.subarray(i * numbersOfRow) as unknown as [
      number,
      number,
      number,
      number,
    ];
    const share = head.total === 0 ? 0 : Math.round((count / head.total) * 1e6) / 1e6;
    return { eventId, count, rank, lower, upper, share };
  });
}
