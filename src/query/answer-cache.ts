/**
 * Answers kept, and asked for once where many ask at once. A kept answer is given only where it
 * is what a new one would say: nothing of its types and range changed since it was made, and
 * nothing that was acknowledged before the question waits to be counted there. Relative ranges
 * are taken as equal within a second; the reply says which range it is of.
 *
 * Where a new answer takes long, the one before may be given meanwhile, marked `stale`, unless an
 * exact one is asked for.
 */
import { createHash } from "node:crypto";
import type { TraceSpan } from "../telemetry-tracing.ts";
import { keyOf } from "./answer-key.ts";
import type { AnswerLevel, Invalidation, KeptAnswer } from "./answer-level.ts";
import { makeTraced } from "./answer-trace.ts";
import type { AskControl } from "./ask.ts";
import type { Board } from "./board.ts";
import type { ChangeMap, Stretch } from "./change-map.ts";
import type { MemoryLevel } from "./memory-level.ts";
import { distantBoardOf, type Pages } from "./pages.ts";
import type { PendingTouches } from "./pending-touches.ts";
import { type Asker, eventTypesOf, type QuestionKind, type Questions } from "./questions.ts";
import { lacksRegions, type RegionShare } from "./regions.ts";
import type { TimeRange } from "./time-range.ts";

export interface AnswerCacheDeps {
  asker: Asker;
  changes: Pick<ChangeMap, "version" | "changedSince" | "undoneSince">;
  pending: Pick<PendingTouches, "touch">;
  /** Resolves to whether everything acknowledged by now is counted; waits a little for it. */
  settled: (signal?: AbortSignal) => Promise<boolean>;
  clip: (eventTypes: readonly string[], range: TimeRange) => TimeRange;
  /** Where the cursors in boards lead. */
  pages: Pick<Pages, "touch" | "promise">;
  /** Whether every question first of all has to know what is acknowledged: it is elsewhere. */
  isRemote?: boolean;
  /** The same: others append to the log, too, and `pending` knows nothing of them. */
  isShared?: boolean;
  /** Further levels, the nearer first. */
  levels: readonly AnswerLevel[];
  /** Answers made sooner are in memory only: made again as fast as they are fetched from far. */
  cacheFarMsMin: number;
  now?: () => number;
}

/** A reply as it is sent. */
export interface Answered {
  /** JSON. */
  text: string;
  /** Strong entity tag, with its quotes. */
  etag: string;
  /** Since it was made. */
  ageMs: number;
  /** The level it comes from; null: made for this question. */
  level: string | null;
  /** Nothing of it can change but by events that come late, or deletes. */
  isPast: boolean;
  isStale: boolean;
}

/** How answers ended: found in a level, or made. */
export interface CacheTotals {
  hits: Record<string, number>;
  misses: number;
  /** Questions that got what another was waiting for. */
  joined: number;
  stale: number;
}

const pastTtlMs = 3_600_000;
const runningTtlMs = 60_000;
const rollingTtlMs = 1000;
const uncertainTtlMs = 5000;
const remoteTtlMs = 60_000;
/** An answer of time that ended so long ago gets nothing but late events. */
const pastAfterMs = 120_000;
/** After so long without a new answer the old one is given, if it is no older than this. */
const staleAfterMs = 250;
const staleMsMax = 10_000;

/** What an answer says of itself, where it does. */
interface Certainty {
  stale?: boolean;
  partial?: boolean;
  certified?: boolean;
  nextCursor?: string;
  regions?: readonly RegionShare[];
  asOf?: string;
}

/** What is made, and for whom. */
interface Order<Kind extends QuestionKind = QuestionKind> {
  kind: Kind;
  request: Questions[Kind];
  stretch: Stretch;
  /** Version of the data when it was asked. */
  version: number;
  /** All that was acknowledged before is in that version; else only a new answer has it. */
  isKnown: boolean;
  address: string | undefined;
  requestId: string | undefined;
  /** Of who asks first, where that is traced. */
  span: TraceSpan | null | undefined;
}

