/** The use of callers in a Redis that several processes share: one hash a caller. */
import { Redis } from "ioredis";
import type { Logger } from "../telemetry.ts";
import type { Running, Share, Shared, Used } from "./share.ts";

export interface RedisShareOptions {
  /** `redis://[user:password@]host:port[/db]`, or `rediss://`. */
  url: string;
  /** Of processes that charge a caller for the same: nodes, or services behind them. */
  layer: string;
  /** After so long without an answer there is none. */
  timeoutMs: number;
  logger: Logger;
}

const reconnectMsMax = 2000;
/** A day's sum has to outlive its day. */
const ttlSeconds = 2 * 86_400;

/**
 * Redis's clock counts, so that processes need not agree on the time. KEYS: the caller's hash.
 * ARGV: rates of requests and events, what was used of each, and events of the day.
 */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(now / 86400000)
local kept = redis.call('HMGET', KEYS[1], 'at', 'requests', 'events', 'day', 'dayEvents')
local seconds = math.max(0, now - (tonumber(kept[1]) or now)) / 1000
local function level(i, rate, used)
  return math.max(0, (tonumber(kept[i]) or 0) - seconds * rate) + used
end
local requests = level(2, tonumber(ARGV[1]), tonumber(ARGV[3]))
local events = level(3, tonumber(ARGV[2]), tonumber(ARGV[4]))
local sum = tonumber(ARGV[5])
if tonumber(kept[4]) == day then sum = sum + (tonumber(kept[5]) or 0) end
redis.call('HSET', KEYS[1], 'at', now, 'requests', requests, 'events', events,
  'day', day, 'dayEvents', sum)
redis.call('EXPIRE', KEYS[1], ${ttlSeconds})
return {tostring(requests), tostring(events), day, tostring(sum)}
`;

interface WithScript extends Redis {
  addUse(key: string, ...values: number[]): Promise<[string, string, number, string]>;
}

export class RedisShare implements Share {
  readonly #redis: WithScript;
  readonly #prefix: string;

  constructor({ url, layer, timeoutMs, logger }: RedisShareOptions) {
    this.#prefix = `limits:${layer}:`;
    const redis = new Redis(url, {
      // Nothing waits for a connection: without one each process goes by what it knows.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 1000,
      commandTimeout: timeoutMs,
      retryStrategy: (attempt) => Math.min(reconnectMsMax, 50 * 2 ** Math.min(attempt, 6)),
    });
    redis.on("error", (error) => logger.debug({ part: "redis", err: error }, "redis"));
    redis.defineCommand("addUse", { numberOfKeys: 1, lua: script });
    this.#redis = redis as WithScript;
  }

  async add(subject: string, used: Used, running: Running): Promise<Shared> {
    const { requestsPerSecond, eventsPerSecond } = running;
    const use = [used.requests, used.events, used.dayEvents];
    const rates = [requestsPerSecond, eventsPerSecond];
    const key = `${this.#prefix}${subject}`;
    const [requests, events, day, dayEvents] = await this.#redis.addUse(key, ...rates, ...use);
    return {
      requests: Number(requests),
      events: Number(events),
      day,
      dayEvents: Number(dayEvents),
    };
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }
}
