/**
 * L2: answers in a Redis that several nodes share. An entry says of which data it is, and of
 * which version of it: whoever reads one holds it against what it knows of changes, so that no
 * message has to arrive for an answer to be right. Redis that is slow, full, down or empty costs
 * a question at most `timeoutMs`, and after a few such times nothing: a circuit breaker keeps it
 * out until it answers again.
 */
import { Redis } from "ioredis";
import CircuitBreaker from "opossum";
import type { Logger } from "../telemetry.ts";
import type { AnswerLevel, Invalidation, KeptAnswer } from "./answer-level.ts";
import { isMatch } from "./answer-level.ts";

export interface RedisLevelOptions {
  /** `redis://[user:password@]host:port[/db]`, or `rediss://`. */
  url: string;
  /** Of the data that answers are of: entries of others are none. */
  dataId: () => string;
  /** How long a question waits for Redis. */
  timeoutMs: number;
  logger: Logger;
}

/** Commands under way at once; further ones are not sent. */
const commandsMax = 256;
const reconnectMsMax = 2000;
/** A larger answer is not kept here. */
const textCharsMax = 1024 * 1024;
/** The breaker opens when half of the last ten seconds' commands failed, five at least. */
const breaker = Object.freeze({
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  resetTimeout: 1000,
  rollingCountTimeout: 10_000,
  rollingCountBuckets: 10,
});
/** Keys looked at in one step when entries are dropped by hand, and steps at most. */
const scanCount = 500;
const scanStepsMax = 2000;
const patterns = ["topk:*", "count:*", "trending:*", "series:*", "items:*"];

interface Entry extends KeptAnswer {
  dataId: string;
}

/** Only plain entries of this form: what else is under the key is none of ours. */
function entryOf(text: string | null, dataId: string): KeptAnswer | undefined {
  if (text === null) return undefined;
  const entry = JSON.parse(text) as Partial<Entry>;
  const isWhole =
    entry.dataId === dataId &&
    typeof entry.text === "string" &&
    typeof entry.etag === "string" &&
    typeof entry.version === "number" &&
    typeof entry.madeAt === "number" &&
    Array.isArray(entry.stretch?.eventTypes);
  if (!isWhole) return undefined;
  const { dataId: _, ...answer } = entry as Entry;
  return answer;
}

export class RedisLevel implements AnswerLevel {
  readonly name = "l2";
  readonly #options: RedisLevelOptions;
  readonly #redis: Redis;
  readonly #breaker: CircuitBreaker<[() => Promise<unknown>], unknown>;
  #underWay = 0;
  failures = 0;

  constructor(options: RedisLevelOptions) {
    const { url, timeoutMs, logger } = options;
    this.#options = options;
    this.#redis = new Redis(url, {
      // Nothing waits for a connection: without one there is no answer here.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 1000,
      commandTimeout: timeoutMs,
      retryStrategy: (attempt) => Math.min(reconnectMsMax, 50 * 2 ** Math.min(attempt, 6)),
    });
    // Each is followed by a new attempt to connect; the breaker says what it means.
    this.#redis.on("error", (error) => logger.debug({ part: "redis", err: error }, "redis"));
    this.#breaker = new CircuitBreaker((command) => command(), {
      ...breaker,
      timeout: timeoutMs,
    });
    this.#breaker.on("open", () =>
      logger.warn({ part: "redis" }, "redis is left out for a while"),
    );
    this.#breaker.on("close", () => logger.info({ part: "redis" }, "redis answers again"));
  }

  /** Whether Redis is left out at the moment. */
  get isOpen(): boolean {
    return this.#breaker.opened;
  }

  async get(key: string): Promise<KeptAnswer | undefined> {
    return this.#tried(async () => {
      return entryOf(await this.#redis.get(key), this.#options.dataId());
    }, undefined);
  }

  set(key: string, answer: KeptAnswer, ttlMs: number): void {
    if (answer.text.length > textCharsMax) return;
    const entry: Entry = { ...answer, dataId: this.#options.dataId() };
    const text = JSON.stringify(entry);
    void this.#tried(() => this.#redis.set(key, text, "PX", Math.max(1, Math.ceil(ttlMs))), null);
  }

  async invalidate(which: Invalidation): Promise<number> {
    let dropped = 0;
    for (const pattern of patterns) {
      let cursor = "0";
      for (let step = 0; step < scanStepsMax; step++) {
        const from = cursor;
        const found = await this.#tried(
          () => this.#redis.scan(from, "MATCH", pattern, "COUNT", scanCount),
          null,
        );
        if (found === null) break;
        dropped += await this.#drop(found[1], which);
        cursor = found[0];
        if (cursor === "0") break;
      }
    }
    return dropped;
  }

  async close(): Promise<void> {
    this.#breaker.shutdown();
    this.#redis.disconnect();
  }

  async #drop(keys: readonly string[], which: Invalidation): Promise<number> {
    if (keys.length === 0) return 0;
    const texts = await this.#tried(() => this.#redis.mget(...keys), []);
    const dataId = this.#options.dataId();
    const matching = keys.filter((_, i) => {
      const answer = entryOf(texts[i] ?? null, dataId);
      return answer !== undefined && isMatch(answer, which);
    });
    if (matching.length === 0) return 0;
    return this.#tried(() => this.#redis.del(...matching), 0);
  }

  async #tried<T>(command: () => Promise<T>, otherwise: T): Promise<T> {
    if (this.#underWay >= commandsMax) return otherwise;
    this.#underWay++;
    try {
      return (await this.#breaker.fire(command)) as T;
    } catch {
      this.failures++;
      return otherwise;
    } finally {
      this.#underWay--;
    }
  }
}
