// Random questions of every kind, over four streams, against a slow and plain recount of the very
// events sent: exact answers equal, bounds hold, what is called certain is right, in every mode.
// RANKSTREAM_ORACLE_QUESTIONS of them a stream; `npm run test:oracle` asks 700.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { RankstreamClient } from "../../src/client/client.ts";
import { BoardOracle, boardOf } from "../oracles/board-oracle.ts";
import { comparedRows } from "../oracles/compare-oracle.ts";
import { ItemOracle } from "../oracles/item-oracle.ts";
import {
  type FullEvent,
  type SelectedQuestion,
  selectedBoard,
  selectedCounts,
  selectedTotal,
} from "../oracles/selection-oracle.ts";
import { trends } from "../oracles/trending-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";
import { expectTrueBoard, modes, randomQuestion } from "./board-checks.ts";
import {
  expectTrueItem,
  expectTrueItems,
  expectTrueSeries,
  randomIds,
  randomStep,
  randomStretch,
} from "./item-checks.ts";
import { adversarial, drifting, flights, type Stream } from "./oracle-streams.ts";
import { lineOf, pairsOf } from "./selection-questions.ts";

const questionsSize = Number(process.env["RANKSTREAM_ORACLE_QUESTIONS"] ?? 40);
const eventsSize = 5000;
const batchSize = 500;
const askMsMax = 20 * 60_000;
const goneMsMax = 60_000;
const dayMs = 86_400_000;

interface Tally {
  asked: Record<string, number>;
  approximate: number;
  certified: number;
  rows: number;
  certainRows: number;
}

/** The type's finest windows kept, in seconds, of the stream that loses minutes and hours. */
const aggregationWindows = Object.freeze({ play: 3600, skip: 86_400 } as const);
const coarse = "drifting, by hours and days";
/** A lake keeps the minutes of every type (`aggregationWindow` is refused there). */
const streams = ["flights", "drifting", ...(isLakeRun ? [] : [coarse]), "adversarial"];

