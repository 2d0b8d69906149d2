/** Calls of the store's thread that are not answered yet. */
import type { Worker } from "node:worker_threads";
import { RankstreamError } from "../errors.ts";
import { inSpan } from "../telemetry-tracing.ts";
import {
  type FromStoreThread,
  revive,
  type StoreCallName,
  type StoreCalls,
  type ToStoreThread,
} from "./protocol.ts";
import type { ReadControl } from "./store.ts";

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  onProgress: ReadControl["onProgress"];
}

export class ThreadCalls {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** How many there are. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Asks the thread; `control.signal` ends the call there, and so here. */
  ask<Name extends StoreCallName>(
    name: Name,
    argument: StoreCalls[Name][0],
    control: ReadControl = {},
  ): Promise<StoreCalls[Name][1]> {
    if (!control.span) return this.#ask(name, argument, control);
    return inSpan(control.span, "store.read", (step) => {
      step?.set({ "rankstream.store.call": name });
      return this.#ask(name, argument, control);
    });
  }

  #ask<Name extends StoreCallName>(
    name: Name,
    argument: StoreCalls[Name][0],
    { signal, onProgress, isApart, waitMsMax }: ReadControl,
  ): Promise<StoreCalls[Name][1]> {
    const id = this.#nextId++;
    const reportsProgress = onProgress !== undefined;
    const control = { isApart, waitMsMax, ...(reportsProgress && { reportsProgress }) };
    const cancel = () => this.#worker.postMessage({ kind: "cancel", id } satisfies ToStoreThread);
    const answered = new Promise<StoreCalls[Name][1]>((resolve, reject) => {
      const waiting = { resolve: resolve as (value: unknown) => void, reject, onProgress };
      this.#waiting.set(id, waiting);
      const message: ToStoreThread = { kind: "call", id, name, argument, control };
      this.#worker.postMessage(message);
      signal?.addEventListener("abort", cancel, { once: true });
      if (signal?.aborted === true) cancel();
    });
    if (signal === undefined) return answered;
    return answered.finally(() => signal.removeEventListener("abort", cancel));
  }

  /** Takes up what a message says of a call. */
  note(message: FromStoreThread): void {
    if (message.kind === "progress") {
      this.#waiting.get(message.id)?.onProgress?.(message.share);
    } else if (message.kind === "result" || message.kind === "error") {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === "result") waiting?.resolve(message.value);
      else waiting?.reject(revive(message.error));
    }
  }

  /** The thread is gone: none will be answered. */
  fail(reason: string): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new RankstreamError("store_failed", reason));
    }
    this.#waiting.clear();
  }
}
