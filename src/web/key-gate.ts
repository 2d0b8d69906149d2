/**
 * The key that this tab asks with, and a gate before all that is asked: closed from when the
 * service says that a key is needed, or that this one won't do, until another is there. Meanwhile
 * nothing is sent: each request with a wrong key would count as an attempt at guessing one.
 */
import { isKey } from "../client/transport.ts";

/** Why the gate is closed: of the service's problem document. */
export interface Refusal {
  code: string;
  title: string;
  detail: string;
}

/** Where a tab keeps its key: sessionStorage, or a part of it in tests. */
export type KeyStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export interface KeyGateOptions {
  /** Null: the key is kept in memory alone. */
  storage: KeyStorage | null;
  fetch: typeof fetch;
}

const storageName = "rankstream-key";
/** What a key that is offered is tried with: everyone who may read may ask for it. */
const trialAddress = "/status";
const trialMsMax = 15_000;
const keyCodes = new Set(["key_required", "key_invalid", "key_expired"]);

/** What a reply says of the key; null where it is of something else, or of a proxy's. */
async function refusalOf(response: Response): Promise<(Refusal & { scope?: string }) | null> {
  if (response.status !== 401 && response.status !== 403) return null;
  try {
    const { code, title, detail, scope } = await response.clone().json();
    return { code: String(code), title: String(title), detail: String(detail), scope };
  } catch {
    return null;
  }
}

/** Resolves when `opened` does; rejects as soon as the signal is aborted. */
function orAborted(opened: Promise<void>, signal: AbortSignal | null | undefined): Promise<void> {
  if (signal === null || signal === undefined) return opened;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    void opened.then(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
  });
}

export class KeyGate {
  readonly #storage: KeyStorage | null;
  readonly #fetch: typeof fetch;
  readonly #listeners = new Set<() => void>();
  #key: string | null;
  #refusal: Refusal | null = null;
  #opened: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;

  constructor({ storage, fetch }: KeyGateOptions) {
    this.#storage = storage;
    this.#fetch = fetch;
    const kept = storage?.getItem(storageName) ?? null;
    this.#key = isKey(kept) ? kept : null;
  }

  /** The key in use; null without one. */
  get key(): string | null {
    return this.#key;
  }

  /** Why nothing is asked now; null while the gate is open. */
  get refusal(): Refusal | null {
    return this.#refusal;
  }

  /** Hears of every change of either; the function returned ends that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks with this key from now on. Throws TypeError for what is none. */
  give(key: string): void {
    if (!isKey(key)) throw new TypeError("expected a key");
    this.#key = key;
    this.#storage?.setItem(storageName, key);
    this.#refusal = null;
    this.#open();
    this.#tell();
  }

  /** Forgets the key. */
  forget(): void {
    this.#key = null;
    this.#storage?.removeItem(storageName);
    this.#tell();
  }

  /** Tries a key that somebody entered, and takes it where it is good; else says what is wrong. */
  async offer(text: string): Promise<string> {
    const key = text.trim();
    if (!isKey(key)) return "This is no key: expected rsk_… or a token, in one piece.";
    let response: Response;
    try {
      const signal = AbortSignal.timeout(trialMsMax);
      response = await this.#fetch(trialAddress, this.#with({ signal }, key));
    } catch {
      return "The service does not answer.";
    }
    if (response.ok) {
      void response.body?.cancel();
      this.give(key);
      return "";
    }
    const { title, detail } = await response.json().catch(() => ({}));
    if (title === undefined) return `The service answered with status ${response.status}.`;
    const seconds = response.headers.get("retry-after");
    const later = seconds === null ? "" : ` Try again in ${seconds} seconds.`;
    return `${title}: ${detail}.${later}`;
  }

  /** The key to ask with, undefined for none, as soon as the gate is open. */
  async keyToSend(): Promise<string | undefined> {
    await this.#opened;
    return this.#key ?? undefined;
  }

  /**
   * As `fetch`, with the key: waits while the gate is closed, and asks again where the key was
   * refused. Rejects as `fetch` does.
   */
  readonly fetch: typeof fetch = async (input, init = {}) => {
    for (;;) {
      await orAborted(this.#opened, init.signal);
      const key = this.#key;
      const response = await this.#fetch(input, this.#with(init, key));
      const refusal = await refusalOf(response);
      const isOfKey =
        refusal !== null &&
        (keyCodes.has(refusal.code) ||
          (refusal.code === "forbidden_scope" && refusal.scope === "read"));
      if (!isOfKey) return response;
      // Else another one is there already.
      if (key === this.#key) this.#close(refusal);
    }
  };

  #with(init: RequestInit, key: string | null): RequestInit {
    if (key === null) return init;
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${key}`);
    return { ...init, headers };
  }

  /** The key goes as well: who loads the page again is asked at once. */
  #close({ code, title, detail }: Refusal): void {
    if (this.#refusal !== null) return;
    this.#refusal = { code, title, detail };
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.forget();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
