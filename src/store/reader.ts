/**
 * Reads CSV, Parquet and NDJSON files of rows as batches of NDJSON lines, through a DuckDB
 * instance of its own, in memory and apart from the store's. Rows come as a stream of chunks, in
 * the file's order, so that the same file and mapping make the same batches every time.
 */
import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import {
  type EventMapping,
  type FileColumn,
  identifier,
  linesQuery,
  refusedMark,
  textLiteral,
} from "./reader-lines.ts";

export type FileFormat = "csv" | "parquet" | "ndjson";

export interface FileSource {
  path: string;
  format: FileFormat;
  /** Of CSV: what stands between values, and the header's names. */
  csv?: { delimiter: string; columns: readonly string[] };
}

/** A row that can't become an event. */
export interface RefusedRow {
  /** From 1, the header not counted. */
  row: number;
  code: string;
  message: string;
}

/** Lines to be posted as one batch. */
export interface LineBatch {
  /** NDJSON; may be empty when every row was refused. */
  body: Uint8Array;
  /** The number of the batch's first row in the file, from 1. */
  firstRow: number;
  /** Rows read for this batch, refused ones included. */
  rows: number;
  /** Rows without a line in `body`, ascending. */
  refused: RefusedRow[];
  /** Bytes of the file read so far; 0 where that isn't known. */
  fileBytes: number;
}

/** A batch ends before either is exceeded. Part of what a batch's key stands for. */
export interface BatchBounds {
  rowsMax: number;
  bytesMax: number;
}

/** A line of a CSV file that is no row. */
export interface BrokenLine {
  /** In the file, from 1, the header counted. */
  line: number;
  code: string;
  message: string;
}

/** The file can not be read; the message is one line. */
export class FileReadError extends Error {
  override readonly name = "FileReadError";
}

/** A row group of long texts is read whole. */
const memoryLimit = "512MB";
/** What is remembered of CSV lines that are no rows. */
const brokenLinesMax = 1_000_000;
const sampledRowsMax = 1000;
/** DuckDB's string_t: u32 length, then the text itself up to so many bytes, else its address. */
const inlineBytesMax = 12;
const stringBytes = 16;

/** One line, of whatever DuckDB has to say. */
function readError(path: string, error: unknown): FileReadError {
  const [first = ""] = String(error instanceof Error ? error.message : error).split("\n");
  return new FileReadError(`${path} can not be read: ${first}`, { cause: error });
}

function sourceSql({ path, format, csv }: FileSource): string {
  const file = textLiteral(path);
  if (format === "parquet") return `read_parquet(${file})`;
  if (format === "ndjson") {
    return `read_json_objects(${file}, format='newline_delimited', ignore_errors=true)`;
  }
  const columns = csv!.columns.map((name) => `${textLiteral(name)}: 'VARCHAR'`).join(", ");
  return (
    `read_csv(${file}, auto_detect=false, columns={${columns}}, header=true, quote='"', ` +
    `escape='"', delim=${textLiteral(csv!.delimiter)}, ignore_errors=true, store_rejects=true, ` +
    `rejects_limit=${brokenLinesMax})`
  );
}

/** Collects lines into batches of their own memory. */
class BatchBuilder {
  readonly #bounds: BatchBounds;
  #body: Buffer;
  #length = 0;
  #refused: RefusedRow[] = [];
  #firstRow = 1;
  #rows = 0;

  constructor(bounds: BatchBounds) {
    this.#bounds = bounds;
    this.#body = Buffer.allocUnsafe(bounds.bytesMax);
  }

  /** How many of the lines that end at `ends` in `lines` this batch still takes. */
  #room(ends: readonly number[], from: number, start: number): number {
    const bytesLeft = this.#bounds.bytesMax - this.#length + start;
    const most = Math.min(ends.length, from + this.#bounds.rowsMax - this.#rows);
    if (most > from && ends[most - 1]! <= bytesLeft) return most - from;
    let taken = from;
    while (taken < most && ends[taken]! <= bytesLeft) taken += 1;
    return taken - from;
  }

