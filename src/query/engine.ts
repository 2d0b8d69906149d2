/** Answers boards from the store, after ingest has passed what the answer must include. */
import { RankstreamError } from "../errors.ts";
import type { ErrorCode } from "../errors-table.ts";
import type { Store } from "../store/store.ts";
import { approxBoard } from "./approx-board.ts";
import type { AskControl } from "./ask.ts";
import type { Board, BoardRequest, BoardRow } from "./board.ts";
import { exactBoard, exactQuery } from "./exact-board.ts";
import { awaitFresh, type FreshnessDeps, passBarrier } from "./freshness.ts";
import {
  answerItem,
  answerItems,
  type Item,
  type ItemHistories,
  type ItemRequest,
  type Items,
  type ItemsRequest,
} from "./items.ts";
import { approxRowsAfter, exactRowsAfter, type Pages } from "./pages.ts";
import { eventTypesOf, type QuestionKind, type Questions } from "./questions.ts";
import type { Regions } from "./regions.ts";
import { answerSeries, type Series, type SeriesRequest } from "./series.ts";
import type { TimeRange } from "./time-range.ts";
import { answerTrending, type Trending, type TrendingRequest } from "./trending.ts";

export interface QueryEngineDeps extends FreshnessDeps {
  store: Pick<Store, "exact" | "approx" | "eventTypes" | "item" | "items" | "series" | "trending">;
  /** The part of a range in which these types' events are kept. */
  clip: (eventTypes: readonly string[], range: TimeRange) => TimeRange;
  pages: Pages;
  regions: Regions;
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

/** The board with its regions; of one that lacks a part of these no rank is certain. */
function toldBoard(board: Board, tell: ReturnType<Regions["teller"]>): Board {
  const told = tell(board);
  return told.partial ? { ...told, certifiedRanks: 0 } : told;
}

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
  async leaderboard(asked: BoardRequest, control: AskControl = {}): Promise<Board> {
    const request = this.#clipped(asked);
    if (this.#plansExact(request)) return this.#exact(request, control);
    const { board, exactRows, page } = await this.#approx(request, control);
    const isEnough = request.mode === "approx" || board.certified;
    if (isEnough || exactRows > autoExactRowsMax) return page();
    try {
      return await this.#exact(request, { ...control, waitMsMax: autoWaitMsMax });
    } catch (error) {
      // The approximate answer stands, and says what of it is certain.
      if (error instanceof RankstreamError && busyCodes.includes(error.code)) return page();
      throw error;
    }
  }

  /** Whether only the exact answer serves: asked for, or lists know nothing of what is. */
  #plansExact({ mode, offset, k, selection, previous }: BoardRequest): boolean {
    const isPastLists = offset + k > this.#deps.candidatesMax;
    return mode === "exact" || isPastLists || selection !== undefined || previous !== undefined;
  }

  async #exact(request: BoardRequest, control: AskControl): Promise<Board> {
    const { regions, store } = this.#deps;
    const eventTypes = regions.typesOf(request.eventTypes, request);
    const tell = regions.teller(request);
    const { asOf, budgetMs } = await passBarrier(this.#deps, control);
    // What it was before is told of the rows shown alone, so there are no further pages then.
    const more = request.previous === undefined ? exactRowsAfter(request.k) : 0;
    const query = { ...exactQuery(request, eventTypes), k: request.k + more, budgetMs };
    const answer = await store.exact(query, control);
    const { board, after } = exactBoard(request, answer, asOf);
    return this.#paged(toldBoard(board, tell), after, true);
  }

  #paged(board: Board, after: readonly BoardRow[], isCertain: boolean): Board {
    if (after.length === 0) return board;
    return { ...board, nextCursor: this.#deps.pages.keep(board, after, isCertain) };
  }

  async #approx(
    request: BoardRequest,
    control: AskControl,
  ): Promise<{ board: Board; exactRows: number; page: () => Board }> {
    const { signal, span } = control;
    const { regions } = this.#deps;
    const eventTypes = regions.typesOf(request.eventTypes, request);
    const tell = regions.teller(request);
    const freshness = await awaitFresh(this.#deps, span);
    const query = {
      eventTypes,
      from: request.range.effectiveFrom,
      to: request.range.effectiveTo,
      rows: request.offset + request.k,
      moreRows: approxRowsAfter(request.k),
      edgeRowsMax,
      // Milliseconds once windows are built; right after a large import up to seconds.
      budgetMs: this.#deps.exactTimeoutMs,
    };
    const answer = await this.#deps.store.approx(query, { signal, span });
    const { board, after, isCertain } = approxBoard(request, answer, freshness);
    return {
      board,
      exactRows: answer.exactRows,
      page: () => this.#paged(toldBoard(board, tell), after, isCertain),
    };
  }

  /** Where one item stands. Throws `query_timeout`, `invalid_parameter` for too many steps. */
  item(request: ItemRequest, control?: AskControl): Promise<Item> {
    return answerItem(this.#deps, this.#clipped(request), control);
  }

  /** Where several items stand, in the order asked, or their histories. Throws as `item`. */
  items(request: ItemsRequest, control?: AskControl): Promise<ItemHistories | Items> {
    return answerItems(this.#deps, this.#clipped(request), control);
  }

  /** The reply of GET /trending. Throws as `leaderboard`. */
  trending(request: TrendingRequest, control?: AskControl): Promise<Trending> {
    return answerTrending(this.#deps, this.#clipped(request), control);
  }

  /** The reply of GET /event-types/{name}/series. Throws as `leaderboard`. */
  series(request: SeriesRequest, control?: AskControl): Promise<Series> {
    return answerSeries(this.#deps, this.#clipped(request), control);
  }

  /** The question without the time whose events have expired. */
  #clipped<Asked extends Questions[QuestionKind]>(asked: Asked): Asked {
    const names = eventTypesOf(asked);
    const { clip } = this.#deps;
    const previous = "previous" in asked ? asked.previous : undefined;
    return {
      ...asked,
      range: clip(names, asked.range),
      ...(previous !== undefined && { previous: clip(names, previous) }),
    };
  }
}
