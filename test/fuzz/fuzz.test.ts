// Fuzzed HTTP, bodies and frames against a real service over each HTTP server: it stays up, ready
// and of one size, answers no 500, and counts what it acknowledged.
//
//     npm run test:fuzz                     a million requests
//     RANKSTREAM_FUZZ_REQUESTS=20000 …      so many
//     RANKSTREAM_FUZZ_FROM=17 …             begin with that batch of the seed
import { describe, expect, it } from "vitest";
import { httpServers } from "../support/http-servers.ts";
import { seedFromEnvironment } from "../support/random.ts";
import { FuzzWorld } from "./fuzz-world.ts";

const requestsDefault = 2400;
const batchRequestsMax = 5000;
const requestMsMax = 60;
const MiB = 1024 * 1024;
/** A short run is all warm-up. */
const residentBytesMax = 2048 * MiB;
/** Of a long run: from the second fifth of its batches to the last. */
const growthMax = 1.25;
const growthBytesSlack = 64 * MiB;
const longBatches = 50;

const requests = Number(process.env["RANKSTREAM_FUZZ_REQUESTS"] ?? requestsDefault);
const first = Number(process.env["RANKSTREAM_FUZZ_FROM"] ?? 0);
const isTold = process.env["RANKSTREAM_FUZZ_REQUESTS"] !== undefined;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function tell(text: string): void {
  if (isTold) process.stderr.write(`${text}\n`);
}

/** Median of the k-th fifth. */
function fifth(values: readonly number[], k: number): number {
  const size = Math.floor(values.length / 5);
  return median(values.slice(k * size, (k + 1) * size));
}

function statusesText({ statuses }: FuzzWorld): string {
  const sorted = [...statuses].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, count]) => `${name}: ${count}`).join(", ");
}

describe.each(httpServers)("fuzzed over %s, the service", (server) => {
  const own = Math.ceil(requests / httpServers.length);
  const size = Math.min(batchRequestsMax, Math.ceil(own / 2));
  const batches = Math.ceil(own / size);

  it(
    `takes ${own} requests`,
    async () => {
      const seed = seedFromEnvironment(`fuzz over ${server}`);
      const world = await FuzzWorld.start(["--http-server", server]);
      for (let i = first; i < batches; i++) {
        await world.batch((seed + i) >>> 0, size);
        const rss = Math.round(world.rss.at(-1)! / MiB);
        tell(`${server} batch ${i + 1}/${batches} seed ${seed}: ${rss} MiB, ${world.accepted}`);
        if (i % 10 === 9) await world.checkCounts();
      }
      await world.checkCounts();
      tell(`${server}: ${statusesText(world)}`);
      expect(world.accepted).toBeGreaterThan(0);
      expect(Math.max(...world.rss)).toBeLessThan(residentBytesMax);
      if (world.rss.length >= longBatches) {
        const bound = fifth(world.rss, 1) * growthMax + growthBytesSlack;
        expect(fifth(world.rss, 4)).toBeLessThan(bound);
      }
      await world.stop();
    },
    120_000 + own * requestMsMax,
  );
});
