/** The worker of "How fast?": one request, one reply. */
import { runSpeed, type SpeedReply, type SpeedRequest } from "./speed-run.ts";

self.addEventListener("message", async ({ data }: MessageEvent<SpeedRequest>) => {
  const reply: SpeedReply = await runSpeed(data).catch((error: unknown) => {
    return { done: false, problem: error instanceof Error ? error.message : String(error) };
  });
  self.postMessage(reply);
});
