/** Plays a stream into the lab: step by step, at a speed, or as fast as a frame allows. */
import { type Lab, type LabShape, labBounds } from "./lab.ts";
import type { ItemSource } from "./streams.ts";

/** Updates a second; the last one is as many as there is time for. */
export const speeds: readonly number[] = [1, 4, 20, 100, 1000, 10_000, Number.POSITIVE_INFINITY];

export type PlayState = "playing" | "paused" | "ended" | "full" | "failed";

/** Of a frame: the rest is left to drawing. */
const frameMsMax = 8;
const partItems = 2048;
/** A tab that was in the background doesn't catch up. */
const frameGapMsMax = 200;

export class Player {
  readonly lab: Lab;
  /** Called after anything has changed. */
  onChange: () => void = () => undefined;
  #source: ItemSource;
  #speed = speeds[1]!;
  #state: PlayState = "paused";
  /** Updates that are due. */
  #due = 0;
  #lastFrameMs: number | undefined;
  /** Items asked for by a button, not there yet. */
  #wanted = 0;

  constructor(lab: Lab, source: ItemSource) {
    this.lab = lab;
    this.#source = source;
  }

  get state(): PlayState {
    return this.#state;
  }

  get problem(): string | undefined {
    return this.#source.problem;
  }

  get source(): ItemSource {
    return this.#source;
  }

  get speed(): number {
    return this.#speed;
  }

  set speed(speed: number) {
    this.#speed = speed;
    this.#due = 0;
    this.onChange();
  }

  play(): void {
    if (this.#state !== "paused") return;
    this.#state = "playing";
    this.#due = 1;
    this.#nextFrame();
    this.onChange();
  }

  pause(): void {
    if (this.#state === "playing") this.#state = "paused";
    this.#lastFrameMs = undefined;
    this.#wanted = 0;
    this.onChange();
  }

  /** Counts so many more and stops there, at once or as soon as they are read. */
  step(n: number): void {
    if (this.#state !== "paused") return;
    this.#wanted += n;
    this.#run(n);
    this.onChange();
    if (this.#wanted > 0 && this.#state === "paused") this.#nextFrame();
  }

  /** Begins anew with another stream. */
  begin(source: ItemSource): void {
    this.#source = source;
    this.lab.reset();
    this.#state = "paused";
    this.#wanted = 0;
    this.#lastFrameMs = undefined;
    this.onChange();
  }

  reshape(shape: LabShape): void {
    this.lab.reshape(shape);
    this.onChange();
  }

  #nextFrame(): void {
    requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now: number): void {
    if (this.#state === "playing") {
      const gapMs = Math.min(frameGapMsMax, now - (this.#lastFrameMs ?? now));
      this.#lastFrameMs = now;
      this.#due += (gapMs / 1000) * this.#speed;
      const whole = this.#speed === Number.POSITIVE_INFINITY ? this.#speed : Math.floor(this.#due);
      const taken = this.#run(whole);
      this.#due = Number.isFinite(this.#due) ? Math.max(0, Math.min(this.#due - taken, whole)) : 0;
      if (taken > 0 || this.#state !== "playing") this.onChange();
    } else if (this.#wanted > 0) {
      if (this.#run(this.#wanted) > 0 || this.#state !== "paused") this.onChange();
    }
    if (this.#state === "playing" || (this.#state === "paused" && this.#wanted > 0)) {
      this.#nextFrame();
    }
  }

  /** Counts up to `n`, as many as are there and the frame has time for; returns how many. */
  #run(n: number): number {
    const started = performance.now();
    let taken = 0;
    while (taken < n && performance.now() - started < frameMsMax) {
      const items = this.#source.read(Math.min(partItems, n - taken));
      if (items === null) {
        this.#state = this.#source.problem === undefined ? "ended" : "failed";
        break;
      }
      if (items.length === 0) break;
      const fed = this.lab.feed(items);
      taken += fed;
      if (fed < items.length) {
        this.#state = "full";
        break;
      }
    }
    this.#wanted = Math.max(0, this.#wanted - taken);
    return taken;
  }
}

/** Why a stream stands still, for the reader; empty while it needn't be said. */
export function stateText(state: PlayState, problem: string | undefined): string {
  const { distinctMax, updatesMax } = labBounds;
  if (state === "ended") return "The stream has ended.";
  if (state === "failed") return `The stream broke off: ${problem}.`;
  if (state === "full") {
    const most = `${distinctMax.toLocaleString("en")} different items`;
    const updates = `${updatesMax.toLocaleString("en")} updates`;
    return `This page keeps exact counts too, of ${most} and ${updates} at most: stopped here.`;
  }
  return "";
}
