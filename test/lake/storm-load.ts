// Clients of many processes: they send events until each is acknowledged, ask all the time, and
// hold every exact answer against what had been acknowledged when it was asked for, and what had
// been sent when it came.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Random } from "../support/random.ts";
import type { Measured, StormDiary } from "./storm-diary.ts";

const senders = 2;
const itemsMax = 200;
const batchEventsMax = 60;
const requestMsMax = 120_000;
/** Nothing may be away for longer than that. */
const answerMsMax = 600_000;
const againMsMax = 200;
const sendEveryMs = 100;
/** Each makes all who count commit what they have. */
const askExactEveryMs = 4000;
const askEveryMs = 1000;
/** What says that something is away, and to ask again: 502 of HAProxy alone. */
const awayStatuses = [502, 503, 504];

type Counts = Map<string, number>;

/** Of one event type: what was sent at least once, and what of it was acknowledged. */
interface Ledger {
  sent: Counts;
  acknowledged: Counts;
}

function add(counts: Counts, items: readonly string[]): void {
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
}

function totalOf(counts: Counts): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

async function requested(url: string, init: RequestInit = {}) {
  try {
    const signal = AbortSignal.timeout(requestMsMax);
    const response = await fetch(url, { signal, ...init });
    const text = await response.text();
    return { status: response.status, text };
  } catch (error) {
    const { cause, name } = error as Error & { cause?: { code?: string } };
    return { status: 0, text: cause?.code ?? name };
  }
}

function reasonOf({ status, text }: { status: number; text: string }): string {
  return status === 0 ? text : `${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ""}`.trim();
}

export class StormLoad {
  readonly #url: string;
  readonly #random: Random;
  readonly #diary: StormDiary;
  readonly #ledgers = new Map<string, Ledger>();
  #eventType = "";
  #batches = 0;
  #isGivenUp = false;
  /** Exact answers that were held against what was sent. */
  exactAnswers = 0;

  constructor(url: string, random: Random, diary: StormDiary) {
    this.#url = url;
    this.#random = random;
    this.#diary = diary;
  }

