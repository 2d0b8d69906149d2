/** A file to import: what it is, and its rows as batches of events. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { didYouMean, quoted } from "../errors.ts";
import type { BatchBounds, BrokenLine, FileFormat, LineBatch } from "../store/reader.ts";
import type { EventMapping } from "../store/reader-lines.ts";
import { type CsvHeader, readCsvHeader } from "./csv-header.ts";
import { digestFile } from "./file-digest.ts";
import { ImportError, ImportUsageError } from "./import-error.ts";
import { checkMapping, isMapped, type MappingOptions, ownMapping } from "./mapping.ts";
import { ndjsonBatches } from "./ndjson-events.ts";

export interface FileOptions extends MappingOptions {
  /** Default: by the name's ending. */
  format?: string | undefined;
  /** Between the values of a CSV file; default: by its first line. */
  delimiter?: string | undefined;
}

export interface EventFile {
  /** The same for the same bytes and the same mapping: what batches' keys begin with. */
  producer: string;
  bytes: number;
  /** About how many rows there are; null when unknown. */
  rowCount: number | null;
  /** Whether events carry no time and are counted at their receipt. */
  isTimeless: boolean;
  batches(): AsyncGenerator<LineBatch>;
  /** Lines that are no rows, known once all batches were read. */
  brokenLines(): Promise<BrokenLine[]>;
  close(): void;
}

/**
 * The size of a batch. What a key stands for: with other bounds the same keys would name other
 * rows, so these must not change for a format once released.
 */
export const batchBounds: BatchBounds = Object.freeze({
  rowsMax: 20_000,
  bytesMax: 4 * 1024 * 1024,
});
/** Longest line of NDJSON; the service's default for a whole body. */
const lineBytesMax = 16 * 1024 * 1024;
const digestChars = 16;

const endings: Readonly<Record<string, FileFormat>> = Object.freeze({
  __proto__: null as never,
  csv: "csv",
  tsv: "csv",
  parquet: "parquet",
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "ndjson",
});

function formatOf(path: string, given: string | undefined): FileFormat {
  const known = Object.keys(endings);
  if (given !== undefined) {
    const format = endings[given.toLowerCase()];
    if (format !== undefined) return format;
    const got = `${quoted(given)}.${didYouMean(given, known)}`;
    throw new ImportUsageError(`--format: expected csv, parquet or ndjson, got ${got}`);
  }
  const ending = /\.(\w+)(?:\.gz)?$/.exec(path)?.[1]?.toLowerCase();
  const format = ending === undefined ? undefined : endings[ending];
  if (format !== undefined) return format;
  throw new ImportUsageError(
    `what is ${path}? Say --format csv, --format parquet or --format ndjson`,
  );
}

async function checkFile(path: string): Promise<void> {
  let isFile: boolean;
  try {
    isFile = (await stat(path)).isFile();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ImportError(`the file ${path} can not be read (${code})`, { cause: error });
  }
  if (!isFile) throw new ImportError(`${path} is no file`);
}

function producerOf(sha256: string, what: unknown): string {
  const hash = createHash("sha256").update(sha256).update(JSON.stringify(what));
  return `import-${hash.digest("hex").slice(0, digestChars)}`;
}

async function openNdjson(path: string, signal: AbortSignal | undefined): Promise<EventFile> {
  const digest = await digestFile(path, signal);
  return {
    producer: producerOf(digest.sha256, { format: "events" }),
    bytes: digest.bytes,
    rowCount: path.endsWith(".gz") ? null : digest.lines,
    isTimeless: false,
    batches: () => ndjsonBatches(path, batchBounds, lineBytesMax),
    brokenLines: async () => [],
    close: () => undefined,
  };
}

function rowCountOf(path: string, header: CsvHeader | undefined, lines: number): number | null {
  if (path.endsWith(".gz")) return null;
  return header === undefined ? lines : Math.max(0, lines - 1);
}

async function openRows(
  path: string,
  format: FileFormat,
  options: FileOptions,
  signal: AbortSignal | undefined,
): Promise<EventFile> {
  const csv = format === "csv" ? await readCsvHeader(path, options.delimiter) : undefined;
  const { FileReader } = await import("../store/reader.ts");
  const reader = await FileReader.open({ path, format, ...(csv === undefined ? {} : { csv }) });
  try {
    const { format: _format, delimiter: _delimiter, ...named } = options;
    const own = isMapped(named) ? null : ownMapping(reader.columns);
    const mapping: EventMapping = own ?? checkMapping(options, reader.columns);
    const digest = await digestFile(path, signal);
    const what = { format, delimiter: csv?.delimiter, mapping };
    return {
      producer: producerOf(digest.sha256, what),
      bytes: digest.bytes,
      rowCount: (await reader.rowCount()) ?? rowCountOf(path, csv, digest.lines),
      isTimeless: mapping.time === null,
      batches: () => reader.batches(mapping, batchBounds),
      brokenLines: () => reader.brokenLines(),
      close: () => reader.close(),
    };
  } catch (error) {
    reader.close();
    throw error;
  }
}

/**
 * Opens a file, checks the mapping and reads the file once for its digest. Throws ImportError:
 * one line that says what to change.
 */
export async function openEventFile(
  path: string,
  options: FileOptions,
  signal?: AbortSignal,
): Promise<EventFile> {
  const format = formatOf(path, options.format);
  await checkFile(path);
  const { format: _format, delimiter, ...mapping } = options;
  if (delimiter !== undefined && format !== "csv") {
    throw new ImportUsageError("--delimiter is of CSV files only");
  }
  try {
    if (format === "ndjson" && !isMapped(mapping)) return await openNdjson(path, signal);
    return await openRows(path, format, options, signal);
  } catch (error) {
    const isOfFile = error instanceof Error && error.name === "FileReadError";
    if (isOfFile) throw new ImportError(error.message, { cause: error });
    throw error;
  }
}
