/** Asking the cache, as a step of a request that is traced. */
import type { Answered } from "../query/answer-cache.ts";
import type { AskControl } from "../query/ask.ts";
import type { QuestionKind, Questions } from "../query/questions.ts";
import { inSpan } from "../telemetry-tracing.ts";

/** What answers questions. */
interface Askable {
  ask<Kind extends QuestionKind>(
    kind: Kind,
    asked: Questions[Kind],
    control?: AskControl,
  ): Promise<Answered>;
}

/** Asks the cache, as a step of the request where that is traced: which level had the answer. */
export function askTraced<Kind extends QuestionKind>(
  cache: Askable,
  kind: Kind,
  asked: Questions[Kind],
  control: AskControl,
): Promise<Answered> {
  return inSpan(control.span, "cache.ask", async (span) => {
    const answered = await cache.ask(kind, asked, { ...control, span });
    const { level, isStale } = answered;
    span?.set({ "rankstream.cache.level": level ?? "none", "rankstream.cache.stale": isStale });
    return answered;
  });
}
