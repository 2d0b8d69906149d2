// What a worker notes of traced records: a step each, so many at most, and of checkpoints.
import { expect, it } from "vitest";
import { checkpointTracesMax, TraceNotes } from "../../src/ingest/trace-notes.ts";
import type { LogRecord } from "../../src/model.ts";
import { parseTraceparent, wallMs } from "../../src/model-trace.ts";
import { committedSteps } from "../../src/store/checkpoint-trace.ts";
import type { CheckpointPart } from "../../src/store/store.ts";

const traceIdOf = (n: number) => n.toString(16).padStart(32, "0");
const spanId = "00f067aa0ba902b7";

function recordOf(offset: number, trace: string | null): LogRecord {
  const none = new Uint8Array(0);
  const place = {
    partition: 3,
    offset,
    key: null,
    digest: null,
    receivedAt: 0,
    partitionCount: 4,
  };
  return { ...place, trace, value: none, lines: none };
}

const traced = (n: number) => recordOf(n, `00-${traceIdOf(n)}-${spanId}-01`);

it("notes a step of each traced record, and hands it over once", () => {
  const notes = new TraceNotes();
  const startMs = wallMs();
  notes.counted(traced(7), startMs, { "rankstream.events": 2 });
  notes.counted(recordOf(8, null), startMs, {});
  const [step, ...more] = notes.take()!;
  expect(more).toEqual([]);
  expect(step).toMatchObject({ parent: traced(7).trace, name: "ingest.count", startMs });
  expect(step!.endMs).toBeGreaterThanOrEqual(startMs);
  expect(step!.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(step!.attributes).toEqual({
    "rankstream.partition": 3,
    "rankstream.offset": 7,
    "rankstream.events": 2,
  });
  expect(notes.take()).toBe(undefined);
});

it("tells a checkpoint of the steps that it commits, once, and no more than so many", () => {
  const notes = new TraceNotes();
  expect(notes.takeCheckpoint()).toBe(undefined);
  const count = checkpointTracesMax + 5;
  for (let n = 1; n <= count; n++) notes.counted(traced(n), wallMs(), {});
  const { parents } = notes.takeCheckpoint()!;
  const steps = notes.take()!.slice(0, checkpointTracesMax);
  expect(parents).toEqual(steps.map((step, i) => `00-${traceIdOf(i + 1)}-${step.spanId}-01`));
  expect(notes.leftOut).toBe(5);
  expect(notes.takeCheckpoint()).toBe(undefined);
});

it("notes a bounded number until they are handed over", () => {
  const notes = new TraceNotes();
  for (let n = 1; n <= 10_000; n++) notes.counted(traced(n), wallMs(), {});
  const noted = notes.take()!.length;
  expect(noted).toBeLessThan(1000);
  // Each record is left out once, whether its step or its checkpoint is missing.
  expect(notes.leftOut).toBe(10_000 - checkpointTracesMax);
});

it("forgets what is dropped and counted again", () => {
  const notes = new TraceNotes();
  notes.counted(traced(1), wallMs(), {});
  notes.forget();
  expect(notes.takeCheckpoint()).toBe(undefined);
});

it("is a checkpoint and a transaction for each of its traced batches", () => {
  const notes = new TraceNotes();
  for (const n of [1, 2]) notes.counted(traced(n), wallMs(), {});
  const trace = notes.takeCheckpoint()!;
  const begun = wallMs();
  const part = { worker: 1, sequence: 9, rawRows: 5, countRows: 4 } as CheckpointPart;
  expect(committedSteps(part, begun)).toBe(undefined);
  const steps = committedSteps({ ...part, trace }, begun)!;
  expect(steps.map(({ name }) => name)).toEqual([
    "store.checkpoint",
    "store.commit",
    "store.checkpoint",
    "store.commit",
  ]);
  for (const [i, parent] of trace.parents.entries()) {
    const [checkpoint, commit] = [steps[2 * i]!, steps[2 * i + 1]!];
    expect([checkpoint.parent, checkpoint.startMs]).toEqual([parent, trace.handedOverMs]);
    expect(parseTraceparent(commit.parent)).toEqual({
      traceId: traceIdOf(i + 1),
      spanId: checkpoint.spanId,
      isSampled: true,
    });
    expect(commit.startMs).toBe(begun);
    expect(commit.endMs).toBe(checkpoint.endMs);
    expect(commit.attributes).toEqual({ "rankstream.raw_rows": 5, "rankstream.count_rows": 4 });
  }
});
