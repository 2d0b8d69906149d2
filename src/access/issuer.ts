/**
 * The keys that an issuer of tokens signs with: found by OpenID Connect Discovery or at a given
 * address, kept, and fetched again when a token names another one. However many tokens come, the
 * issuer is asked once in a while only, whether or not it answers.
 */
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
  type RemoteJWKSet,
} from "jose";
import { RankstreamError } from "../errors.ts";
import { isSafeUrl } from "../model-address.ts";
import type { Logger } from "../telemetry.ts";

export interface IssuerOptions {
  /** As the tokens' `iss` has it. */
  issuer: string;
  /** Where its keys are; null: where its own description says. */
  jwksUrl: string | null;
  logger: Logger;
  /** From one fetch for a key that isn't known to the next. */
  cooldownMs?: number;
  /** After a fetch that failed none is tried for so long. */
  failureMs?: number;
}

const fetchMsMax = 5000;
const cooldownMsDefault = 10_000;
const failureMsDefault = 5000;
/** Keys are fetched again after so long, none missing: one may have been withdrawn. */
const keysMsMax = 600_000;
const replyBytesMax = 1024 * 1024;

/** The reply with its body, of a bounded size. */
async function boundedReply(response: Response): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > replyBytesMax) throw new Error(`its reply is larger than ${replyBytesMax} bytes`);
    chunks.push(chunk);
  }
  const { status, headers } = response;
  return new Response(Buffer.concat(chunks), { status, headers });
}

export class Issuer {
  readonly #options: IssuerOptions;
  #keys: RemoteJWKSet | null = null;
  #finding: Promise<RemoteJWKSet> | null = null;
  /** Until then nothing is fetched: the last time it failed. Epoch ms. */
  #pauseUntil = 0;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  /**
   * The key that signed a token, for jose. Throws jose's errors where there is no such key, and
   * `identity_unavailable` where that can't be known.
   */
  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    const keys = await this.#found();
    try {
      return await keys(header, token);
    } catch (error) {
      const isKnown =
        error instanceof errors.JWKSNoMatchingKey ||
        error instanceof errors.JWKSMultipleMatchingKeys ||
        error instanceof errors.JOSENotSupported;
      throw isKnown ? error : this.#unavailable(error);
    }
  };

  async #found(): Promise<RemoteJWKSet> {
    if (this.#keys !== null) return this.#keys;
    this.#finding ??= this.#find().finally(() => {
      this.#finding = null;
    });
    this.#keys = await this.#finding;
    return this.#keys;
  }

  async #find(): Promise<RemoteJWKSet> {
    const { jwksUrl, cooldownMs = cooldownMsDefault } = this.#options;
    const url = jwksUrl ?? (await this.#discover());
    return createRemoteJWKSet(new URL(url), {
      timeoutDuration: fetchMsMax,
      cooldownDuration: cooldownMs,
      cacheMaxAge: keysMsMax,
      [customFetch]: (address, init) => this.#fetch(address, init),
    });
  }

  /** Where the issuer's description says that its keys are. */
  async #discover(): Promise<string> {
    const { issuer } = this.#options;
    const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    try {
      const signal = AbortSignal.timeout(fetchMsMax);
      const reply = await this.#fetch(address, { signal, redirect: "manual" });
      const found = (await reply.json()) as { issuer?: unknown; jwks_uri?: unknown };
      if (found.issuer !== issuer) throw new Error("its description is of another issuer");
      const { jwks_uri: url } = found;
      if (typeof url === "string" && isSafeUrl(url)) return url;
      throw new Error("its description names no https address of keys");
    } catch (error) {
      this.#pause();
      throw this.#unavailable(error);
    }
  }

  async #fetch(address: string, init: RequestInit): Promise<Response> {
    if (Date.now() < this.#pauseUntil) throw new Error("it did not answer a moment ago");
    try {
      const reply = await boundedReply(await fetch(address, init));
      if (reply.status === 200) return reply;
      throw new Error(`${address} answered with status ${reply.status}`);
    } catch (error) {
      this.#pause();
      throw error;
    }
  }

  #pause(): void {
    const now = Date.now();
    if (now >= this.#pauseUntil) {
      this.#pauseUntil = now + (this.#options.failureMs ?? failureMsDefault);
    }
  }

  #unavailable(error: unknown): RankstreamError {
    if (error instanceof RankstreamError) return error;
    const { issuer, logger } = this.#options;
    logger.warn({ part: "access", err: error }, "the issuer of tokens does not answer");
    const retryAfterSeconds = Math.ceil((this.#options.failureMs ?? failureMsDefault) / 1000);
    const detail = `the keys of ${issuer} can not be had now`;
    return new RankstreamError("identity_unavailable", detail, {
      cause: error,
      retryAfterSeconds,
    });
  }
}
