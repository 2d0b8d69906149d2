/** Who may ask this process: as the configuration says. */
import { type Access, type AccessOptions, GuardedAccess, openAccess } from "./access/access.ts";
import { callerHeader, callerText } from "./access/caller.ts";
import { readKeysFile } from "./access/keys-file.ts";
import type { Config } from "./config.ts";
import { needsKeys } from "./config-access.ts";
import { everybody, type Principal } from "./model-access.ts";
import { isLoopback } from "./model-address.ts";
import type { Check } from "./service-checks.ts";
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

/** Who gets in, and by what: a line of `doctor`. */
export async function checkAccess(config: Config): Promise<Check> {
  const name = "access";
  const { accessKeys, oidcIssuer, host, port } = config;
  if (!needsKeys(config)) {
    if (isLoopback(host)) {
      return { name, status: "ok", message: "nobody needs a key, and only this machine gets in" };
    }
    const message = `nobody needs a key at ${host}:${port} (openAccess)`;
    const hint = "let only the right ones in by a network or a proxy, or make keys";
    return { name, status: "warn", message, hint };
  }
  const tokens = oidcIssuer === "none" ? [] : [`tokens of ${oidcIssuer}`];
  if (accessKeys === "none") return { name, status: "ok", message: tokens.join() };
  try {
    const { keys = [] } = (await readKeysFile(accessKeys)) ?? {};
    const good = keys.filter(({ disabled }) => disabled !== true).length;
    const message = [`${good} keys of ${accessKeys}`, ...tokens].join(", ");
    if (good > 0 || tokens.length > 0) return { name, status: "ok", message };
    const hint = "rankstream keys create makes one: nobody gets in without";
    return { name, status: "warn", message, hint };
  } catch (error) {
    const hint = "a start would be refused";
    return { name, status: "fail", message: (error as Error).message, hint };
  }
}
