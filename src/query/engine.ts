/** Answers boards from the store, after ingest has passed what the answer must include. */
import { RankstreamError } from "../errors.ts";
import type { ErrorCode } from "../errors-table.ts";
import type { ApproxAnswer, EventTypeInfo, Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import {
  type Board,
  type BoardRequest,
  type BoardRow,
  boardHead,
  rankRows,
  shareOf,
} from "./board.ts";
import { certifiedPrefix } from "./certify.ts";
import { awaitFresh, type FreshnessDeps, passBarrier } from "./freshness.ts";
import {
  answerItem,
  answerItems,
  type Item,
  type ItemRequest,
  type Items,
  type ItemsRequest,
} from "./items.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface QueryEngineDeps extends FreshnessDeps {
  store: Pick<Store, "exact" | "approx" | "eventTypes" | "item" | "items">;
  /** Items listed a window: further rows are on no list. */
  candidatesMax: number;
}

/** Raw events read for an edge below a minute; beyond, the edge is only bounded. */
const edgeRowsMax = 500_000;
/** `auto` goes on to the exact answer when that reads at most so many rows. */
const autoExactRowsMax = 3_000_000;
/** How long it then waits for other exact questions to be answered. */
const autoWaitMsMax = 500;
/** Why an exact answer may fail without harm where there is an approximate one. */
const busyCodes: readonly ErrorCode[] = ["query_timeout", "query_memory", "too_many_queries"];

export class QueryEngine {
  readonly #deps: QueryEngineDeps;

  constructor(deps: QueryEngineDeps) {
    this.#deps = deps;
  }

  /**
   * The board. `exact` includes every event acknowledged before the call; `approx` waits for
   * these a little and says `stale` otherwise; `auto` is approximate, and exact where that
   * proves too little and the exact answer is cheap and soon to be had. Throws `query_timeout`,
   * `query_memory`, `too_many_queries`, `query_cancelled`.
   */
  async leaderboard(request: BoardRequest, control: AskControl = {}): Promise<Board> {
    if (this.#plansExact(request)) return this.#exact(request, control);
    const { board, exactRows } = await this.#approx(request, control);
    const isEnough = request.mode === "approx" || board.certified;
    if (isEnough || exactRows > autoExactRowsMax) return board;
    try {
      return await this.#exact(request, { ...control, waitMsMax: autoWaitMsMax });
    } catch (error) {
      // The approximate answer stands, and says what of it is certain.
      if (error instanceof RankstreamError && busyCodes.includes(error.code)) return board;
      throw error;
    }
  }

  /** Whether only the exact answer serves: asked for, or lists know nothing of what is. */
  #plansExact({ mode, offset, k, selection }: BoardRequest): boolean {
    const isPastLists = offset + k > this.#deps.candidatesMax;
    return mode === "exact" || isPastLists || selection !== undefined;
  }

  async #exact(request: BoardRequest, control: AskControl): Promise<Board> {
    const { asOf, budgetMs } = await passBarrier(this.#deps, control);
    const effective = { from: request.range.effectiveFrom, to: request.range.effectiveTo };
    const query = {
      eventTypes: request.eventTypes,
      ...effective,
      k: request.k,
      offset: request.offset,
      ...(request.selection !== undefined && { selection: request.selection }),
      budgetMs,
    };
    const answer = await this.#deps.store.exact(query, control);
    const counts = answer.rows.map((row) => row.count);
    const ranks = rankRows(counts, request.ties, request.offset, answer.ahead);
    const shown = counts.reduce((sum, count) => sum + count, 0);
    const isOfUsers = request.selection?.by === "users";
    return {
      ...boardHead(request, effective),
      mode: "exact",
      certified: true,
      certifiedRanks: answer.rows.length,
      partial: false,
      stale: false,
      asOf: formatTimestamp(asOf),
      total: answer.total,
      distinct: answer.distinct,
      others: isOfUsers ? null : answer.total - shown - answer.skipped,
      results: answer.rows.map(({ eventId, count }, i) => ({
        eventId,
        count,
        rank: ranks[i]!,
        lower: count,
        upper: count,
        share: shareOf(count, answer.total),
      })),
      plan: {
        rowsRead: { lists: 0, counts: answer.rowsRead.counts, raw: answer.rowsRead.raw },
        windows: { minute: 0, hour: 0, day: 0, month: 0 },
        sketches: 0,
      },
    };
  }

