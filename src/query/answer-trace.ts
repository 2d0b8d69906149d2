/** Making an answer, as a step of a request that is traced. */
import type { SpanAttributes } from "../model-trace.ts";
import { inSpan, type TraceSpan } from "../telemetry-tracing.ts";
import type { Board } from "./board.ts";

/** What an answer says of how it was made, as a span says it. */
function madeFrom({ mode, certified, plan }: Partial<Board>): SpanAttributes {
  const figures = Object.entries({ ...plan?.rowsRead, ...plan?.windows });
  return {
    ...(mode !== undefined && { "rankstream.mode": mode }),
    ...(certified !== undefined && { "rankstream.certified": certified }),
    ...Object.fromEntries(figures.map(([name, value]) => [`rankstream.plan.${name}`, value])),
  };
}

/** Makes an answer, as a step of who asked first where that is traced. */
export function makeTraced<Answer extends object>(
  span: TraceSpan | null | undefined,
  make: (step: TraceSpan | null) => Promise<Answer>,
): Promise<Answer> {
  return inSpan(span, "query.answer", async (step) => {
    const made = await make(step);
    step?.set(madeFrom(made));
    return made;
  });
}
