/** Whether anybody needs a key, and whether that goes with where the service listens. */
import { isIP } from "node:net";

interface AccessOptions {
  host: string;
  accessKeys: string;
  openAccess: "off" | "on";
}

/** Whether nothing but this machine reaches the address. Names are not looked up. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (isIP(bare) === 4) return bare.startsWith("127.");
  return bare === "::1" || bare === "localhost" || /^::ffff:127\./.test(bare);
}

/** Whether a request needs a key. */
export function needsKeys({ accessKeys }: Pick<AccessOptions, "accessKeys">): boolean {
  return accessKeys !== "none";
}

/** What is wrong with the options, and what to do; undefined where nothing is. */
export function accessProblem(options: AccessOptions): string | undefined {
  const { host, openAccess } = options;
  if (needsKeys(options)) {
    if (openAccess === "off") return undefined;
    return "openAccess: expected off beside accessKeys: with keys nobody gets in without one";
  }
  if (openAccess === "on" || isLoopback(host)) return undefined;
  return (
    `host ${host}: others than this machine could reach the service, and nobody needs a key. ` +
    "Make keys with rankstream keys create and give their file as --access-keys, " +
    "or say --open-access on where a network or a proxy lets only the right ones in"
  );
}
