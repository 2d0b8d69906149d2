/**
 * Named places at which a crash test lets the process die: with `name` in the environment's
 * RANKSTREAM_FAIL_POINT the process kills itself (SIGKILL) when a thread first comes there, with
 * `name:n` the n-th time. Worker threads inherit the environment and count for themselves.
 */
export type FailPointName =
  | "log.before_write"
  | "log.after_write"
  | "log.after_sync"
  | "log.segment_created"
  | "log.before_trim"
  | "edge.before_reply"
  | "ingest.before_checkpoint"
  | "store.in_transaction"
  | "store.before_commit"
  | "store.after_commit"
  | "parquet.half_written"
  | "parquet.after_write"
  | "parquet.after_rename"
  | "seal.minutes_folded"
  | "seal.before_commit"
  | "seal.before_build_commit"
  | "raw.before_replace_commit"
  | "flush.noted"
  | "flush.before_commit"
  | "flush.after_commit"
  | "merge.noted"
  | "merge.before_commit"
  | "merge.after_commit"
  | "delete.in_transaction"
  | "delete.before_commit"
  | "delete.after_commit"
  | "coarse.before_commit"
  | "coarse.before_restore_commit"
  | "snapshot.before_rename"
  | "erase.before_begin_commit"
  | "erase.after_begin_commit"
  | "erase.in_transaction"
  | "erase.before_mark_commit"
  | "erase.after_mark_commit"
  | "scrub.tables_rewritten"
  | "scrub.filled"
  | "erase.before_done_commit"
  | "migrate.after_step"
  | "migrate.before_commit"
  | "carry.after_begin"
  | "carry.before_note"
  | "carry.after_note"
  | "carry.in_tables"
  | "carry.before_commit"
  | "carry.after_commit"
  | "carry.before_finish"
  | "backup.after_read"
  | "backup.after_object"
  | "backup.before_manifest"
  | "backup.after_part"
  | "restore.after_file"
  | "restore.before_names"
  | "restore.between_names"
  | "region.before_append"
  | "region.after_append";

const [wanted = "", nth = "1"] = (process.env["RANKSTREAM_FAIL_POINT"] ?? "").split(":");
const isSet = wanted !== "";
let passesLeft = Number(nth);

/** Dies here when asked to; without the variable it costs one comparison. */
export function failPoint(name: FailPointName): void {
  if (!isSet || name !== wanted) return;
  passesLeft--;
  if (passesLeft === 0) process.kill(process.pid, "SIGKILL");
}
