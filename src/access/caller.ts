/**
 * For whom a node asks. A node without a store has a key of its own at the service behind it, and
 * says in `Rankstream-Caller` what the caller may do, whom it has checked itself. Whoever sends
 * the header can only lose rights by it: what is done must be allowed to both.
 */
import { RankstreamError } from "../errors.ts";
import { type Principal, type Scope, scopes } from "../model-access.ts";
import { patternsAt } from "./keys-document.ts";

/** Lower-case, as Node has headers' names. */
export const callerHeader = "rankstream-caller";

/** Of the header: keys may have 32 patterns of 128 bytes. */
const headerCharsMax = 12 * 1024;
/** The longest subject of a token, its slashes encoded, and the node's own id. */
const idCharsMax = 1024;
const listsMax = 4;

/** What the header says of a caller. */
export type Caller = Pick<Principal, "id" | "scopes" | "eventTypes">;

/** The header's value for this principal. */
export function callerText({ id, scopes, eventTypes }: Principal): string {
  return Buffer.from(JSON.stringify({ id, scopes, eventTypes })).toString("base64url");
}

function parsed(text: string): Record<string, unknown> {
  const isShort = text.length <= headerCharsMax && /^[A-Za-z0-9_-]+$/.test(text);
  const value: unknown = isShort ? JSON.parse(Buffer.from(text, "base64url").toString()) : null;
  if (typeof value !== "object" || value === null) throw new TypeError("no object");
  return value as Record<string, unknown>;
}

function checked({ id, scopes: given, eventTypes }: Record<string, unknown>): Caller {
  const isId = typeof id === "string" && id.length >= 1 && id.length <= idCharsMax;
  const areScopes =
    Array.isArray(given) &&
    given.length <= scopes.length &&
    given.every((scope) => scopes.includes(scope as Scope));
  const isFew =
    eventTypes === null || (Array.isArray(eventTypes) && eventTypes.length <= listsMax);
  if (!isId || !areScopes || !isFew) throw new TypeError("not a caller");
  const lists = eventTypes as unknown[] | null;
  return {
    id,
    scopes: given as Scope[],
    eventTypes: lists === null ? null : lists.map((list) => patternsAt("eventTypes", list)),
  };
}

/** Who is asked for; null where nobody is named. Throws `caller_invalid`. */
export function readCaller(header: string | undefined): Caller | null {
  if (header === undefined) return null;
  try {
    return checked(parsed(header));
  } catch (cause) {
    const detail = "Rankstream-Caller: expected what a node of the same version sends";
    throw new RankstreamError("caller_invalid", detail, { cause });
  }
}

/** What both may do. */
export function narrowed(principal: Principal, caller: Caller | null): Principal {
  if (caller === null) return principal;
  const { eventTypes } = caller;
  const lists = [...(principal.eventTypes ?? []), ...(eventTypes ?? [])];
  return Object.freeze({
    ...principal,
    id: `${principal.id}/${caller.id}`,
    scopes: principal.scopes.filter((scope) => caller.scopes.includes(scope)),
    eventTypes: lists.length === 0 ? null : lists,
    via: principal,
  });
}
