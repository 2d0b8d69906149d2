/** What the answer to a batch means for it, and for each of its events. */
import type { ErrorCode } from "../errors-table.ts";
import { type Batch, linesOf } from "./batch-queue.ts";
import type { TrackedEvent } from "./event-line.ts";
import type { RefusedLine } from "./replies.ts";
import { type ProblemError, problemOf } from "./requests.ts";

/** An event, or several, that the service won't count. */
export interface Refusal {
  /** As it was sent; null where the service doesn't say which of the batch's it means. */
  event: TrackedEvent | null;
  /** How many events; 1 where `event` says which. */
  count: number;
  /** The service's code of the line or of the batch, or `outcome_unknown` (see the tracker). */
  code: string;
  message: string;
  field?: string;
}

export type Outcome =
  | { kind: "settled"; accepted: number; refusals: Refusal[] }
  /** Too large, and for certain not stored. */
  | { kind: "split" }
  /** Says nothing for good about the batch. */
  | { kind: "retry"; error: ProblemError; mayBeStored: boolean };

function eventOf(batch: Batch, line: number): TrackedEvent | null {
  const text = linesOf(batch)[line - 1];
  return text === undefined ? null : (JSON.parse(text) as TrackedEvent);
}

function refusalOf(batch: Batch, { line, field, code, message }: RefusedLine): Refusal {
  const named = { event: eventOf(batch, line), count: 1, code, message };
  return field === undefined ? named : { ...named, field };
}

function listedLines(value: unknown): RefusedLine[] {
  return Array.isArray(value) ? (value as RefusedLine[]) : [];
}

/** Every event of the batch, for one reason. */
export function refuseAll(batch: Batch, code: string, message: string): Refusal[] {
  return linesOf(batch).map((text) => {
    return { event: JSON.parse(text) as TrackedEvent, count: 1, code, message };
  });
}

async function outcomeOfReply(batch: Batch, response: Response): Promise<Outcome> {
  const reply = (await response.json()) as { accepted: number; rejected: number };
  const lines = listedLines((reply as { errors?: unknown }).errors);
  const refusals = lines.map((line) => refusalOf(batch, line));
  const unlisted = reply.rejected - refusals.length;
  if (unlisted > 0) {
    const { code, message } = refusals.at(-1) ?? { code: "unknown", message: "not listed" };
    const detail = `refused beyond those listed; the last listed: ${message}`;
    refusals.push({ event: null, count: unlisted, code, message: detail });
  }
  return { kind: "settled", accepted: reply.accepted, refusals };
}

/** Refusals of all events, each for what its line says. */
const namesLines: readonly string[] = [
  "no_valid_events",
  "forbidden_event_type",
] satisfies ErrorCode[];

/** All were refused: those listed each for its reason, the others for the batch's. */
function outcomeOfRefusal(batch: Batch, { code, message, problem }: ProblemError): Outcome {
  const refusals = refuseAll(batch, code, message);
  for (const line of listedLines(problem["errors"])) {
    // A body that is refused as a whole names its first line whatever is in it.
    if (namesLines.includes(code) && refusals[line.line - 1] !== undefined) {
      refusals[line.line - 1] = refusalOf(batch, line);
    }
  }
  return { kind: "settled", accepted: 0, refusals };
}

/** By the service's own word nothing of the batch was stored. */
const notStored: readonly string[] = [
  "overloaded",
  "log_full",
  "shutting_down",
  "not_ready",
] satisfies ErrorCode[];

/**
 * Certain are 202 (stored), 400 and 422 of the service's own (refused), 403 where it names events
 * (of types that the key is not for), and 413 of a batch that was never in doubt. Everything else
 * is asked again: what a proxy, a missing right or a failing disk answers says nothing about the
 * events.
 */
export async function outcomeOf(batch: Batch, response: Response): Promise<Outcome> {
  if (response.status === 202) return await outcomeOfReply(batch, response);
  const error = await problemOf(response);
  const { status, code } = error;
  const isOwn = code !== "unknown";
  if (isOwn && (status === 400 || status === 422)) return outcomeOfRefusal(batch, error);
  if (isOwn && status === 403 && Array.isArray(error.problem["errors"])) {
    return outcomeOfRefusal(batch, error);
  }
  if (status === 413) {
    if (!batch.isInDoubt && batch.events > 1) return { kind: "split" };
    return { kind: "settled", accepted: 0, refusals: refuseAll(batch, code, error.message) };
  }
  return { kind: "retry", error, mayBeStored: status >= 500 && !notStored.includes(code) };
}
