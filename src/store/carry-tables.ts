/**
 * What a lake's tables hold of a store that is carried there, as SQL. The store is attached as
 * `store`, and nothing writes to it meanwhile.
 *
 * As they are: windows with their lists, tails and sketches, what is not folded yet, coarse
 * windows, labels, settings, erased users, finished jobs, the service's own numbers, small
 * batches of raw events. Otherwise: event types (lake-types.ts), offsets and counted batches
 * (lake-partitions.ts), files of raw events (carry-raw.ts).
 */
import { carriedWhole } from "../model-seen.ts";
import { levels } from "./windows.ts";

/** The name of the store's file, as DuckDB attaches it. */
export const storeName = "store";

/** The log that the lake goes on with. */
export type CarriedLog =
  | { kind: "same" }
  /** All of the store's own log is counted; of this one nothing is. */
  | { kind: "other"; logId: string; beginOffsets: readonly number[] };

/** A table of the lake, and SQL of its rows. */
export interface CarriedTable {
  name: string;
  rows: string;
  /** Whether a new lake's has rows, in whose place these come. */
  isFilled?: true;
}

/**
 * Tables of a lake that hold nothing of the store's tables of these names, or that are filled
 * otherwise: what was deleted and erased was applied to the files of raw events, types that are
 * gone are left behind, and so are answers that were kept.
 */
export const tablesNotCarried: readonly string[] = [
  "deletes_under_way",
  "kept_answers",
  "leadership",
  "meta",
  "raw_erasures",
  "raw_files",
  "raw_tombstones",
  "type_graves",
  "type_incarnations",
];

const asTheyAre = [
  "erased_users",
  "erasures",
  "item_labels",
  "mutations",
  "raw_recent",
  "system_metrics",
];
const ofTypes = [
  "coarse_windows",
  "pending_windows",
  ...levels.flatMap(({ name }) =>
    ["window", "list", "tail", "sketch"].map((kind) => `${kind}_${name}`),
  ),
];

/** What lies in the store of types that are gone is cleared away there, later. */
function ofLivingTypes(rows: string): string {
  return `SELECT * FROM (${rows}) SEMI JOIN ${storeName}.event_types USING (type_id)`;
}

/** Tables that do not depend on the log. */
function contents(log: CarriedLog): CarriedTable[] {
  const deltas = `FROM ${storeName}.count_deltas`;
  // Another log's partitions are others.
  const ofLog = log.kind === "same" ? deltas : `SELECT * REPLACE (0 AS partition) ${deltas}`;
  return [
    { name: "event_type_parts", rows: `FROM ${storeName}.event_types` },
    { name: "erasure_key", rows: `FROM ${storeName}.erasure_key`, isFilled: true },
    ...asTheyAre.map((name) => ({ name, rows: `FROM ${storeName}.${name}` })),
    {
      name: "jobs",
      rows: `FROM ${storeName}.jobs WHERE status IN ('done', 'failed', 'cancelled')`,
    },
    {
      // A lake keeps minutes of every type.
      name: "type_settings",
      rows: `SELECT * REPLACE (CASE WHEN aggregation_window > 60 THEN 60
          ELSE aggregation_window END AS aggregation_window)
        FROM ${storeName}.type_settings`,
    },
    { name: "count_deltas", rows: ofLivingTypes(ofLog) },
    ...ofTypes.map((name) => ({ name, rows: ofLivingTypes(`FROM ${storeName}.${name}`) })),
  ];
}

/** Of the same log: each partition goes on as it is. */
function samePartitions(partitionCount: number): CarriedTable[] {
  const own = Array.from({ length: partitionCount }, (_, p) => p);
  return [
    {
      name: "offsets_reached",
      rows: `SELECT partition, next_offset, tail, newest_received_at
        FROM ${storeName}.log_offsets JOIN ${storeName}.seen_times USING (partition)`,
      isFilled: true,
    },
    ...own.flatMap((p): CarriedTable[] => [
      { name: `seen_keys_${p}`, rows: `FROM ${storeName}.seen_keys WHERE partition = ${p}` },
      { name: `seen_runs_${p}`, rows: `FROM ${storeName}.seen_runs WHERE partition = ${p}` },
    ]),
  ];
}

/**
 * Of another log, whose partitions are others: each batch that was counted, and all of each was,
 * is known in every partition, into however many it would be split now.
 */
function otherPartitions(beginOffsets: readonly number[]): CarriedTable[] {
  const begins = beginOffsets.map((begin, p) => `(${p}, ${begin}::BIGINT, NULL::VARCHAR)`);
  return [
    {
      name: "offsets_reached",
      rows: `SELECT partition, next_offset, tail, newest_received_at
        FROM (VALUES ${begins.join(", ")}) AS begin (partition, next_offset, tail),
          (SELECT coalesce(max(newest_received_at), 0) AS newest_received_at
            FROM ${storeName}.seen_times) AS times`,
      isFilled: true,
    },
    ...beginOffsets.flatMap((_, p): CarriedTable[] => [
      {
        name: `seen_keys_${p}`,
        rows: `SELECT ${p} AS partition,
            row_number() OVER (ORDER BY received_at, ordinal, key) AS ordinal, key, producer,
            digest, received_at, ${carriedWhole} AS partition_count
          FROM (SELECT key, any_value(producer) AS producer, any_value(digest) AS digest,
              max(received_at) AS received_at, min(ordinal) AS ordinal
            FROM ${storeName}.seen_keys GROUP BY key)`,
      },
      {
        name: `seen_runs_${p}`,
        rows: `SELECT DISTINCT ${p} AS partition, producer, first_sequence, last_sequence
          FROM ${storeName}.seen_runs`,
      },
    ]),
  ];
}

/** All tables of the lake with rows of the store; `partitionCount` as the lake has it. */
export function carriedTables(log: CarriedLog, partitionCount: number): CarriedTable[] {
  const own =
    log.kind === "same" ? samePartitions(partitionCount) : otherPartitions(log.beginOffsets);
  return [...contents(log), ...own];
}
