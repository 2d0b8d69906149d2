// Clients of a service that loses a node now and then: what they sent, what was acknowledged, what
// failed. Each batch is of an item of its own, so that its count tells what became of it.
import { setTimeout as sleep } from "node:timers/promises";

const requestMsMax = 20_000;
const pauseMs = 10;
const triesMax = 200;
const eventsPerBatch = 20;
const pageRows = 1000;

/** How a kind of client sends: under a key or not, again where a request failed or not. */
export interface ClientKind {
  readonly hasKey: boolean;
  readonly retries: boolean;
}

export interface Tally {
  /** Items of batches that were acknowledged. */
  acknowledged: string[];
  /** Items of batches that nobody knows of, given up. */
  unknown: string[];
  /** Requests that failed, by what came instead of 202 or 200. */
  failures: Record<string, number>;
  requests: number;
  /** Longest time from a batch's first request to its acknowledgement. */
  slowestMs: number;
}

export function emptyTally(): Tally {
  return { acknowledged: [], unknown: [], failures: {}, requests: 0, slowestMs: 0 };
}

export function failuresOf(tally: Tally): number {
  return Object.values(tally.failures).reduce((sum, count) => sum + count, 0);
}

function linesOf(eventType: string, eventId: string): string {
  return `${JSON.stringify({ eventType, eventId })}\n`.repeat(eventsPerBatch);
}

/** Null where the status is `expected`, else what came. */
async function failureOf(
  url: string,
  init: RequestInit,
  expected: number,
): Promise<string | null> {
  try {
    const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(requestMsMax) });
    const text = await reply.text();
    if (reply.status === expected) return null;
    const code = /"code":"(\w+)"/.exec(text)?.[1];
    return code === undefined ? `${reply.status}` : `${reply.status} ${code}`;
  } catch (error) {
    const { cause, name } = error as Error & { cause?: { code?: string } };
    return cause?.code ?? name;
  }
}

export class FailoverLoad {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #clients: Promise<void>[] = [];
  #isDone = false;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#url = url;
    this.#headers = headers;
  }

  /** Starts so many clients that send events of this type. */
  send(eventType: string, kind: ClientKind, clients: number): Tally {
    const tally = emptyTally();
    for (let i = 0; i < clients; i++) this.#clients.push(this.#sender(eventType, i, kind, tally));
    return tally;
  }

  /** Starts so many clients that ask, each time for another range. */
  ask(eventType: string, clients: number): Tally {
    const tally = emptyTally();
    for (let i = 0; i < clients; i++) this.#clients.push(this.#asker(eventType, i, tally));
    return tally;
  }

  /** Resolves once every client has got the answer to its last request. */
  async end(): Promise<void> {
    this.#isDone = true;
    await Promise.all(this.#clients);
  }

  async #sender(eventType: string, client: number, kind: ClientKind, tally: Tally): Promise<void> {
    for (let number = 1; !this.#isDone; number++) {
      const item = `${client}-${number}`;
      const headers: Record<string, string> = {
        ...this.#headers,
        "content-type": "application/x-ndjson",
      };
      if (kind.hasKey) headers["idempotency-key"] = `${eventType}-${client}/${number}`;
      const init = { method: "POST", headers, body: linesOf(eventType, item) };
      const started = Date.now();
      const isKnown = await this.#deliver(init, kind.retries ? triesMax : 1, tally);
      tally.slowestMs = Math.max(tally.slowestMs, Date.now() - started);
      (isKnown ? tally.acknowledged : tally.unknown).push(item);
      await sleep(pauseMs);
    }
  }

  async #deliver(init: RequestInit, tries: number, tally: Tally): Promise<boolean> {
    for (let i = 0; i < tries; i++) {
      tally.requests += 1;
      const failure = await failureOf(`${this.#url}/events`, init, 202);
      if (failure === null) return true;
      tally.failures[failure] = (tally.failures[failure] ?? 0) + 1;
      if (i + 1 < tries) await sleep(pauseMs * Math.min(i + 1, 20));
    }
    return false;
  }

  async #asker(eventType: string, client: number, tally: Tally): Promise<void> {
    for (let minutes = 1 + client; !this.#isDone; minutes += 2) {
      const path = `/leaderboard?eventType=${eventType}&timeRange=last_${minutes}_minutes&k=5`;
      tally.requests += 1;
      const failure = await failureOf(`${this.#url}${path}`, { headers: this.#headers }, 200);
      if (failure !== null) tally.failures[failure] = (tally.failures[failure] ?? 0) + 1;
      await sleep(pauseMs);
    }
  }
}

/** Items of a tally that were not counted as they should be, each with its count. */
export async function miscounted(
  eventType: string,
  tally: Tally,
  get: (path: string) => Promise<{ status: number; body: unknown }>,
): Promise<string[]> {
  const counts = new Map<string, number>();
  for (let offset = 0; ; offset += pageRows) {
    const path = `/leaderboard?eventType=${eventType}&timeRange=all&mode=exact&k=${pageRows}`;
    const { status, body } = await get(`${path}&offset=${offset}`);
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    const { results } = body as { results: { eventId: string; count: number }[] };
    for (const { eventId, count } of results) counts.set(eventId, count);
    if (results.length < pageRows) break;
  }
  const take = (item: string) => {
    const count = counts.get(item) ?? 0;
    counts.delete(item);
    return count;
  };
  const wrong: string[] = [];
  for (const item of tally.acknowledged) {
    const count = take(item);
    if (count !== eventsPerBatch) wrong.push(`acknowledged ${item}: ${count}`);
  }
  for (const item of tally.unknown) {
    const count = take(item);
    if (count !== eventsPerBatch && count !== 0) wrong.push(`given up ${item}: ${count}`);
  }
  for (const [item, count] of counts) wrong.push(`never sent ${item}: ${count}`);
  return wrong;
}
