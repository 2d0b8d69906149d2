/** Waiting for what comes in its own time. */
import { setTimeout as sleep } from "node:timers/promises";

const pauseMs = 50;

/** Polls until `look` doesn't throw; after `waitMsMax` throws what it threw last. */
export async function until<T>(look: () => Promise<T>, waitMsMax: number): Promise<T> {
  const deadline = Date.now() + waitMsMax;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await sleep(pauseMs);
  }
}
