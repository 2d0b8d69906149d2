/**
 * Names of kept answers: `topk:{eventType}:{window}:{k}:{hash}` of boards,
 * `count:{eventType}:{eventId}:{window}:{hash}` of single items, `{kind}:{eventType}:{window}:
 * {hash}` of the rest. Parts are percent-encoded, so that no colon of theirs ends one; the hash is
 * over the whole question, so that no two questions share a name.
 */
import { createHash } from "node:crypto";
import { eventTypesOf, type QuestionKind, type Questions } from "./questions.ts";
import type { TimeRange } from "./time-range.ts";

const hashBytes = 15;
const rollingMs = 1000;

/** The same text for equal values, in whatever order their members came. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(",")}}`;
}

/** Ranges that roll back from now are one for as long as the clock shows the same second. */
function windowOf({ rolling, from, to, effectiveFrom, effectiveTo }: TimeRange): unknown {
  if (rolling === undefined) return [from, to, effectiveFrom, effectiveTo];
  return [rolling, Math.floor(to / rollingMs)];
}

function windowText({ rolling, from, to }: TimeRange): string {
  return rolling === undefined ? `${from}-${to}` : `${rolling}@${Math.floor(to / rollingMs)}`;
}

/** The name that an answer to this question is kept under. */
export function keyOf<Kind extends QuestionKind>(kind: Kind, request: Questions[Kind]): string {
  const { range, ...rest } = request;
  const previous = "previous" in rest ? (rest.previous as TimeRange | undefined) : undefined;
  const whole = {
    ...rest,
    range: windowOf(range),
    ...(previous !== undefined && { previous: windowOf(previous) }),
  };
  const hash = createHash("sha256")
    .update(`${kind} ${canonical(whole)}`)
    .digest()
    .subarray(0, hashBytes)
    .toString("base64url");
  const types = eventTypesOf(request).map(encodeURIComponent).join(",");
  const window = encodeURIComponent(windowText(range));
  if (kind === "leaderboard") {
    return `topk:${types}:${window}:${(request as Questions["leaderboard"]).k}:${hash}`;
  }
  if (kind === "item") {
    const { eventId } = request as Questions["item"];
    return `count:${types}:${encodeURIComponent(eventId)}:${window}:${hash}`;
  }
  return `${kind}:${types}:${window}:${hash}`;
}
