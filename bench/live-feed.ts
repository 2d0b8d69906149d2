/** The events of the live bench: what is posted when, and what boards must say of it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { Random } from "../test/support/random.ts";
import { type Due, type LiveBoardName, nowMs } from "./live-orders.ts";
import { type Board, postBody } from "./load.ts";

const narrowIds = 200;
const eventsPerPost = 5;
/** Of the wide type, each with every id in it. */
const widePostsPerSecond = 1;

export interface FeedOptions {
  seed: number;
  postsPerSecond: number;
  wideRows: number;
}

export class LiveFeed {
  readonly #client: Dispatcher;
  readonly #boards: readonly LiveBoardName[];
  readonly #options: FeedOptions;
  readonly #random: Random;
  /** Counts of each type by id. */
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #totals = new Map<string, number>();
  /** The last POST of each type: the next waits for it, so that totals grow in order. */
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #due: Due[] = [];

  constructor(client: Dispatcher, boards: readonly LiveBoardName[], options: FeedOptions) {
    this.#client = client;
    this.#boards = boards;
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  /** Each id of each type once. */
  async fill(): Promise<void> {
    for (const eventType of new Set(this.#boards.map((board) => board.eventType))) {
      const { isWide } = this.#boards.find((board) => board.eventType === eventType)!;
      const ids = isWide ? this.#options.wideRows : narrowIds;
      await this.#post(
        eventType,
        Array.from({ length: ids }, (_, i) => `item_${i}`),
        null,
      );
    }
  }

  /** Posts at the steady rate; resolves to what was posted to narrow boards. */
  async send(seconds: number): Promise<Due[]> {
    const narrow = this.#boards.filter(({ isWide }) => !isWide);
    const wide = this.#boards.find(({ isWide }) => isWide)!;
    const everyMs = 1000 / this.#options.postsPerSecond;
    const wideEvery = Math.max(1, Math.round(this.#options.postsPerSecond / widePostsPerSecond));
    const started = performance.now();
    const posts = Math.floor((seconds * 1000) / everyMs);
    for (let i = 0; i < posts; i++) {
      const waitMs = i * everyMs - (performance.now() - started);
      if (waitMs > 0) await sleep(waitMs);
      const board = narrow[i % narrow.length]!;
      const ids = Array.from({ length: eventsPerPost }, () => this.#pick());
      this.#post(board.eventType, ids, board.name);
      if (i % wideEvery === 0) {
        const all = Array.from({ length: this.#options.wideRows }, (_, id) => `item_${id}`);
        this.#post(wide.eventType, all, null);
      }
    }
    await Promise.all(this.#last.values());
    return this.#due;
  }

  /** Throws unless total and every row are what was posted. */
  check({ name, eventType, k }: LiveBoardName, board: Board): void {
    const counts = this.#counts.get(eventType)!;
    const heaviest = [...counts.values()].sort((a, b) => b - a).slice(0, k);
    const rows = board.results.map(({ count }) => count);
    const areOwn = board.results.every(({ eventId, count }) => counts.get(eventId) === count);
    const isTrue = board.total === this.#totals.get(eventType) && areOwn;
    if (isTrue && rows.join() === heaviest.join()) return;
    throw new Error(`${name}: not what was counted: no figure is worth printing`);
  }

  /** Skewed to the low ones, so that ranks change. */
  #pick(): string {
    return `item_${Math.floor(this.#random.float() ** 3 * narrowIds)}`;
  }

  #post(eventType: string, ids: readonly string[], board: string | null): Promise<void> {
    const counts = this.#counts.get(eventType) ?? new Map<string, number>();
    this.#counts.set(eventType, counts);
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    const mark = (this.#totals.get(eventType) ?? 0) + ids.length;
    this.#totals.set(eventType, mark);
    const text = ids.map((eventId) => `${JSON.stringify({ eventId, eventType })}\n`).join("");
    const body = { bytes: Buffer.from(text), events: ids.length, first: 0 };
    const posted = (this.#last.get(eventType) ?? Promise.resolve()).then(async () => {
      const sentAt = nowMs();
      await postBody(this.#client, body);
      if (board !== null) this.#due.push({ board, mark, sentAt, repliedAt: nowMs() });
    });
    this.#last.set(eventType, posted);
    // Whoever waits for the last hears of it.
    posted.catch(() => undefined);
    return posted;
  }
}
