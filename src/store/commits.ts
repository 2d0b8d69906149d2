/** Commits what workers hand over, one part of each at a time; a failing disk is tried again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { MessagePort } from "node:worker_threads";
import { wallMs } from "../model-trace.ts";
import type { Logger } from "../telemetry.ts";
import type { Touched } from "./changes.ts";
import { type Committer, giveBack, StaleOffsetError } from "./checkpoint.ts";
import { committedSteps } from "./checkpoint-trace.ts";
import { type FromStoreThread, thrown } from "./protocol.ts";
import type { CheckpointPart, WorkerToStore } from "./store.ts";

const retryDelayMsMin = 100;
const retryDelayMsMax = 5000;

export interface CommitsDeps {
  committer: () => Committer;
  /** Told of each part that is committed; returns the offsets to tell, null: others will. */
  onCommitted: (part: CheckpointPart, touched: Touched[]) => number[] | null;
  /** Told of each failure. */
  onFailure: (error: unknown) => void;
  isClosing: () => boolean;
  /** Aborted when commits are to be tried only once more. */
  lastTry: AbortSignal;
  send: (message: FromStoreThread) => void;
  logger: Logger;
}

export class Commits {
  readonly #deps: CommitsDeps;
  /** When events were last committed, by performance.now(). */
  #last = Number.NEGATIVE_INFINITY;

  constructor(deps: CommitsDeps) {
    this.#deps = deps;
  }

  get last(): number {
    return this.#last;
  }

  /** One at a time for each worker; a failing disk is retried, since the data is here. */
  connect(port: MessagePort): void {
    let queue: Promise<void> = Promise.resolve();
    port.on("message", (message: WorkerToStore) => {
      queue = queue
        .then(() => this.#commit(message.part, port))
        .then(() => giveBack(message.part));
    });
  }

  async #commit(part: CheckpointPart, port: MessagePort): Promise<void> {
    const { committer, isClosing, lastTry, send, logger } = this.#deps;
    for (let delayMs = retryDelayMsMin; !isClosing(); ) {
      const isLastTry = lastTry.aborted;
      try {
        const [begun, startMs] = [performance.now(), wallMs()];
        const touched = await committer().commit(part);
        this.#last = performance.now();
        const offsets = this.#deps.onCommitted(part, touched);
        const seconds = (this.#last - begun) / 1000;
        const counts = part.types.map(({ name, total }) => ({ name, total }));
        const steps = committedSteps(part, startMs);
        send({ kind: "committed", offsets, touched, seconds, counts, steps });
        if (delayMs > retryDelayMsMin) {
          send({ kind: "failing", message: null });
          logger.info({ part: "store" }, "commits go on");
        }
        port.postMessage({ kind: "committed", sequence: part.sequence });
        return;
      } catch (error) {
        const { message } = thrown(error);
        const isStale = error instanceof StaleOffsetError;
        if (isStale || isLastTry) {
          port.postMessage({ kind: "failed", sequence: part.sequence, message, isStale });
          return;
        }
        send({ kind: "failing", message });
        logger.error({ part: "store", reason: message }, "a commit failed");
        this.#deps.onFailure(error);
        await sleep(delayMs, null, { signal: lastTry }).catch(() => undefined);
        delayMs = Math.min(delayMs * 2, retryDelayMsMax);
      }
    }
  }
}
