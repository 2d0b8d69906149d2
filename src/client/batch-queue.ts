/**
 * What was tracked and is not answered yet, in order: sealed batches, whose bytes and keys never
 * change again, and the open one behind them. Bounded by events and by bytes.
 */
import { utf8Bytes } from "./event-line.ts";

/** Events that are sent together, always with the same bytes under the same key. */
export interface Batch {
  /** Place in the order of tracking; both halves of a split batch keep it. */
  readonly ordinal: number;
  /** NDJSON. */
  readonly body: string;
  readonly bytes: number;
  readonly events: number;
  /** `Idempotency-Key`; null until it is sent for the first time. */
  key: string | null;
  /** When that was, epoch ms. */
  firstSentAt: number | null;
  /** An attempt ended without an answer: the service may have it. */
  isInDoubt: boolean;
  isSettled: boolean;
}

export interface QueueBounds {
  batchEventsMax: number;
  batchBytesMax: number;
  bufferedEventsMax: number;
  bufferedBytesMax: number;
}

/** A line's end. */
const feedBytes = 1;
/** No event that the service takes is longer. */
const lineBytesMax = 64 * 1024;

export class BatchQueue {
  readonly #bounds: QueueBounds;
  #sealed: Batch[] = [];
  #open: string[] = [];
  #openBytes = 0;
  #ordinal = 0;
  /** Everything held, sealed or not. */
  events = 0;
  bytes = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  /** Takes a line; false where the buffer has no room for it. */
  add(line: string): boolean {
    const { batchEventsMax, batchBytesMax, bufferedEventsMax, bufferedBytesMax } = this.#bounds;
    const bytes = utf8Bytes(line) + feedBytes;
    const isFull = this.events >= bufferedEventsMax || this.bytes + bytes > bufferedBytesMax;
    // A buffer that is empty takes any event: else one larger than it could never be sent.
    if (isFull && this.events > 0) return false;
    if (this.#openBytes + bytes > batchBytesMax) this.seal();
    this.#open.push(line);
    this.#openBytes += bytes;
    this.events += 1;
    this.bytes += bytes;
    if (this.#open.length >= batchEventsMax) this.seal();
    return true;
  }

  /** Closes the open batch; its lines are sent as they are from now on. */
  seal(): void {
    if (this.#open.length === 0) return;
    const ordinal = ++this.#ordinal;
    this.#sealed.push(makeBatch(ordinal, this.#open, this.#openBytes));
    this.#open = [];
    this.#openBytes = 0;
  }

  /** Puts a batch of another time behind those there are, whatever room there is. */
  adopt(body: string, events: number, key: string | null, firstSentAt: number | null): Batch {
    const ordinal = ++this.#ordinal;
    const bytes = utf8Bytes(body);
    const isInDoubt = firstSentAt !== null;
    const batch = { ordinal, body, bytes, events, key, firstSentAt, isInDoubt, isSettled: false };
    this.#sealed.push(batch);
    this.events += events;
    this.bytes += bytes;
    return batch;
  }

  /** The sealed batches, oldest first. */
  get batches(): readonly Batch[] {
    return this.#sealed;
  }

  /** Whether events wait in the open batch. */
  get hasOpen(): boolean {
    return this.#open.length > 0;
  }

  /** Whether any event would be taken now. */
  get hasRoom(): boolean {
    const { bufferedEventsMax, bufferedBytesMax } = this.#bounds;
    if (this.events === 0) return true;
    return this.events < bufferedEventsMax && this.bytes + lineBytesMax <= bufferedBytesMax;
  }

  /** The oldest batch that is not answered; infinite where there is none. */
  get oldestOrdinal(): number {
    return this.#sealed[0]?.ordinal ?? Number.POSITIVE_INFINITY;
  }

  /** The last batch sealed so far: what a flush waits for. */
  get lastOrdinal(): number {
    return this.#ordinal;
  }

  /** Forgets a batch that was answered; false when it is not here any more. */
  settle(batch: Batch): boolean {
    if (batch.isSettled) return false;
    batch.isSettled = true;
    this.#sealed = this.#sealed.filter((each) => each !== batch);
    this.events -= batch.events;
    this.bytes -= batch.bytes;
    return true;
  }

  /**
   * Puts its two halves in a batch's place and returns them: `keyOf` says under which keys they
   * are sent, by 1 and 2; null: ones that are still to be made. None where it is not here.
   */
  split(batch: Batch, keyOf: (half: number) => string | null): Batch[] {
    const at = this.#sealed.indexOf(batch);
    if (at < 0) return [];
    const lines = linesOf(batch);
    const half = Math.ceil(lines.length / 2);
    const parts = [lines.slice(0, half), lines.slice(half)].map((part, i) => {
      const bytes = part.reduce((sum, line) => sum + utf8Bytes(line) + feedBytes, 0);
      return { ...makeBatch(batch.ordinal, part, bytes), key: keyOf(i + 1) };
    });
    batch.isSettled = true;
    this.#sealed.splice(at, 1, ...parts);
    return parts;
  }
}

function makeBatch(ordinal: number, lines: readonly string[], bytes: number): Batch {
  const body = `${lines.join("\n")}\n`;
  const events = lines.length;
  const fresh = { key: null, firstSentAt: null, isInDoubt: false, isSettled: false };
  return { ordinal, body, bytes, events, ...fresh };
}

/** The events of a batch, each as its JSON text. */
export function linesOf({ body }: Batch): string[] {
  return body.slice(0, -1).split("\n");
}
