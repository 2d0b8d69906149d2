/** Keys as their file has them now: read again when it changes, without a restart. */
import { RankstreamError } from "../errors.ts";
import { nobody, type Principal } from "../model-access.ts";
import type { Logger } from "../telemetry.ts";
import { KeyRing } from "./key-ring.ts";
import { readKeysFile } from "./keys-file.ts";

export interface WatchedKeysOptions {
  path: string;
  logger: Logger;
  /** How often the file is looked at. */
  pollMs?: number;
}

const pollMsDefault = 1000;

export class WatchedKeys {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #ring = new KeyRing(nobody);
  #mark: string;
  /** What is wrong with the file as it is; null while its keys are those in force. */
  #failure: string | null = null;
  #reading: Promise<void> | null = null;
  #polling: NodeJS.Timeout | undefined;

  private constructor({ path, logger }: WatchedKeysOptions, mark: string) {
    this.#path = path;
    this.#logger = logger;
    this.#mark = mark;
  }

  /** Throws `keys_unusable` where the file is missing or can't be used. */
  static async open(options: WatchedKeysOptions): Promise<WatchedKeys> {
    const file = await readKeysFile(options.path);
    const watched = new WatchedKeys(options, file?.mark ?? "");
    watched.#ring.replace(file?.keys ?? []);
    const look = () => void watched.reload();
    watched.#polling = setInterval(look, options.pollMs ?? pollMsDefault);
    watched.#polling.unref();
    return watched;
  }

  get size(): number {
    return this.#ring.size;
  }

  /** What is wrong with the file, while older keys are in force; null when nothing is. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Whose key it is. Throws `key_invalid`, `key_expired`. */
  verify(credential: string, now: number): Principal {
    return this.#ring.verify(credential, now);
  }

  /** Whether a key of now stands for it. */
  holds(principal: Principal, now: number): boolean {
    return this.#ring.holds(principal, now);
  }

  /**
   * Looks at the file at once; never rejects. A file that can't be used, half written say, is
   * told of once and changes nothing: the keys before stay in force.
   */
  reload(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  close(): void {
    clearInterval(this.#polling);
  }

  async #read(): Promise<void> {
    try {
      const file = await readKeysFile(this.#path, this.#failure === null ? this.#mark : null);
      if (file === null) return;
      this.#ring.replace(file.keys);
      this.#mark = file.mark;
      this.#failure = null;
      this.#logger.info({ part: "access", keys: file.keys.length }, "the file of keys was read");
    } catch (error) {
      const why = error instanceof RankstreamError ? error.message : String(error);
      if (why === this.#failure) return;
      this.#failure = why;
      this.#logger.error({ part: "access" }, `${why}; the keys before stay in force`);
    }
  }
}
