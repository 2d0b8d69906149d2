// Fuzzed HTTP, bodies and frames against a real service over each HTTP server: it stays up, ready
// and of one size, answers no 500, and counts what it acknowledged.
//
//     npm run test:fuzz                     a million requests
//     RANKSTREAM_FUZZ_REQUESTS=20000 …      so many
//     RANKSTREAM_FUZZ_FROM=17 …             begin with that batch of the seed
import { describe, expect, it } from "vitest";
import { httpServers } from "../support/http-servers.ts";
import { seedFromEnvironment } from "../support/random.ts";
import { growthOf, warmUpShare } from "./fuzz-memory.ts";
import { FuzzWorld } from "./fuzz-world.ts";

const requestsDefault = 2400;
const batchRequestsMax = 5000;
const requestMsMax = 60;
const MiB = 1024 * 1024;
/** A short run is all warm-up. */
const residentBytesMax = 2048 * MiB;
/** So much a request may stay behind of, from the warm-up's end on: bytes. */
const residentPerRequestMax = 128;
const heldPerRequestMax = 24;
/** Fewer say nothing of a rise. */
const judgedBatchesMin = 20;

const requests = Number(process.env["RANKSTREAM_FUZZ_REQUESTS"] ?? requestsDefault);
const first = Number(process.env["RANKSTREAM_FUZZ_FROM"] ?? 0);
const isTold = process.env["RANKSTREAM_FUZZ_REQUESTS"] !== undefined;
/** Of each server. */
const own = Math.ceil(requests / httpServers.length);
const size = Math.min(batchRequestsMax, Math.ceil(own / 2));
const batches = Math.ceil(own / size);

function tell(text: string): void {
  if (isTold) process.stderr.write(`${text}\n`);
}

function statusesText({ statuses, connectRetries }: FuzzWorld): string {
  const sorted = [...statuses].sort(([a], [b]) => (a < b ? -1 : 1));
  const counts = sorted.map(([name, count]) => `${name}: ${count}`).join(", ");
  return `${counts}; connections at a later try: ${connectRetries}`;
}

const inMiB = (bytes: number) => Math.round(bytes / MiB);

/** Of one size from the warm-up's end on. */
function checkMemory(server: string, { memory }: FuzzWorld): void {
  const resident = memory.map((sample) => sample.resident);
  const held = memory.map((sample) => sample.held);
  expect(Math.max(...resident)).toBeLessThan(residentBytesMax);
  if (memory.length < judgedBatchesMin) return;
  const judged = memory.length * (1 - warmUpShare) * size;
  const [grown, grownHeld] = [growthOf(resident), growthOf(held)];
  const growth = `${inMiB(grown)} MiB resident, ${inMiB(grownHeld)} held`;
  tell(`${server} grew after its warm-up by ${growth}`);
  expect(grown, `of ${resident.map(inMiB)}`).toBeLessThan(judged * residentPerRequestMax);
  expect(grownHeld, `of ${held.map(inMiB)}`).toBeLessThan(judged * heldPerRequestMax);
}

async function fuzz(server: string): Promise<void> {
  const seed = seedFromEnvironment(`fuzz over ${server}`);
  const world = await FuzzWorld.start(["--http-server", server]);
  const began = performance.now();
  for (let i = first; i < batches; i++) {
    await world.batch((seed + i) >>> 0, size);
    const { resident, held } = world.memory.at(-1)!;
    const seconds = Math.round((performance.now() - began) / 1000);
    const sizes = `${inMiB(resident)} MiB resident, ${inMiB(held)} held`;
    tell(`${server} batch ${i + 1}/${batches} seed ${seed}: ${seconds} s, ${sizes}`);
    if (i % 10 === 9) await world.checkCounts();
  }
  await world.checkCounts();
  tell(`${server}: ${statusesText(world)}; ${world.accepted} events counted`);
  expect(world.accepted).toBeGreaterThan(0);
  checkMemory(server, world);
  await world.stop();
}

describe("the service, fuzzed", () => {
  // At the same time: one that waits leaves the cores to the other.
  it.concurrent.each(httpServers)(
    `over %s, takes ${own} requests`,
    fuzz,
    120_000 + own * requestMsMax,
  );
});
