/** Asks the upstream what a node is asked: by the very address that the question came with. */
import { inSpan, type TraceSpan } from "../telemetry-tracing.ts";
import type { AskControl } from "./ask.ts";
import type { Asker } from "./questions.ts";
import type { Upstream } from "./upstream.ts";

/**
 * Each call throws RelayedReply for any reply but an answer: a refusal, a job, a redirect; and
 * `upstream_unavailable`.
 */
export function remoteAsker(upstream: Pick<Upstream, "json">): Asker {
  const ask = async (_request: unknown, control: AskControl = {}): Promise<object> => {
    const { address, signal, requestId, span } = control;
    if (address === undefined) throw new TypeError("a question without an address");
    const headers: Record<string, string> = {};
    if (requestId !== undefined) headers["x-request-id"] = requestId;
    const call = async (step: TraceSpan | null) => {
      if (step !== null) headers["traceparent"] = step.traceparent;
      return (await upstream.json(address, signal, headers)) as object;
    };
    return inSpan(span, "upstream.ask", call, "client");
  };
  return { leaderboard: ask, trending: ask, series: ask, item: ask, items: ask };
}