  get acknowledged(): number {
    return [...this.#ledgers.values()].reduce((sum, own) => sum + totalOf(own.acknowledged), 0);
  }

  /** Sends events of this type from now on, while `work` goes on; all are acknowledged then. */
  async during(eventType: string, work: () => Promise<void>): Promise<void> {
    this.#ledgers.set(eventType, { sent: new Map(), acknowledged: new Map() });
    this.#eventType = eventType;
    this.#isGivenUp = false;
    await this.#post();
    let isOver = false;
    const repeat = async (everyMs: number, step: () => Promise<void>) => {
      while (!isOver) {
        await step();
        await sleep(this.#random.int(0, 2 * everyMs));
      }
    };
    const clients = [
      ...Array.from({ length: senders }, () => repeat(sendEveryMs, () => this.#post())),
      repeat(askExactEveryMs, () => this.#checkExact()),
      repeat(askEveryMs, () => this.#askBoard()),
    ];
    const ended = Promise.all(clients);
    try {
      await Promise.race([work(), ended]);
    } catch (error) {
      // What failed is told, not what fails for it.
      this.#isGivenUp = true;
      throw error;
    } finally {
      isOver = true;
      await ended.catch((error) => {
        if (!this.#isGivenUp) throw error;
      });
    }
  }

  /**
   * For a failure's message: events of the newest type that were sent and acknowledged, how many
   * each of these addresses counts in either mode, and how many raw events the first one lists.
   */
  async totals(urls: readonly string[]): Promise<string> {
    const eventType = this.#eventType;
    const { sent, acknowledged } = this.#ledgers.get(eventType)!;
    const lines = [`${eventType}: ${totalOf(sent)} sent, ${totalOf(acknowledged)} acknowledged`];
    for (const url of urls) {
      for (const mode of ["exact", "approx"]) {
        const query = new URLSearchParams({ eventType, timeRange: "all", mode, k: "1" });
        const { status, text } = await requested(`${url}/leaderboard?${query}`);
        lines.push(`${url}, ${mode}: ${status} ${/"total":\d+/.exec(text)?.[0] ?? text}`);
      }
    }
    const query = new URLSearchParams({ eventType, timeRange: "all", format: "ndjson" });
    const { status, text } = await requested(`${urls[0]}/export?${query}`);
    lines.push(`raw events: ${status} ${text.split("\n").length - 1}`);
    return `${lines.join("\n")}\n`;
  }

  /** Of all types, the newest last. */
  get eventTypes(): string[] {
    return [...this.#ledgers.keys()];
  }

  /** Whoever is at these addresses says what was acknowledged of these types, item by item. */
  async expectCounts(
    eventTypes: readonly string[],
    urls: readonly string[],
    what: string,
  ): Promise<void> {
    for (const eventType of eventTypes) {
      const { acknowledged } = this.#ledgers.get(eventType)!;
      for (const url of urls) {
        const found = await this.#exact(url, eventType);
        const wanted = Object.fromEntries(acknowledged);
        expect(Object.fromEntries(found), `${what}: ${eventType}`).toEqual(wanted);
      }
    }
  }

  /** The same by raw events, as an export lists them. */
  async expectRawEvents(url: string): Promise<void> {
    for (const [eventType, { acknowledged }] of this.#ledgers) {
      const query = new URLSearchParams({ eventType, timeRange: "all", format: "ndjson" });
      const { status, text } = await requested(`${url}/export?${query}`);
      if (status !== 200) throw new Error(`${status} ${text}`);
      const lines = text.split("\n").filter((line) => line !== "");
      const found: Counts = new Map();
      add(
        found,
        lines.map((line) => JSON.parse(line).eventId),
      );
      const wanted = Object.fromEntries(acknowledged);
      expect(Object.fromEntries(found), `raw events of ${eventType}`).toEqual(wanted);
    }
  }

  async #post(): Promise<void> {
    const random = this.#random;
    const length = random.int(1, batchEventsMax);
    const ids = Array.from({ length }, () => `item-${random.int(0, itemsMax)}`);
    const [eventType, key] = [this.#eventType, `batch ${this.#batches++}`];
    const { sent, acknowledged } = this.#ledgers.get(eventType)!;
    const body = ids.map((eventId) => `${JSON.stringify({ eventId, eventType })}\n`).join("");
    const headers = { "content-type": "application/x-ndjson", "idempotency-key": key };
    add(sent, ids);
    const init = { method: "POST", headers, body };
    await this.#untilAnswered("post", 202, awayStatuses, () =>
      requested(`${this.#url}/events`, init),
    );
    add(acknowledged, ids);
  }

  async #checkExact(): Promise<void> {
    const eventType = this.#eventType;
    const { sent, acknowledged } = this.#ledgers.get(eventType)!;
    const before = new Map(acknowledged);
    const found = await this.#exact(this.#url, eventType);
    for (const item of new Set([...sent.keys(), ...found.keys()])) {
      const [least, count, most] = [before, found, sent].map((counts) => counts.get(item) ?? 0);
      if (count! < least! || count! > most!) {
        throw new Error(`${eventType}, ${item}: ${count}, not from ${least} to ${most}`);
      }
    }
    this.exactAnswers++;
  }

  async #exact(url: string, eventType: string): Promise<Counts> {
    const query = { eventType, timeRange: "all", mode: "exact", k: "1000" };
    const path = `${url}/leaderboard?${new URLSearchParams(query)}`;
    const text = await this.#untilAnswered("exact", 200, [202, ...awayStatuses], () =>
      requested(path),
    );
    type Row = { eventId: string; count: number };
    const { results } = JSON.parse(text) as { results: Row[] };
    return new Map(results.map(({ eventId, count }) => [eventId, count]));
  }

  async #askBoard(): Promise<void> {
    const minutes = this.#random.int(1, 600);
    const query = { eventType: this.#eventType, timeRange: `last_${minutes}_minutes`, k: "10" };
    const path = `${this.#url}/leaderboard?${new URLSearchParams(query)}`;
    await this.#untilAnswered("board", 200, awayStatuses, () => requested(path));
  }

  /** Sends it until it is answered so; notes how long that took, and what came instead. */
  async #untilAnswered(
    kind: Measured,
    wanted: number,
    allowed: readonly number[],
    send: () => ReturnType<typeof requested>,
  ): Promise<string> {
    const begun = performance.now();
    for (;;) {
      const reply = await send();
      if (reply.status === wanted) {
        this.#diary.note(kind, begun);
        return reply.text;
      }
      this.#diary.refuse(kind, reasonOf(reply));
      const isAllowed = (reply.status === 0 || allowed.includes(reply.status)) && !this.#isGivenUp;
      if (!isAllowed || performance.now() - begun > answerMsMax) {
        throw new Error(`${kind}: ${reply.status} ${reply.text}`);
      }
      await sleep(this.#random.int(0, againMsMax));
    }
  }
}
