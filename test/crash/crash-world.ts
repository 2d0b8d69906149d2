// One data folder and its load, over as many faults as are to come; what each fault is judged by.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Random } from "../support/random.ts";
import { RankstreamProcess, type StartOptions, temporaryFolder } from "../support/service.ts";
import type { CrashTarget } from "./campaign-target.ts";
import { CrashLoad, type Round, type RoundNeeds } from "./crash-load.ts";
import {
  expectApproxHolds,
  expectRawAgrees,
  expectRoundCounted,
  expectTotals,
  readCounts,
} from "./crash-verdict.ts";

/** Fully looked at after each fault; of older rounds the totals. */
const roundsLookedAt = 2;
const lateReadyMsMax = 60_000;
const readyAgainMsMax = 30_000;
/** Of a batch nobody answered for, what was on its way has arrived by then. */
const quietMs = 300;

export class CrashWorld {
  readonly random: Random;
  readonly target: CrashTarget;
  readonly load: CrashLoad;
  readonly dataDir: string;
  /** Shorter pauses and loads: a few seconds a fault. */
  isBrisk = false;
  readonly #logArgs: string[];
  /** The least version that the data may have: offsets never go back. */
  #version = 0;

  constructor(random: Random, target: CrashTarget, dataDir = temporaryFolder()) {
    this.random = random;
    this.target = target;
    this.load = new CrashLoad(random, target.allowedErrors, target.broker !== null);
    this.dataDir = dataDir;
    this.#logArgs = target.logArgs();
  }

  options(more: StartOptions = {}): StartOptions {
    const checkpointMs = this.random.pick([20, 200, 1000]);
    const own = ["--checkpoint-ms", String(checkpointMs), "--log-level", "warn"];
    const args = [...this.#logArgs, ...own, ...(more.args ?? [])];
    return { dataDir: this.dataDir, ...more, args };
  }

  start(more: StartOptions = {}): Promise<RankstreamProcess> {
    return new RankstreamProcess(this.options(more)).ready();
  }

  begin(needs: Partial<RoundNeeds> = {}) {
    return this.load.beginRound({ isOver: false, largeChance: 0, ...needs });
  }

  /** Is all counted that must be, and nothing else? */
  async expectRight(service: RankstreamProcess): Promise<void> {
    const latest = this.load.rounds.slice(-roundsLookedAt);
    const { isSplit } = this.load;
    for (const round of latest) await expectRoundCounted(service, round, isSplit);
    for (const round of latest) await expectApproxHolds(service, round);
    await expectRawAgrees(service, this.load.rounds.at(-1)!);
    await expectTotals(service, this.load.rounds);
    await this.#expectOnward(service);
  }

  /** All of it works again, and what was still on its way to the log has arrived. */
  async settled(service: RankstreamProcess): Promise<void> {
    const isReady = async () => (await service.get("/health/ready")).status === 200;
    expect(await within(readyAgainMsMax, isReady), service.output()).toBe(true);
    let last: string | null = null;
    const isQuiet = async () => {
      const before = last;
      last = await contentOf(service, this.load.rounds.at(-1)!);
      if (last === before) return true;
      await sleep(quietMs);
      return false;
    };
    expect(await within(readyAgainMsMax, isQuiet), "more and more is counted").toBe(true);
  }

  /** Starts after a fault, judges, and dies again with nothing under way. */
  async expectSurvived(): Promise<void> {
    const survivor = await this.start();
    if (this.target.broker !== null) await this.settled(survivor);
    await this.expectRight(survivor);
    await (this.random.chance(0.3) ? survivor.stop() : survivor.kill());
  }

  /** Every round by every id, at the end. */
  async expectAllRounds(): Promise<number> {
    const service = await this.start();
    let counted = 0;
    for (const round of this.load.rounds) {
      counted += await expectRoundCounted(service, round, this.load.isSplit);
    }
    await service.stop();
    return counted;
  }

  async #expectOnward(service: RankstreamProcess): Promise<void> {
    const { status, body } = await service.get("/changes");
    expect(status).toBe(200);
    expect(body.version, "offsets went back").toBeGreaterThanOrEqual(this.#version);
    this.#version = body.version;
  }
}

/** A round's counts as a text. */
async function contentOf(service: RankstreamProcess, round: Round): Promise<string> {
  const { eventType, minuteStart } = round;
  const counts = await readCounts(service, eventType, minuteStart, minuteStart + 60_000);
  return JSON.stringify([...counts].sort());
}

/** Waits until `isTrue`, looking often; false when it isn't in time. */
export async function within(msMax: number, isTrue: () => boolean | Promise<boolean>) {
  const until = performance.now() + Math.min(msMax, lateReadyMsMax);
  while (performance.now() < until) {
    if (await isTrue()) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}
