/**
 * What an ingest worker notes of records whose batches are traced: a step for each, which the main
 * thread makes a span of, and for each checkpoint which of these steps it commits. Records that
 * aren't traced cost nothing here.
 */
import { randomBytes } from "node:crypto";
import type { LogRecord } from "../model.ts";
import {
  type CheckpointTrace,
  formatTraceparent,
  parseTraceparent,
  type SpanAttributes,
  type SpanNote,
  wallMs,
} from "../model-trace.ts";

/** Notes not handed over yet; of more traced records nothing is noted. */
const notesMax = 512;
/** Steps that a checkpoint is told of: it is a step of each, so their number is bounded. */
export const checkpointTracesMax = 16;
const spanIdBytes = 8;

export class TraceNotes {
  #notes: SpanNote[] = [];
  /** `traceparent` of the steps that the next checkpoint commits. */
  #pending: string[] = [];
  /** Traced records of which nothing, or not their checkpoint, was noted. */
  leftOut = 0;

  /** Notes that the record was counted, from `startMs` until now. */
  counted(record: LogRecord, startMs: number, attributes: SpanAttributes): void {
    const parent = record.trace ?? "";
    const context = parseTraceparent(parent);
    if (context === null) return;
    if (this.#notes.length >= notesMax) {
      this.leftOut++;
      return;
    }
    const { partition, offset } = record;
    const spanId = randomBytes(spanIdBytes).toString("hex");
    const place = { "rankstream.partition": partition, "rankstream.offset": offset };
    const own = { ...place, ...attributes };
    const endMs = wallMs();
    this.#notes.push({ parent, spanId, name: "ingest.count", startMs, endMs, attributes: own });
    if (this.#pending.length >= checkpointTracesMax) this.leftOut++;
    else this.#pending.push(formatTraceparent({ ...context, spanId }));
  }

  /** Of a checkpoint that is handed over now; undefined where nothing in it is traced. */
  takeCheckpoint(): CheckpointTrace | undefined {
    if (this.#pending.length === 0) return undefined;
    const parents = this.#pending;
    this.#pending = [];
    return { parents, handedOverMs: wallMs() };
  }

  /** What was counted is dropped, and counted again from where the store says. */
  forget(): void {
    this.#pending = [];
  }

  /** What is to be told to the main thread; undefined for nothing. */
  take(): SpanNote[] | undefined {
    if (this.#notes.length === 0) return undefined;
    const notes = this.#notes;
    this.#notes = [];
    return notes;
  }
}
