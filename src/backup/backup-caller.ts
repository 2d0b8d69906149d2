/** Calls into the thread that writes backups. */
import { Worker } from "node:worker_threads";
import { RankstreamError } from "../errors.ts";
import { revive } from "../store/protocol.ts";
import type {
  BackupCallName,
  BackupCalls,
  BackupThreadData,
  FromBackupThread,
  ToBackupThread,
} from "./protocol.ts";

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export interface BackupHooks {
  /** How far the base under way is, 0..1. */
  onProgress(share: number): void;
  /** The thread is gone; the next call starts another, which has to open the repository. */
  onEnd(): void;
}

function threadUrl(): URL {
  const built = import.meta.url.endsWith(".ts") ? "../../build/backup/" : "./";
  return new URL(`${built}backup-thread.js`, import.meta.url);
}

export class BackupCaller {
  readonly #data: BackupThreadData;
  readonly #waiting = new Map<number, Waiting>();
  readonly #hooks: BackupHooks;
  #worker: Worker | null = null;
  #nextId = 1;

  constructor(data: BackupThreadData, hooks: BackupHooks) {
    this.#data = data;
    this.#hooks = hooks;
  }

  /** Asks the thread, which is started where there is none (any more). */
  call<Name extends BackupCallName>(
    name: Name,
    argument: BackupCalls[Name][0],
  ): Promise<BackupCalls[Name][1]> {
    this.#worker ??= this.#start();
    const id = this.#nextId++;
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      worker.postMessage({ kind: "call", id, name, argument } satisfies ToBackupThread);
    });
  }

  /** Ends the base under way. */
  cancel(): void {
    this.#worker?.postMessage({ kind: "cancel" } satisfies ToBackupThread);
  }

  async terminate(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(threadUrl(), { workerData: this.#data });
    worker.on("message", (message: FromBackupThread) => this.#receive(message));
    const fail = (reason: string) => {
      if (this.#worker === worker) {
        this.#worker = null;
        this.#hooks.onEnd();
      }
      for (const { reject } of this.#waiting.values()) {
        reject(new RankstreamError("internal_error", reason));
      }
      this.#waiting.clear();
    };
    worker.on("error", (error) => fail(`the backups' thread failed: ${error.message}`));
    worker.on("exit", () => fail("the backups' thread ended"));
    // It is no reason for the process to stay.
    worker.unref();
    return worker;
  }

  #receive(message: FromBackupThread): void {
    if (message.kind === "progress") {
      this.#hooks.onProgress(message.share);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === "result") waiting?.resolve(message.value);
    else waiting?.reject(revive(message.error, "internal_error"));
  }
}
