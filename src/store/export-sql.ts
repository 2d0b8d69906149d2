/** The SQL of an export: which rows, in which columns, in which form of file. */
import { type CountStep, countSteps, type ExportFormat } from "../model-export.ts";
import type { Selection } from "../model-selection.ts";
import { eventCondition } from "./selection-sql.ts";
import { sqlText, sqlTexts, timestampLiteral } from "./sql.ts";

export interface ExportQuery {
  /** Null: all there are. */
  eventTypes: string[] | null;
  /** Epoch ms; `to` is exclusive. */
  from: number;
  to: number;
  /** Types whose events before a time (epoch ms) have expired. */
  horizons: { eventType: string; from: number }[];
  selection?: Selection | undefined;
  /** Without what is kept of other regions (model-regions.ts). */
  isOwnOnly?: boolean;
  format: ExportFormat;
  counts?: CountStep | undefined;
}

/** Begins as `regionTypeName` does. */
const isOfOtherRegion = "starts_with(event_type, chr(31))";

/** A FROM clause with condition of the export's events in `[from, to)`. */
export function eventsFrom(
  query: ExportQuery,
  paths: readonly string[],
  from: number,
  to: number,
): string {
  const { eventTypes, horizons, selection } = query;
  const conditions = [
    `event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}`,
    ...(eventTypes === null ? [] : [`event_type IN (${sqlTexts(eventTypes)})`]),
    ...horizons.map(
      ({ eventType, from: horizon }) =>
        `(event_type <> ${sqlText(eventType)} OR event_time >= ${timestampLiteral(horizon)})`,
    ),
    ...(selection === undefined ? [] : [eventCondition(selection)]),
    ...(query.isOwnOnly === true ? [`NOT ${isOfOtherRegion}`] : []),
  ];
  return `FROM ${readSql(paths)} WHERE ${conditions.join(" AND ")}`;
}

function readSql(paths: readonly string[]): string {
  // No file may hold anything of the range: then there are still the columns.
  if (paths.length === 0) return "(FROM raw_recent LIMIT 0)";
  return `read_parquet([${paths.map(sqlText).join(", ")}], hive_partitioning = false)`;
}

const iso = (time: string) => `strftime(${time}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%gZ')`;
const json = (column: string) => `to_json(${column})::VARCHAR`;

/** Metadata is what came, which may hold line ends between its parts, but in no text. */
const metadata = "translate(metadata, chr(10) || chr(13), '  ')";

const optional = (key: string, condition: string, value: string) =>
  `CASE WHEN ${condition} THEN '' ELSE ',"${key}":' || ${value} END`;

/** One line of NDJSON of an event, as POST /events takes it. */
const eventLine = [
  `'{"eventId":' || ${json("event_id")}`,
  `',"eventType":' || ${json("event_type")}`,
  `',"timestamp":"' || ${iso("event_time")} || '"'`,
  optional("userId", "user_id IS NULL", json("user_id")),
  optional("sessionId", "session_id IS NULL", json("session_id")),
  optional("metadata", "metadata IS NULL", metadata),
  optional("weight", "weight = 1", "weight"),
  "'}'",
].join(" || ");

const countLine = [
  `'{"time":"' || ${iso("time")} || '"'`,
  `',"eventType":' || ${json("event_type")}`,
  `',"eventId":' || ${json("event_id")}`,
  `',"count":' || count`,
  "'}'",
].join(" || ");

function eventColumns(format: ExportFormat): string {
  const time = format === "csv" ? iso("event_time") : "event_time";
  return `event_id AS "eventId", event_type AS "eventType", ${time} AS "timestamp",
    user_id AS "userId", session_id AS "sessionId", ${metadata} AS "metadata", weight`;
}

function countColumns(format: ExportFormat): string {
  const time = format === "csv" ? iso("time") : "time";
  return `${time} AS "time", event_type AS "eventType", event_id AS "eventId", count`;
}

/** The rows of `from` (a FROM clause), as one SELECT. */
function rowsSql({ format, counts }: ExportQuery, from: string): string {
  // A whole range is not sorted at once: that would take as much room again.
  const isSorted = format !== "parquet";
  if (counts === undefined) {
    const columns = format === "ndjson" ? eventLine : eventColumns(format);
    const order = isSorted ? " ORDER BY event_time, event_type, event_id" : "";
    return `SELECT ${columns} ${from}${order}`;
  }
  const step = countSteps[counts];
  const time = `make_timestamp_ms(epoch_ms(event_time) // ${step} * ${step})`;
  const sums = `SELECT ${time} AS time, event_type, event_id, sum(weight)::BIGINT AS count
    ${from} GROUP BY ALL`;
  const order = isSorted ? " ORDER BY time, event_type, count DESC, event_id" : "";
  const columns = format === "ndjson" ? countLine : countColumns(format);
  return `SELECT ${columns} FROM (${sums})${order}`;
}

/** Writes the rows of `from` to a file of the export's format. */
export function copySql(
  query: ExportQuery,
  from: string,
  target: string,
  hasHeader: boolean,
): string {
  const options = {
    // Lines of JSON hold no quote that CSV should double, and are told apart by nothing.
    ndjson: "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\\x01'",
    csv: `FORMAT csv, HEADER ${hasHeader}`,
    parquet: "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2",
  }[query.format];
  return `COPY (${rowsSql(query, from)}) TO ${sqlText(target)} (${options})`;
}
