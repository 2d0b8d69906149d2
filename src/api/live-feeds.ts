/**
 * Boards that are looked at again and again, each question once however many ask it: a feed looks,
 * keeps the last few versions, and tells its watchers when there is a new one.
 */
import { problemReply, RankstreamError } from "../errors.ts";
import type { LiveBoard, LiveQuery } from "../model-live.ts";
import type { Logger } from "../telemetry.ts";
import { secretsIn } from "../telemetry-redaction.ts";
import { type LeaderboardRequest, leaderboardParameters } from "./leaderboard.ts";
import { diffBoards, weighChanges } from "./live-diff.ts";
import type { ParameterDoc } from "./parameters.ts";
import { toRankstreamError } from "./problems.ts";

export interface FeedBounds {
  /** Least time from one look at a board to the next. */
  pollMs: number;
  /** Most time from the end of a look to the next, however long it took. */
  restMsMax: number;
  /** A board on which nothing but the time went on is sent so often. */
  clockOnlyMs: number;
  /** Questions looked at, or kept for those who may come back. */
  feedsMax: number;
  /** Questions being answered at once. */
  looksMax: number;
  /** Versions kept of a board, and the rows of all of them together. */
  versionsMax: number;
  versionRowsMax: number;
  /** How long the versions of a board that nobody watches are kept. */
  lingerMs: number;
}

export const feedBounds: FeedBounds = Object.freeze({
  pollMs: 500,
  // A start under load makes a first look of many seconds: nobody is to wait three times as long.
  restMsMax: 3000,
  clockOnlyMs: 5000,
  feedsMax: 500,
  // Most of a look is waiting for the commit that has what was acknowledged: they share it.
  looksMax: 16,
  versionsMax: 40,
  versionRowsMax: 4000,
  lingerMs: 30_000,
});

export interface FeedDeps {
  /** Reads and checks a question as of `now`; throws RankstreamError. */
  read(query: LiveQuery, now: number): LeaderboardRequest;
  /** `address`: the question as it would be asked over HTTP. */
  leaderboard(request: LeaderboardRequest, address: string): Promise<object>;
  logger: Logger;
  bounds?: Partial<FeedBounds>;
}

/** Who watches a feed. Neither call may throw. */
export interface Watcher {
  /** There is a newer version. */
  onVersion(): void;
  /** The last look failed; the feed goes on looking. `problem` is a problem document as text. */
  onProblem(problem: string): void;
}

interface Version {
  seq: number;
  board: LiveBoard;
}

/** What brings a watcher from one version to the latest: the member of a message, as JSON. */
export interface Update {
  seq: number;
  /** Null: `text` is the whole board. */
  since: number | null;
  text: string;
  /** As it is sent, by what it is sent as: live-messages.ts keeps them. */
  frames: Map<string, Buffer>;
}

/** What a look takes beyond half of `pollMs` is rested so often: one of 1 s comes every 2.5 s. */
const restPerLook = 2;
/** Looks begin at these parts of `pollMs`. */
const stepsPerPoll = 4;
const seqsPerMs = 1024;

/**
 * Names a question: the same text for the same parameters in any order, defaults said or not.
 */