/** A computation under way, or one that begins when another has ended. */
interface Making {
  order: Order;
  answer: Promise<KeptAnswer>;
  askers: number;
  stop: AbortController;
}

function etagOf(text: string): string {
  return `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
}

export class AnswerCache {
  readonly #deps: AnswerCacheDeps;
  readonly #now: () => number;
  readonly #memory: MemoryLevel;
  readonly #making = new Map<string, Making>();
  /** By key: the one that is made once that under way is done. */
  readonly #next = new Map<string, Making>();
  readonly totals: CacheTotals = { hits: { l1: 0 }, misses: 0, joined: 0, stale: 0 };

  constructor(deps: AnswerCacheDeps, memory: MemoryLevel) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
    this.#memory = memory;
    for (const { name } of deps.levels) this.totals.hits[name] = 0;
  }

  /** The answer, kept or new. Throws what the asker throws. */
  async ask<Kind extends QuestionKind>(
    kind: Kind,
    asked: Questions[Kind],
    control: AskControl = {},
  ): Promise<Answered> {
    const { isRemote = false, isShared = false, settled, changes } = this.#deps;
    const isKnown = !(isRemote || isShared) || (await settled(control.signal));
    const { version } = changes;
    const request = this.#clipped(asked);
    const key = keyOf(kind, request);
    const stretch = stretchOf(request);
    const kept = isKnown ? this.#memory.find(key) : undefined;
    const { address, requestId, span } = control;
    const order = { kind, request, stretch, version, isKnown, address, requestId, span } as Order;
    const isHeld = kept !== undefined && (await this.#holds(kept, stretch, control));
    const near = isHeld ? this.#withCursor(kept, order) : null;
    if (near !== null) {
      this.totals.hits["l1"]!++;
      return this.#reply(near, "l1");
    }
    const far = isKnown ? await this.#findFar(key, order, control) : undefined;
    if (far !== undefined) return this.#reply(far.answer, far.level);
    this.totals.misses++;
    const mustWait = control.isPatient || ("mode" in asked && asked.mode === "exact");
    const mayBeStale = kept !== undefined && !mustWait && this.#isAlive(kept);
    const made = this.#make(key, order, control);
    return mayBeStale ? this.#orStale(made, kept) : this.#reply(await made, null);
  }

  /** Drops kept answers from every level; returns how many, as far as that is known. */
  async invalidate(which: Invalidation): Promise<number> {
    const levels = [this.#memory, ...this.#deps.levels];
    const dropped = await Promise.all(levels.map((level) => level.invalidate(which)));
    return dropped.reduce((sum, count) => sum + count, 0);
  }

  /** Whether a new answer would say the same, but for its `asOf`. */
  async #holds(kept: KeptAnswer, asked: Stretch, { signal }: AskControl): Promise<boolean> {
    const { changes, pending, settled } = this.#deps;
    // What came in between the kept range's end and the asked one's counts, too.
    const stretch = {
      ...asked,
      from: Math.min(asked.from, kept.stretch.from),
      to: Math.max(asked.to, kept.stretch.to),
    };
    const isSettled = !pending.touch(stretch.from, stretch.to) || (await settled(signal)) === true;
    return isSettled && !changes.changedSince(kept.version, stretch);
  }

  /** Whether the cursor in it leads anywhere, if it has one. */
  #isAlive({ cursor }: KeptAnswer): boolean {
    return cursor === undefined || this.#deps.pages.touch(cursor);
  }

  async #findFar(key: string, order: Order, control: AskControl) {
    const { stretch } = order;
    for (const level of this.#deps.levels) {
      const found = await level.get(key, stretch);
      if (found === undefined || !(await this.#holds(found, stretch, control))) continue;
      const answer = this.#withCursor(found, order);
      if (answer === null) continue;
      this.totals.hits[level.name]!++;
      this.#memory.set(key, answer, this.#ttlOf(stretch));
      return { answer, level: level.name };
    }
    return undefined;
  }

  /** The answer, its cursor made to lead somewhere; null where that can't be. */
  #withCursor(found: KeptAnswer, { kind, request, stretch, address }: Order): KeptAnswer | null {
    if (found.cursor !== undefined && this.#isAlive(found)) return found;
    if (kind !== "leaderboard" || !found.text.includes('"nextCursor":')) return found;
    const board = distantBoardOf(found.text);
    // Where the range rolls, this question's own is not quite that of the board.
    if (board === null || request.range.rolling !== undefined) return null;
    const { asker, changes, pages } = this.#deps;
    const { version } = changes;
    const remake = async () => {
      const made = await asker.leaderboard(request as Questions["leaderboard"], { address });
      return changes.changedSince(version, stretch) ? null : (made as Board);
    };
    if (!pages.touch(board.cursor)) pages.promise(board, remake);
    return { ...found, cursor: board.cursor };
  }

  /** Joins what is being made where that is as new as this question wants, else makes it anew. */
  async #make(key: string, order: Order, control: AskControl): Promise<KeptAnswer> {
    const { changes, pending, settled } = this.#deps;
    const { from, to } = order.stretch;
    // So that what is waited for anyhow is in the answer's version.
    if (pending.touch(from, to)) await settled(control.signal);
    const holds = (version: number) =>
      order.isKnown && !pending.touch(from, to) && !changes.changedSince(version, order.stretch);
    const running = this.#making.get(key);
    if (running === undefined) {
      // It may have been made since this question looked.
      const kept = this.#memory.find(key);
      if (kept !== undefined && holds(kept.version)) return kept;
      return this.#join(this.#start(key, order), control);
    }
    this.totals.joined++;
    const isNew = holds(running.order.version);
    if (isNew) return this.#join(running, control);
    const waiting = this.#next.get(key);
    if (waiting === undefined) return this.#join(this.#startAfter(key, running, order), control);
    // A range that rolls ends where the latest question has it.
    waiting.order = order;
    return this.#join(waiting, control);
  }

  #start(key: string, asked: Order): Making {
    // Of a range that rolls, what came since the question may lie beyond its end: then it is of
    // the version of the question, else of that which is read.
    const isRolling = asked.request.range.rolling !== undefined;
    const order = isRolling ? asked : { ...asked, version: this.#deps.changes.version };
    const stop = new AbortController();
    const answer = this.#compute(key, order, stop.signal);
    const making = { order, stop, askers: 0, answer };
    this.#making.set(key, making);
    const end = () => {
      if (this.#making.get(key) === making) this.#making.delete(key);
    };
    answer.then(end, end);
    return making;
  }

  /** One that is started once `running` has ended, and that all who come until then share. */
  #startAfter(key: string, running: Making, order: Order): Making {
    const stop = new AbortController();
    const start = () => {
      this.#next.delete(key);
      // All who wait here are one asker of it.
      return this.#join(this.#start(key, waiting.order), { signal: stop.signal });
    };
    const answer = running.answer.then(start, start);
    const waiting: Making = { order, stop, askers: 0, answer };
    this.#next.set(key, waiting);
    return waiting;
  }

  async #compute(
    key: string,
    { kind, request, stretch: asked, version, address, requestId, span }: Order,
    signal: AbortSignal,
  ): Promise<KeptAnswer> {
    const { asker, levels, cacheFarMsMin } = this.#deps;
    const started = this.#now();
    const ask = asker[kind] as (request: unknown, control: AskControl) => Promise<object>;
    const make = (step: TraceSpan | null) =>
      ask.call(asker, request, { signal, address, requestId, span: step });
    const body = await makeTraced(span, make);
    const stretch = withEffective(asked, body);
    const madeAt = this.#now();
    const text = JSON.stringify(body);
    const etag = etagOf(text);
    const answer: KeptAnswer = { text, etag, version, madeAt, tookMs: madeAt - started, stretch };
    const { stale, partial, certified, nextCursor, regions } = body as Certainty;
    if (nextCursor !== undefined) answer.cursor = nextCursor;
    // One that may lack something, or lacks a part, is for its askers alone; but other regions
    // may lag for long.
    if (stale === true || (partial === true && regions === undefined)) return answer;
    // What is not certain may be so once its windows are sealed, which changes no count.
    // A region that has not reached its end may soon lag too far, which changes none either.
    const isCertain = certified !== false && !lacksRegions(body as Certainty, stretch.to);
    const ttlMs = Math.min(this.#ttlOf(stretch), isCertain ? Infinity : uncertainTtlMs);
    this.#memory.set(key, answer, ttlMs);
    if (answer.tookMs < cacheFarMsMin) return answer;
    for (const level of levels) level.set(key, answer, ttlMs);
    return answer;
  }

  /** Waits for an answer as long as its client does; without any client it is given up. */
  async #join(making: Making, { signal }: AskControl): Promise<KeptAnswer> {
    making.askers++;
    const leave = () => {
      making.askers--;
      if (making.askers === 0) making.stop.abort();
    };
    if (signal?.aborted === true) leave();
    else signal?.addEventListener("abort", leave, { once: true });
    try {
      return await making.answer;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  /** The new answer; after a while without it the old one, marked. */
  async #orStale(made: Promise<KeptAnswer>, kept: KeptAnswer): Promise<Answered> {
    const isOld = this.#now() - kept.madeAt > staleMsMax;
    if (isOld) return this.#reply(await made, null);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), staleAfterMs);
    });
    try {
      const first = await Promise.race([made, late]);
      if (first !== null) return this.#reply(first, null);
    } finally {
      clearTimeout(timer);
    }
    // What was deleted is not shown again.
    if (this.#deps.changes.undoneSince(kept.version, kept.stretch.eventTypes)) {
      return this.#reply(await made, null);
    }
    // Whoever asks next gets it, or its failure.
    made.catch(() => undefined);
    this.totals.stale++;
    const text = JSON.stringify({ ...JSON.parse(kept.text), stale: true });
    return { ...this.#reply({ ...kept, text, etag: etagOf(text) }, "l1"), isStale: true };
  }

  #reply(answer: KeptAnswer, level: string | null): Answered {
    const now = this.#now();
    return {
      text: answer.text,
      etag: answer.etag,
      ageMs: Math.max(0, now - answer.madeAt),
      level,
      isPast: answer.stretch.to < now - pastAfterMs,
      isStale: false,
    };
  }

  #ttlOf({ to }: Stretch): number {
    const now = this.#now();
    // Cursors in it, and retention, are known at the upstream alone.
    if (to < now - pastAfterMs) return this.#deps.isRemote === true ? remoteTtlMs : pastTtlMs;
    // What rolls back from now is of another name a second later.
    return to <= now + rollingTtlMs ? 2 * rollingTtlMs : runningTtlMs;
  }

  #clipped<Asked extends Questions[QuestionKind]>(asked: Asked): Asked {
    const { clip } = this.#deps;
    return { ...asked, range: clip(eventTypesOf(asked), asked.range) };
  }
}

/** The stretch with what the answer says it is of: relative ranges end where it was made. */
function withEffective(stretch: Stretch, body: object): Stretch {
  const { effectiveFrom, effectiveTo } = body as { effectiveFrom?: string; effectiveTo?: string };
  if (effectiveFrom === undefined || effectiveTo === undefined) return stretch;
  return {
    ...stretch,
    from: Math.min(stretch.from, Date.parse(effectiveFrom)),
    to: Math.max(stretch.to, Date.parse(effectiveTo)),
  };
}

/** All the time that an answer speaks of. */
function stretchOf(request: Questions[QuestionKind]): Stretch {
  const eventTypes = eventTypesOf(request);
  // When an item was first and last seen is told of all time.
  if ("neighbours" in request) return { eventTypes, from: 0, to: Number.MAX_SAFE_INTEGER };
  const ranges = [request.range];
  if ("previous" in request && request.previous !== undefined) ranges.push(request.previous);
  return {
    eventTypes,
    from: Math.min(...ranges.map(({ effectiveFrom }) => effectiveFrom)),
    to: Math.max(...ranges.map(({ effectiveTo }) => effectiveTo)),
  };
}
