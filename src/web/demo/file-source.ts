/** A file as a stream: read piece by piece as it is counted, however long it is. */
import type { TextParser } from "./parsers.ts";
import type { ItemSource } from "./streams.ts";

/** Items read ahead; one piece of the file may bring some more. */
const itemsAheadMax = 32_768;

export class FileSource implements ItemSource {
  problem: string | undefined;
  readonly #parser: TextParser;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #ahead: string[] = [];
  #at = 0;
  #isReading = false;
  #hasEnded = false;

  constructor(file: Blob, parser: TextParser) {
    this.#parser = parser;
    const decoder: ReadableWritablePair<string, BufferSource> = new TextDecoderStream();
    this.#reader = file.stream().pipeThrough(decoder).getReader();
    void this.#readOn();
  }

  /** Lines or records without an item, so far. */
  get skipped(): number {
    return this.#parser.skipped;
  }

  read(n: number): readonly string[] | null {
    const items = this.#ahead.slice(this.#at, this.#at + n);
    this.#at += items.length;
    if (items.length === 0 && this.#hasEnded) return null;
    void this.#readOn();
    return items;
  }

  /** Stops reading; nothing more comes. */
  close(): void {
    this.#finish();
    this.#reader.cancel().catch(() => undefined);
  }

  #finish(): void {
    this.#hasEnded = true;
    this.#ahead = this.#ahead.slice(this.#at);
    this.#at = 0;
  }

  async #readOn(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (!this.#hasEnded && this.#ahead.length - this.#at < itemsAheadMax) {
        const { value, done } = await this.#reader.read();
        const more = done ? this.#parser.end() : this.#parser.push(value);
        this.#ahead = this.#ahead.slice(this.#at).concat(more);
        this.#at = 0;
        if (done) this.#finish();
      }
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      this.close();
    } finally {
      this.#isReading = false;
    }
  }
}
