/**
 * Errors of DuckDB over a lake, as they may be told.
 *
 * Where PostgreSQL is gone in the middle of a statement that reads rows kept there, DuckLake looks
 * into the answer that never came, and DuckDB calls that an error of its own. By itself it would
 * give the database up then, until the process is started anew, and end the process when that is
 * closed; so the settings of a lake's instance say not to (open-instance.ts). The transaction is
 * rolled back as after any other failure.
 *
 * Where PostgreSQL refuses a statement, the error quotes it as a whole, with users' ids and
 * metadata: rows that come to it, and the least and greatest value of each column of a file.
 */
import { RankstreamError } from "../errors.ts";

const cutOffForm = "INTERNAL Error: Attempted to access index 0 within vector of size 0";

/** Where a statement is quoted, with its first word, which may stay. */
const quotedStatement = /\bFailed to (?:execute|prepare|fetch)\b[^"\n]*"\w*/;
/** Between a statement and what PostgreSQL says of it; a statement may hold it, too. */
const statementEnd = '": ';
/** Where PostgreSQL begins to say which values it was about. */
const ownDetails = /\n(?:DETAIL|LINE|CONTEXT|HINT|QUERY)\b[\s\S]*$/;

/**
 * The first by its name, `store_failed`; the second without statement and values; others as they
 * are.
 */
export function namedLakeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { message } = error;
  if (message.includes(cutOffForm)) {
    const detail = "the lake's PostgreSQL: its connection was lost while rows were read";
    return new RankstreamError("store_failed", detail, { cause: error });
  }
  const said = withoutStatement(message);
  return said === message ? error : new Error(said);
}

/** Where it isn't plain where a statement ends, nothing after its beginning stays. */
function withoutStatement(message: string): string {
  const begin = quotedStatement.exec(message);
  if (begin === null) return message;
  const [before, after] = [begin.index + begin[0].length, message.lastIndexOf(statementEnd)];
  const head = `${message.slice(0, before)}…"`;
  if (after < before) return head;
  return `${head}: ${message.slice(after + statementEnd.length).replace(ownDetails, "")}`;
}

/** Runs `work`, and names what it throws. */
export async function namingLakeErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw namedLakeError(error);
  }
}
