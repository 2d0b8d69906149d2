/** How requests reach the service: one attempt, or attempts until the answer can't get better. */
import {
  backoffMs,
  problemOf,
  reasonOf,
  retriedStatuses,
  retryAfterMs,
  sleep,
  UnreachableError,
} from "./requests.ts";

export type Given<T> = T | (() => T | Promise<T>);

export interface TransportOptions {
  /** `http://127.0.0.1:8080`; a path before the service's own is kept. */
  url: string;
  /** Default: the global one. */
  fetch?: typeof fetch;
  /** Sent with every request; a function is asked before each attempt. */
  headers?: Given<Readonly<Record<string, string>>>;
  /**
   * Says who asks, to a service that wants to know: a key, or a token of the issuer it trusts.
   * Sent as `Authorization: Bearer …`, and with live boards. A function is asked before each
   * attempt; undefined for none.
   */
  key?: Given<string | undefined>;
  /**
   * Sent as `Authorization: Bearer …` but for live boards, for a service behind one that asks for
   * it. Not beside `key`.
   */
  token?: Given<string>;
  /** Longest time one attempt may take. Default 60 s. */
  requestMsMax?: number;
  /** Longest time a call may go on retrying. Default 30 s. */
  retryMsMax?: number;
}

const requestMsMaxDefault = 60_000;
const retryMsMaxDefault = 30_000;

/** What was given, asked for where it is a function; a promise only where that gave one. */
export function given<T>(value: Given<T> | undefined): T | undefined | Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

/** As keys and tokens are; also what a subprotocol's name may hold. */
const keyForm = /^[\w.-]+$/;

/** Whether it may be a key or a token. */
export function isKey(key: unknown): key is string {
  return typeof key === "string" && keyForm.test(key);
}

/** Throws TypeError for what is no key, without showing it. */
export function checkKey(key: unknown): void {
  if (isKey(key)) return;
  throw new TypeError("key: expected a key such as rsk_…, in one piece and without spaces");
}

/** Aborted as soon as one of them is; some browsers in use have no `AbortSignal.any` yet. */
function eitherOf(...signals: AbortSignal[]): AbortSignal {
  if (typeof AbortSignal.any === "function") return AbortSignal.any(signals);
  const either = new AbortController();
  for (const signal of signals) {
    signal.addEventListener("abort", () => either.abort(signal.reason), { once: true });
  }
  return either.signal;
}

/** Where none of them is a function. */
interface PlainOptions {
  headers?: Readonly<Record<string, string>>;
  key?: string;
  token?: string;
}

function withHeaders(
  init: RequestInit,
  headers: Readonly<Record<string, string>> | undefined,
  credential: string | undefined,
): RequestInit {
  const bearer = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  const own = init.headers as Record<string, string> | undefined;
  return { ...init, headers: { ...headers, ...bearer, ...own } };
}

export class Transport {
  readonly url: string;
  readonly #options: TransportOptions;
  readonly #fetch: typeof fetch;
  readonly #requestMsMax: number;
  readonly #retryMsMax: number;

  /** Throws TypeError when `url` or `key` is none. */
  constructor(options: TransportOptions) {
    const { href, username, password } = new URL(options.url);
    // No fetch takes these, and each shows them in what it says.
    if (username !== "" || password !== "") {
      throw new TypeError("url: expected no name and password in it; key says who asks");
    }
    this.url = href.replace(/\/$/, "");
    const { key, token } = options;
    if (key !== undefined && typeof key !== "function") checkKey(key);
    if (key !== undefined && token !== undefined) {
      throw new TypeError("key and token are the same header: give one of them");
    }
    this.#options = options;
    // Called as a method of anything else, a browser's own fetch refuses.
    this.#fetch = options.fetch ?? ((...request) => fetch(...request));
    this.#requestMsMax = options.requestMsMax ?? requestMsMaxDefault;
    this.#retryMsMax = options.retryMsMax ?? retryMsMaxDefault;
  }

  /**
   * Attempts until the answer is good, can't get better, or the time is used up. Throws
   * ProblemError, UnreachableError, and the signal's reason.
   */
  async call(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    const deadline = Date.now() + this.#retryMsMax;
    for (let attempt = 0; ; attempt++) {
      let failure: Error;
      let wait = backoffMs(attempt);
      try {
        const response = await this.attempt(path, init, signal);
        if (response.ok) return response;
        failure = await problemOf(response);
        if (!retriedStatuses.has(response.status)) throw failure;
        wait = Math.max(wait, retryAfterMs(response));
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        failure = error;
      }
      if (Date.now() + wait > deadline) throw failure;
      await sleep(wait, signal);
    }
  }

  /** Asks once, and hands on whatever is answered. Throws UnreachableError when nothing is. */
  async attempt(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    signal?.throwIfAborted();
    const request = this.#isPlain ? this.#plain(init) : await this.#full(init);
    const late = AbortSignal.timeout(this.#requestMsMax);
    const either = signal === undefined ? late : eitherOf(late, signal);
    try {
      return await this.#fetch(`${this.url}${path}`, { ...request, signal: either });
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      const why = late.aborted ? `no answer in ${this.#requestMsMax} ms` : reasonOf(error);
      throw new UnreachableError(`no service answers at ${this.url} (${why})`, { cause: error });
    }
  }

  /** Why `/live` is refused to this key, as a problem document; null where it isn't. */
  async liveRefusal(): Promise<Readonly<Record<string, unknown>> | null> {
    const response = await this.attempt("/live", {});
    if (response.status !== 401 && response.status !== 403) return null;
    return (await problemOf(response)).problem;
  }

  /** Nothing to wait for before a request goes out: a page that is left has no time for it. */
  get #isPlain(): boolean {
    const { headers, key, token } = this.#options;
    return ![headers, key, token].some((value) => typeof value === "function");
  }

  #plain(init: RequestInit): RequestInit {
    const { headers, key, token } = this.#options as TransportOptions & PlainOptions;
    if (headers === undefined && key === undefined && token === undefined) return init;
    return withHeaders(init, headers, key ?? token);
  }

  async #full(init: RequestInit): Promise<RequestInit> {
    const { headers, key, token } = this.#options;
    const credential = (await given(key)) ?? (await given(token));
    return withHeaders(init, await given(headers), credential);
  }
}