export function feedKey(query: LiveQuery): string {
  const named = new Map<string, readonly string[]>();
  const entries: [string, ParameterDoc][] = Object.entries(leaderboardParameters);
  for (const [name, { schema }] of entries) {
    const fallback = schema["default"];
    if (fallback !== undefined) named.set(name, [String(fallback)]);
  }
  for (const [name, value] of Object.entries(query)) named.set(name, [value].flat());
  return JSON.stringify([...named].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One question, its latest versions and its watchers. */
export class Feed {
  readonly key: string;
  readonly query: LiveQuery;
  readonly watchers = new Set<Watcher>();
  timer: NodeJS.Timeout | undefined;
  isLooking = false;
  /** What went wrong at the last look, as text; null when nothing did. */
  problem: string | null = null;
  readonly #bounds: FeedBounds;
  #versions: Version[] = [];
  #sentAt = 0;
  /** Texts of updates to the latest version, by the version they start from. */
  readonly #updates = new Map<number | null, Update>();

  constructor(key: string, query: LiveQuery, bounds: FeedBounds) {
    this.key = key;
    this.query = query;
    this.#bounds = bounds;
  }

  /** Of the latest version; null before the first. */
  get seq(): number | null {
    return this.#versions.at(-1)?.seq ?? null;
  }

  /** Takes what a look saw; true when that is a new version: after a problem it always is. */
  take(board: LiveBoard, now: number): boolean {
    const last = this.#versions.at(-1);
    const hadProblem = this.problem !== null;
    this.problem = null;
    const changes = last === undefined ? null : diffBoards(last.board, board);
    if (changes !== null && !hadProblem) {
      const weight = weighChanges(changes);
      if (weight === "none") return false;
      if (weight === "clock" && now - this.#sentAt < this.#bounds.clockOnlyMs) return false;
    }
    // A feed made later, after a restart too, begins above where an earlier one can have got to.
    const first = now * seqsPerMs + Math.floor(Math.random() * seqsPerMs);
    const seq = last === undefined ? first : last.seq + 1;
    this.#versions.push({ seq, board });
    this.#updates.clear();
    // Most watchers have the version before.
    if (last !== undefined) this.#keepUpdate(seq, last.seq, changes);
    this.#sentAt = now;
    this.#dropOldVersions();
    return true;
  }

  #dropOldVersions(): void {
    const { versionsMax, versionRowsMax } = this.#bounds;
    let rows = 0;
    let kept = 0;
    for (const { board } of this.#versions.toReversed()) {
      rows += board.results.length;
      if (kept > 0 && (kept >= versionsMax || rows > versionRowsMax)) break;
      kept++;
    }
    this.#versions = this.#versions.slice(-kept);
  }

  /** From version `since` to the latest: a diff if that version is known, else the whole. */
  updateFrom(since: number | null): Update | null {
    const last = this.#versions.at(-1);
    if (last === undefined) return null;
    const start = this.#versions.find(({ seq }) => seq === since);
    const from = start?.seq ?? null;
    const known = this.#updates.get(from);
    if (known !== undefined) return known;
    const payload = start === undefined ? last.board : diffBoards(start.board, last.board);
    return this.#keepUpdate(last.seq, from, payload);
  }

  #keepUpdate(seq: number, since: number | null, payload: object | null): Update {
    const update = { seq, since, text: JSON.stringify(payload), frames: new Map() };
    this.#updates.set(since, update);
    return update;
  }
}

/** All feeds, and whose turn it is to look. */
export class LiveFeeds {
  readonly #deps: FeedDeps;
  readonly #bounds: FeedBounds;
  /** In order of last use: the first ones without watchers go first. */
  readonly #feeds = new Map<string, Feed>();
  /** Each feed at most once, so never more than `feedsMax`. */
  readonly #due = new Set<Feed>();
  #looks = 0;
  #isClosed = false;

  constructor(deps: FeedDeps) {
    this.#deps = deps;
    this.#bounds = { ...feedBounds, ...deps.bounds };
  }

  /** Feeds there are, those without watchers too. */
  get size(): number {
    return this.#feeds.size;
  }

  /**
   * The feed of this question, watched from now on and looked at soon. Throws RankstreamError
   * when the question is not valid (as GET /leaderboard), or `too_many_subscriptions`.
   */
  watch(query: LiveQuery, watcher: Watcher): Feed {
    this.#deps.read(query, Date.now());
    const key = feedKey(query);
    const feed = this.#feeds.get(key) ?? this.#make(key, query);
    this.#feeds.delete(key);
    this.#feeds.set(key, feed);
    const isIdle = feed.watchers.size === 0;
    feed.watchers.add(watcher);
    if (isIdle) this.#lookSoon(feed, 0);
    return feed;
  }

  /** The watcher hears no more; the feed's versions are kept for a while. */
  unwatch(feed: Feed, watcher: Watcher): void {
    feed.watchers.delete(watcher);
    if (feed.watchers.size > 0) return;
    clearTimeout(feed.timer);
    this.#due.delete(feed);
    feed.timer = setTimeout(() => this.#drop(feed), this.#bounds.lingerMs);
    feed.timer.unref();
  }

  /** Looks at nothing any more. */
  close(): void {
    this.#isClosed = true;
    for (const feed of this.#feeds.values()) clearTimeout(feed.timer);
    this.#feeds.clear();
    this.#due.clear();
  }

  #make(key: string, query: LiveQuery): Feed {
    if (this.#feeds.size >= this.#bounds.feedsMax) {
      const idle = [...this.#feeds.values()].find(({ watchers }) => watchers.size === 0);
      if (idle === undefined) {
        const detail = `${this.#bounds.feedsMax} different boards are being watched`;
        throw new RankstreamError("too_many_subscriptions", detail, { retryAfterSeconds: 10 });
      }
      this.#drop(idle);
    }
    const feed = new Feed(key, query, this.#bounds);
    this.#feeds.set(key, feed);
    return feed;
  }

  #drop(feed: Feed): void {
    clearTimeout(feed.timer);
    if (this.#feeds.get(feed.key) === feed) this.#feeds.delete(feed.key);
  }

  #lookSoon(feed: Feed, waitMs: number): void {
    clearTimeout(feed.timer);
    if (this.#isClosed || feed.watchers.size === 0) return;
    feed.timer = setTimeout(() => {
      this.#due.add(feed);
      this.#lookOn();
    }, waitMs);
    feed.timer.unref();
  }

  /** Lets those whose turn it is look, no more than `looksMax` at once. */
  #lookOn(): void {
    for (const feed of this.#due) {
      if (this.#looks >= this.#bounds.looksMax) return;
      this.#due.delete(feed);
      // Left and watched again while a look is under way: that one arranges for the next.
      if (feed.isLooking) continue;
      this.#looks++;
      feed.isLooking = true;
      const started = performance.now();
      this.#look(feed).finally(() => {
        this.#looks--;
        feed.isLooking = false;
        const tookMs = performance.now() - started;
        if (feed.watchers.size > 0) this.#lookSoon(feed, this.#restMs(tookMs));
        this.#lookOn();
      });
    }
  }

  /**
   * Until a look's feed looks again. Feeds look at the same moments, so that what was acknowledged
   * before has to be committed once for all of them.
   */
  #restMs(tookMs: number): number {
    const { pollMs, restMsMax } = this.#bounds;
    const slowMs = Math.min(restMsMax, (tookMs - pollMs / 2) * restPerLook);
    const restMs = Math.max(pollMs - tookMs, slowMs);
    const now = performance.now();
    const stepMs = pollMs / stepsPerPoll;
    return Math.max(0, Math.round((now + restMs) / stepMs) * stepMs - now);
  }

  async #look(feed: Feed): Promise<void> {
    try {
      const request = this.#deps.read(feed.query, Date.now());
      const pairs = Object.entries(feed.query).flatMap(([name, value]) =>
        [value].flat().map((one) => [name, one] as [string, string]),
      );
      const address = `/leaderboard?${new URLSearchParams(pairs)}`;
      const board = (await this.#deps.leaderboard(request, address)) as LiveBoard;
      if (!feed.take(board, Date.now())) return;
      for (const watcher of feed.watchers) watcher.onVersion();
    } catch (error) {
      const note = () => ({ secrets: secretsIn(feed.query) });
      const { body } = problemReply(toRankstreamError(error, this.#deps.logger, note));
      if (feed.problem !== null) return;
      feed.problem = body;
      for (const watcher of feed.watchers) watcher.onProblem(body);
    }
  }
}
