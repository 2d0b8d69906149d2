/**
 * When DuckDB writes what is in its WAL into the store's file. DuckDB would do so by itself inside
 * a COMMIT; here it is told to, between two transactions, so that it can also be kept from it:
 * while nothing is written back, the file's blocks that its header names don't change, and they
 * and the WAL up to a commit are together the store as of that commit (base-cuts.ts).
 */
import { statSync } from "node:fs";

export interface FileCheckpointOptions {
  /**
   * The WAL is written back from so many bytes on. At DuckDB's own 16 MB every third commit
   * under load wrote the tables anew; after a crash it is read again, a second for 25 MB.
   */
  walBytesMax: number;
  /** A WAL of so many bytes is written back whoever holds it. */
  heldWalBytesMax: number;
}

const MiB = 1024 * 1024;
export const fileCheckpointDefaults: FileCheckpointOptions = Object.freeze({
  walBytesMax: 64 * 1000 * 1000,
  heldWalBytesMax: 4096 * MiB,
});

/** Keeps the file from changing until `release`. */
export interface FileHold {
  /** Returns whether nothing was written back since the hold began. May be called again. */
  release(): boolean;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

export class FileCheckpoints {
  readonly #path: string;
  readonly #options: FileCheckpointOptions;
  readonly #holds = new Set<symbol>();
  /** After a failure: how long the WAL has to be for another try. */
  #retryBytes = 0;

  /** Of the store's file at `path`. */
  constructor(path: string, options: FileCheckpointOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Bytes of the store's file and of its WAL. */
  sizes(): { fileBytes: number; walBytes: number } {
    return { fileBytes: sizeOf(this.#path), walBytes: sizeOf(`${this.#path}.wal`) };
  }

  /**
   * Writes back what is due, by `checkpoint`, which throws where it can't. To be called between
   * transactions. A failure is tried again once the WAL has grown as much again: what is in it is
   * safe, and where DuckDB has given up, the next commit says so.
   */
  async look(checkpoint: () => Promise<unknown>): Promise<void> {
    const walBytes = sizeOf(`${this.#path}.wal`);
    const { walBytesMax, heldWalBytesMax } = this.#options;
    const isHeld = this.#holds.size > 0 && walBytes < heldWalBytesMax;
    if (isHeld || walBytes < Math.max(walBytesMax, this.#retryBytes)) return;
    this.#holds.clear();
    try {
      await checkpoint();
      this.#retryBytes = 0;
    } catch {
      this.#retryBytes = walBytes + walBytesMax;
    }
  }

  /**
   * Writes back all there is, by `checkpoint`; false where somebody holds the file, or it can't
   * be done now. To be called between transactions.
   */
  async force(checkpoint: () => Promise<unknown>): Promise<boolean> {
    if (this.#holds.size > 0) return false;
    return checkpoint().then(
      () => true,
      () => false,
    );
  }

  /** Nothing is written back until the hold is released, or the WAL is far too long. */
  hold(): FileHold {
    const own = Symbol("hold");
    this.#holds.add(own);
    let isWhole: boolean | null = null;
    const release = () => {
      isWhole ??= this.#holds.delete(own);
      return isWhole;
    };
    return { release };
  }
}
