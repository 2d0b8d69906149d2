/** What a series is read from: pieces of windows, deltas, and raw events in parts of minutes. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { type BinEdge, type BinPlan, numbersSql, type Piece, planBins } from "./bins.ts";
import type { TypeId } from "./exact.ts";
import type { SeriesQuery } from "./item-questions.ts";
import type { RawFiles } from "./raw-files.ts";
import { sqlText, timestampLiteral } from "./sql.ts";

/** Parts of minutes that each get a look of their own for the files that may hold them. */
const edgesApartMax = 4;
/** What one question is made of. */
export interface SeriesPlan extends BinPlan, TypeId {
  binCount: number;
  /** SQL of (bin, start, event_id, weight): raw events in parts of minutes; null for none. */
  raw: string | null;
  /** The minutes of parts that are too large to read. */
  loose: Piece[];
}

/** SQL of (bin, start, event_id, weight), a row an event. */
async function rawSql(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  edges: readonly BinEdge[],
  eventType: string,
): Promise<string | null> {
  if (edges.length === 0) return null;
  const within = (from: number, to: number) => `event_type = ${sqlText(eventType)}
    AND event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}`;
  if (edges.length <= edgesApartMax) {
    const sources: string[] = [];
    for (const { from, to, bin } of edges) {
      const source = await rawFiles.source(connection, from, to);
      sources.push(`SELECT ${bin} AS bin, ${Math.floor(from / minuteMs)} AS start, event_id, weight
        FROM ${source} WHERE ${within(from, to)}`);
    }
    return sources.join(" UNION ALL ");
  }
  const [from, to] = [edges[0]!.from, edges.at(-1)!.to];
  const source = await rawFiles.source(connection, from, to);
  const column = (name: "from" | "to" | "bin") =>
    `${numbersSql(edges.map((edge) => edge[name]))} AS edge_${name}`;
  return `SELECT edge_bin AS bin, event_ms // ${minuteMs} AS start, event_id, weight
    FROM (SELECT epoch_ms(event_time) AS event_ms, event_id, weight FROM ${source}
      WHERE ${within(from, to)}) AS own
    ASOF JOIN (SELECT ${column("from")}, ${column("to")}, ${column("bin")}) AS edge
      ON own.event_ms >= edge.edge_from WHERE own.event_ms < edge.edge_to`;
}

/** How to answer `query` of one event type, in the reader's transaction. */
export async function planSeries(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  { typeId, eventType }: TypeId,
  query: Pick<SeriesQuery, "bounds" | "isExact" | "edgeRowsMax">,
): Promise<SeriesPlan> {
  const plan = await planBins(connection, rawFiles, typeId, query.bounds);
  const edges: BinEdge[] = [];
  const loose: Piece[] = [];
  for (const edge of plan.edges) {
    const { from, to, bin } = edge;
    const isRead =
      query.isExact || (await rawFiles.rowsIn(connection, from, to)) <= query.edgeRowsMax;
    const start = Math.floor(from / minuteMs);
    if (isRead) edges.push(edge);
    else loose.push({ start, end: start + 1, bin });
  }
  const raw = await rawSql(connection, rawFiles, edges, eventType);
  return { ...plan, typeId, eventType, binCount: query.bounds.length - 1, raw, loose };
}

/** A plan for each of the types; these have the same bins, minutes and parts of minutes. */
export async function planAll(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  types: readonly TypeId[],
  query: Pick<SeriesQuery, "bounds" | "isExact" | "edgeRowsMax">,
): Promise<SeriesPlan[]> {
  const plans: SeriesPlan[] = [];
  for (const type of types) plans.push(await planSeries(connection, rawFiles, type, query));
  return plans;
}

/** A condition on the types' rows. */
export function ofTypes(types: readonly Pick<TypeId, "typeId">[]): string {
  return `type_id IN (${types.map(({ typeId }) => typeId).join(", ")})`;
}

/** SQL of (start, total): what count_deltas holds, a row a minute; to be followed by AND. */
export function deltaTotals(types: readonly Pick<TypeId, "typeId">[]): string {
  return `SELECT start, total FROM (SELECT minute AS start, sum(count)::BIGINT AS total
    FROM count_deltas WHERE ${ofTypes(types)} GROUP BY minute) WHERE true`;
}

/** A result's columns as numbers, null for NULL. For small results only. */
export async function columnsOf(connection: DuckDBConnection, sql: string) {
  const reader = await connection.runAndReadAll(sql);
  const columns = reader.getColumns();
  // Without rows there are no columns either.
  return reader
    .columnNames()
    .map((_, i) => (columns[i] ?? []).map((value) => (value === null ? null : Number(value))));
}

export function zeros(size: number): number[] {
  return new Array<number>(size).fill(0);
}
