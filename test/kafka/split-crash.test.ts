// Two edges and one process that counts are killed and paused, and the broker with them, while
// clients send what is in doubt again at the other edge: everything acknowledged counts once.
//
//     RANKSTREAM_SPLIT_KILLS=60     how many; each kind once when left out
//     RANKSTREAM_TEST_SEED=…        the load and the moments again
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { brokerSettings, kafkaLogArgs, sessionTimeoutMs } from "../crash/campaign-target.ts";
import { startKafka } from "../support/kafka.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { until } from "./kafka-world.ts";
import { SplitWorld } from "./split-world.ts";

const kinds = ["edge 0", "edge 1", "ingest", "pause", "broker"] as const;
type Kind = (typeof kinds)[number];

const kills = Number(process.env["RANKSTREAM_SPLIT_KILLS"] ?? kinds.length);
const testMsMax = 60_000 + kills * 30_000;
const goesOnMsMax = 20_000;
const goesOnBatches = 20;

let broker: KafkaBroker;
beforeAll(async () => {
  broker = await startKafka({ settings: brokerSettings });
});

/** Each kind once in random order, then again. */
function* planned(random: Random): Generator<Kind, never> {
  for (;;) yield* random.shuffle([...kinds]);
}

async function disturb(world: SplitWorld, kind: Kind, random: Random): Promise<void> {
  if (kind === "edge 0" || kind === "edge 1") return world.restart(Number(kind.at(-1)));
  if (kind === "ingest") return world.restart(2);
  if (kind === "broker") {
    await broker.kill();
    await sleep(random.int(0, 1000));
    const began = performance.now();
    await broker.start();
    world.note("broker's own start", began);
    const served = performance.now();
    await world.allWork();
    return world.note("broker", served);
  }
  const pauseMs = sessionTimeoutMs + random.int(200, 2500);
  const { child } = world.counter;
  child.kill("SIGSTOP");
  await sleep(pauseMs);
  child.kill("SIGCONT");
  const began = performance.now();
  await world.answers();
  world.note("pause", began);
}

it(`counts once what is acknowledged, over ${kills} kills`, { timeout: testMsMax }, async () => {
  const random = randomFromEnvironment("split");
  const world = new SplitWorld(random, kafkaLogArgs(broker));
  const plan = planned(random);
  await world.start();
  for (let done = 0; done < kills; done++) {
    const kind = plan.next().value;
    const eventType = `split-${done}`;
    await world.load(eventType, async () => {
      await sleep(random.int(100, 700));
      await disturb(world, kind, random);
      const { acknowledged } = world;
      const goesOn = () => Promise.resolve(world.acknowledged > acknowledged + goesOnBatches);
      expect(await until(goesOn, (is) => is, goesOnMsMax), `${kind}: nothing goes on`).toBe(true);
    });
    if (done > 0) await world.expectCounted(`split-${done - 1}`);
    await world.expectCounted(eventType);
    const { readyMs, ...rest } = world.availability;
    const name = kind.startsWith("edge") ? "edge" : kind;
    const took = readyMs[name]!.at(-1);
    console.info(`kill ${done + 1}, ${kind}: ready in ${took} ms; ${JSON.stringify(rest)}`);
  }
  await world.settle();
  const counted = await world.expectAllCounted();
  expect(counted).toBeGreaterThan(0);
  const { posts, failedPosts, questions, failedQuestions, readyMs } = world.availability;
  const share = (part: number, all: number) =>
    `${part} of ${all} (${((100 * part) / all).toFixed(2)} %)`;
  console.info(
    `${kills} kills: ${counted} events counted once; failed were ` +
      `${share(failedPosts, posts)} posts, ${share(failedQuestions, questions)} questions; ` +
      `ms until ready: ${JSON.stringify(readyMs)}`,
  );
});
