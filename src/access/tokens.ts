/** Tokens of an OpenID Connect issuer (JWT): who asks, and what they may do, by signed claims. */
import { errors, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { RankstreamError } from "../errors.ts";
import { type Principal, type Scope, scopes } from "../model-access.ts";
import { secretHash, tokenPrefix } from "./credential.ts";
import { Issuer, type IssuerOptions } from "./issuer.ts";
import { patternsAt } from "./keys-document.ts";

export interface TokensOptions extends IssuerOptions {
  /** What the tokens' `aud` must name. */
  audience: string;
  /** The claim with the scopes: a text with spaces, or a list. */
  scopeClaim: string;
  /** The claim with patterns of event types; a token without it is for all. */
  typesClaim: string;
  clockToleranceSeconds: number;
}

/**
 * Asymmetric ones alone. With `none` anybody could make tokens, and with HS256 whoever knows the
 * issuer's public key, which is no secret.
 */
const algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];

/** Tokens that were verified need not be again for a while; a withdrawn key is heeded after. */
const verifiedMax = 10_000;
const verifiedMsMax = 60_000;
/** As OpenID Connect has it. A longer one is refused: cut, it might be another's. */
const subjectCharsMax = 255;
const scopePrefix = "rankstream:";

/**
 * The id of a subject, no other's: nor that of a caller of somebody's, which has a slash in it
 * (caller.ts). Jobs and limits are by it.
 */
function idOf(subject: string): string {
  if (subject.length <= subjectCharsMax) {
    return `${tokenPrefix}${subject.replaceAll(/[%/]/g, encodeURIComponent)}`;
  }
  const detail = `the token's claim sub has more than ${subjectCharsMax} characters`;
  throw new RankstreamError("key_invalid", detail);
}

/** A claim of this name, or what a path of names leads to: `realm_access.roles`. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  return name.split(".").reduce<unknown>((value, part) => {
    const isObject = typeof value === "object" && value !== null && Object.hasOwn(value, part);
    return isObject ? (value as Record<string, unknown>)[part] : undefined;
  }, payload);
}

/** The words of a text, or the texts of a list. */
function wordsOf(claim: unknown): unknown[] {
  if (typeof claim === "string") return claim.split(" ").filter((word) => word !== "");
  return Array.isArray(claim) ? claim : [];
}

function scopesOf(payload: JWTPayload, name: string): Scope[] {
  const words = new Set(wordsOf(claimAt(payload, name)));
  return scopes.filter((scope) => words.has(scope) || words.has(`${scopePrefix}${scope}`));
}

/** What is wrong with a token, without anything of it. */
function refusalOf(error: unknown): RankstreamError {
  if (error instanceof RankstreamError) return error;
  const refuse = (code: "key_invalid" | "key_expired", detail: string) =>
    new RankstreamError(code, detail, { cause: error });
  if (error instanceof errors.JWTExpired) return refuse("key_expired", "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return refuse("key_invalid", `the token's claim ${error.claim} is not as expected`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    const known = algorithms.join(", ");
    return refuse("key_invalid", `the token's algorithm is none of ${known}`);
  }
  const isForm = error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid;
  if (isForm) return refuse("key_invalid", "it is neither a key nor a token");
  if (error instanceof errors.JOSEError) {
    return refuse("key_invalid", "the token is not signed by a key of the issuer's");
  }
  throw error;
}

export class Tokens {
  readonly #options: TokensOptions;
  readonly #issuer: Issuer;
  readonly #verified = new LRUCache<string, Principal>({
    max: verifiedMax,
    ttl: verifiedMsMax,
  });

  constructor(options: TokensOptions) {
    this.#options = options;
    this.#issuer = new Issuer(options);
  }

  /**
   * Whose token it is; at once where it was verified a moment ago. Rejects with `key_invalid`,
   * `key_expired`, `identity_unavailable`.
   */
  verify(token: string): Principal | Promise<Principal> {
    const name = secretHash(token).toString("base64");
    const known = this.#verified.get(name);
    if (known !== undefined && this.holds(known)) return known;
    return this.#verify(token).then((principal) => {
      this.#verified.set(name, principal);
      return principal;
    });
  }

  /** Whether it has not expired. */
  holds({ expiresAt }: Principal): boolean {
    return expiresAt !== null && Date.now() < expiresAt;
  }

  async #verify(token: string): Promise<Principal> {
    const { issuer, audience, clockToleranceSeconds: clockTolerance } = this.#options;
    try {
      const { payload } = await jwtVerify(token, this.#issuer.keyOf, {
        issuer,
        audience,
        algorithms,
        clockTolerance,
        requiredClaims: ["exp", "sub"],
      });
      return this.#principalOf(payload);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  #principalOf(payload: JWTPayload): Principal {
    const { scopeClaim, typesClaim, clockToleranceSeconds } = this.#options;
    const { sub = "", exp = 0 } = payload;
    return Object.freeze({
      id: idOf(sub),
      scopes: scopesOf(payload, scopeClaim),
      eventTypes: this.#typesOf(claimAt(payload, typesClaim)),
      limits: {},
      expiresAt: (exp + clockToleranceSeconds) * 1000,
      via: null,
    });
  }

  /** A claim that can't be read must not be taken for none. */
  #typesOf(claim: unknown): Principal["eventTypes"] {
    if (claim === undefined) return null;
    const { typesClaim } = this.#options;
    try {
      const patterns = patternsAt(typesClaim, wordsOf(claim));
      return patterns.includes("*") ? null : [patterns];
    } catch (cause) {
      const detail = `the token's claim ${typesClaim}: expected names of event types`;
      throw new RankstreamError("key_invalid", detail, { cause });
    }
  }
}
