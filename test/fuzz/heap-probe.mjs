// Preloaded into the service that is fuzzed, and so into each of its threads: on SIGUSR2 every
// thread collects its garbage and then appends `heapUsed,external` (bytes) as a line to a file of
// its own in FUZZ_HEAP_DIR. A thread that ends takes its file along.
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread, threadId } from "node:worker_threads";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const file = join(process.env.FUZZ_HEAP_DIR, String(threadId));

function measure() {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  appendFileSync(file, `${heapUsed},${external}\n`);
}

writeFileSync(file, "");
process.once("exit", () => rmSync(file, { force: true }));
const channel = new BroadcastChannel("heap-probe");
channel.onmessage = measure;
channel.unref();
if (isMainThread) {
  process.on("SIGUSR2", () => {
    channel.postMessage(null);
    measure();
  });
}
