/**
 * The DuckDB file of a snapshot: views over its Parquet files, named and typed for analysts.
 * Their paths are relative to the snapshot's folder, so that it may be moved and copied.
 */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";

export const snapshotFile = "rankstream.duckdb";

/** Metadata as it was sent, values as text; NULL where there is none. */
const asMap = (column: string) => `TRY_CAST(${column}::JSON AS MAP(VARCHAR, VARCHAR))`;

const views = {
  event_counts: `SELECT time_window, event_type, event_id, count, rank, window_size
    FROM read_parquet('event_counts/*.parquet')`,
  raw_events: `SELECT event_id, event_type, event_time::TIMESTAMP AS timestamp, user_id,
      session_id, ${asMap("metadata")} AS metadata, weight, event_time::DATE AS date,
      hour(event_time)::INTEGER AS hour
    FROM read_parquet('raw_events/*.parquet')`,
  event_types: "FROM read_parquet('event_types.parquet')",
  item_labels: "FROM read_parquet('item_labels.parquet')",
  system_metrics: `SELECT sampled_at::TIMESTAMP AS timestamp, name AS metric_name,
      value AS metric_value, coalesce(${asMap("labels")}, MAP {}) AS labels
    FROM read_parquet('system_metrics.parquet')`,
};

/** What a snapshot writes whole: SQL by file. */
export const smallTables = {
  "event_types.parquet": `SELECT coalesce(type.event_type, setting.event_type) AS name,
      description, retention_days,
      coalesce(aggregation_window, 60)::INTEGER AS aggregation_window,
      coalesce(total, 0) AS total, first_seen::TIMESTAMP AS first_seen,
      last_seen::TIMESTAMP AS last_seen
    FROM event_types AS type FULL JOIN type_settings AS setting
      ON type.event_type = setting.event_type
    ORDER BY name`,
  "item_labels.parquet": "FROM item_labels ORDER BY event_type, event_id",
  "system_metrics.parquet": "FROM system_metrics ORDER BY sampled_at, name",
};

const settings = (folder: string) => ({
  file_search_path: folder,
  memory_limit: "64MB",
  threads: "1",
});

/** Makes the file in `folder`, whose Parquet files are there. */
export async function writeViews(folder: string): Promise<void> {
  // An instance of its own: that of the store reaches nothing but by absolute paths.
  const instance = await DuckDBInstance.create(join(folder, snapshotFile), settings(folder));
  try {
    const connection = await instance.connect();
    for (const [name, sql] of Object.entries(views)) {
      await connection.run(`CREATE VIEW ${name} AS ${sql}`);
    }
    connection.closeSync();
  } finally {
    instance.closeSync();
  }
}
