/** How long the store's work takes, and how often it fails: told by its thread, kept here. */
import { diskBuckets, Histogram, workBuckets } from "../telemetry-histogram.ts";
import { Counter } from "../telemetry-series.ts";
import type { FromStoreThread, StoreTask, TypeCount } from "./protocol.ts";

export class StoreTimes {
  /** From when a checkpoint came to the store until it was committed; seconds. */
  readonly checkpoints = new Histogram([...diskBuckets, 5, 10, 30]);
  readonly checkpointFailures = new Counter();
  /** Steps that had something to do; seconds. */
  readonly tasks: Readonly<Record<StoreTask, Histogram>> = Object.freeze({
    fold: new Histogram(workBuckets),
    build: new Histogram(workBuckets),
    flush: new Histogram(workBuckets),
    merge: new Histogram(workBuckets),
    compact: new Histogram(workBuckets),
    clear: new Histogram(workBuckets),
    coarsen: new Histogram(workBuckets),
  });
  readonly taskFailures = new Counter();
  /** Epoch ms of the last commit; 0 before the first. */
  committedAt = 0;
  /** Told of what each checkpoint held. */
  onCounted: (counts: readonly TypeCount[]) => void = () => undefined;

  /** Takes up what a message of the thread says of its work. */
  note(message: FromStoreThread): void {
    if (message.kind === "committed") {
      this.committedAt = Date.now();
      this.checkpoints.observe(message.seconds);
      this.onCounted(message.counts);
    } else if (message.kind === "task_done") {
      this.tasks[message.task].observe(message.seconds);
    } else if (message.kind === "failing" && message.message !== null) {
      this.checkpointFailures.add();
    } else if (message.kind === "task_failed") {
      this.taskFailures.add();
    }
  }
}
