/**
 * Deletes what is older than its type is kept, a whole day (of UTC) at a time: answers end at the
 * retention's very minute, what is stored up to a day before it.
 */
import type { EventTypeInfo } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import { dayMs, type Registry } from "./registry.ts";

export interface ExpiryDeps {
  registry: Pick<Registry, "expiring" | "horizonOf" | "noteExpired">;
  eventTypes: () => Promise<EventTypeInfo[]>;
  /** Whether it is for this process to delete: of several that share a store one does. */
  isMine: () => boolean;
  /** Deletes all events of a type before `to` (epoch ms). */
  deleteBefore: (eventType: string, to: number, signal: AbortSignal) => Promise<unknown>;
  logger: Logger;
}

export class Expiry {
  readonly #deps: ExpiryDeps;
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | null = null;
  #isWanted = false;

  constructor(deps: ExpiryDeps, intervalMs: number) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.run(), intervalMs);
    this.#timer.unref();
  }

  /** Deletes what has expired by now; resolves once that is done. A failure is tried again. */
  run(): Promise<void> {
    this.#isWanted = true;
    this.#running ??= this.#runAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#running;
  }

  async #runAll(): Promise<void> {
    while (this.#isWanted && !this.#stop.signal.aborted) {
      this.#isWanted = false;
      try {
        await this.#expire();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#deps.logger.warn(
          { part: "retention", err: error },
          "expiry failed and is tried again",
        );
      }
    }
  }

  async #expire(): Promise<void> {
    const { registry, eventTypes, deleteBefore, isMine, logger } = this.#deps;
    const expiring = new Set(registry.expiring());
    if (expiring.size === 0 || !isMine()) return;
    for (const { name, firstSeen } of await eventTypes()) {
      if (!expiring.has(name) || this.#stop.signal.aborted) continue;
      const horizon = registry.horizonOf(name);
      const through = horizon - (horizon % dayMs);
      if (firstSeen >= through) continue;
      // First of all nothing older is taken or shown any more.
      await registry.noteExpired(name, through);
      await deleteBefore(name, through, this.#stop.signal);
      logger.info(
        { part: "retention", eventType: name, through: new Date(through) },
        "events expired",
      );
    }
  }
}
