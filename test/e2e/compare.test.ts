// Boards compared with the period before, by the real service, against a recount of both.
import { beforeAll, describe, expect, it } from "vitest";
import { boardOf } from "../oracles/board-oracle.ts";
import { comparedRows } from "../oracles/compare-oracle.ts";
import {
  type FullEvent,
  type SelectedQuestion,
  selectedCounts,
  selectedTotal,
} from "../oracles/selection-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { lineOf, pairsOf, randomFullEvents, randomSelection } from "./selection-questions.ts";

const spanMs = 3 * 86_400_000;

describe("compare=previous", () => {
  let random: Random;
  let service: RankstreamProcess;
  let events: FullEvent[];

  beforeAll(async () => {
    random = randomFromEnvironment("compared boards");
    service = await startRankstream();
    events = randomFullEvents(random, 4000, Date.now(), spanMs);
    for (let from = 0; from < events.length; from += 1000) {
      const part = events.slice(from, from + 1000).map((event) => lineOf(random, event));
      expect((await service.post(part.join("\n"))).status).toBe(202);
    }
  });

  /** The question with as long a range right before. */
  function before(question: SelectedQuestion): SelectedQuestion {
    return { ...question, from: 2 * question.from - question.to, to: question.from };
  }

  it("says what every row was, and who dropped out, of random questions", async () => {
    const seen = { climbed: 0, new: 0, dropped: 0, gone: 0 };
    for (let i = 0; i < 150; i++) {
      const question = randomSelection(random, events);
      const pairs = [...pairsOf(question), ["compare", "previous"]];
      const { status, body } = await service.get(`/leaderboard?${new URLSearchParams(pairs)}`);
      const asked = JSON.stringify(question);
      expect(status, `${asked}: ${JSON.stringify(body)}`).toBe(200);
      const past = before(question);
      const now = selectedCounts(events, question);
      const truth = comparedRows(now, selectedCounts(events, past), question);
      const board = boardOf(now, question);
      expect(body, asked).toMatchObject({
        mode: "exact",
        certified: true,
        total: selectedTotal(events, question),
        results: board.results.map((row, at) => ({ ...row, ...truth.rows[at] })),
        previous: {
          effectiveFrom: new Date(past.from).toISOString(),
          effectiveTo: new Date(past.to).toISOString(),
          total: selectedTotal(events, past),
        },
      });
      if (question.offset === 0) expect(body.dropped, asked).toEqual(truth.dropped);
      else expect(body.dropped, asked).toBeUndefined();
      seen.climbed += truth.rows.filter((row) => (row.rankChange ?? 0) > 0).length;
      seen.new += truth.rows.filter(({ isNew }) => isNew).length;
      seen.dropped += truth.dropped.length;
      seen.gone += truth.dropped.filter(({ rank }) => rank === null).length;
    }
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(10);
  });

  it("compares calendar words with the period before them", async () => {
    const today = await service.get(
      "/leaderboard?eventType=play&timeRange=today&compare=previous",
    );
    const midnight = new Date().setUTCHours(0, 0, 0, 0);
    expect(today.body.previous).toMatchObject({
      from: new Date(midnight - 86_400_000).toISOString(),
      to: new Date(midnight).toISOString(),
    });
    const plain = await service.get("/leaderboard?eventType=play&timeRange=today");
    expect(plain.body.previous).toBeUndefined();
    expect(plain.body.results[0]).not.toHaveProperty("previousRank");
  });
});
