/**
 * Takes an export from a service and sees to it that it is whole: the reply must end as such, and
 * hold as many events as its head said.
 */
import { Agent, request } from "undici";
import { ProblemError, UnreachableError } from "../client/client.ts";
import type { ExportFormat } from "../model-export.ts";
import { ImportError } from "./import-error.ts";

export interface Download {
  /** How many events come; null where the service doesn't say. */
  events: number | null;
  /** The bytes. Throws ImportError where they break off or the events are not as many. */
  body: AsyncGenerator<Buffer>;
}

export interface DownloadOptions {
  format: ExportFormat;
  signal: AbortSignal;
  /** Says who asks. */
  key?: string;
  /** Told how many events have come; of Parquet, how many bytes. */
  onProgress(taken: number): void;
}

const lineFeed = 0x0a;
const quote = 0x22;
const connectMsMax = 10_000;
/** The first bytes come once everything before is counted. */
const noTimeout = 0;

/** Counts rows of CSV or NDJSON as their bytes go by. */
export class RowCounter {
  rows: number;
  readonly #hasQuotes: boolean;
  #isQuoted = false;

  constructor(format: "csv" | "ndjson") {
    this.#hasQuotes = format === "csv";
    // The header is none.
    this.rows = this.#hasQuotes ? -1 : 0;
  }

  add(chunk: Buffer): void {
    if (this.#hasQuotes && (this.#isQuoted || chunk.includes(quote))) {
      for (const byte of chunk) {
        if (byte === quote) this.#isQuoted = !this.#isQuoted;
        else if (byte === lineFeed && !this.#isQuoted) this.rows++;
      }
      return;
    }
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, at + 1)) {
      this.rows++;
    }
  }
}

/** Holds the last bytes of a Parquet file against its format. */
class ParquetEnd {
  bytes = 0;
  #last = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#last = Buffer.concat([this.#last, chunk.subarray(-4)]).subarray(-4);
  }

  get isWhole(): boolean {
    return this.#last.toString("latin1") === "PAR1";
  }
}

async function* checked(
  body: AsyncIterable<Buffer>,
  events: number | null,
  { format, signal, onProgress }: DownloadOptions,
): AsyncGenerator<Buffer> {
  const counter = format === "parquet" ? null : new RowCounter(format);
  const parquet = new ParquetEnd();
  try {
    for await (const chunk of body) {
      counter?.add(chunk);
      parquet.add(chunk);
      onProgress(counter?.rows ?? parquet.bytes);
      yield chunk;
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new ImportError(`the export broke off (${why}); it is not whole`, { cause: error });
  }
  const isShort = counter !== null && events !== null && counter.rows !== events;
  if (isShort) {
    throw new ImportError(`the export is not whole: ${counter.rows} of ${events} events came`);
  }
  if (counter === null && !parquet.isWhole) throw new ImportError("the export is not whole");
}

/**
 * Asks for an export. `path` is that of GET /export with its query. Throws ProblemError,
 * UnreachableError.
 */
export async function download(
  url: string,
  path: string,
  options: DownloadOptions,
): Promise<Download> {
  const dispatcher = new Agent({
    connect: { timeout: connectMsMax },
    headersTimeout: noTimeout,
    bodyTimeout: noTimeout,
  });
  const { signal, key } = options;
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const asked = { dispatcher, signal, headers };
  const answer = await request(`${url}${path}`, asked).catch((cause) => {
    if (signal.aborted) throw signal.reason;
    const why = cause.code ?? cause.message;
    throw new UnreachableError(`no service answers at ${url} (${why})`, { cause });
  });
  if (answer.statusCode !== 200) {
    const text = await answer.body.text();
    throw new ProblemError(answer.statusCode, problemIn(text));
  }
  const said = answer.headers["x-rankstream-events"];
  const events = said === undefined ? null : Number(said);
  return { events, body: checked(answer.body, events, options) };
}

function problemIn(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // A proxy's page, say: the status is all there is.
    return {};
  }
}
