// Clients that post batches of events with unique ids and know, for each id, how often it may
// have been counted: what was acknowledged exactly once, what was not at most once an attempt.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Random } from "../support/random.ts";
import type { Answer, RankstreamProcess } from "../support/service.ts";

export interface Batch {
  eventType: string;
  ids: string[];
  /** How many events it holds: as many of each id. */
  lines: number;
  /** What it adds to the count of each of its ids. */
  weight: number;
  body: string;
  key: string | null;
  sent: number;
  acknowledged: number;
  /** The first reply's body, once there was one. */
  reply: unknown;
  /** The key that an edge made up, where what became of the batch wasn't known to it. */
  madeKey: string | null;
  /** How often each id was counted when last looked at, and after how many attempts that was. */
  seen: { times: number[]; sent: number };
}

/** What a round must bring about. */
export interface RoundNeeds {
  /** A minute whose hour is over, so that both can be sealed. */
  isOver: boolean;
  /** How many of its batches are large enough for a Parquet file each, 0..1. */
  largeChance: number;
  /** How long ago its minute is; random when left out. */
  ageMinutes?: number;
}

/** One type of event, its times all in one minute: raw events and counts can be compared. */
export interface Round extends RoundNeeds {
  eventType: string;
  minuteStart: number;
  batches: Batch[];
  /** Weights: surely counted, and counted at most. */
  acknowledged: number;
  sent: number;
}

export interface LoadTotals {
  posts: number;
  acknowledged: number;
  unknown: number;
  replayed: number;
  events: number;
  /** Errors that were answered, by code: only those of `allowedErrors`. */
  errors: Record<string, number>;
}

/** Of these errors nothing was stored; of others it isn't known. */
const nothingStored = new Set(["log_full", "overloaded", "shutting_down"]);
/** Nothing either, unless the body says that it isn't known. */
const storedIfUnknown = "log_unavailable";

const minuteMs = 60_000;
const keptKeyKinds = ["none", "sequence"];
const keyKinds = [...keptKeyKinds, "free"];
const batchEventsMax = 30;
/** A checkpoint of 32,768 raw events makes a file. */
const largeBatchEventsMin = 33_000;
const largeBatchIds = 30;
const paddingCharsMax = 8000;
const pauseMsMax = 4;
const retriesMax = 1000;
const pauseAfterErrorMs = 20;

export class CrashLoad {
  readonly totals: LoadTotals = {
    posts: 0,
    acknowledged: 0,
    unknown: 0,
    replayed: 0,
    events: 0,
    errors: {},
  };
  /** Codes of errors (503) that the fault at hand may bring. */
  allowedErrors: ReadonlySet<string> = new Set();
  /** Whether batches get keys that are remembered for an hour, by the service's clock. */
  hasFreeKeys = true;
  readonly rounds: Round[] = [];
  /** One batch may be in the log in parts until it is acknowledged. */
  readonly isSplit: boolean;
  readonly #always: readonly string[];
  readonly #random: Random;
  /** Batches whose last attempt got no answer. */
  #unknown: Batch[] = [];
  readonly #sequences = new Map<string, number>();
  #ids = 0;

  /** `always`: codes that are allowed whatever the fault. */
  constructor(random: Random, always: readonly string[] = [], isSplit = false) {
    this.#random = random;
    this.#always = always;
    this.isSplit = isSplit;
  }

  /** Sends nothing again under keys that a clock set forward lets the service forget. */
  dropFreeKeys(): void {
    this.hasFreeKeys = false;
    this.#unknown = this.#unknown.filter(({ key }) => key === null || key.includes("/"));
  }

  /** Begins a new type of event, its times in this minute, a recent one or one long ago. */
  beginRound(needs: RoundNeeds): Round {
    const old = [61, 26 * 60, 100 * 24 * 60];
    const ageMinutes = this.#random.pick(needs.isOver ? old : [0, 0, 1, 7, ...old]);
    const minute = Math.floor(Date.now() / minuteMs) - (needs.ageMinutes ?? ageMinutes);
    const round: Round = {
      ...needs,
      eventType: `round-${this.rounds.length}`,
      minuteStart: minute * minuteMs,
      batches: [],
      acknowledged: 0,
      sent: 0,
    };
    this.rounds.push(round);
    return round;
  }

