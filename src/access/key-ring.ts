/**
 * Which key a credential is. Whatever comes, the same work is done: a secret is hashed once and
 * compared twice, in constant time, whether or not there is a key of its id, so that the time an
 * answer takes tells nobody which ids there are, nor how much of a secret was right.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { RankstreamError } from "../errors.ts";
import type { Principal } from "../model-access.ts";
import { keyPartsOf, secretHash } from "./credential.ts";
import type { StoredKey } from "./keys-document.ts";

interface Held {
  principal: Principal;
  current: Buffer;
  /** Its hash before the last rotation; where there was none, one that nothing has. */
  previous: Buffer;
  /** Until when the one before is good, epoch ms. */
  previousUntil: number;
  isDisabled: boolean;
  /** What it was made of: a key is the same for as long as this is. */
  text: string;
}

const hashBytes = 32;

/** Found where there is no key of the id: no secret has these hashes. */
function decoyOf(principal: Principal): Held {
  const [current, previous] = [randomBytes(hashBytes), randomBytes(hashBytes)];
  return { principal, current, previous, previousUntil: 0, isDisabled: true, text: "" };
}

function timeOf(text: string | undefined): number | null {
  return text === undefined ? null : Date.parse(text);
}

function hold(key: StoredKey, text: string): Held {
  const { id, scopes, eventTypes, limits = {}, expiresAt, previous, disabled = false } = key;
  return {
    principal: Object.freeze({
      id,
      scopes,
      eventTypes: eventTypes === undefined || eventTypes.includes("*") ? null : [eventTypes],
      limits,
      expiresAt: timeOf(expiresAt),
      via: null,
    }),
    current: Buffer.from(key.secretSha256, "hex"),
    previous:
      previous === undefined ? randomBytes(hashBytes) : Buffer.from(previous.secretSha256, "hex"),
    previousUntil: timeOf(previous?.until) ?? 0,
    isDisabled: disabled,
    text,
  };
}

const unknown = "the key is not known";

export class KeyRing {
  #held: ReadonlyMap<string, Held> = new Map();
  readonly #decoy: Held;
  /** By which secret a principal was known: that of before a rotation ends sooner. */
  readonly #byPrevious = new WeakMap<Principal, Held>();

  constructor(nobody: Principal) {
    this.#decoy = decoyOf(nobody);
  }

  /** How many keys there are. */
  get size(): number {
    return this.#held.size;
  }

  /** Takes these keys instead; those that are as before stay the same principals. */
  replace(keys: readonly StoredKey[]): void {
    const before = this.#held;
    this.#held = new Map(
      keys.map((key) => {
        const text = JSON.stringify(key);
        const known = before.get(key.id);
        return [key.id, known?.text === text ? known : hold(key, text)];
      }),
    );
  }

  /** Whose key it is. Throws `key_invalid`, `key_expired`. */
  verify(credential: string, now: number): Principal {
    const { id, secret } = keyPartsOf(credential);
    const found = this.#held.get(id) ?? this.#decoy;
    const given = secretHash(secret);
    const isCurrent = timingSafeEqual(given, found.current);
    const isPrevious = timingSafeEqual(given, found.previous);
    // From here on only those who know the secret are told anything but "not known".
    if (!isCurrent && !isPrevious) throw new RankstreamError("key_invalid", unknown);
    return this.#checked(found, isPrevious, now);
  }

  /** Whether it is still what a key of now stands for, and hasn't expired. */
  holds(principal: Principal, now: number): boolean {
    const old = this.#byPrevious.get(principal);
    const found = this.#held.get(principal.id);
    if (found === undefined || found.isDisabled || isOver(principal, now)) return false;
    if (old !== undefined) return found === old && now < old.previousUntil;
    return found.principal === principal;
  }

  #checked(found: Held, isPrevious: boolean, now: number): Principal {
    const { principal, previousUntil, isDisabled } = found;
    const name = JSON.stringify(principal.id);
    if (isDisabled) throw new RankstreamError("key_invalid", `the key ${name} is disabled`);
    if (isOver(principal, now)) {
      throw new RankstreamError("key_expired", `the key ${name} has expired`);
    }
    if (!isPrevious) return principal;
    if (now >= previousUntil) {
      const detail = `this secret of the key ${name} was replaced, and is not good any more`;
      throw new RankstreamError("key_expired", detail);
    }
    const passing = Object.freeze({ ...principal });
    this.#byPrevious.set(passing, found);
    return passing;
  }
}

function isOver({ expiresAt }: Principal, now: number): boolean {
  return expiresAt !== null && now >= expiresAt;
}
