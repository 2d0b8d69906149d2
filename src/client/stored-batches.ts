/**
 * Batches that a page leaves for the next one, each an entry of its own in the browser's storage,
 * bounded in all. Two pages may take up the same batch: it has the same key in both, so it is
 * counted once.
 */
import type { Batch } from "./batch-queue.ts";

/** As much of `localStorage` as is used. */
export type BatchStorage = Pick<Storage, "length" | "key" | "getItem" | "setItem" | "removeItem">;

export interface StoredBatch {
  key: string;
  /** NDJSON. */
  body: string;
  events: number;
  /** Epoch ms; null: the service can't have it. */
  firstSentAt: number | null;
}

/** So many lines of JSON: another version, or who else writes there, may leave other things. */
function isBody(body: unknown, events: unknown): boolean {
  if (typeof body !== "string" || !body.endsWith("\n")) return false;
  const lines = body.slice(0, -1).split("\n");
  try {
    return lines.length === events && lines.every((line) => typeof JSON.parse(line) === "object");
  } catch {
    return false;
  }
}

function isStoredBatch(value: unknown): value is StoredBatch {
  const { key, body, events, firstSentAt } = (value ?? {}) as Record<string, unknown>;
  const isSent = firstSentAt === null || typeof firstSentAt === "number";
  return typeof key === "string" && isSent && isBody(body, events);
}

export class StoredBatches {
  readonly #storage: BatchStorage;
  readonly #prefix: string;
  readonly #charsMax: number;
  /** Keys that were seen in the storage by this page. */
  readonly #known = new Set<string>();

  constructor(storage: BatchStorage, url: string, charsMax: number) {
    this.#storage = storage;
    // Without colons of its own: http://a is not the start of http://a:8080.
    this.#prefix = `rankstream:${encodeURIComponent(url)}:`;
    this.#charsMax = charsMax;
  }

  /** What other pages have left, and what this one has. Entries that are none are removed. */
  list(): StoredBatch[] {
    return this.#names().flatMap((name) => {
      const batch = this.#read(name);
      if (batch === null) {
        this.#attempt(() => this.#storage.removeItem(name));
        return [];
      }
      this.#known.add(batch.key);
      return [batch];
    });
  }

  /** Stores a batch that has a key, where it fits; what doesn't stays with the page alone. */
  put({ key, body, events, firstSentAt }: Batch): void {
    if (key === null) return;
    const text = JSON.stringify({ key, body, events, firstSentAt } satisfies StoredBatch);
    const name = this.#prefix + key;
    const others = this.#names().filter((each) => each !== name);
    const held = others.reduce((sum, each) => sum + (this.#get(each)?.length ?? 0), 0);
    if (held + text.length > this.#charsMax) return;
    // Full or forbidden: the page does without.
    this.#attempt(() => {
      this.#storage.setItem(name, text);
      this.#known.add(key);
    });
  }

  /** Writes a stored batch again, now that it is sent; nothing where it isn't stored. */
  update(batch: Batch): void {
    if (batch.key !== null && this.#known.has(batch.key)) this.put(batch);
  }

  /** False where this page knows of none under that key. */
  remove(key: string | null): boolean {
    if (key === null || !this.#known.delete(key)) return false;
    this.#attempt(() => this.#storage.removeItem(this.#prefix + key));
    return true;
  }

  /** What other pages did with a batch stored by this one; null where it never was. */
  look(key: string | null): StoredBatch | "gone" | null {
    if (key === null || !this.#known.has(key)) return null;
    return this.#read(this.#prefix + key) ?? "gone";
  }

  #names(): string[] {
    const names: string[] = [];
    this.#attempt(() => {
      for (let i = 0; i < this.#storage.length; i++) {
        const name = this.#storage.key(i);
        if (name?.startsWith(this.#prefix) === true) names.push(name);
      }
    });
    return names;
  }

  #get(name: string): string | null {
    let text: string | null = null;
    this.#attempt(() => {
      text = this.#storage.getItem(name);
    });
    return text;
  }

  #read(name: string): StoredBatch | null {
    let value: unknown = null;
    this.#attempt(() => {
      value = JSON.parse(this.#get(name) ?? "null");
    });
    return isStoredBatch(value) ? value : null;
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch {
      // A browser that keeps its storage closed throws at every touch.
    }
  }
}
