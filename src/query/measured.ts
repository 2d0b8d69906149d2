/** Times questions that are answered anew, and counts how much of the answers is certain. */
import { RankstreamError } from "../errors.ts";
import { requestBuckets } from "../telemetry-histogram.ts";
import type { Metrics } from "../telemetry-metrics.ts";
import type { AskControl } from "./ask.ts";
import type { Board } from "./board.ts";
import type { Asker, QuestionKind, Questions } from "./questions.ts";
import { RelayedReply } from "./relayed-reply.ts";

/** Jobs may take longer than any request. */
const buckets = Object.freeze([...requestBuckets, 30, 60, 300]);

/** How a question failed, in a word out of a bounded set. */
function codeOf(error: unknown): string {
  if (error instanceof RankstreamError) return error.code;
  if (error instanceof RelayedReply) return "relayed";
  return "internal_error";
}

/** What is counted of boards. */
function boardCounter(metrics: Metrics) {
  const boards = metrics.counterBy(
    "rankstream_query_boards_total",
    "Boards made, by the mode asked for and the one answered, and whether all is certain.",
    ["asked", "mode", "certified"],
  );
  const ranks = metrics.counterBy(
    "rankstream_query_ranks_total",
    "Rows of boards made, by whether their rank is certain.",
    ["certified"],
  );
  const certain = ranks.with("true");
  const uncertain = ranks.with("false");
  const stale = metrics.counter(
    "rankstream_query_stale_total",
    "Boards made without all that was acknowledged before the question.",
  );
  return (asked: string, board: Board) => {
    boards.with(asked, board.mode, String(board.certified)).add();
    certain.add(board.certifiedRanks);
    uncertain.add(board.results.length - board.certifiedRanks);
    if (board.stale) stale.add();
  };
}

/** Answers as `asker` does, and throws what it throws. */
export function measured(asker: Asker, metrics: Metrics): Asker {
  const seconds = metrics.histogramBy(
    "rankstream_query_duration_seconds",
    "Time to answer a question that no kept answer served, by the mode answered.",
    ["question", "mode"],
    buckets,
  );
  const failures = metrics.counterBy(
    "rankstream_query_failures_total",
    "Questions that were not answered, by the error's code.",
    ["question", "code"],
  );
  const countBoard = boardCounter(metrics);
  const ask =
    <Kind extends QuestionKind>(kind: Kind) =>
    async (request: Questions[Kind], control?: AskControl): Promise<object> => {
      const begun = performance.now();
      try {
        const answer = (await asker[kind](request as never, control)) as Board;
        seconds.with(kind, answer.mode).observe((performance.now() - begun) / 1000);
        if (kind === "leaderboard") countBoard((request as Questions["leaderboard"]).mode, answer);
        return answer;
      } catch (error) {
        failures.with(kind, codeOf(error)).add();
        throw error;
      }
    };
  return {
    leaderboard: ask("leaderboard"),
    trending: ask("trending"),
    series: ask("series"),
    item: ask("item"),
    items: ask("items"),
  };
}
