/** Answers boards from the store, after ingest has passed what the answer must include. */
import { RankstreamError } from "../errors.ts";
import type { EventTypeInfo, Store } from "../store/store.ts";
import { type Board, type BoardRequest, boardHead, rankRows, shareOf } from "./board.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface QueryEngineDeps {
  store: Pick<Store, "exact" | "eventTypes">;
  /** Offset after the last acknowledged record, by partition. */
  acknowledged: () => number[];
  /**
   * Resolves to true once everything before `offsets` is committed, to false after `waitMsMax`.
   */
  committed: (offsets: number[], waitMsMax: number) => Promise<boolean>;
  exactTimeoutMs: number;
  now?: () => number;
}

export class QueryEngine {
  readonly #deps: QueryEngineDeps;
  readonly #now: () => number;

  constructor(deps: QueryEngineDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
  }

  /**
   * The exact board: it includes every event acknowledged before the call. Throws
   * `query_timeout` when that takes longer than the budget.
   */
  async leaderboard(request: BoardRequest): Promise<Board> {
    const { store, acknowledged, committed, exactTimeoutMs } = this.#deps;
    const started = this.#now();
    if (!(await committed(acknowledged(), exactTimeoutMs))) {
      const detail = `what was acknowledged before was not counted in ${exactTimeoutMs} ms`;
      throw new RankstreamError("query_timeout", detail, { retryAfterSeconds: 1 });
    }
    const effective = { from: request.range.effectiveFrom, to: request.range.effectiveTo };
    const answer = await store.exact({
      eventTypes: request.eventTypes,
      ...effective,
      k: request.k,
      offset: request.offset,
      budgetMs: Math.max(1, exactTimeoutMs - (this.#now() - started)),
    });
    const counts = answer.rows.map((row) => row.count);
    const ranks = rankRows(counts, request.ties, request.offset, answer.ahead);
    const shown = counts.reduce((sum, count) => sum + count, 0);
    return {
      ...boardHead(request, effective),
      mode: "exact",
      certified: true,
      certifiedRanks: answer.rows.length,
      partial: false,
      stale: false,
      asOf: formatTimestamp(started),
      total: answer.total,
      distinct: answer.distinct,
      others: answer.total - shown - answer.skipped,
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

  /** The reply of GET /event-types. */
  async eventTypes(): Promise<{ eventTypes: object[] }> {
    const types = await this.#deps.store.eventTypes();
    return { eventTypes: types.map(describeType) };
  }
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