  /** Posts from `clients` at once until the service is gone or `stopped` says so. */
  async run(service: RankstreamProcess, clients: number, stopped: () => boolean): Promise<void> {
    const client = async (name: string) => {
      while (!stopped() && !service.hasExited) {
        await this.#postOne(service, name);
        if (this.#random.chance(0.5)) await sleep(this.#random.int(0, pauseMsMax));
      }
    };
    const names = Array.from({ length: clients }, (_, i) => `client-${i}`);
    await Promise.all([...names.map(client), this.#watch(service, stopped)]);
  }

  /** A reader: an exact total includes what was acknowledged before, and only ever grows. */
  async #watch(service: RankstreamProcess, stopped: () => boolean): Promise<void> {
    const round = this.rounds.at(-1)!;
    let last = 0;
    while (!stopped() && !service.hasExited) {
      const { acknowledged } = round;
      const to = round.minuteStart + minuteMs;
      const query = { eventType: round.eventType, from: round.minuteStart, to, mode: "exact" };
      const answer = await answerOrNothing(service.get("/leaderboard", { ...query, k: 1 }));
      if (answer === null) return;
      if (this.#isAllowed(answer)) {
        await sleep(pauseAfterErrorMs);
        continue;
      }
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      expect(answer.body.total).toBeGreaterThanOrEqual(Math.max(last, acknowledged));
      expect(answer.body.total).toBeLessThanOrEqual(round.sent);
      last = answer.body.total;
      await sleep(this.#random.int(0, 30));
    }
  }

  /** Whether it is an error of those allowed now; notes it. */
  #isAllowed({ status, body }: Answer): boolean {
    // A question that can't be answered in its time becomes a job.
    const code = status === 202 && body.job !== undefined ? "query_timeout" : body.code;
    const isKnown = this.allowedErrors.has(code) || this.#always.includes(code);
    if ((status !== 503 && status !== 202) || !isKnown) return false;
    const { errors } = this.totals;
    errors[code] = (errors[code] ?? 0) + 1;
    return true;
  }

  async #postOne(service: RankstreamProcess, client: string): Promise<void> {
    const batch = this.#pickBatch(client);
    const attempts = batch.key !== null && this.#random.chance(0.05) ? 2 : 1;
    await Promise.all(Array.from({ length: attempts }, () => this.#attempt(service, batch)));
  }

  #pickBatch(client: string): Batch {
    const random = this.#random;
    if (this.#unknown.length > 0 && random.chance(0.3)) {
      const [batch] = this.#unknown.splice(random.int(0, this.#unknown.length - 1), 1);
      return batch!;
    }
    const known = this.rounds.at(-1)!.batches;
    if (known.length > 0 && random.chance(0.05)) {
      const batch = random.pick(known);
      if (batch.key !== null) return batch;
    }
    return this.#makeBatch(client);
  }

  #makeBatch(client: string): Batch {
    const random = this.#random;
    const round = this.rounds.at(-1)!;
    const isLarge = random.chance(round.largeChance);
    const small = random.chance(0.5) ? 1 : random.int(2, batchEventsMax);
    const size = isLarge ? largeBatchIds : small;
    const repeats = isLarge ? Math.ceil(largeBatchEventsMin / size) : 1;
    const ids = Array.from({ length: size }, () => `event-${++this.#ids}`);
    const weight = random.pick([1, 1, 1, 7]);
    const padding =
      !isLarge && random.chance(0.4) ? "x".repeat(random.int(1, paddingCharsMax)) : "";
    const lines = Array.from({ length: repeats }, () => ids)
      .flat()
      .map((eventId) => {
        const timestamp = round.minuteStart + random.int(0, minuteMs - 1);
        const { eventType } = round;
        return JSON.stringify({ eventId, eventType, timestamp, weight, metadata: { padding } });
      });
    const batch: Batch = {
      eventType: round.eventType,
      ids,
      lines: lines.length,
      weight: weight * repeats,
      body: `${lines.join("\n")}\n`,
      key: this.#makeKey(client),
      sent: 0,
      acknowledged: 0,
      reply: null,
      madeKey: null,
      seen: { times: [], sent: 0 },
    };
    round.batches.push(batch);
    this.totals.events += lines.length;
    return batch;
  }

  #makeKey(client: string): string | null {
    const kind = this.#random.pick(this.hasFreeKeys ? keyKinds : keptKeyKinds);
    if (kind === "none") return null;
    if (kind === "free") return randomUUID();
    const sequence = (this.#sequences.get(client) ?? 0) + 1;
    this.#sequences.set(client, sequence);
    return `${client}/${sequence}`;
  }

  /** The answer names the key to send again under: the batch's own, or one that was made up. */
  #noteKey(batch: Batch, { body }: Answer): void {
    if (body.outcome !== "unknown" || !this.isSplit) return;
    expect(body.idempotencyKey, JSON.stringify(body)).toBeTypeOf("string");
    if (batch.key !== null) expect(body.idempotencyKey).toBe(batch.key);
    else if (this.#random.chance(0.7)) batch.madeKey = body.idempotencyKey;
  }

  async #attempt(service: RankstreamProcess, batch: Batch): Promise<void> {
    const round = this.rounds.find(({ eventType }) => eventType === batch.eventType)!;
    const weight = batch.ids.length * batch.weight;
    // Under a key that an edge made up it is the attempt before, sent once more.
    const isAgain = batch.madeKey !== null;
    const isCounted = !isAgain && (batch.key === null || batch.sent === 0);
    if (isCounted) round.sent += weight;
    if (!isAgain) batch.sent++;
    const takeBack = () => {
      if (isAgain) return;
      batch.sent--;
      if (batch.key === null || batch.sent === 0) round.sent -= weight;
    };
    this.totals.posts++;
    const key = batch.key ?? batch.madeKey;
    const answer = await answerOrNothing(service.post(batch.body, key === null ? {} : { key }));
    const isRefused = answer !== null && this.#isAllowed(answer);
    if (answer === null || isRefused) {
      if (isRefused && isNothingStored(answer)) {
        takeBack();
      } else {
        this.totals.unknown++;
        if (isRefused) this.#noteKey(batch, answer);
      }
      if (isRefused) await sleep(pauseAfterErrorMs);
      const isWorthIt = batch.key !== null || this.#random.chance(0.3);
      if (isWorthIt && this.#unknown.length < retriesMax) this.#unknown.push(batch);
      return;
    }
    expect(answer.body).toEqual({ accepted: batch.lines, rejected: 0, errors: [] });
    expect(answer.status).toBe(202);
    if (batch.key === null || batch.acknowledged === 0) round.acknowledged += weight;
    batch.acknowledged++;
    batch.madeKey = null;
    this.totals.acknowledged++;
    const isReplay = answer.headers.get("idempotency-replayed") === "true";
    if (isReplay) this.totals.replayed++;
    // Of several attempts at most one can be the first.
    if (batch.key === null && !isAgain) expect(isReplay).toBe(false);
    if (!isReplay && batch.key !== null) {
      // An edge that starts over a topic doesn't know its keys: whoever counts does.
      if (!this.isSplit) expect(batch.reply, `${batch.key} was taken twice`).toBe(null);
      batch.reply = answer.body;
    }
  }
}

function isNothingStored({ body }: Answer): boolean {
  if (nothingStored.has(body.code)) return true;
  return body.code === storedIfUnknown && body.outcome !== "unknown";
}

/** Null when the connection broke: what became of the request isn't known. */
async function answerOrNothing(request: Promise<Answer>): Promise<Answer | null> {
  try {
    return await request;
  } catch (error) {
    const isGone = /the service is gone|fetch failed|terminated|other side closed/;
    if (isGone.test(String(error))) return null;
    throw error;
  }
}
