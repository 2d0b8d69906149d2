// What an answer of GET /leaderboard must hold against the truth, by mode.
import { expect } from "vitest";
import type { BoardOracle, BoardQuestion, TrueBoard } from "../oracles/board-oracle.ts";
import type { Random } from "../support/random.ts";
import type { Answer, RankstreamProcess } from "../support/service.ts";

export const modes = ["exact", "approx", "auto"] as const;
export type Mode = (typeof modes)[number];

/** Whoever knows the truth. */
export interface Oracle {
  board(question: BoardQuestion): TrueBoard | Promise<TrueBoard>;
}

/** Of a body that is no board. */
const bodyCharsMax = 500;

interface Row {
  eventId: string;
  count: number;
  rank: number;
  lower: number;
  upper: number;
}

/** A range between moments of events, or near them; k, offset, ties and types at random. */
export function randomQuestion(random: Random, oracle: BoardOracle): BoardQuestion {
  const types = [...new Set(oracle.events.map(({ eventType }) => eventType))];
  const moment = () => {
    const { timeMs } = random.pick(oracle.events);
    const step = random.pick([1, 1, 1000, 60_000, 3_600_000, 86_400_000]);
    return timeMs - (random.chance(0.7) ? timeMs % step : 0) + random.pick([-1, 0, 0, 1]);
  };
  const from = moment();
  const to = random.chance(0.2) ? from + random.int(1, 90_000) : moment();
  const [low, high] = from < to ? [from, to] : [to, from];
  return {
    eventTypes: random.shuffle(types).slice(0, random.chance(0.6) ? 1 : random.int(1, 4)),
    from: low,
    to: high === low ? high + 1 : high,
    k: random.chance(0.5) ? random.int(1, 20) : random.int(1, 1000),
    offset: random.chance(0.6) ? 0 : random.int(0, 500),
    ties: random.pick(["competition", "dense", "ordinal"] as const),
  };
}

export function ask(
  service: RankstreamProcess,
  { eventTypes, from, to, k, offset, ties }: BoardQuestion,
  mode: Mode,
): Promise<Answer> {
  const pairs = eventTypes.map((name) => ["eventType", name]);
  pairs.push(["from", String(from)], ["to", new Date(to).toISOString()]);
  pairs.push(["k", String(k)], ["offset", String(offset)], ["ties", ties], ["mode", mode]);
  return service.get(`/leaderboard?${new URLSearchParams(pairs)}`);
}

function expectExact(body: Answer["body"], truth: TrueBoard): void {
  const rows = truth.results.map((row) => ({ ...row, lower: row.count, upper: row.count }));
  const got = body.results.map(({ eventId, count, rank, lower, upper }: Row) => {
    return { eventId, count, rank, lower, upper };
  });
  expect(got).toEqual(rows);
  const { total, distinct, others } = truth;
  expect(body).toMatchObject({ total, distinct, others, mode: "exact" });
  expect(body).toMatchObject({ certified: true, certifiedRanks: rows.length });
}

function expectDistinct(body: Answer["body"], truth: TrueBoard): void {
  if (body.distinct !== null) {
    expect(body.distinct).toBe(truth.distinct);
    return;
  }
  expect(body.distinctLower).toBeLessThanOrEqual(truth.distinct);
  expect(body.distinctUpper).toBeGreaterThanOrEqual(truth.distinct);
}

/** Bounds hold for every row, and what is called certain is right. */
function expectBounded(body: Answer["body"], truth: TrueBoard, k: number): void {
  const rows = body.results as Row[];
  for (const { eventId, lower, count, upper } of rows) {
    const known = truth.counts.get(eventId) ?? 0;
    expect(lower, eventId).toBeLessThanOrEqual(known);
    expect(upper, eventId).toBeGreaterThanOrEqual(known);
    expect(count, eventId).toBeGreaterThanOrEqual(lower);
    expect(count, eventId).toBeLessThanOrEqual(upper);
  }
  expect(new Set(rows.map(({ eventId }) => eventId)).size).toBe(rows.length);
  expect(rows.length).toBeLessThanOrEqual(k);
  expect(body.total).toBe(truth.total);
  expectDistinct(body, truth);
  expect(body.certifiedRanks).toBeLessThanOrEqual(rows.length);
  const certain = rows.slice(0, body.certifiedRanks).map(({ eventId }) => eventId);
  expect(certain).toEqual(
    truth.results.slice(0, body.certifiedRanks).map(({ eventId }) => eventId),
  );
  if (body.certified !== true) return;
  const names = (list: { eventId: string; rank: number }[]) =>
    list.map(({ eventId, rank }) => `${rank} ${eventId}`);
  expect(names(rows)).toEqual(names(truth.results));
}

/** What any answer must hold against the truth. */
export function expectBoard(body: Answer["body"], truth: TrueBoard, k: number, mode: Mode): void {
  expect(body).toMatchObject({ partial: false, stale: false });
  if (mode === "exact") expect(body.mode).toBe("exact");
  if (body.mode === "exact") expectExact(body, truth);
  else expectBounded(body, truth, k);
  for (const { count, share } of body.results) {
    expect(share).toBeCloseTo(count / truth.total, 5);
  }
}

/** Asks and compares; `body` is returned for further looks. */
export async function expectTrueBoard(
  service: RankstreamProcess,
  oracle: Oracle,
  question: BoardQuestion,
  mode: Mode,
): Promise<Answer["body"]> {
  const { status, body } = await ask(service, question, mode);
  const truth = await oracle.board(question);
  try {
    expect(status, JSON.stringify(body).slice(0, bodyCharsMax)).toBe(200);
    expectBoard(body, truth, question.k, mode);
  } catch (error) {
    const asked = JSON.stringify({ mode, ...question });
    throw new Error(`asked ${asked}:\n${(error as Error).message}`, { cause: error });
  }
  return body;
}
