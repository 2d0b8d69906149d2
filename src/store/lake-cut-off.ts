/**
 * Where PostgreSQL is gone in the middle of a statement that reads rows kept there, DuckLake looks
 * into the answer that never came, and DuckDB calls that an error of its own. By itself it would
 * give the database up then, until the process is started anew, and end the process when that is
 * closed; so the settings of a lake's instance say not to (open-instance.ts). The transaction is
 * rolled back as after any other failure.
 */
import { RankstreamError } from "../errors.ts";

const cutOffForm = "INTERNAL Error: Attempted to access index 0 within vector of size 0";

/** That error by its name, `store_failed`; other errors as they are. */
export function namedCutOff(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.includes(cutOffForm)) return error;
  const detail = "the lake's PostgreSQL: its connection was lost while rows were read";
  return new RankstreamError("store_failed", detail, { cause: error });
}

/** Runs `work`, and names what it throws. */
export async function namingCutOff<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw namedCutOff(error);
  }
}
