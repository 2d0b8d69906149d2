// Boards of the real service under filters, by users and of some items only, against a recount
// of the very events sent.
import { beforeAll, describe, expect, it } from "vitest";
import {
  type FullEvent,
  type SelectedQuestion,
  selectedBoard,
} from "../oracles/selection-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type Answer, type RankstreamProcess, startRankstream } from "../support/service.ts";
import { lineOf, pairsOf, randomFullEvents, randomSelection } from "./selection-questions.ts";

const eventsSize = 6000;
const questionsSize = 250;
const spanMs = 3 * 86_400_000;

describe("selections", () => {
  let random: Random;
  let service: RankstreamProcess;
  let events: FullEvent[];

  beforeAll(async () => {
    random = randomFromEnvironment("selections");
    service = await startRankstream();
    events = randomFullEvents(random, eventsSize, Date.now(), spanMs);
    for (let from = 0; from < eventsSize; from += 1000) {
      const part = events.slice(from, from + 1000).map((event) => lineOf(random, event));
      const { status, body } = await service.post(part.join("\n"));
      expect([status, body]).toEqual([202, { accepted: part.length, rejected: 0, errors: [] }]);
    }
  });

  function ask(question: SelectedQuestion, more: [string, string][] = []): Promise<Answer> {
    return service.get(`/leaderboard?${new URLSearchParams([...pairsOf(question), ...more])}`);
  }

  it("of random questions are what a recount says, whatever the mode", async () => {
    let rows = 0;
    for (let i = 0; i < questionsSize; i++) {
      const question = randomSelection(random, events);
      const mode = random.pick(["exact", "approx", "auto"]);
      const { status, body } = await ask(question, [["mode", mode]]);
      const truth = selectedBoard(events, question);
      const asked = JSON.stringify(question);
      expect(status, `${asked}: ${JSON.stringify(body)}`).toBe(200);
      rows += body.results.length;
      const isSelected = pairsOf(question).some(([name]) => !boardNames.includes(name));
      if (!isSelected && mode !== "exact") continue;
      expect(body, asked).toMatchObject({
        mode: "exact",
        certified: true,
        certifiedRanks: truth.results.length,
        total: truth.total,
        distinct: truth.distinct,
        others: truth.others,
        results: truth.results.map((row) => ({ ...row, lower: row.count, upper: row.count })),
      });
      for (const { count, share } of body.results) {
        expect(share, asked).toBeCloseTo(count / truth.total, 5);
      }
    }
    expect(rows).toBeGreaterThan(questionsSize);
  });

  it("find each key and value, however it is written", async () => {
    const pairs = new Set(
      events.flatMap(({ metadata }) => [...(metadata ?? [])].map((pair) => JSON.stringify(pair))),
    );
    const question = { ...randomSelection(random, events), from: 0, to: Date.now() };
    for (const pair of random.shuffle([...pairs]).slice(0, 60)) {
      const [key, value] = JSON.parse(pair) as [string, string];
      const only: SelectedQuestion = {
        ...question,
        eventTypes: [...new Set(events.map(({ eventType }) => eventType))],
        by: "events",
        metadata: [{ key, values: [value], isNot: false }],
        userIds: [],
        sessionIds: [],
        include: [],
        exclude: [],
        prefix: "",
      };
      const { body } = await ask(only);
      const { total } = selectedBoard(events, only);
      expect(total, pair).toBeGreaterThan(0);
      expect(body.total, pair).toBe(total);
    }
  });

  it("that nothing matches are empty", async () => {
    const nothing: [string, string][] = [
      ["filter.country\0", "DE"],
      ["filter.country", "\0"],
      ["userId", "no'body"],
      ["include", "\0"],
      ["prefix", "song-1\0"],
    ];
    for (const pair of nothing) {
      const pairs = [["eventType", "play"], ["timeRange", "all"], pair];
      const { status, body } = await service.get(`/leaderboard?${new URLSearchParams(pairs)}`);
      const { total, distinct, results } = body;
      expect([status, total, distinct, results], pair[0]).toEqual([200, 0, 0, []]);
    }
  });
});

/** Parameters that select no part of the events. */
const boardNames = ["eventType", "from", "to", "k", "offset", "ties"];
