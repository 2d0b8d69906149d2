/** Who asks, and what they may do: scopes, event types, limits. */

/** What a key may be for. None includes another: a key that asks and sends has two of them. */
export const scopes = ["ingest", "read", "admin"] as const;
export type Scope = (typeof scopes)[number];

/** Bounds of one key's use; what is left out is not bounded by the key. */
export interface KeyLimits {
  requestsPerSecond?: number;
  /** Of the events it sends. */
  eventsPerSecond?: number;
  /** By days of UTC. */
  eventsPerDay?: number;
  /** Live sockets, event streams and exports at once. */
  connections?: number;
}

/** The patterns of event types that a key is limited to: `*` in them stands for any text. */
export type TypePatterns = readonly string[];

/** Who asks. */
export interface Principal {
  /** The key's id, `token:<subject>`, or `anonymous`; of a node's caller `<node>/<caller>`. */
  readonly id: string;
  readonly scopes: readonly Scope[];
  /** Null: every event type. A type must match one pattern of each list. */
  readonly eventTypes: readonly TypePatterns[] | null;
  readonly limits: KeyLimits;
  /** Epoch ms; null: never. */
  readonly expiresAt: number | null;
  /** Who vouches for it, where that is a node which asks in somebody's place. */
  readonly via: Principal | null;
}

/** Asks where nobody needs a key: may do everything. */
export const everybody: Principal = Object.freeze({
  id: "anonymous",
  scopes,
  eventTypes: null,
  limits: Object.freeze({}),
  expiresAt: null,
  via: null,
});

/** Asks for what is open to all, where everything else needs a key: may do nothing beside. */
export const nobody: Principal = Object.freeze({ ...everybody, scopes: Object.freeze([]) });

/** Whether `name` is of the pattern, in time linear in both. */
function matches(name: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  const end = name.length - last.length;
  if (first.length > end || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Whether the principal may send, see and change events of this type. */
export function mayUseType({ eventTypes }: Pick<Principal, "eventTypes">, name: string): boolean {
  if (eventTypes === null) return true;
  return eventTypes.every((patterns) => patterns.some((pattern) => matches(name, pattern)));
}
