/**
 * A plain JSON reader for the event oracle: regular expressions over a string of bytes, a tree of
 * nodes, TextDecoder for UTF-8. Slow and simple; shares nothing with the kernel.
 */

export interface Node {
  type: "string" | "number" | "word" | "array" | "object";
  start: number;
  end: number;
  /** Of strings: the text, escapes undone. Of numbers and words: as written. */
  text: string;
  members: { key: Node; value: Node }[];
  items: Node[];
}

/** Where a text stops being JSON, as an index of its bytes. */
export class NotJson extends Error {
  readonly at: number;
  constructor(at: number) {
    super(`not JSON at ${at}`);
    this.at = at;
  }
}

const depthMax = 64;
const stringStart = /"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const word = /true|false|null/y;

export function asLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Index of the first byte that is not part of well-formed UTF-8; -1 when all are. */
export function brokenUtf8(bytes: Uint8Array): number {
  if (isUtf8(bytes)) return -1;
  // What a lenient decoder replaces differs from the bytes at or shortly after the break.
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const again = new TextEncoder().encode(lenient);
  let at = bytes.findIndex((byte, index) => byte !== again[index]);
  if (at < 0) at = bytes.length;
  while (!isUtf8(bytes.subarray(0, at))) at--;
  return at;
}

/** Reads one value at a time from a text of bytes. */
export class JsonReader {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  space(): void {
    while (/[ \t\r\n]/.test(this.text.charAt(this.at))) this.at++;
  }

  take(char: string): void {
    if (this.text.charAt(this.at) !== char) throw new NotJson(this.at);
    this.at++;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0] ?? null;
  }

  #node(type: Node["type"], start: number, text = ""): Node {
    return { type, start, end: this.at, text, members: [], items: [] };
  }

  string(): Node {
    const start = this.at;
    const found = this.#match(stringStart);
    if (found === null) throw new NotJson(this.at);
    this.at += found.length;
    this.take('"');
    const raw = new TextDecoder("utf-8", { ignoreBOM: true }).decode(fromLatin1(`${found}"`));
    return this.#node("string", start, JSON.parse(raw));
  }

  number(): Node {
    const start = this.at;
    const found = this.#match(number);
    if (found === null) {
      this.at++;
      throw new NotJson(this.at);
    }
    this.at += found.length;
    const next = this.text.charAt(this.at);
    if (/[0-9]/.test(next)) throw new NotJson(this.at);
    if (next === "." && !found.includes(".") && !/[eE]/.test(found)) {
      throw new NotJson(this.at + 1);
    }
    if (/[eE]/.test(next) && !/[eE]/.test(found)) {
      const sign = /[+-]/.test(this.text.charAt(this.at + 1)) ? 1 : 0;
      throw new NotJson(this.at + 1 + sign);
    }
    return this.#node("number", start, found);
  }

  word(): Node {
    const start = this.at;
    const found = this.#match(word);
    if (found !== null) {
      this.at += found.length;
      return this.#node("word", start, found);
    }
    const wanted = ["true", "false", "null"].find((w) => w[0] === this.text.charAt(start)) ?? "";
    while (this.at - start < wanted.length) {
      if (this.text.charAt(this.at) !== wanted[this.at - start]) break;
      this.at++;
    }
    throw new NotJson(this.at);
  }

  value(depth: number): Node {
    const first = this.text.charAt(this.at);
    if (first === '"') return this.string();
    if (first === "{" || first === "[") {
      if (depth >= depthMax) throw new NotJson(this.at);
      return first === "{" ? this.object(depth + 1) : this.array(depth + 1);
    }
    if (/[-0-9]/.test(first)) return this.number();
    return this.word();
  }

  object(depth: number): Node {
    const start = this.at;
    const members: Node["members"] = [];
    this.take("{");
    this.space();
    if (this.text.charAt(this.at) !== "}") {
      for (;;) {
        const key = this.string();
        this.space();
        this.take(":");
        this.space();
        members.push({ key, value: this.value(depth) });
        this.space();
        if (this.text.charAt(this.at) === "}") break;
        this.take(",");
        this.space();
      }
    }
    this.at++;
    return { ...this.#node("object", start), members };
  }

  array(depth: number): Node {
    const start = this.at;
    const items: Node[] = [];
    this.take("[");
    this.space();
    if (this.text.charAt(this.at) !== "]") {
      for (;;) {
        items.push(this.value(depth));
        this.space();
        if (this.text.charAt(this.at) === "]") break;
        this.take(",");
        this.space();
      }
    }
    this.at++;
    return { ...this.#node("array", start), items };
  }
}