  async #approx(
    request: BoardRequest,
    control: AskControl,
  ): Promise<{ board: Board; exactRows: number }> {
    const { stale, asOf } = await awaitFresh(this.#deps);
    const effective = { from: request.range.effectiveFrom, to: request.range.effectiveTo };
    const query = {
      eventTypes: request.eventTypes,
      ...effective,
      rows: request.offset + request.k,
      edgeRowsMax,
      // Milliseconds once windows are built; right after a large import up to seconds.
      budgetMs: this.#deps.exactTimeoutMs,
    };
    const answer = await this.#deps.store.approx(query, { signal: control.signal });
    const certain = certifiedPrefix(answer.rows, answer, request.ties);
    const isAllCertain = certain === answer.rows.length;
    const total = answer.total.lower;
    return {
      exactRows: answer.exactRows,
      board: {
        ...boardHead(request, effective),
        mode: "approx",
        certified: isAllCertain && isClosed(answer, request),
        certifiedRanks: Math.max(0, certain - request.offset),
        partial: false,
        stale,
        asOf: formatTimestamp(asOf),
        total,
        ...(answer.total.upper > total && { totalUpper: answer.total.upper }),
        ...distinctOf(answer),
        others: Math.max(0, total - answer.rows.reduce((sum, row) => sum + row.estimate, 0)),
        results: boardRows(answer, request),
        plan: { rowsRead: answer.rowsRead, windows: answer.windows, sketches: answer.sketches },
      },
    };
  }

  /** Where one item stands. Throws `query_timeout`, `invalid_parameter` for too many steps. */
  item(request: ItemRequest, control?: AskControl): Promise<Item> {
    return answerItem(this.#deps, request, control);
  }

  /** Where several items stand, in the order asked. Throws `query_timeout`. */
  items(request: ItemsRequest, control?: AskControl): Promise<Items> {
    return answerItems(this.#deps, request, control);
  }

  /** The reply of GET /event-types. */
  async eventTypes(): Promise<{ eventTypes: object[] }> {
    const types = await this.#deps.store.eventTypes();
    return { eventTypes: types.map(describeType) };
  }
}

/** Whether no item can be missing: fewer rows than asked for are all there are. */
function isClosed(answer: ApproxAnswer, request: BoardRequest): boolean {
  return answer.rows.length === request.offset + request.k || answer.unlistedUpper === 0;
}

function distinctOf({ distinct }: ApproxAnswer) {
  if (distinct.lower === distinct.upper) return { distinct: distinct.lower };
  return { distinct: null, distinctLower: distinct.lower, distinctUpper: distinct.upper };
}

function boardRows({ rows, total }: ApproxAnswer, request: BoardRequest): BoardRow[] {
  const counts = rows.map((row) => row.estimate);
  const ranks = rankRows(counts, request.ties, 0, { items: 0, counts: 0 });
  return rows.slice(request.offset).map(({ eventId, lower, upper, estimate }, i) => ({
    eventId,
    count: estimate,
    rank: ranks[request.offset + i]!,
    lower,
    upper,
    share: shareOf(estimate, total.lower),
  }));
}

function describeType(type: EventTypeInfo) {
  return {
    name: type.name,
    total: type.total,
    firstSeen: formatTimestamp(type.firstSeen),
    lastSeen: formatTimestamp(type.lastSeen),
    description: null,
    retentionDays: null,
    aggregationWindow: 60,
  };
}
