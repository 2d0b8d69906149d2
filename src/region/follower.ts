/**
 * Follows another region: again and again compares its sums with what is kept of it here, and
 * copies what is missing. There is no queue and no position to be lost: what to do follows from
 * both states alone, so catching up after a cut is the same as any other round.
 *
 *   1  sums of days, of the last days' hours, of the last hours' minutes: one request
 *   2  of minutes that differ the counts by item; what is missing is written (writer.ts)
 *   3  of minutes that are not over, where they differ, the greatest items
 *   4  of days that differ, the oldest first, their hours' and minutes' sums, and then as 2
 */
import { foreverMs, minuteMs } from "../model.ts";
import {
  cellMinutes,
  type RegionHorizon,
  type RegionLevel,
  type RegionSpan,
  type RegionTotalsReply,
} from "../model-region-wire.ts";
import type { RegionStore } from "../store/region-questions.ts";
import { KnownCells } from "./known-cells.ts";
import type { RegionPeer } from "./peer.ts";
import { cellAt, differing, type LevelSums, type Plan, planOf, sumsOf } from "./plan.ts";
import { noteResets, type RegionState } from "./state.ts";
import type { RegionWriter, WrittenSpan } from "./writer.ts";

export interface FollowerDeps {
  region: string;
  peer: Pick<RegionPeer, "totals" | "counts">;
  regions: Pick<RegionStore, "totals">;
  writer: Pick<RegionWriter, "write">;
  /** Resolves once everything appended here before is counted. */
  settle: (signal: AbortSignal) => Promise<unknown>;
  /** Where retention cuts types off here. */
  horizons: () => Promise<RegionHorizon[]>;
  /** Greatest items of a type copied of a minute that is not over. */
  itemsMax: number;
  now?: () => number;
}

/** What a round came to. */
export interface Round {
  /** There is more to do at once. */
  isMore: boolean;
  /** Sum of the counts that were added. */
  added: number;
  /** Why some were refused; null: none were. */
  refusal: string | null;
}

const readMsMax = 60_000;
/** Counts copied at once, about. */
const eventsMax = 1_000_000;
const cellsMax = cellMinutes.day;
/** Copying older days ends a round after so long: newer ones want to be looked at again. */
const olderMsMax = 15_000;
/** How far ahead of its clock a region may have taken events. */
const aheadMinutes = 10;
/** In minutes: the first of a day. */
const forever = foreverMs / minuteMs;
const nothing: LevelSums = { theirs: new Map(), ours: new Map(), coarse: new Set() };
const dayOf = (minute: number) => minute - (minute % cellMinutes.day);

interface Compared {
  reply: RegionTotalsReply;
  /** By span. */
  sums: LevelSums[];
}

/** What the steps of a round share. */
interface RoundParts {
  round: Round;
  reply: RegionTotalsReply;
  /** Of what is kept here when it began. */
  generation: number;
  /** When it was asked, by this region's clock: epoch ms. What it says of later is not so yet. */
  askedAt: number;
  signal: AbortSignal;
}

export class RegionFollower {
  readonly #deps: FollowerDeps;
  readonly #now: () => number;
  readonly #known = new KnownCells();
  /** Changed in place. */
  readonly state: RegionState;

  constructor(deps: FollowerDeps, state: RegionState) {
    this.#deps = deps;
    this.state = state;
    this.#now = deps.now ?? Date.now;
  }

  /** Looks at everything anew from now on. */
  forget(): void {
    this.#known.clear();
  }

  /** One round. Throws RegionRefusal, and what the network, the store and the log throw. */
  async round(signal: AbortSignal): Promise<Round> {
    const round: Round = { isMore: false, added: 0, refusal: null };
    const askedAt = this.#now();
    const minute = Math.floor(askedAt / minuteMs);
    const hours = dayOf(minute) - cellMinutes.day;
    const minutes = minute - (minute % cellMinutes.hour) - cellMinutes.hour;
    const spans: RegionSpan[] = [
      { level: "day", from: 0, to: forever },
      { level: "hour", from: hours, to: forever },
      { level: "minute", from: minutes, to: forever },
    ];
    const { reply, sums } = await this.#compare(spans, await this.#deps.horizons(), signal);
    const [day, hour, recent] = sums as [LevelSums, LevelSums, LevelSums];
    const parts = { round, reply, generation: this.state.generation, askedAt, signal };
    this.state.heardAt = this.#now();
    this.state.coarsestSeconds = Math.max(this.state.coarsestSeconds, reply.coarsestSeconds);
    const plan = this.#plan({ minute: recent, hour: nothing, day: nothing }, reply);
    this.#known.noteAhead(minutes, forever, plan.ahead);
    await this.#pullAll(plan, parts);
    await this.#pullOpen(recent, minutes, parts);
    const older = differing(day).filter((start) => start < hours);
    const later = differing(hour).filter((start) => start < minutes);
    const days = new Set([...older, ...later.map(dayOf)]);
    this.#known.keepAhead(minutes, days);
    await this.#pullDays([...days], minutes, day, parts);
    if (!round.isMore && round.refusal === null) await this.#reach(reply.completeThrough, parts);
    this.state.minutesAhead = this.#known.minutesAhead;
    return round;
  }

