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

const memoryLimit = "256MB";
/** What is remembered of CSV lines that are no rows. */
const brokenLinesMax = 1_000_000;
const sampledRowsMax = 1000;
/** DuckDB's string_t: u32 length, then the text itself up to so many bytes, else its address. */
const inlineBytesMax = 12;
const stringBytes = 16;
/** Strings of a chunk lie end to end; so much padding between two is still one stretch. */
const gapBytesMax = 7;

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

  /** Whether a row of so many bytes must wait for the next batch. */
  isFullFor(bytes: number): boolean {
    if (this.#rows >= this.#bounds.rowsMax) return true;
    return bytes <= this.#bounds.bytesMax && this.#length + bytes > this.#bounds.bytesMax;
  }

  /** Adds a row: a line of an event, or why it is none. */
  add(line: Uint8Array): void {
    const row = this.#firstRow + this.#rows;
    this.#rows += 1;
    if (line[0] === refusedMark.charCodeAt(0)) {
      const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString("utf8");
      const colon = text.indexOf(": ");
      const [code, message] = [text.slice(1, colon), text.slice(colon + 2, -1)];
      this.#refused.push({ row, code, message });
    } else if (line.length > this.#bounds.bytesMax) {
      const message = `expected a line of at most ${this.#bounds.bytesMax} bytes`;
      this.#refused.push({ row, code: "too_long", message });
    } else {
      this.#body.set(line, this.#length);
      this.#length += line.length;
    }
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

/**
 * The strings of a chunk's first column, as bytes that are valid until the next step. They are
 * read where DuckDB put them, in stretches: a JavaScript string each costs 1.25 µs a row, this
 * 0.2. An address is only followed from the start of one string to the end of another with no
 * more than padding between any two, so never outside DuckDB's memory.
 */
function* stringsOf(chunk: DuckDBDataChunk): Generator<Uint8Array> {
  const rows = chunk.rowCount;
  const data = duckdb.vector_get_data(
    duckdb.data_chunk_get_vector(chunk.chunk, 0),
    rows * stringBytes,
  );
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const lengthOf = (row: number) => view.getUint32(row * stringBytes, true);
  const addressOf = (row: number) =>
    view.getUint32(row * stringBytes + 8, true) +
    view.getUint32(row * stringBytes + 12, true) * 2 ** 32;
  for (let row = 0; row < rows; ) {
    if (lengthOf(row) <= inlineBytesMax) {
      yield data.subarray(row * stringBytes + 4, row * stringBytes + 4 + lengthOf(row));
      row += 1;
      continue;
    }
    const start = addressOf(row);
    let end = start + lengthOf(row);
    let after = row + 1;
    for (; after < rows && lengthOf(after) > inlineBytesMax; after++) {
      const gap = addressOf(after) - end;
      if (gap < 0 || gap > gapBytesMax) break;
      end = addressOf(after) + lengthOf(after);
    }
    const pointerAt = data.byteOffset + row * stringBytes + 8;
    const stretch = duckdb.get_data_from_pointer(
      data.buffer as ArrayBuffer,
      pointerAt,
      end - start,
    );
    for (; row < after; row++) {
      const from = addressOf(row) - start;
      yield stretch.subarray(from, from + lengthOf(row));
    }
  }
}

/**
 * Adds a chunk's lines; returns the batches that became full. In one go, and with a use of the
 * chunk at the end: its memory is only there while it is.
 */
function batchesOf(chunk: DuckDBDataChunk, builder: BatchBuilder): LineBatch[] {
  const full: LineBatch[] = [];
  let rows = 0;
  for (const line of stringsOf(chunk)) {
    if (builder.isFullFor(line.length)) full.push(builder.take()!);
    builder.add(line);
    rows += 1;
  }
  if (rows !== chunk.rowCount) throw new Error(`${chunk.rowCount} rows came as ${rows} lines`);
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
        yield* batchesOf(chunk, builder);
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
