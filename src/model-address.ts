/** Which addresses are this machine's own. */
import { isIP } from "node:net";

/** Whether nothing but this machine reaches the address. Names are not looked up. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (isIP(bare) === 4) return bare.startsWith("127.");
  return bare === "::1" || bare === "localhost" || /^::ffff:127\./.test(bare);
}

/** Whether what comes from there may be believed: by TLS, or from this machine. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
}