  /** Days whose sums differ, the oldest first, save for the minutes from `recent` on. */
  async #pullDays(days: number[], recent: number, sums: LevelSums, parts: RoundParts) {
    const { round, signal } = parts;
    const begun = this.#now();
    let reached = 0;
    for (const start of days.sort((a, b) => a - b)) {
      const cell = cellAt("day", start, sums);
      if (this.#known.has(cell)) continue;
      if (this.#now() - begun > olderMsMax) round.isMore = true;
      if (round.isMore || round.refusal !== null) break;
      const next = start + cellMinutes.day;
      const end = Math.min(next, recent);
      const { reply, sums: own } = await this.#compare(
        [
          { level: "day", from: start, to: next },
          { level: "hour", from: start, to: end },
          { level: "minute", from: start, to: end },
        ],
        parts.reply.horizons,
        signal,
        false,
      );
      const [day, hour, minute] = own as [LevelSums, LevelSums, LevelSums];
      const plan = this.#plan({ minute, hour, day: end === next ? day : nothing }, reply);
      this.#known.noteAhead(start, end, plan.ahead);
      await this.#pullAll(plan, { ...parts, reply });
      if (plan.pulls.length === 0 && end === next) this.#known.add(cell);
      if (!round.isMore && round.refusal === null) reached = end;
    }
    if (reached > 0) await this.#reach(Math.min(reached, parts.reply.completeThrough), parts);
  }

  #plan(sums: Record<RegionLevel, LevelSums>, reply: RegionTotalsReply): Plan {
    return planOf(sums, {
      before: reply.completeThrough,
      coarsestSeconds: this.state.coarsestSeconds,
      eventsMax,
      cellsMax,
      isKnown: (cell) => this.#known.has(cell),
    });
  }

  async #pullAll({ pulls, ahead }: Plan, parts: RoundParts): Promise<void> {
    for (const pull of pulls) {
      const isDone = await this.#pull(pull, null, parts);
      if (!isDone) continue;
      // They lack nothing: until their sums change there is no more to do.
      const own = ahead.filter(
        ({ level, start }) => level === pull.level && start >= pull.from && start < pull.to,
      );
      for (const cell of own) this.#known.add(cell);
    }
  }

  /**
   * At least the greatest items of minutes that are not over, unless their sums are the same.
   * `recent` are those from `since` on: a region whose clock is hours behind tells of none.
   */
  async #pullOpen(recent: LevelSums, since: number, parts: RoundParts): Promise<void> {
    const { asOf, completeThrough: from } = parts.reply;
    const isSame = from >= since && differing(recent).every((start) => start < from);
    const to = Math.floor(asOf / minuteMs) + aheadMinutes;
    if (!isSame) await this.#pull({ level: "minute", from, to }, this.#deps.itemsMax, parts);
    this.state.candidatesAsOf = Math.min(asOf, parts.askedAt);
  }

  /** Copies what is missing of these cells; whether nothing was. */
  async #pull(
    { level, from, to }: WrittenSpan,
    itemsMax: number | null,
    { round, reply, signal }: RoundParts,
  ): Promise<boolean> {
    const { peer, writer } = this.#deps;
    const { horizons } = reply;
    const theirs = await peer.counts({ level, from, to, horizons, itemsMax }, signal);
    const written = await writer.write({ level, from, to }, theirs, signal);
    round.added += written.added;
    round.isMore ||= written.isMore;
    round.refusal ??= written.refusal;
    return written.added === 0 && !written.isMore && written.refusal === null;
  }

  /** All before this minute is in, unless what was looked at has been deleted since. */
  async #reach(minute: number, parts: RoundParts): Promise<void> {
    const { round, generation, askedAt, signal } = parts;
    if (round.added > 0) await this.#deps.settle(signal);
    if (this.state.generation !== generation) {
      round.isMore = true;
      return;
    }
    const through = Math.min(minute, Math.floor(askedAt / minuteMs)) * minuteMs;
    this.state.completeThrough = Math.max(this.state.completeThrough ?? 0, through);
  }

  async #compare(
    spans: RegionSpan[],
    horizons: RegionHorizon[],
    signal: AbortSignal,
    isSettled = true,
  ): Promise<Compared> {
    const { peer, regions, region, settle } = this.#deps;
    const reply = await peer.totals({ spans, horizons }, signal);
    // What this round has added to other cells need not be counted for these.
    if (isSettled) await settle(signal);
    const query = { region, spans, horizons: reply.horizons, budgetMs: readMsMax };
    const { cells, resets } = await regions.totals(query, { signal });
    noteResets(this.state, resets);
    return { reply, sums: spans.map((_, i) => sumsOf(reply.cells[i]!, cells[i]!)) };
  }
}
