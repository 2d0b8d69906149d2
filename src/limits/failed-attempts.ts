/**
 * How often an address may come with a key that is none. Beyond the bound all that comes from it
 * with a key is refused for the rest of the minute, right or wrong, so that nobody can go on
 * trying; but for callers who have been let in from there before, since many may share an address.
 */
import { LRUCache } from "lru-cache";
import type { Access, Presented } from "../access/access.ts";
import { RankstreamError } from "../errors.ts";
import type { Principal } from "../model-access.ts";
import type { Metrics } from "../telemetry-metrics.ts";

const windowMs = 60_000;
const addressesMax = 50_000;
/** Pairs of address and caller that have been let in. */
const knownMax = 50_000;
const knownMs = 3_600_000;

/** What is a wrong guess; to come without any key is none. */
const guesses = new Set(["key_invalid", "key_expired", "caller_invalid"]);

export interface FailedAttemptsOptions {
  /** A minute, of one address. */
  failuresMax: number;
  metrics: Metrics;
  /** Epoch ms; for tests. */
  now?: () => number;
}

export class FailedAttempts {
  readonly #failuresMax: number;
  readonly #now: () => number;
  readonly #failures = new LRUCache<string, { count: number; until: number }>({
    max: addressesMax,
  });
  readonly #known = new LRUCache<string, true>({ max: knownMax, ttl: knownMs });
  #refused = 0;

  constructor({ failuresMax, metrics, now = Date.now }: FailedAttemptsOptions) {
    this.#failuresMax = failuresMax;
    this.#now = now;
    const help = "Requests refused because their address had come with too many wrong keys.";
    metrics.readCounter("rankstream_limits_attempts_refused_total", help, () => this.#refused);
  }

  /** Notes what came of an attempt, or throws `rate_limited` in place of saying it. */
  judge(address: string, outcome: Principal | RankstreamError): void {
    const isGuess = outcome instanceof RankstreamError;
    if (isGuess && !guesses.has(outcome.code)) return;
    const pair = isGuess ? "" : `${address} ${outcome.id}`;
    const leftMs = this.#blockedMs(address);
    if (leftMs > 0 && (isGuess || !this.#known.has(pair))) {
      this.#refused++;
      const detail = `${this.#failuresMax} wrong keys and more came from this address`;
      throw new RankstreamError("rate_limited", detail, {
        retryAfterSeconds: leftMs / 1000,
        extensions: { limit: "attempts" },
      });
    }
    if (isGuess) this.#note(address);
    else this.#known.set(pair, true);
  }

  /** For so long the address is refused; 0 where it isn't. */
  #blockedMs(address: string): number {
    const failures = this.#failures.get(address);
    if (failures === undefined || failures.count < this.#failuresMax) return 0;
    return Math.max(0, failures.until - this.#now());
  }

  #note(address: string): void {
    const now = this.#now();
    const failures = this.#failures.get(address);
    if (failures === undefined || failures.until <= now) {
      this.#failures.set(address, { count: 1, until: now + windowMs });
    } else failures.count++;
  }
}

/** Asks `access`, and bounds how often an address may be wrong. */
export function guarded(access: Access, attempts: FailedAttempts): Access {
  if (access.isOpen) return access;
  const passed = (presented: Presented, principal: Principal): Principal => {
    attempts.judge(presented.address?.() ?? "", principal);
    return principal;
  };
  const failed = (presented: Presented, error: unknown): never => {
    if (error instanceof RankstreamError) attempts.judge(presented.address?.() ?? "", error);
    throw error;
  };
  return {
    isOpen: false,
    isCurrent: (principal) => access.isCurrent(principal),
    authenticate(presented) {
      try {
        const asking = access.authenticate(presented);
        if (!(asking instanceof Promise)) return passed(presented, asking);
        return asking.then(
          (principal) => passed(presented, principal),
          (error: unknown) => failed(presented, error),
        );
      } catch (error) {
        if (error instanceof RankstreamError && error.code === "rate_limited") throw error;
        return failed(presented, error);
      }
    },
  };
}