describe.each(streams)("every question over %s", (name) => {
  const random = randomFromEnvironment(`oracle ${name}`);
  const known: FullEvent[] = [];
  const boards = new BoardOracle();
  const items = new ItemOracle(known);
  const isCoarse = name === coarse;
  const tally: Tally = { asked: {}, approximate: 0, certified: 0, rows: 0, certainRows: 0 };
  let service: RankstreamProcess;

  afterAll(() => service?.stop());

  async function make(): Promise<Stream> {
    if (name === "flights") return flights(random, eventsSize);
    if (name.startsWith("drifting")) return drifting(random, eventsSize, Date.now());
    return adversarial(random, eventsSize, Date.now());
  }

  async function post(events: readonly FullEvent[]): Promise<void> {
    const body = events.map((event) => lineOf(random, event)).join("\n");
    const { status, body: reply } = await service.post(body);
    expect([status, reply.rejected]).toEqual([202, 0]);
    known.push(...events);
    for (const event of events) boards.add(event);
  }

  /** Sets the finest windows that are kept, and waits until days have no minutes any more. */
  async function coarsen(): Promise<void> {
    const today = Date.now() - (Date.now() % dayMs);
    const client = new RankstreamClient({ url: service.url });
    for (const [eventType, aggregationWindow] of Object.entries(aggregationWindows)) {
      const type = await client.putEventType(eventType, { aggregationWindow });
      expect(type).toMatchObject({ name: eventType, aggregationWindow });
      const until = Date.now() + goneMsMax;
      for (let back = 20, lacking = 0; lacking === 0; back++) {
        expect(Date.now(), `the minutes of ${eventType} stay`).toBeLessThan(until);
        // Each another range: an answer from before would be given again.
        const stretch = { eventType, from: today - back * dayMs, to: today - 10 * dayMs };
        lacking = await expectTrueSeries(service, items, stretch, { step: "day" }, true);
        await sleep(100);
      }
    }
  }

  const kinds: Record<string, () => Promise<void>> = {
    board: async () => {
      const mode = random.pick(modes);
      const body = await expectTrueBoard(service, boards, randomQuestion(random, boards), mode);
      if (body.mode !== "approx") return;
      tally.approximate++;
      tally.certified += body.certified ? 1 : 0;
      tally.rows += body.results.length;
      tally.certainRows += body.certifiedRanks;
    },
    selection: async () => {
      const question = randomSelected(random, known);
      const query = new URLSearchParams(pairsOf(question));
      const { body } = await service.get(`/leaderboard?${query}&mode=exact`);
      const { total, distinct, others, results } = selectedBoard(known, question);
      expect(body, String(query)).toMatchObject({ total, distinct, others, results });
      expect(body.results.length).toBe(results.length);
    },
    compared: async () => {
      const question = randomSelected(random, known);
      const query = new URLSearchParams([...pairsOf(question), ["compare", "previous"]]);
      const { body } = await service.get(`/leaderboard?${query}`);
      const past = { ...question, from: 2 * question.from - question.to, to: question.from };
      const [now, before] = [selectedCounts(known, question), selectedCounts(known, past)];
      const truth = comparedRows(now, before, question);
      expect(body.results, String(query)).toMatchObject(truth.rows);
      expect(body.previous.total, String(query)).toBe(selectedTotal(known, past));
      if (question.offset === 0) expect(body.dropped, String(query)).toEqual(truth.dropped);
    },
    trending: async () => {
      const question = { ...randomSelected(random, known), k: 1000 };
      const names = ["offset", "ties"];
      const pairs = pairsOf(question).filter(([one]) => !names.includes(one));
      const query = new URLSearchParams([...pairs, ["minScore", "1"], ["minCount", "1"]]);
      const { body } = await service.get(`/trending?${query}`);
      const past = { ...question, from: 2 * question.from - question.to, to: question.from };
      const [now, before] = [selectedCounts(known, question), selectedCounts(known, past)];
      const all = trends(now, before);
      // On the very edge rounding decides.
      const sure = all.filter(({ score }) => score > 1.0001).map(({ eventId }) => eventId);
      const found: { eventId: string; count: number; score: number }[] = body.results;
      expect(
        found.map(({ eventId }) => eventId),
        String(query),
      ).toEqual(expect.arrayContaining(sure));
      for (const { eventId, count, score } of found) {
        const own = all.find((one) => one.eventId === eventId)!;
        expect([count, score], eventId).toEqual([own.count, expect.closeTo(own.score, 3)]);
      }
    },
    item: async () => {
      const stretch = randomStretch(random, known);
      const [eventId] = randomIds(random, known, stretch, 1);
      const more = { neighbours: random.int(0, 5), ...randomStep(random, stretch), mode: "exact" };
      await expectTrueItem(service, items, stretch, eventId!, more);
    },
    items: async () => {
      const stretch = randomStretch(random, known);
      await expectTrueItems(service, items, stretch, randomIds(random, known, stretch, 30));
    },
    series: async () => {
      const stretch = randomStretch(random, known);
      const more = { ...randomStep(random, stretch), distinct: random.pick(["true", "false"]) };
      await expectTrueSeries(service, items, stretch, more, isCoarse);
    },
    pages: async () => {
      const question = { ...randomQuestion(random, boards), k: random.int(1, 50), offset: 0 };
      const first = await expectTrueBoard(service, boards, question, "exact");
      const truth = boardOf(boards.counts(question.eventTypes, question.from, question.to), {
        ...question,
        k: 1000,
      });
      const rows = [...first.results];
      let cursor = first.nextCursor;
      while (cursor !== undefined) {
        const { body } = await service.get("/leaderboard", { cursor, k: 400 });
        rows.push(...body.results);
        cursor = body.nextCursor;
      }
      const shown = rows.map(({ eventId, count, rank }) => ({ eventId, count, rank }));
      expect(shown.slice(0, 1000)).toEqual(truth.results);
    },
  };
  // Boards are asked for most, and the only ones that are approximate.
  const often = [...Object.keys(kinds), "board", "board", "board", "board", "selection"];

  async function ask(size: number): Promise<void> {
    for (let i = 0; i < size; i++) {
      const kind = random.pick(often);
      await kinds[kind]!();
      tally.asked[kind] = (tally.asked[kind] ?? 0) + 1;
    }
  }

  it("is answered right, while events come late and windows seal", {
    timeout: askMsMax,
  }, async () => {
    const { candidatesMax, events } = await make();
    const seal = ["--seal-interval-ms", "200", "--seal-quiet-ms", "0"];
    const args = [...seal, "--candidates-max", String(candidatesMax), "--coarsen-after-ms", "0"];
    service = await startRankstream({ args: [...args, "--freshness-wait-ms-max", "9000"] });
    // Most of it at first, whatever its time; the rest comes late, between questions.
    const inOrder = random.shuffle(events);
    const early = Math.floor(inOrder.length * 0.8);
    for (let from = 0; from < early; from += batchSize) {
      await post(inOrder.slice(from, Math.min(early, from + batchSize)));
    }
    if (isCoarse) await coarsen();
    const rounds = 10;
    const late = Math.ceil((inOrder.length - early) / rounds);
    for (let round = 0; round < rounds; round++) {
      await ask(Math.ceil(questionsSize / rounds));
      const part = inOrder.slice(early + round * late, early + (round + 1) * late);
      if (part.length > 0) await post(part);
    }
    await ask(Math.ceil(questionsSize / rounds));
    // By chance all of a few may have been exact.
    while (tally.approximate === 0) await kinds["board"]!();
    const share = (part: number, of: number) => `${((100 * part) / Math.max(1, of)).toFixed(1)}%`;
    const total = Object.values(tally.asked).reduce((sum, n) => sum + n, 0);
    console.info(
      `oracle, ${name}: ${total} questions ${JSON.stringify(tally.asked)}; of ` +
        `${tally.approximate} approximate boards ${share(tally.certified, tally.approximate)} ` +
        `certified, of their rows ${share(tally.certainRows, tally.rows)}`,
    );
    expect(total).toBeGreaterThanOrEqual(questionsSize);
  });
});

