/**
 * Has the embedded log copied to the repository, and keeps what is not copied from being freed:
 * but not for ever, or a repository that is gone would fill the disk and end the taking of events.
 */
import type { EmbeddedLog } from "../log/embedded-log.ts";
import type { LogPosition } from "../log/log.ts";
import type { LocalStore } from "../store/local-store.ts";
import type { Logger } from "../telemetry.ts";
import type { BackupCaller } from "./backup-caller.ts";
import type { BaseLogEnd } from "./base-writer.ts";
import type { ArchiveState } from "./log-archive.ts";

export interface LogCopiesDeps {
  /** Null: the log is in Kafka, and is not copied. */
  log: EmbeddedLog | null;
  store: Pick<LocalStore, "committedOffsets">;
  caller: BackupCaller;
  logger: Logger;
}

export interface LogCopiesOptions {
  /** How often the log is copied. */
  logIntervalMs: number;
  /** So much of the log may wait to be copied before it is freed all the same. */
  logLagBytesMax: number;
}

/** What is told of the copies. */
export interface LogCopyFigures {
  /** Bytes of the log that are not copied yet. */
  logLagBytes: number;
  /** Epoch ms: everything received by then is copied; null before the first copy. */
  logThrough: number | null;
  /** Bytes copied since the start, and how often some could not be before they were freed. */
  logBytes: number;
  logGaps: number;
  /** Copies that failed. */
  logFailures: number;
}

/** With so much to copy it isn't waited for the next time. */
const urgentBytes = 64 * 1024 * 1024;
const logBegin: LogPosition = Object.freeze({ segment: 0, position: 0 });

export class LogCopies {
  readonly #deps: LogCopiesDeps;
  readonly #options: LogCopiesOptions;
  #archive: ArchiveState | null = null;
  #isKept = true;
  #copiedAt = Number.NEGATIVE_INFINITY;
  #through: number | null = null;
  #failures = 0;

  constructor(deps: LogCopiesDeps, options: LogCopiesOptions) {
    this.#deps = deps;
    this.#options = options;
    deps.log?.keepFrom(logBegin.segment);
  }

  figures(): LogCopyFigures {
    return {
      logLagBytes: this.#lagBytes(),
      logThrough: this.#through,
      logBytes: this.#archive?.logBytes ?? 0,
      logGaps: this.#archive?.gaps ?? 0,
      logFailures: this.#failures,
    };
  }

  /** Whether it is time for the next copy. */
  get isDue(): boolean {
    const { logIntervalMs } = this.#options;
    return performance.now() - this.#copiedAt >= logIntervalMs || this.#lagBytes() >= urgentBytes;
  }

  /** The log is freed uncopied rather than to fill the disk. */
  lookAtLag(): void {
    const { log, logger } = this.#deps;
    const { logLagBytesMax } = this.#options;
    const lagBytes = this.#lagBytes();
    if (log === null || lagBytes <= logLagBytesMax || !this.#isKept) return;
    this.#isKept = false;
    log.keepFrom(Number.POSITIVE_INFINITY);
    this.#trim();
    const fields = { part: "backup", lagBytes, lagBytesMax: logLagBytesMax };
    logger.error(fields, "the log is no longer kept for backups: they lag too far behind it");
  }

  /** How far the repository's copy is. */
  note(archive: ArchiveState): void {
    const { log, logger } = this.#deps;
    const gaps = archive.gaps - (this.#archive?.gaps ?? 0);
    if (gaps > 0) {
      const fields = { part: "backup", gaps, from: archive.position };
      logger.error(fields, "a part of the log was freed before it was backed up");
    }
    this.#archive = archive;
    this.#isKept = true;
    log?.keepFrom(archive.position.segment);
    this.#trim();
  }

  /** Copies all that is durable; returns how far the repository then is. */
  async copy(): Promise<BaseLogEnd> {
    const { log, caller } = this.#deps;
    const now = Date.now();
    if (log === null) return { receivedThrough: now, end: null };
    this.#copiedAt = performance.now();
    // Receipts are given in the order of the log: whatever was received before this millisecond
    // is durable once what waits now is.
    await log.settled();
    const end = log.durableEnd();
    const through = now - 1;
    try {
      const archive = await caller.call("copyLog", { end, through });
      this.note(archive);
      this.#through = through;
      return { receivedThrough: Math.max(through, archive.lastReceivedAt), end };
    } catch (error) {
      this.#failures++;
      throw error;
    }
  }

  #lagBytes(): number {
    return this.#deps.log?.bytesAfter(this.#archive?.position ?? logBegin) ?? 0;
  }

  #trim(): void {
    const { log, store, logger } = this.#deps;
    log?.trim(store.committedOffsets()).catch((error) => {
      logger.warn({ part: "log", err: error }, "the log was not trimmed");
    });
  }
}