  /** Adds lines that lie end to end in `lines`; returns the batches this fills. */
  addLines(lines: Uint8Array, ends: readonly number[]): LineBatch[] {
    const full: LineBatch[] = [];
    for (let from = 0, start = 0; from < ends.length; ) {
      const count = this.#room(ends, from, start);
      if (count === 0) {
        const batch = this.take();
        if (batch !== null) full.push(batch);
        else throw new Error("a line is longer than a batch");
        continue;
      }
      const end = ends[from + count - 1]!;
      this.#body.set(lines.subarray(start, end), this.#length);
      this.#length += end - start;
      this.#rows += count;
      from += count;
      start = end;
    }
    return full;
  }

  /** Adds a row that is no event; returns the batch before it, if that is full. */
  addRefused(code: string, message: string): LineBatch[] {
    const full = this.#rows >= this.#bounds.rowsMax ? [this.take()!] : [];
    this.#refused.push({ row: this.#firstRow + this.#rows, code, message });
    this.#rows += 1;
    return full;
  }

  /** What was collected, or null for nothing. */
  take(): LineBatch | null {
    if (this.#rows === 0) return null;
    const batch: LineBatch = {
      body: this.#body.subarray(0, this.#length),
      firstRow: this.#firstRow,
      rows: this.#rows,
      refused: this.#refused,
      fileBytes: 0,
    };
    this.#body = Buffer.allocUnsafe(this.#bounds.bytesMax);
    this.#length = 0;
    this.#refused = [];
    this.#firstRow += this.#rows;
    this.#rows = 0;
    return batch;
  }
}

/** Where the strings of a chunk's first column are. */
class ChunkStrings {
  readonly rows: number;
  readonly #data: Buffer;
  readonly #words: Uint32Array;

  constructor(chunk: DuckDBDataChunk) {
    this.rows = chunk.rowCount;
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, 0);
    this.#data = duckdb.vector_get_data(vector, this.rows * stringBytes) as Buffer;
    this.#words = new Uint32Array(this.#data.buffer, this.#data.byteOffset, this.rows * 4);
  }

  bytesOf(row: number): number {
    return this.#words[row * 4]!;
  }

