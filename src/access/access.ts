/** Who asks, by what came with a request; and whether they still may. */
import { RankstreamError } from "../errors.ts";
import { everybody, type Principal } from "../model-access.ts";
import type { Logger } from "../telemetry.ts";
import { narrowed, readCaller } from "./caller.ts";
import { looksLikeKey, tokenPrefix } from "./credential.ts";
import type { Tokens, TokensOptions } from "./tokens.ts";
import { WatchedKeys } from "./watched-keys.ts";

/** What came with a request, or undefined where nothing did. */
export interface Presented {
  /** The `Authorization` header, as it came. */
  authorization: string | undefined;
  /** The `Rankstream-Caller` header: for whom a node asks (caller.ts). */
  caller?: string | undefined;
  /** The client's address. */
  address?: () => string;
}

/** Checks who asks. */
export interface Access {
  /** Whether anybody may do everything. */
  readonly isOpen: boolean;
  /**
   * Who asks; at once where that needs nobody else's word. Throws, or rejects with,
   * RankstreamError: `key_required`, `key_invalid`, `key_expired`, `caller_invalid`,
   * `identity_unavailable`.
   */
  authenticate(presented: Presented): Principal | Promise<Principal>;
  /** Whether what it was known by still is good: for connections that stay open. */
  isCurrent(principal: Principal): boolean;
}

/** Asks for nothing: everybody may do everything, but for what a caller is limited to. */
export const openAccess: Access = Object.freeze({
  isOpen: true,
  authenticate: ({ caller }: Presented) => narrowed(everybody, readCaller(caller)),
  isCurrent: () => true,
});

const bearer = /^bearer +(\S+) *$/i;

/** The credential of an `Authorization` header. Throws `key_required`, `key_invalid`. */
function credentialOf(authorization: string | undefined): string {
  if (authorization === undefined || authorization === "") {
    throw new RankstreamError(
      "key_required",
      "expected Authorization: Bearer and a key, got none",
    );
  }
  const credential = bearer.exec(authorization)?.[1];
  if (credential !== undefined) return credential;
  const detail = "expected Authorization: Bearer and a key, got another scheme";
  throw new RankstreamError("key_invalid", detail);
}

export interface AccessOptions {
  /** Path of the file of keys; null for none. */
  keysPath: string | null;
  /** Who issues tokens; null for nobody. */
  tokens?: Omit<TokensOptions, "logger"> | null;
  logger: Logger;
  /** How often the file is looked at. */
  pollMs?: number;
}

/** Keys from a file, tokens of an issuer, or both. */
export class GuardedAccess implements Access {
  readonly isOpen = false;
  readonly #keys: WatchedKeys | null;
  readonly #tokens: Tokens | null;

  private constructor(keys: WatchedKeys | null, tokens: Tokens | null) {
    this.#keys = keys;
    this.#tokens = tokens;
  }

  /** Throws `keys_unusable`. */
  static async open(options: AccessOptions): Promise<GuardedAccess> {
    const { keysPath, tokens = null, logger, ...poll } = options;
    const keys =
      keysPath === null ? null : await WatchedKeys.open({ path: keysPath, logger, ...poll });
    if (tokens === null) return new GuardedAccess(keys, null);
    const { Tokens } = await import("./tokens.ts");
    return new GuardedAccess(keys, new Tokens({ ...tokens, logger }));
  }

  authenticate({ authorization, caller }: Presented): Principal | Promise<Principal> {
    const credential = credentialOf(authorization);
    const claimed = readCaller(caller);
    if (this.#tokens === null || looksLikeKey(credential)) {
      if (this.#keys !== null) return narrowed(this.#keys.verify(credential, Date.now()), claimed);
      throw new RankstreamError("key_invalid", "there are no keys here, only tokens");
    }
    const principal = this.#tokens.verify(credential);
    if (!(principal instanceof Promise)) return narrowed(principal, claimed);
    return principal.then((known) => narrowed(known, claimed));
  }

  isCurrent(principal: Principal): boolean {
    if (principal.via !== null) return this.isCurrent(principal.via);
    const isToken = principal.id.startsWith(tokenPrefix);
    if (isToken) return this.#tokens?.holds(principal) ?? false;
    return this.#keys?.holds(principal, Date.now()) ?? false;
  }

  /** Looks at the file of keys at once. */
  async reload(): Promise<void> {
    await this.#keys?.reload();
  }

  close(): void {
    this.#keys?.close();
  }
}
