/** The store's answers to questions: each in a read transaction of its own, in its lane. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { readApprox } from "./approx.ts";
import type { CoarseWindows, Needs } from "./coarse.ts";
import { readCompared } from "./compare.ts";
import type { Database, ReadOptions } from "./database.ts";
import { readExact } from "./exact.ts";
import { readItem, readItems } from "./item.ts";
import type { StoreCallHandlers } from "./protocol.ts";
import type { RawFiles } from "./raw-files.ts";
import { readSeries } from "./series.ts";
import type { Sketches } from "./sketches.ts";
import type { ReadControl } from "./store.ts";
import { readTrending } from "./trending.ts";

type ReadName = "exact" | "trending" | "approx" | "item" | "items" | "series";

export type ReadHandlers = Pick<StoreCallHandlers, ReadName>;

/** What questions are answered from. */
export interface ReadSources {
  database: Database;
  rawFiles: RawFiles;
  sketches: Sketches | null;
  coarse: CoarseWindows;
}

/** Reads that may take long: at most one at a time beside quick ones, or apart from all. */
function slow(control: ReadControl): ReadOptions {
  return { ...control, lane: control.isApart === true ? "apart" : "slow" };
}

/** Epoch ms where a range begins and ends, and the one it is compared with. */
function endsOf({ from, to, previous }: Ends): number[] {
  return previous === undefined ? [from, to] : [from, to, previous.from, previous.to];
}

interface Ends {
  from: number;
  to: number;
  previous?: { from: number; to: number } | undefined;
}

/** `sources` is asked at each question: the handlers may be made before the store is open. */
export function readHandlers(sources: () => ReadSources): ReadHandlers {
  /** Reads once the windows are there that a question with these ends needs. */
  const ask = async <Answer>(
    { eventTypes, times, budgetMs }: Needs,
    options: ReadOptions,
    read: (connection: DuckDBConnection, from: ReadSources) => Promise<Answer>,
  ): Promise<Answer> => {
    const from = sources();
    const { database, coarse } = from;
    return coarse.during({ eventTypes, times, budgetMs }, () =>
      database.read(budgetMs, (connection) => read(connection, from), options),
    );
  };
  return {
    exact: (query, control) =>
      ask({ ...query, times: endsOf(query) }, slow(control), (c, { rawFiles }) =>
        (query.previous ? readCompared : readExact)(c, rawFiles, query),
      ),
    trending: (query, control) =>
      ask({ ...query, times: endsOf(query) }, slow(control), (c, { rawFiles }) =>
        readTrending(c, rawFiles, query),
      ),
    approx: (query, control) =>
      ask({ ...query, times: endsOf(query) }, control, (c, { rawFiles, sketches }) =>
        readApprox(c, rawFiles, sketches, query),
      ),
    item: (query, control) =>
      ask(
        { ...query, times: [...endsOf(query), ...query.bounds] },
        slow(control),
        (c, { rawFiles }) => readItem(c, rawFiles, query),
      ),
    items: (query, control) =>
      ask({ ...query, times: endsOf(query) }, slow(control), (c, { rawFiles }) =>
        readItems(c, rawFiles, query),
      ),
    series: (query, control) =>
      ask(
        { ...query, times: query.bounds },
        query.isExact || query.hasDistinct ? slow(control) : control,
        (c, { rawFiles }) => readSeries(c, rawFiles, query),
      ),
  };
}
