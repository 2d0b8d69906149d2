// Two nodes behind the real HAProxy with the project's own configuration, as step 2 of the compose
// files has them: one is killed under load and started again, then the other one is stopped.
//   RANKSTREAM_FAILOVER_ROUNDS=10 npx vitest run test/docker/failover.test.ts   prints more of it
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { FailoverLoad, miscounted, type Tally } from "./failover-load.ts";
import { GrowthWorld, type NodeName } from "./growth-world.ts";

const rounds = Number(process.env["RANKSTREAM_FAILOVER_ROUNDS"] ?? 1);
const calmMs = 700;
const roundMsMax = 60_000;
let world: GrowthWorld;

beforeAll(async () => {
  world = await new GrowthWorld().start();
});

function line(name: string, tally: Tally): string {
  const { requests, acknowledged, slowestMs, failures } = tally;
  const shown = JSON.stringify(failures);
  const sent = `${requests} requests, ${acknowledged.length} batches`;
  return `${name}: ${sent}, ${shown}, slowest ${slowestMs} ms`;
}

describe("two nodes behind HAProxy", () => {
  it(
    "lose nothing and count nothing twice when a node is killed, or stopped, under load",
    async () => {
      const load = new FailoverLoad(world.url, world.headers);
      const tallies = {
        retried: load.send("retried", { hasKey: true, retries: true }, 3),
        keyed: load.send("keyed", { hasKey: true, retries: false }, 3),
        plain: load.send("plain", { hasKey: false, retries: false }, 3),
      };
      const asked = load.ask("retried", 2);
      const lose = async (name: NodeName, how: "kill" | "stop") => {
        await sleep(calmMs);
        await world.node(name)[how]();
        await sleep(calmMs);
        await world.startNode(name);
        await world.untilServing(2);
      };
      for (let round = 0; round < rounds; round++) {
        await lose(round % 2 === 0 ? "node1" : "node2", "kill");
        await lose(round % 2 === 0 ? "node2" : "node1", "stop");
      }
      await sleep(calmMs);
      await load.end();
      if (rounds > 1) {
        for (const [name, tally] of Object.entries({ ...tallies, asked })) {
          process.stdout.write(`${line(name, tally)}\n`);
        }
      }
      for (const [eventType, tally] of Object.entries(tallies)) {
        const get = (path: string) => world.ask(path);
        expect(await miscounted(eventType, tally, get), eventType).toEqual([]);
        expect(tally.acknowledged.length).toBeGreaterThan(0);
      }
      expect(tallies.retried.unknown).toEqual([]);
      // HAProxy sends questions and keyed events to the other node by itself.
      expect([tallies.keyed.failures, tallies.retried.failures, asked.failures]).toEqual([
        {},
        {},
        {},
      ]);
    },
    rounds * roundMsMax,
  );
});
