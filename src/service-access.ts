/** Who may ask this process: as the configuration says. */
import { type Access, type AccessOptions, GuardedAccess, openAccess } from "./access/access.ts";
import { callerHeader, callerText } from "./access/caller.ts";
import type { Config } from "./config.ts";
import { needsKeys } from "./config-access.ts";
import { everybody, type Principal } from "./model-access.ts";
import type { Logger } from "./telemetry.ts";

export interface OpenedAccess {
  access: Access;
  /** Looks at the file of keys at once. */
  reload(): Promise<void>;
  close(): void;
}

/** Whose tokens are taken; null for nobody's. */
function tokensOf(config: Config): NonNullable<AccessOptions["tokens"]> | null {
  const { oidcIssuer: issuer, oidcAudience: audience, oidcJwksUrl } = config;
  if (issuer === "none") return null;
  return {
    issuer,
    audience,
    jwksUrl: oidcJwksUrl === "discovered" ? null : oidcJwksUrl,
    scopeClaim: config.oidcScopeClaim,
    typesClaim: config.oidcTypesClaim,
    clockToleranceSeconds: config.oidcClockToleranceSeconds,
  };
}

/** Throws `keys_unusable`. */
export async function openAccessOf(config: Config, logger: Logger): Promise<OpenedAccess> {
  if (!needsKeys(config)) {
    return { access: openAccess, reload: async () => undefined, close: () => undefined };
  }
  const { accessKeys } = config;
  const keysPath = accessKeys === "none" ? null : accessKeys;
  const access = await GuardedAccess.open({ keysPath, tokens: tokensOf(config), logger });
  return { access, reload: () => access.reload(), close: () => access.close() };
}

/**
 * What a node says to its upstream of whom it asks for; undefined where it has let in everybody:
 * then nothing that a client sent of the kind goes further either.
 */
export function callerHeaders(principal: Principal): { [callerHeader]: string | undefined } {
  return { [callerHeader]: principal === everybody ? undefined : callerText(principal) };
}
