/** Whether anybody needs a key, and whether that goes with where the service listens. */
import { quoted } from "./errors.ts";
import { isLoopback, isSafeUrl } from "./model-address.ts";

interface AccessOptions {
  host: string;
  accessKeys: string;
  oidcIssuer: string;
  oidcAudience: string;
  oidcJwksUrl: string;
  openAccess: "off" | "on";
}

/** Whether a request needs a key, or a token. */
export function needsKeys({
  accessKeys,
  oidcIssuer,
}: Pick<AccessOptions, "accessKeys" | "oidcIssuer">): boolean {
  return accessKeys !== "none" || oidcIssuer !== "none";
}

function issuerProblem(options: AccessOptions): string | undefined {
  const { oidcIssuer, oidcAudience, oidcJwksUrl } = options;
  if (oidcIssuer === "none") return undefined;
  const expected = "expected an https address (http on this machine alone)";
  if (!isSafeUrl(oidcIssuer)) return `oidcIssuer: ${expected}, got ${quoted(oidcIssuer)}`;
  if (oidcJwksUrl !== "discovered" && !isSafeUrl(oidcJwksUrl)) {
    return `oidcJwksUrl: ${expected}, got ${quoted(oidcJwksUrl)}`;
  }
  if (oidcAudience !== "none") return undefined;
  return "oidcAudience: expected what tokens are issued for, or those for others would do";
}

/** What is wrong with the options, and what to do; undefined where nothing is. */
export function accessProblem(options: AccessOptions): string | undefined {
  const { host, openAccess } = options;
  const problem = issuerProblem(options);
  if (problem !== undefined) return problem;
  if (needsKeys(options)) {
    if (openAccess === "off") return undefined;
    return "openAccess: expected off beside accessKeys or oidcIssuer: it would not be heeded";
  }
  if (openAccess === "on" || isLoopback(host)) return undefined;
  return (
    `host ${host}: others than this machine could reach the service, and nobody needs a key. ` +
    "Make keys with rankstream keys create and give their file as --access-keys, " +
    "or say --open-access on where a network or a proxy lets only the right ones in"
  );
}
