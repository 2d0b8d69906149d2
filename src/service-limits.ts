/** How much each caller may ask and send: as the configuration and the keys say. */
import type { Access } from "./access/access.ts";
import { type Config, rolesOf } from "./config.ts";
import { FailedAttempts, guarded } from "./limits/failed-attempts.ts";
import { isUnbounded, type Rates } from "./limits/levels.ts";
import { Limiter } from "./limits/limiter.ts";
import type { Share } from "./limits/share.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";

export interface OpenedLimits {
  asking: {
    /** Null: nobody is limited. */
    limiter: Limiter | null;
    /** The access given, with a bound on wrong keys. */
    access: Access;
  };
  close(): Promise<void>;
}

function everybodysOf(config: Config): Rates {
  return {
    requestsPerSecond: config.requestsPerSecondMax,
    eventsPerSecond: config.eventsPerSecondMax,
    eventsPerDay: config.eventsPerDayMax,
    connections: config.streamsPerCallerMax,
  };
}

async function openShare(config: Config, logger: Logger): Promise<Share | null> {
  const { redisUrl: url, redisTimeoutMs: timeoutMs } = config;
  if (url === "none") return null;
  const { RedisShare } = await import("./limits/redis-share.ts");
  // What a node has charged, the service behind it charges to the node.
  const layer = rolesOf(config).ingest ? "service" : "node";
  return new RedisShare({ url, layer, timeoutMs, logger });
}

async function openLimiter(
  config: Config,
  isOpen: boolean,
  metrics: Metrics,
  logger: Logger,
): Promise<Limiter | null> {
  const everybodys = everybodysOf(config);
  // Without keys nobody has limits of their own.
  if (isOpen && isUnbounded(everybodys)) return null;
  return new Limiter({ everybodys, share: await openShare(config, logger), metrics });
}

/** Opens what bounds callers; nothing where nobody is bounded. */
export async function openLimits(
  config: Config,
  access: Access,
  metrics: Metrics,
  logger: Logger,
): Promise<OpenedLimits> {
  const limiter = await openLimiter(config, access.isOpen, metrics, logger);
  const failuresMax = config.wrongKeysPerMinuteMax;
  const attempts = access.isOpen ? null : new FailedAttempts({ failuresMax, metrics });
  return {
    asking: { limiter, access: attempts === null ? access : guarded(access, attempts) },
    close: async () => limiter?.close(),
  };
}
