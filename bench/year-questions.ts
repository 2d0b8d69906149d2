/** Questions about the year: asked of the service, checked against SQL, and timed. */
import type { Random } from "../test/support/random.ts";
import { askBoard, askExact, type Board } from "./load.ts";
import type { TrueRow } from "./truth.ts";
import { dayMs, eventType, hourMs, yearMs, yearStartMs } from "./year-data.ts";
import type { Question, YearSql } from "./year-sql.ts";

const minuteMs = 60_000;
export const boardRows = 1000;

export interface Timed {
  board: Board;
  ms: number;
}

export function questionText({ eventType: type, from, to, k, country }: Question): string {
  const time = (ms: number) => new Date(ms).toISOString();
  const only = country === undefined ? "" : ` with country ${country}`;
  return `top ${k} of ${type} from ${time(from)} to ${time(to)}${only}`;
}

/** A range of about so many ms somewhere in the year, cut at multiples of `stepMs`. */
export function rangeOf(random: Random, lengthMs: number, stepMs: number) {
  const length = Math.max(stepMs, Math.min(yearMs, Math.round(lengthMs / stepMs) * stepMs));
  const places = Math.floor((yearMs - length) / stepMs);
  const from = yearStartMs + random.int(0, places) * stepMs;
  return { from, to: from + length };
}

/** From a minute to the year, each length's magnitude alike; ragged as well as whole. */
export function anyQuestion(random: Random): Question {
  const lengthMs = minuteMs * (yearMs / minuteMs) ** random.float();
  const fitting = [1, minuteMs, hourMs, dayMs].filter((step) => step <= lengthMs);
  const type = random.pick([eventType, eventType, "song_like", "playlist_add"]);
  const k = random.pick([10, 100, boardRows]);
  return { eventType: type, k, ...rangeOf(random, lengthMs, random.pick(fitting)) };
}

function parametersOf({ eventType: type, from, to, k, country }: Question) {
  const only = country === undefined ? {} : { "filter.country": country };
  return { eventType: type, from, to, k, ...only };
}

export async function askApprox(url: string, question: Question): Promise<Timed> {
  const started = performance.now();
  const board = await askBoard(url, { ...parametersOf(question), mode: "approx" });
  const ms = performance.now() - started;
  if (typeof board === "string") throw new Error(`${questionText(question)}: ${board}`);
  return { board, ms };
}

export async function askForExact(url: string, question: Question): Promise<Timed> {
  const started = performance.now();
  const { board } = await askExact(url, parametersOf(question));
  return { board, ms: performance.now() - started };
}

function fail(question: Question, what: string): never {
  throw new Error(`${questionText(question)}: ${what}: no figure is worth printing`);
}

/** Throws unless the rows are the true ones, each in its place. */
export function checkRows(question: Question, rows: readonly TrueRow[], truth: TrueRow[]): void {
  if (rows.length !== truth.length) fail(question, `${rows.length} rows, not ${truth.length}`);
  for (const [i, { eventId, count }] of truth.entries()) {
    const got = rows[i]!;
    if (got.eventId !== eventId || got.count !== count) {
      fail(question, `row ${i + 1} is ${got.eventId} ${got.count}, not ${eventId} ${count}`);
    }
  }
}

/** As checkRows, but ties may be in any order, and any of those at the end may be there. */
export function checkTies(question: Question, rows: readonly TrueRow[], truth: TrueRow[]): void {
  const least = truth.at(-1)?.count ?? 0;
  const sorted = (given: readonly TrueRow[]) =>
    given
      .filter(({ count }) => count > least)
      .sort((a, b) => b.count - a.count || (a.eventId < b.eventId ? -1 : 1));
  if (rows.length !== truth.length) fail(question, `${rows.length} rows, not ${truth.length}`);
  const lowest = Math.min(...rows.map(({ count }) => count), least);
  if (lowest !== least) fail(question, `the least count is ${lowest}, not ${least}`);
  checkRows(question, sorted(rows), sorted(truth));
}

/** Throws unless the bounds hold and the certified ranks are the true ones. */
export async function checkApprox(sql: YearSql, question: Question, board: Board): Promise<void> {
  const { rows } = await sql.top(question);
  const certified = board.results.slice(0, board.certifiedRanks);
  for (const [i, { eventId }] of certified.entries()) {
    if (rows[i]?.eventId !== eventId) {
      fail(question, `certified rank ${i + 1} is ${eventId}, not ${rows[i]?.eventId}`);
    }
  }
  if (board.results.length !== rows.length) fail(question, `${board.results.length} rows`);
  if (rows.length === 0) return;
  const counts = await sql.countsOf(
    question,
    board.results.map(({ eventId }) => eventId),
  );
  for (const { eventId, lower, upper } of board.results) {
    const count = counts.get(eventId) ?? 0;
    if (count < lower || count > upper) {
      fail(question, `${eventId} is said to have ${lower}..${upper}, and has ${count}`);
    }
  }
}
