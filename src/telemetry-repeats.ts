/**
 * Keeps a part that says the same over and over from filling the log: of equal lines only so many
 * are written in a window of time, then one more with how many were left out. A line is equal to
 * another of the same level, part and message.
 */

export interface RepeatsOptions {
  /** Equal lines written in a window. */
  linesMax: number;
  windowMs: number;
  /** Different lines counted at once; beyond, the oldest is forgotten, and told. */
  keysMax: number;
  /** Milliseconds; for tests. */
  now?: () => number;
}

export const repeatsDefaults = Object.freeze({ linesMax: 10, windowMs: 10_000, keysMax: 1000 });

interface Window<Line> {
  since: number;
  written: number;
  leftOut: number;
  line: Line;
}

export class Repeats<Line> {
  readonly #options: RepeatsOptions;
  readonly #now: () => number;
  readonly #tell: (line: Line, leftOut: number) => void;
  /** By key, the oldest window first. */
  readonly #windows = new Map<string, Window<Line>>();
  #timer: NodeJS.Timeout | null = null;

  /** `tell` writes that equal lines, of which `line` was the last, were left out. */
  constructor(options: RepeatsOptions, tell: (line: Line, leftOut: number) => void) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#tell = tell;
  }

  /** Whether the line is to be written; else it is counted. */
  admit(key: string, line: Line): boolean {
    const now = this.#now();
    const known = this.#windows.get(key);
    if (known !== undefined && now - known.since < this.#options.windowMs) {
      if (known.written < this.#options.linesMax) {
        known.written++;
        return true;
      }
      known.leftOut++;
      known.line = line;
      this.#watch();
      return false;
    }
    if (known !== undefined) this.#end(key, known);
    else if (this.#windows.size >= this.#options.keysMax) this.#makeRoom(now);
    this.#windows.set(key, { since: now, written: 1, leftOut: 0, line });
    return true;
  }

  /** Tells of everything left out until now, and begins anew. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const [key, window] of [...this.#windows]) this.#end(key, window);
  }

  get size(): number {
    return this.#windows.size;
  }

  #end(key: string, { leftOut, line }: Window<Line>): void {
    this.#windows.delete(key);
    if (leftOut > 0) this.#tell(line, leftOut);
  }

  /** Ends the windows whose time is over. */
  #sweep(now: number): void {
    for (const [key, window] of [...this.#windows]) {
      if (now - window.since >= this.#options.windowMs) this.#end(key, window);
    }
  }

  #makeRoom(now: number): void {
    this.#sweep(now);
    for (const [key, window] of this.#windows) {
      if (this.#windows.size < this.#options.keysMax) return;
      this.#end(key, window);
    }
  }

  /** So that what was left out is told also where nothing more comes. */
  #watch(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#sweep(this.#now());
      if ([...this.#windows.values()].some(({ leftOut }) => leftOut > 0)) this.#watch();
    }, this.#options.windowMs);
    this.#timer.unref();
  }
}
