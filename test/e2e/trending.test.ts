// What the real service calls trending, against the two binomial models over a recount.
import { beforeAll, describe, expect, it } from "vitest";
import {
  type FullEvent,
  type SelectedQuestion,
  selectedCounts,
} from "../oracles/selection-oracle.ts";
import { trends } from "../oracles/trending-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type Answer, type RankstreamProcess, startRankstream } from "../support/service.ts";
import { lineOf, pairsOf, randomFullEvents, randomSelection } from "./selection-questions.ts";

const minuteMs = 60_000;
const foreign = ["offset", "ties"];

describe("trending", () => {
  const now = Math.floor(Date.now() / minuteMs) * minuteMs;
  const hour = { from: now - 60 * minuteMs, to: now };
  let random: Random;
  let service: RankstreamProcess;
  let events: FullEvent[];

  /** Steady items in both hours, and one that trebles in the second. */
  function steady(): FullEvent[] {
    const ofItem = (eventId: string, before: number, after: number) =>
      Array.from({ length: before + after }, (_, i) => ({
        eventId,
        eventType: "search",
        timeMs:
          hour.from + (i < before ? -1 - random.int(0, 3_500_000) : random.int(0, 3_500_000)),
        weight: 1,
      }));
    return [
      ...Array.from({ length: 40 }, (_, i) => ofItem(`steady ${i}`, 50 + i, 50 + i)).flat(),
      ...ofItem("rising", 40, 120),
      ...ofItem("falling", 120, 40),
      ...ofItem("new", 0, 30),
      ...ofItem("rare and new", 0, 3),
    ];
  }

  beforeAll(async () => {
    random = randomFromEnvironment("trending");
    service = await startRankstream();
    events = [...randomFullEvents(random, 3000, now, 3 * 86_400_000), ...steady()];
    for (let from = 0; from < events.length; from += 1000) {
      const part = events.slice(from, from + 1000).map((event) => lineOf(random, event));
      expect((await service.post(part.join("\n"))).status).toBe(202);
    }
  });

  function ask(pairs: [string, string][]): Promise<Answer> {
    return service.get(`/trending?${new URLSearchParams(pairs)}`);
  }

  it("is what grew, neither what is popular nor what is rare", async () => {
    const pairs: [string, string][] = [
      ["eventType", "search"],
      ["from", String(hour.from)],
      ["to", String(hour.to)],
    ];
    const { status, body } = await ask(pairs);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      measure: "signed_root_log_likelihood_ratio",
      minScore: 4,
      minCount: 5,
      mode: "exact",
      previous: { effectiveTo: new Date(hour.from).toISOString() },
    });
    expect(body.results.map(({ eventId }: { eventId: string }) => eventId).sort()).toEqual([
      "new",
      "rising",
    ]);
    const rising = body.results.find(({ eventId }: { eventId: string }) => eventId === "rising");
    expect(rising).toMatchObject({ count: 120, previousCount: 40 });
    expect(rising.growth).toBeCloseTo(3, 0);
  });

  it("is what a recount says, of random questions", async () => {
    let rows = 0;
    for (let i = 0; i < 120; i++) {
      const question = randomSelection(random, events);
      const past: SelectedQuestion = {
        ...question,
        from: 2 * question.from - question.to,
        to: question.from,
      };
      const [minScore, minCount] = [random.pick([0, 1, 2.5]), random.pick([1, 5])];
      const pairs = pairsOf(question).filter(([name]) => !foreign.includes(name));
      const minima: [string, string][] = [
        ["minScore", String(minScore)],
        ["minCount", String(minCount)],
      ];
      const { status, body } = await ask([...pairs, ...minima]);
      const asked = JSON.stringify({ ...question, minScore, minCount });
      expect(status, asked).toBe(200);
      const all = trends(selectedCounts(events, question), selectedCounts(events, past));
      // Scores of 0 may come out a little below or above; minima are well away from others.
      const truth = all.filter(({ score, count }) => score >= minScore && count >= minCount);
      const scored = (list: readonly { score: number }[]) =>
        list.filter(({ score }) => score > 1e-4);
      const found: { eventId: string; count: number; score: number }[] = body.results;
      const shown = scored(truth).slice(0, question.k);
      expect(scored(found).length, asked).toBe(shown.length);
      const byId = new Map(truth.map((trend) => [trend.eventId, trend]));
      for (const [at, row] of scored(found).entries()) {
        const { eventId, count } = row as (typeof found)[number];
        const own = byId.get(eventId)!;
        expect([count, row.score], asked).toEqual([own.count, expect.closeTo(own.score, 3)]);
        expect(row.score, asked).toBeCloseTo(shown[at]!.score, 3);
        rows++;
      }
    }
    expect(rows).toBeGreaterThan(100);
  });
});
