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

type Given<T> = T | (() => T | Promise<T>);

export interface TransportOptions {
  /** `http://127.0.0.1:8080`; a path before the service's own is kept. */
  url: string;
  /** Default: the global one. */
  fetch?: typeof fetch;
  /** Sent with every request; a function is asked before each attempt. */
  headers?: Given<Readonly<Record<string, string>>>;
  /** Sent as `Authorization: Bearer …`, for a service behind one that asks for it. */
  token?: Given<string>;
  /** Longest time one attempt may take. Default 60 s. */
  requestMsMax?: number;
  /** Longest time a call may go on retrying. Default 30 s. */
  retryMsMax?: number;
}

const requestMsMaxDefault = 60_000;
const retryMsMaxDefault = 30_000;

async function given<T>(value: Given<T> | undefined): Promise<T | undefined> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : value;
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

export class Transport {
  readonly url: string;
  readonly #options: TransportOptions;
  readonly #fetch: typeof fetch;
  readonly #requestMsMax: number;
  readonly #retryMsMax: number;

  /** Throws TypeError when `url` is none. */
  constructor(options: TransportOptions) {
    this.url = new URL(options.url).href.replace(/\/$/, "");
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
    const request = this.#isPlain ? init : { ...init, headers: await this.#headers(init) };
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

  /** Nothing to wait for before a request goes out: a page that is left has no time for it. */
  get #isPlain(): boolean {
    return this.#options.headers === undefined && this.#options.token === undefined;
  }

  async #headers(init: RequestInit): Promise<Record<string, string>> {
    const token = await given(this.#options.token);
    return {
      ...(await given(this.#options.headers)),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(init.headers as Record<string, string> | undefined),
    };
  }
}
