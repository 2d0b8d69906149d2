/**
 * Keys as clients send them: `rsk_<id>_<secret>`. The id says which key it is meant to be, and is
 * no secret; the secret is 256 random bits as 43 characters of base64url, so that a fast hash of
 * it is as good as a slow one: there is nothing to guess that a slow hash would make dearer.
 */
import { hash, randomBytes } from "node:crypto";

const prefix = "rsk_";
const secretBytes = 32;
const form = /^rsk_([a-z0-9][a-z0-9-]{0,62})_([A-Za-z0-9_-]{43})$/;
const idForm = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** What ids are, for messages. */
export const expectedId = "1..63 small letters, digits and -, the first no -, not anonymous";
/** Who comes without a key: a key of that name would be charged as nobody is. */
const reservedId = "anonymous";
/** Of the ids of tokens' callers: keys' hold no colon. */
export const tokenPrefix = "token:";

export function isKeyId(text: string): boolean {
  return idForm.test(text) && text !== reservedId;
}

/** Whether it is meant to be a key, well formed or not. */
export function looksLikeKey(credential: string): boolean {
  return credential.startsWith(prefix);
}

/** Id and secret; both empty where the credential is no key. */
export function keyPartsOf(credential: string): { id: string; secret: string } {
  const [, id = "", secret = ""] = form.exec(credential) ?? [];
  return { id, secret };
}

/** SHA-256, 32 bytes. */
export function secretHash(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}

/** A new secret and the key that holds it. */
export function makeKey(id: string): { key: string; secretSha256: string } {
  const secret = randomBytes(secretBytes).toString("base64url");
  return { key: `${prefix}${id}_${secret}`, secretSha256: secretHash(secret).toString("hex") };
}
