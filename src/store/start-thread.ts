/** Starts the store's thread, which opens its database first of all. */
import { Worker } from "node:worker_threads";
import { type FromStoreThread, revive, type StoreThreadData } from "./protocol.ts";

function threadUrl(): URL {
  const built = import.meta.url.endsWith(".ts") ? "../../build/store/" : "./";
  return new URL(`${built}store-thread.js`, import.meta.url);
}

/** Resolves once the database is open. Throws what that threw; then the thread is gone. */
export async function startThread(workerData: StoreThreadData): Promise<Worker> {
  const worker = new Worker(threadUrl(), { workerData });
  try {
    const first = await new Promise<FromStoreThread>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    if (first.kind === "refused") throw revive(first.error);
    return worker;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}
