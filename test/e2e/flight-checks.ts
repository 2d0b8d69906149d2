// Random ranges over the demo's flights, and what answers about them must hold.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { BoardQuestion } from "../oracles/board-oracle.ts";
import { type FlightOracle, flightTypes } from "../oracles/flight-oracle.ts";
import type { Random } from "../support/random.ts";
import type { Answer, RankstreamProcess } from "../support/service.ts";
import { ask, expectTrueBoard, type Mode } from "./board-checks.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** A day before the first flight, and one after the last. */
const firstMs = Date.UTC(2000, 11, 31);
const lastMs = Date.UTC(2001, 6, 3);
/** The flights of the first minute of July leave that month to a day. */
export const allFlights = { from: Date.UTC(2001, 0, 1), to: Date.UTC(2001, 6, 2) };
/** Windows of one type in a cover of whole minutes once all is sealed. */
const windowsMax = { minute: 118, hour: 46, day: 60, month: 7 };
const questionsAtOnce = 2;
const sealMsMax = 400_000;
/** Leaves the seals some of the processor. */
const askEveryMs = 1500;

/** At or beside the beginning of a minute, an hour, a day or a month, or anywhere. */
function randomMoment(random: Random): number {
  const anywhere = random.int(firstMs, lastMs - 1);
  const beside = random.pick([-1, 0, 0, 1]);
  if (random.chance(0.15)) {
    const date = new Date(anywhere);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) + beside;
  }
  const step = random.pick([1, 1, secondMs, minuteMs, minuteMs, hourMs, dayMs]);
  return anywhere - (anywhere % step) + (step === 1 ? 0 : beside);
}

/** Any range over the flights; `candidatesMax` parts those that lists can answer from others. */
export function randomFlightQuestion(random: Random, candidatesMax: number): BoardQuestion {
  const from = randomMoment(random);
  const spanMs = random.pick([90 * secondMs, 3 * hourMs, 3 * dayMs, 40 * dayMs]);
  const to = random.chance(0.4) ? from + random.int(1, spanMs) : randomMoment(random);
  const [low, high] = from < to ? [from, to] : [to, from];
  const kMax = random.chance(0.7) ? Math.min(candidatesMax, 1000) : 1000;
  return {
    eventTypes: random.chance(0.1) ? [...flightTypes] : [random.pick(flightTypes)],
    from: low,
    to: high === low ? high + 1 : high,
    k: random.chance(0.4) ? random.int(1, Math.min(20, kMax)) : random.int(1, kMax),
    offset: random.chance(0.9) ? 0 : random.int(1, 30),
    ties: random.pick(["competition", "dense", "ordinal"] as const),
  };
}

export interface FlightChecksOptions {
  oracle: FlightOracle;
  candidatesMax: number;
  /** The most events of one minute. */
  busiestMinute: number;
}

export class FlightChecks {
  readonly #options: FlightChecksOptions;
  ranges = 0;
  approximate = 0;
  certified = 0;
  /** Ranks shown and ranks certified, over all approximate answers. */
  ranks = 0;
  certifiedRanks = 0;
  readonly #started = Date.now();

  constructor(options: FlightChecksOptions) {
    this.#options = options;
  }

  /** One random range in each of `modes`. */
  async check(
    service: RankstreamProcess,
    random: Random,
    modes: readonly Mode[],
    isSealed: boolean,
  ): Promise<void> {
    const question = randomFlightQuestion(random, this.#options.candidatesMax);
    const truth = this.#options.oracle.board(question);
    const oracle = { board: () => truth };
    for (const mode of modes) {
      const body = await expectTrueBoard(service, oracle, question, mode);
      if (body.mode !== "approx") continue;
      this.approximate++;
      if (body.certified === true) this.certified++;
      this.ranks += body.results.length;
      this.certifiedRanks += body.certifiedRanks;
      this.#expectPlan(body.plan, question, isSealed);
    }
    this.ranges++;
  }

  /** `size` random ranges, some at once. */
  async checkMany(
    service: RankstreamProcess,
    random: Random,
    size: number,
    modes: readonly Mode[],
    isSealed: boolean,
  ): Promise<void> {
    let left = size;
    const one = async () => {
      while (left-- > 0) await this.check(service, random, modes, isSealed);
    };
    await Promise.all(Array.from({ length: questionsAtOnce }, one));
  }

  #expectPlan(plan: Answer["body"]["plan"], question: BoardQuestion, isSealed: boolean): void {
    const { candidatesMax, busiestMinute } = this.#options;
    const { minute, hour, day, month } = plan.windows;
    const asked = JSON.stringify({ question, plan });
    const listRowsMax = (minute + hour + day + month) * candidatesMax;
    expect(plan.rowsRead.lists, asked).toBeLessThanOrEqual(listRowsMax);
    expect(plan.rowsRead.raw, asked).toBeLessThanOrEqual(2 * busiestMinute);
    if (!isSealed) return;
    expect(plan.rowsRead.counts, asked).toBe(0);
    for (const level of ["minute", "hour", "day", "month"] as const) {
      const most = windowsMax[level] * question.eventTypes.length;
      expect(plan.windows[level], asked).toBeLessThanOrEqual(most);
    }
  }

  /** One line on what was seen. */
  summary(name: string): string {
    const percent = (part: number, of: number) => `${((100 * part) / of).toFixed(1)}%`;
    const seconds = ((Date.now() - this.#started) / 1000).toFixed(1);
    return (
      `${name}: ${this.ranges} ranges in ${seconds} s, ${this.approximate} approximate answers, ` +
      `${percent(this.certified, this.approximate)} certified, ` +
      `${percent(this.certifiedRanks, this.ranks)} of their ranks\n`
    );
  }
}

/** Resolves once everything acknowledged is counted, so that no answer is stale any more. */
export async function counted(service: RankstreamProcess): Promise<void> {
  const all = { ...allFlights, k: 1, offset: 0, ties: "ordinal" as const };
  const { status } = await ask(service, { ...all, eventTypes: [...flightTypes] }, "exact");
  expect(status).toBe(200);
}

let looks = 0;

/** Whether windows as large as can be answer all flights, and nothing else does. */
export async function areSealed(service: RankstreamProcess): Promise<boolean> {
  // Another question each time: sealing changes no count, so a kept answer would stay.
  const k = 1 + (looks++ % 1000);
  const all = { ...allFlights, k, offset: 0, ties: "ordinal" as const };
  const { status, body } = await ask(service, { ...all, eventTypes: [...flightTypes] }, "approx");
  expect(status).toBe(200);
  const { rowsRead, windows } = body.plan;
  // Six months of each type, and the day that is July's.
  return rowsRead.counts === 0 && windows.month === 12 && windows.hour + windows.minute === 0;
}

/** Waits until all flights are sealed, and calls `meanwhile` again and again, with pauses. */
export async function sealed(
  service: RankstreamProcess,
  meanwhile?: () => Promise<unknown>,
): Promise<void> {
  const until = Date.now() + sealMsMax;
  while (!(await areSealed(service))) {
    if (Date.now() > until) throw new Error(`not sealed in ${sealMsMax} ms`);
    await meanwhile?.();
    await sleep(askEveryMs);
  }
}
