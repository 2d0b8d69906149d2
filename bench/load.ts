/** HTTP load: several connections, one request at a time on each; every reply is checked. */
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type Dispatcher } from "undici";
import type { Body } from "./event-stream.ts";
import type { TrueBoard } from "./truth.ts";

const overloadWaitMs = 50;
const overloadWaitsMax = 1200;
const exactMsMax = 180_000;

export interface LoadResult {
  /** Of each accepted POST, its retries included. */
  latenciesMs: number[];
  /** Times a POST was answered 503 and sent again: nothing of it had been stored. */
  overloads: number;
}

interface Reply {
  status: number;
  text: string;
}

async function send(client: Dispatcher, body: Uint8Array): Promise<Reply> {
  const { statusCode, body: reply } = await client.request({
    path: "/events",
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body,
  });
  return { status: statusCode, text: await reply.text() };
}

/** Posts one body until it is accepted; returns how often it was put off. */
export async function postBody(client: Dispatcher, body: Omit<Body, "first">): Promise<number> {
  for (let overloads = 0; overloads <= overloadWaitsMax; overloads++) {
    const { status, text } = await send(client, body.bytes);
    if (status === 202) {
      const { accepted, rejected } = JSON.parse(text) as { accepted: number; rejected: number };
      if (accepted === body.events && rejected === 0) return overloads;
      throw new Error(`sent ${body.events} events, got ${text.slice(0, 500)}`);
    }
    const isOverload = status === 503 && /"code":"(overloaded|log_full)"/.test(text);
    if (!isOverload) throw new Error(`POST /events answered ${status}: ${text.slice(0, 500)}`);
    await sleep(overloadWaitMs);
  }
  throw new Error(`POST /events was put off ${overloadWaitsMax} times`);
}

/** Calls `work` with a client of its own on each of `connections` connections; then closes. */
export async function onConnections(
  url: string,
  connections: number,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const clients = Array.from({ length: connections }, () => new Client(url, { pipelining: 1 }));
  try {
    await Promise.all(clients.map(work));
  } finally {
    await Promise.all(clients.map((client) => client.destroy()));
  }
}

/** Posts every body that `next` gives, until it gives null. */
export async function postAll(
  url: string,
  connections: number,
  next: () => Body | null,
  posted: (body: Body) => void = () => undefined,
): Promise<LoadResult> {
  const result: LoadResult = { latenciesMs: [], overloads: 0 };
  await onConnections(url, connections, async (client) => {
    for (let body = next(); body !== null; body = next()) {
      const started = performance.now();
      result.overloads += await postBody(client, body);
      result.latenciesMs.push(performance.now() - started);
      posted(body);
    }
  });
  return result;
}

export interface BoardRow {
  eventId: string;
  count: number;
  lower: number;
  upper: number;
}

export interface Board {
  mode: "approx" | "exact";
  certified: boolean;
  certifiedRanks: number;
  stale: boolean;
  total: number;
  totalUpper?: number;
  distinct: number | null;
  results: BoardRow[];
}

/**
 * GET /leaderboard: the board, or the text of a 503 or of a 202, with which the question became
 * a job; throws when it answers anything else.
 */
export async function askBoard(
  url: string,
  parameters: Record<string, string | number>,
): Promise<Board | string> {
  const pairs = Object.entries(parameters).map(([key, value]) => [key, String(value)]);
  const response = await fetch(`${url}/leaderboard?${new URLSearchParams(pairs)}`);
  const text = await response.text();
  if (response.status === 200) return JSON.parse(text) as Board;
  if (response.status === 503 || response.status === 202) return text;
  throw new Error(`GET /leaderboard answered ${response.status}: ${text.slice(0, 500)}`);
}

/** Waits for the job; null when it brought no board. */
async function resultOf(url: string, id: string): Promise<Board | null> {
  for (;;) {
    const reply = (await (await fetch(`${url}/jobs/${id}`)).json()) as {
      status?: string;
      result?: Board;
    };
    if (reply.status !== "queued" && reply.status !== "running") return reply.result ?? null;
    await sleep(overloadWaitMs);
  }
}

/** The exact board, asked again while the service says that it needs longer. */
export async function askExact(
  url: string,
  parameters: Record<string, string | number>,
): Promise<{ board: Board; timeouts: number }> {
  const started = performance.now();
  let refusal = "";
  for (let timeouts = 0; performance.now() - started < exactMsMax; timeouts++) {
    const board = await askBoard(url, { ...parameters, mode: "exact" });
    if (typeof board !== "string") return { board, timeouts };
    refusal = board;
    const jobId = (JSON.parse(board) as { job?: { id: string } }).job?.id;
    const later = jobId === undefined ? null : await resultOf(url, jobId);
    if (later !== null) return { board: later, timeouts: timeouts + 1 };
    await sleep(overloadWaitMs);
  }
  throw new Error(`no exact board within ${exactMsMax} ms; at last: ${refusal.slice(0, 500)}`);
}

/**
 * Resolves once all that was accepted is counted, as an exact answer is: to a question never
 * asked before, for a kept answer waits for nothing.
 */
export async function passBarrier(url: string, eventType: string): Promise<void> {
  const from = Date.now();
  await askExact(url, { eventType, from, to: from + 1, k: 1 });
}

/** Throws unless the exact board is the truth: total, distinct, every row in its place. */
export function checkExact(board: Board, truth: TrueBoard, what: string): void {
  const fail = (name: string, expected: unknown, got: unknown) => {
    throw new Error(`${what}: ${name} is ${got}, not ${expected}: no figure is worth printing`);
  };
  if (board.mode !== "exact") fail("mode", "exact", board.mode);
  if (board.total !== truth.total) fail("total", truth.total, board.total);
  if (board.distinct !== truth.distinct) fail("distinct", truth.distinct, board.distinct);
  if (board.results.length !== truth.rows.length) {
    fail("number of rows", truth.rows.length, board.results.length);
  }
  for (const [i, { eventId, count }] of truth.rows.entries()) {
    const row = board.results[i]!;
    const isSame = row.eventId === eventId && row.count === count;
    if (!isSame) fail(`row ${i + 1}`, `${eventId} ${count}`, `${row.eventId} ${row.count}`);
  }
}
