// Real flights in an order that has nothing to do with their times, into windows that are sealed
// already, with lists that are too short for them: the same answers, and totals that only grow.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FlightOracle, flightTypes } from "../oracles/flight-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";
import { ask } from "./board-checks.ts";
import { allFlights, counted, FlightChecks, sealed } from "./flight-checks.ts";

/** Of a lake fewer: it folds late events into months more slowly. */
const oneFlightIn = isLakeRun ? 60 : 10;
const batchEventsMax = 4000;
const postsAtOnce = 3;
/** Fewer than a day has destinations, and than a busy hour has routes. */
const candidatesMax = 50;
/** `npm run test:oracle` asks for more. */
const ranges = Number(process.env["RANKSTREAM_FLIGHT_RANGES"] ?? 10);
const rangesBetween = 10;
const rangesAuto = 20;
const testMsMax = 900_000;
const readPauseMs = 20;

type ByType = Record<string, number>;

describe("shuffled flights", () => {
  let random: Random;
  let oracle: FlightOracle;
  let service: RankstreamProcess;
  let batches: { body: string; byType: ByType }[];
  const sent: ByType = { flight_to: 0, flight_route: 0 };
  const acknowledged: ByType = { flight_to: 0, flight_route: 0 };

  beforeAll(async () => {
    random = randomFromEnvironment("shuffled flights");
    oracle = await FlightOracle.ofSome(oneFlightIn, random.seed);
    batches = await oracle.batches(batchEventsMax);
    const quick = ["--seal-interval-ms", "100", "--seal-quiet-ms", "0"];
    const args = ["--candidates-max", String(candidatesMax), ...quick];
    service = await startRankstream({ args });
  });
  afterAll(async () => {
    await service?.stop();
    oracle?.close();
  });

  async function post(part: typeof batches): Promise<void> {
    const add = (to: ByType, byType: ByType) => {
      for (const type of flightTypes) to[type]! += byType[type]!;
    };
    const waiting = [...part];
    const one = async () => {
      for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
        add(sent, batch.byType);
        const { status, body } = await service.post(batch.body);
        expect([status, body.rejected]).toEqual([202, 0]);
        add(acknowledged, batch.byType);
      }
    };
    await Promise.all(Array.from({ length: postsAtOnce }, one));
  }

  /** Asks for totals until `isOver`; returns how many answers came. */
  async function read(isOver: () => boolean): Promise<number> {
    const last: Record<string, number> = {};
    let answers = 0;
    while (!isOver()) {
      for (const eventType of flightTypes) {
        for (const mode of ["exact", "approx"] as const) {
          const least = acknowledged[eventType]!;
          const all = { ...allFlights, k: 10, offset: 0, ties: "ordinal" as const };
          const { status, body } = await ask(service, { ...all, eventTypes: [eventType] }, mode);
          const asked = `${mode} ${eventType}`;
          expect(status, asked).toBe(200);
          const { total, totalUpper } = body;
          expect(totalUpper, asked).toBeUndefined();
          if (!body.stale) expect(total, asked).toBeGreaterThanOrEqual(least);
          expect(total, asked).toBeGreaterThanOrEqual(last[asked] ?? 0);
          expect(total, asked).toBeLessThanOrEqual(sent[eventType]!);
          last[asked] = total;
          answers++;
        }
      }
      await sleep(readPauseMs);
    }
    return answers;
  }

  async function readWhile(writing: Promise<void>): Promise<number> {
    let isWritten = false;
    const written = writing.finally(() => {
      isWritten = true;
    });
    const [answers] = await Promise.all([read(() => isWritten), written]);
    return answers;
  }

  it("are counted at once, and as a recount says", { timeout: testMsMax }, async () => {
    const half = Math.floor(batches.length / 2);
    let answers = await readWhile(post(batches.slice(0, half)));
    // What comes now is late: its months are sealed.
    answers += await readWhile(sealed(service));
    answers += await readWhile(post(batches.slice(half)));
    expect(answers).toBeGreaterThan(20);
    await counted(service);
    const busiestMinute = await oracle.busiestMinute();
    const checks = new FlightChecks({ oracle, candidatesMax, busiestMinute });
    const both = ["exact", "approx"] as const;
    await checks.checkMany(service, random, rangesBetween, both, false);
    await sealed(service, () => checks.check(service, random, ["approx"], false));
    await checks.checkMany(service, random, ranges, both, true);
    await checks.checkMany(service, random, rangesAuto, ["auto"], true);
    process.stderr.write(checks.summary(`shuffled flights, ${answers} totals on the way`));
    expect(checks.certifiedRanks).toBeGreaterThan(0);
    expect(checks.certified).toBeLessThan(checks.approximate);
  });
});
