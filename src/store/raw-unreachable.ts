/** Files of raw events in S3 that could not be read or written: a failure that may pass. */
import { RankstreamError } from "../errors.ts";

const retryAfterSeconds = 5;

/** `where` is a file or the place, `what` was being done there. */
export function rawUnreachable(where: string, what: string, cause: unknown): RankstreamError {
  if (cause instanceof RankstreamError) return cause;
  const { name, message } = cause as Error;
  const why = /^(?:Error|TypeError)$/.test(name) ? message : `${name}: ${message}`;
  const [line] = why.split("\n");
  const detail = `${where}: ${what}: ${line}`;
  return new RankstreamError("raw_unreachable", detail, { cause, retryAfterSeconds });
}

/** DuckDB's error of a request to S3, named; others as they are. */
export function namedS3Error(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const request = /\b(?:for HTTP|HTTP) [A-Z]+ (?:to|error reading) '([^']+)'/.exec(error.message);
  if (request === null) return error;
  return rawUnreachable(request[1]!, "reading", error);
}
