/** Whom a request is charged to. */
import { isIPv6 } from "node:net";
import type { Principal } from "../model-access.ts";
import { addressPrefix } from "./limiter.ts";

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const groupsKept = 4;

/**
 * The text that stands for an address: of IPv6 the first 64 bits, since whoever has one such
 * address has all those.
 */
export function addressKey(address: string): string {
  const v4 = mapped.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  if (!isIPv6(address)) return address.slice(0, 64);
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill("0"), ...after];
  return `${groups.slice(0, groupsKept).join(":")}::/64`;
}

/** Who answers for it: the node, which has limited whom it asks for. */
export function accountable(principal: Principal): Principal {
  return principal.via === null ? principal : accountable(principal.via);
}

/** The subject that the limiter knows it by: the key, or the address where nobody has one. */
export function subjectOf({ id }: Principal, address: () => string): string {
  return id === "anonymous" ? addressPrefix + addressKey(address()) : `key ${id}`;
}
