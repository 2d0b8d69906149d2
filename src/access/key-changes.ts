/** What is done to a list of keys: each makes a new list of the old one. Times are epoch ms. */
import { quoted, RankstreamError } from "../errors.ts";
import { expectedId, isKeyId, makeKey } from "./credential.ts";
import type { StoredKey } from "./keys-document.ts";

/** What a new key is to be. */
export type NewKey = Omit<StoredKey, "secretSha256" | "previous" | "createdAt" | "disabled">;

export interface MadeKey {
  keys: StoredKey[];
  /** To be shown once: nobody can make it again of what is kept. */
  key: string;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function refuse(detail: string): RankstreamError {
  return new RankstreamError("keys_unusable", detail);
}

function indexOf(keys: readonly StoredKey[], id: string): number {
  const at = keys.findIndex((key) => key.id === id);
  if (at < 0) throw refuse(`there is no key ${quoted(id)}`);
  return at;
}

/** Adds a key. Throws `keys_unusable` for an id that is none, or taken. */
export function addKey(keys: readonly StoredKey[], asked: NewKey, now: number): MadeKey {
  const { id } = asked;
  if (!isKeyId(id)) throw refuse(`the id: expected ${expectedId}, got ${quoted(id)}`);
  if (keys.some((key) => key.id === id)) throw refuse(`there is a key ${quoted(id)} already`);
  const { key, secretSha256 } = makeKey(id);
  const { scopes, ...rest } = asked;
  return { key, keys: [...keys, { ...rest, scopes, secretSha256, createdAt: isoOf(now) }] };
}

/**
 * Gives a key a new secret; the old one is good for `overlapMs` more, so that whoever uses it has
 * time to change. One from an earlier rotation ends now. Throws `keys_unusable`.
 */
export function rotateKey(
  keys: readonly StoredKey[],
  id: string,
  overlapMs: number,
  now: number,
): MadeKey {
  const at = indexOf(keys, id);
  const { previous: _, secretSha256: old, ...kept } = keys[at] as StoredKey;
  const { key, secretSha256 } = makeKey(id);
  const passing = overlapMs > 0 && {
    previous: { secretSha256: old, until: isoOf(now + overlapMs) },
  };
  return { key, keys: keys.with(at, { ...kept, secretSha256, ...passing }) };
}

/** Ends a key: disabled, or with `isForgotten` taken off the list. Throws `keys_unusable`. */
export function revokeKey(
  keys: readonly StoredKey[],
  id: string,
  isForgotten: boolean,
): StoredKey[] {
  const at = indexOf(keys, id);
  if (isForgotten) return keys.toSpliced(at, 1);
  return keys.with(at, { ...(keys[at] as StoredKey), disabled: true });
}
