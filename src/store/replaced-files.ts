/** Files of raw events that are out of the manifest: removed once no query may read them. */
import type { Database } from "./database.ts";
import type { RawChecks } from "./raw-checks.ts";
import type { RawPlace } from "./raw-place.ts";

export interface ReplacedFilesOptions {
  place: RawPlace;
  /**
   * A file is kept so long, and longer while a read may still need it. Where other processes read
   * as well, nobody knows their reads: it is to be as long as any of those may take.
   */
  removeAfterMs: number;
}

interface Replaced {
  path: string;
  /** Epoch ms. */
  at: number;
  /** Reads that had begun when the replacement was committed. */
  readsBegun: number;
  /** Whether somebody waits for it to be gone. */
  isUrgent: boolean;
}

export class ReplacedFiles {
  readonly #database: Database;
  readonly #checks: RawChecks;
  readonly #options: ReplacedFilesOptions;
  #replaced: Replaced[] = [];
  #pins = 0;

  constructor(database: Database, checks: RawChecks, options: ReplacedFilesOptions) {
    this.#database = database;
    this.#checks = checks;
    this.#options = options;
  }

  /** No file is removed until what this returns was called, once. */
  pin(): () => void {
    this.#pins++;
    return () => {
      this.#pins--;
    };
  }

  /** To be called once the transaction that took these files out of the manifest is committed. */
  retire(paths: readonly string[], now: number, isUrgent: boolean): void {
    const { readsBegun } = this.#database;
    this.#replaced.push(...paths.map((path) => ({ path, at: now, readsBegun, isUrgent })));
  }

  /** All there are go as soon as no read may need them, however short they were kept. */
  hurry(): void {
    for (const file of this.#replaced) file.isUrgent = true;
  }

  /** Whether files are still there that are to go soon. */
  get areUrgent(): boolean {
    return this.#replaced.some(({ isUrgent }) => isUrgent);
  }

  /** Removes what no query can be reading any more. */
  async remove(now: number): Promise<void> {
    if (this.#pins > 0) return;
    const { place, removeAfterMs } = this.#options;
    const isDue = ({ at, isUrgent, readsBegun }: Replaced) =>
      ((isUrgent && !place.isShared) || now - at >= removeAfterMs) &&
      this.#database.haveEnded(readsBegun);
    const due = this.#replaced.filter(isDue);
    const paths = due.map(({ path }) => path);
    this.#checks.forget(paths);
    // Those that can't be removed now stay due.
    await place.remove(paths);
    this.#replaced = this.#replaced.filter((file) => !due.includes(file));
  }
}
