/** Items out of text that comes in pieces: words, a field of NDJSON, a column of CSV. */
import { wordsOf } from "./streams.ts";

export type TextForm = "words" | "ndjson" | "csv";

export interface TextParser {
  /** Items that are whole with this piece. */
  push(text: string): string[];
  /** What is left at the end. */
  end(): string[];
  /** Lines or records that held no item. */
  readonly skipped: number;
}

/** A word, line or record that doesn't end before this is given up. */
const pendingCharsMax = 1 << 20;

function wordParser(): TextParser {
  let rest = "";
  return {
    skipped: 0,
    push(text) {
      const all = rest + text;
      const end = all.length > pendingCharsMax ? all.length : all.search(/\S*$/u);
      rest = all.slice(end);
      return wordsOf(all.slice(0, end));
    },
    end: () => wordsOf(rest),
  };
}

function itemOfLine(line: string, field: string): string | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const item = (value as Record<string, unknown> | null)?.[field];
    return typeof item === "string" || typeof item === "number" ? String(item) : undefined;
  } catch {
    return undefined;
  }
}

class NdjsonParser implements TextParser {
  skipped = 0;
  readonly #field: string;
  #rest = "";

  constructor(field: string) {
    this.#field = field;
  }

  push(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    if (this.#rest.length > pendingCharsMax) {
      this.#rest = "";
      this.skipped += 1;
    }
    return this.#items(lines);
  }

  end(): string[] {
    return this.#items([this.#rest]);
  }

  #items(lines: readonly string[]): string[] {
    return lines.flatMap((line) => {
      if (line.trim() === "") return [];
      const item = itemOfLine(line, this.#field);
      if (item !== undefined && item !== "") return [item];
      this.skipped += 1;
      return [];
    });
  }
}

class CsvParser implements TextParser {
  skipped = 0;
  readonly #column: string;
  /** Of the wanted column; undefined before the header. */
  #at: number | undefined;
  #separator: string | undefined;
  #record: string[] = [];
  #value = "";
  #isQuoted = false;
  #wasQuote = false;
  #chars = 0;

  constructor(column: string) {
    this.#column = column;
  }

  push(text: string): string[] {
    const items: string[] = [];
    for (const char of text) {
      this.#chars += 1;
      if (char === "\n" && !this.#isQuoted) items.push(...this.#endRecord());
      else if (this.#chars > pendingCharsMax) this.#dropRecord();
      else this.#take(char);
    }
    return items;
  }

  end(): string[] {
    return this.#chars > 0 ? this.#endRecord() : [];
  }

  #take(char: string): void {
    if (char === '"') {
      // Two within quotes are one; one that opens a value isn't of it.
      if (!this.#isQuoted && this.#wasQuote) this.#value += char;
      this.#isQuoted = !this.#isQuoted;
      this.#wasQuote = !this.#isQuoted;
      return;
    }
    this.#wasQuote = false;
    // A file is of semicolons or tabs when its header shows one before any comma.
    if (!this.#isQuoted && this.#at === undefined && /[,;\t]/.test(char)) {
      this.#separator ??= char;
    }
    if (!this.#isQuoted && char === this.#separator) {
      this.#record.push(this.#value);
      this.#value = "";
    } else if (this.#isQuoted || char !== "\r") {
      this.#value += char;
    }
  }

  #dropRecord(): void {
    this.skipped += 1;
    this.#clear();
  }

  #clear(): void {
    this.#record = [];
    this.#value = "";
    this.#isQuoted = false;
    this.#wasQuote = false;
    this.#chars = 0;
  }

  #endRecord(): string[] {
    const record = [...this.#record, this.#value];
    this.#clear();
    if (this.#at === undefined) {
      this.#at = this.#columnOf(record);
      return [];
    }
    if (record.length === 1 && record[0] === "") return [];
    const item = record[this.#at];
    if (item !== undefined && item !== "") return [item];
    this.skipped += 1;
    return [];
  }

  #columnOf(header: readonly string[]): number {
    const names = header.map((name) => name.replace(/^\uFEFF/, "").trim());
    if (this.#column === "") return 0;
    const at = names.indexOf(this.#column);
    if (at >= 0) return at;
    const shown = names.slice(0, 20).join(", ");
    throw new RangeError(`no column ${this.#column} in this file; it has ${shown}`);
  }
}

/** `field`: of NDJSON, the key (eventId when empty); of CSV, the column (the first when empty). */
export function parserFor(form: TextForm, field: string): TextParser {
  if (form === "words") return wordParser();
  return form === "ndjson" ? new NdjsonParser(field || "eventId") : new CsvParser(field);
}

/** What a file of this name most likely holds. */
export function formOf(name: string): TextForm {
  if (/\.(?:ndjson|jsonl|json)$/i.test(name)) return "ndjson";
  return /\.(?:csv|tsv)$/i.test(name) ? "csv" : "words";
}
