// One data folder and its load, over as many faults as are to come; what each fault is judged by.
import { expect } from "vitest";
import type { Random } from "../support/random.ts";
import { RankstreamProcess, type StartOptions, temporaryFolder } from "../support/service.ts";
import type { CrashTarget } from "./campaign-target.ts";
import { CrashLoad, type RoundNeeds } from "./crash-load.ts";
import {
  expectApproxHolds,
  expectRawAgrees,
  expectRoundCounted,
  expectTotals,
} from "./crash-verdict.ts";

/** Fully looked at after each fault; of older rounds the totals. */
const roundsLookedAt = 2;
const lateReadyMsMax = 60_000;

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
    this.load = new CrashLoad(random);
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
    for (const round of latest) await expectRoundCounted(service, round);
    for (const round of latest) await expectApproxHolds(service, round);
    await expectRawAgrees(service, this.load.rounds.at(-1)!);
    await expectTotals(service, this.load.rounds);
    await this.#expectOnward(service);
  }

  /** Starts after a fault, judges, and dies again with nothing under way. */
  async expectSurvived(): Promise<void> {
    const survivor = await this.start();
    await this.expectRight(survivor);
    await (this.random.chance(0.3) ? survivor.stop() : survivor.kill());
  }

  /** Every round by every id, at the end. */
  async expectAllRounds(): Promise<number> {
    const service = await this.start();
    let counted = 0;
    for (const round of this.load.rounds) counted += await expectRoundCounted(service, round);
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

/** Waits until `isTrue`, looking often; false when it isn't in time. */
export async function within(msMax: number, isTrue: () => boolean | Promise<boolean>) {
  const until = performance.now() + Math.min(msMax, lateReadyMsMax);
  while (performance.now() < until) {
    if (await isTrue()) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}
