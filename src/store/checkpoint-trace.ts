/** What the store's thread notes of a checkpoint that commits traced batches. */
import { randomBytes } from "node:crypto";
import { formatTraceparent, parseTraceparent, type SpanNote, wallMs } from "../model-trace.ts";
import type { CheckpointPart } from "./store.ts";

const newSpanId = () => randomBytes(8).toString("hex");

/**
 * For each traced batch in it the checkpoint, from when its worker handed it over until now, and
 * within that the transaction, begun at `startMs`. Undefined where nothing in it is traced.
 */
export function committedSteps(
  { trace, worker, sequence, rawRows, countRows }: CheckpointPart,
  startMs: number,
): SpanNote[] | undefined {
  if (trace === undefined) return undefined;
  const endMs = wallMs();
  const place = { "rankstream.worker": worker, "rankstream.checkpoint": sequence };
  const rows = { "rankstream.raw_rows": rawRows, "rankstream.count_rows": countRows };
  return trace.parents.flatMap((parent) => {
    const context = parseTraceparent(parent);
    if (context === null) return [];
    const spanId = newSpanId();
    const within = formatTraceparent({ ...context, spanId });
    const checkpoint = {
      parent,
      spanId,
      name: "store.checkpoint",
      startMs: trace.handedOverMs,
      endMs,
      attributes: { ...place, "rankstream.traced_batches": trace.parents.length },
    };
    const commit = {
      parent: within,
      spanId: newSpanId(),
      name: "store.commit",
      startMs,
      endMs,
      attributes: rows,
    };
    return [checkpoint, commit];
  });
}
