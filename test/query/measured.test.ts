import { expect, it } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import { measured } from "../../src/query/measured.ts";
import type { Asker } from "../../src/query/questions.ts";
import { RelayedReply } from "../../src/query/relayed-reply.ts";
import { Metrics } from "../../src/telemetry-metrics.ts";

const seconds = "rankstream_query_duration_seconds";

/** Boards as scripted, one after the other; errors are thrown. */
function scripted(answers: (object | Error)[]): Asker {
  const next = async () => {
    const answer = answers.shift()!;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { leaderboard: next, trending: next, series: next, item: next, items: next };
}

it("Answers are timed by question and mode, and counted by what of them is certain", async () => {
  const metrics = new Metrics();
  const board = { mode: "approx", certified: false, certifiedRanks: 3, stale: true };
  const exact = { mode: "exact", certified: true, certifiedRanks: 2, stale: false };
  const asker = measured(
    scripted([
      { ...board, results: [1, 2, 3, 4, 5] },
      { ...exact, results: [1, 2] },
      { mode: "exact" },
      new RankstreamError("query_timeout", "too late"),
      new RelayedReply(404, {}, ""),
      new TypeError("a fault"),
    ]),
    metrics,
  );
  expect(await asker.leaderboard({ mode: "auto" } as never)).toMatchObject(board);
  expect(await asker.leaderboard({ mode: "auto" } as never)).toMatchObject(exact);
  await asker.item({ mode: "auto" } as never);
  await expect(asker.trending({} as never)).rejects.toThrow("too late");
  await expect(asker.series({} as never)).rejects.toThrow("404");
  await expect(asker.items({} as never)).rejects.toThrow("a fault");
  const is = (name: string, labels: Record<string, string>) => metrics.value(name, labels);
  expect(is(seconds, { question: "leaderboard", mode: "approx" })).toBe(1);
  expect(is(seconds, { question: "leaderboard", mode: "exact" })).toBe(1);
  expect(is(seconds, { question: "item", mode: "exact" })).toBe(1);
  const boards = "rankstream_query_boards_total";
  expect(is(boards, { asked: "auto", mode: "approx", certified: "false" })).toBe(1);
  expect(is(boards, { asked: "auto", mode: "exact", certified: "true" })).toBe(1);
  expect(is("rankstream_query_ranks_total", { certified: "true" })).toBe(5);
  expect(is("rankstream_query_ranks_total", { certified: "false" })).toBe(2);
  expect(is("rankstream_query_stale_total", {})).toBe(1);
  const failures = "rankstream_query_failures_total";
  expect(is(failures, { question: "trending", code: "query_timeout" })).toBe(1);
  expect(is(failures, { question: "series", code: "relayed" })).toBe(1);
  expect(is(failures, { question: "items", code: "internal_error" })).toBe(1);
});