/** Filters of what the stream has, and ranges between its events. */
function randomSelected(random: Random, events: readonly FullEvent[]): SelectedQuestion {
  const event = random.pick(events);
  const moment = () => {
    const { timeMs } = random.pick(events);
    return timeMs - (timeMs % random.pick([1, 60_000, 3_600_000, 86_400_000]));
  };
  const [from, to] = [moment(), moment()].sort((a, b) => a - b) as [number, number];
  const pair = [...(event.metadata ?? [])][0];
  const isFiltered = pair !== undefined && random.chance(0.4);
  const types = [...new Set(events.map(({ eventType }) => eventType))];
  return {
    eventTypes: random.shuffle(types).slice(0, random.int(1, 2)),
    from,
    to: to === from ? from + random.int(1, 3_600_000) : to,
    k: random.pick([1, 5, 10, 100]),
    offset: random.chance(0.7) ? 0 : random.int(0, 30),
    ties: random.pick(["competition", "dense", "ordinal"] as const),
    by: random.chance(0.3) ? "users" : "events",
    metadata: isFiltered ? [{ key: pair[0], values: [pair[1]], isNot: random.chance(0.3) }] : [],
    userIds: random.chance(0.2) && event.userId !== undefined ? [event.userId] : [],
    sessionIds: random.chance(0.1) && event.sessionId !== undefined ? [event.sessionId] : [],
    include: random.chance(0.1) ? [event.eventId, "nobody"] : [],
    exclude: random.chance(0.1) ? [event.eventId] : [],
    prefix: random.chance(0.1) ? event.eventId.slice(0, 3) : "",
  };
}