  #addressOf(row: number): number {
    return this.#words[row * 4 + 2]! + this.#words[row * 4 + 3]! * 2 ** 32;
  }

  /** How many rows from this one on lie end to end. */
  stretchFrom(row: number): number {
    let after = row + 1;
    if (this.bytesOf(row) <= inlineBytesMax) return 1;
    for (; after < this.rows && this.bytesOf(after) > inlineBytesMax; after++) {
      if (this.#addressOf(after) !== this.#addressOf(after - 1) + this.bytesOf(after - 1)) break;
    }
    return after - row;
  }

  /** So many bytes from the start of a row's string on. */
  read(row: number, bytes: number): Uint8Array {
    const at = row * stringBytes;
    if (this.bytesOf(row) <= inlineBytesMax) return this.#data.subarray(at + 4, at + 4 + bytes);
    const pointerAt = this.#data.byteOffset + at + 8;
    return duckdb.get_data_from_pointer(this.#data.buffer as ArrayBuffer, pointerAt, bytes);
  }
}

function refusalIn(line: Uint8Array): [code: string, message: string] {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString("utf8");
  const colon = text.indexOf(": ");
  return [text.slice(refusedMark.length, colon), text.slice(colon + 2, -1)];
}

/**
 * Adds a chunk's lines; returns the batches that became full. The lines are read where DuckDB
 * put them, in stretches of many: a JavaScript string each costs 1.25 µs a row, a view each 1 µs
 * of garbage. An address is only followed over strings that lie end to end, so never outside
 * DuckDB's memory. In one go, and with a use of the chunk at the end: its memory is only there
 * while it is.
 */
function batchesOf(chunk: DuckDBDataChunk, builder: BatchBuilder, bytesMax: number): LineBatch[] {
  const strings = new ChunkStrings(chunk);
  const full: LineBatch[] = [];
  let row = 0;
  while (row < strings.rows) {
    const after = row + strings.stretchFrom(row);
    let bytes = 0;
    for (let i = row; i < after; i++) bytes += strings.bytesOf(i);
    const stretch = strings.read(row, bytes);
    let from = 0;
    let ends: number[] = [];
    const flush = () => {
      if (ends.length > 0) full.push(...builder.addLines(stretch.subarray(from), ends));
      ends = [];
    };
    for (let end = 0; row < after; row++) {
      const start = end;
      end += strings.bytesOf(row);
      const isRefused = stretch[start] === refusedMark.charCodeAt(0);
      if (!isRefused && end - start <= bytesMax) {
        ends.push(end - from);
        continue;
      }
      flush();
      const tooLong: [string, string] = ["too_long", `expected at most ${bytesMax} bytes a row`];
      const [code, why] = isRefused ? refusalIn(stretch.subarray(start, end)) : tooLong;
      full.push(...builder.addRefused(code, why));
      from = end;
    }
    flush();
  }
  if (row !== chunk.rowCount) throw new Error(`${chunk.rowCount} rows came as ${row} lines`);
  return full;
}

/** One file, open. */
export class FileReader {
  readonly #source: FileSource;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  #columns: FileColumn[] = [];

  private constructor(source: FileSource, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#source = source;
    this.#instance = instance;
    this.#connection = connection;
  }

  /** Opens the file and looks at its columns. Throws FileReadError. */
  static async open(source: FileSource): Promise<FileReader> {
    const instance = await DuckDBInstance.create(":memory:", {
      // A second thread gains nothing: what takes the lines is the slower side.
      threads: "1",
      memory_limit: memoryLimit,
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    });
    const connection = await instance.connect();
    const reader = new FileReader(source, instance, connection);
    try {
      await connection.run("SET TimeZone = 'UTC'");
      reader.#columns = await reader.#describe();
      return reader;
    } catch (error) {
      reader.close();
      throw readError(source.path, error);
    }
  }

  /** The columns there are; of NDJSON, the fields of the first thousand rows. */
  get columns(): readonly FileColumn[] {
    return this.#columns;
  }

  async #describe(): Promise<FileColumn[]> {
    const source = sourceSql(this.#source);
    if (this.#source.format === "ndjson") {
      const sample = `(FROM ${source} LIMIT ${sampledRowsMax})`;
      const keys = `SELECT unnest(json_keys(json)) AS name FROM ${sample}`;
      const reader = await this.#connection.runAndReadAll(`SELECT DISTINCT name FROM (${keys})`);
      const names = reader.getRows().map(([name]) => String(name));
      return names.sort().map((name) => ({ name, type: "JSON" }));
    }
    const reader = await this.#connection.runAndReadAll(`DESCRIBE FROM ${source}`);
    return reader.getRowObjects().map((row) => ({
      name: String(row["column_name"]),
      type: String(row["column_type"]),
    }));
  }

  /** How many rows there are, where the file says so itself: null but for Parquet. */
  async rowCount(): Promise<number | null> {
    if (this.#source.format !== "parquet") return null;
    const sql = `SELECT count(*)::BIGINT FROM ${sourceSql(this.#source)}`;
    const reader = await this.#connection.runAndReadAll(sql);
    return Number(reader.getRows()[0]![0]);
  }

  /** The rows as batches, in order. Throws FileReadError. Once a reader at a time. */
  async *batches(mapping: EventMapping, bounds: BatchBounds): AsyncGenerator<LineBatch> {
    const isJson = this.#source.format === "ndjson";
    const sql = linesQuery(sourceSql(this.#source), mapping, this.#columns, isJson);
    const builder = new BatchBuilder(bounds);
    try {
      const result = await this.#connection.stream(sql);
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) break;
        yield* batchesOf(chunk, builder, bounds.bytesMax);
      }
    } catch (error) {
      throw readError(this.#source.path, error);
    }
    const last = builder.take();
    if (last !== null) yield last;
  }

  /** Lines of a CSV file that were no rows, known once the last batch has come; each once. */
  async brokenLines(): Promise<BrokenLine[]> {
    if (this.#source.format !== "csv") return [];
    const reader = await this.#connection.runAndReadAll(
      "SELECT line, min_by(error_type, column_idx)::VARCHAR AS kind, " +
        "min_by(error_message, column_idx) AS message " +
        `FROM ${identifier("reject_errors")} GROUP BY line ORDER BY line`,
    );
    return reader.getRowObjects().map((row) => ({
      line: Number(row["line"]),
      code: String(row["kind"]).toLowerCase().replaceAll(" ", "_"),
      message: String(row["message"]).split("\n")[0]!,
    }));
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
