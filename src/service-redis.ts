/** Answers kept in Redis, where the configuration names one. */
import type { Config } from "./config.ts";
import type { RedisLevel } from "./query/redis-level.ts";
import type { Logger } from "./telemetry.ts";

/** L2, where there is one. */
export async function openRedis(
  config: Config,
  dataId: () => string,
  logger: Logger,
): Promise<RedisLevel | null> {
  const { redisUrl: url, redisTimeoutMs: timeoutMs } = config;
  if (url === "none") return null;
  const { RedisLevel } = await import("./query/redis-level.ts");
  return new RedisLevel({ url, dataId, timeoutMs, logger });
}
