/** Reads the first line of a CSV file: its columns' names, and what stands between values. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { ImportError } from "./import-error.ts";

const headerBytesMax = 1024 * 1024;
const delimiters = [",", "\t", ";", "|"] as const;

export interface CsvHeader {
  delimiter: string;
  columns: string[];
}

/** The first `headerBytesMax` bytes of the file, unpacked where it ends in `.gz`. */
async function beginning(path: string): Promise<string> {
  const file = createReadStream(path);
  const unpacked = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  if (unpacked !== file) file.on("error", (error) => unpacked.destroy(error));
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      parts.push(chunk);
      length += chunk.length;
      if (length >= headerBytesMax) break;
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ImportError(`the file ${path} can not be read (${code})`, { cause: error });
  } finally {
    file.destroy();
  }
  return Buffer.concat(parts)
    .toString("utf8")
    .replace(/^\uFEFF/, "");
}

/** The values of the first record; null when the text ends within quotes. */
function firstRecord(text: string, delimiter: string): string[] | null {
  const values: string[] = [];
  let value = "";
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (isQuoted) {
      if (char !== '"') value += char;
      else if (text[i + 1] === '"') value += text[++i];
      else isQuoted = false;
    } else if (char === '"' && value === "") isQuoted = true;
    else if (char === delimiter) {
      values.push(value);
      value = "";
    } else if (char === "\n" || char === "\r") return [...values, value];
    else value += char;
  }
  return isQuoted ? null : [...values, value];
}

/**
 * Reads the header. Without `delimiter` it is the one of comma, tab, semicolon and bar that
 * parts the header into most columns. Throws ImportError.
 */
export async function readCsvHeader(path: string, delimiter?: string): Promise<CsvHeader> {
  const text = await beginning(path);
  let best: CsvHeader | null = null;
  for (const each of delimiter === undefined ? delimiters : [delimiter]) {
    const columns = firstRecord(text, each);
    if (columns === null || columns.length <= (best?.columns.length ?? 0)) continue;
    best = { delimiter: each, columns };
  }
  if (best === null || text === "") throw new ImportError(`${path}: there is no line of names`);
  const twice = best.columns.find((name, i) => best.columns.indexOf(name) < i);
  if (twice !== undefined) {
    throw new ImportError(`${path}: two columns are named ${JSON.stringify(twice)}`);
  }
  return best;
}
