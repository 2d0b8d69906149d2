/**
 * The one small interface through which log segments and Parquet files reach the disk, so that
 * a model of power loss (test/support) can stand in for it: what is not synced may be dropped,
 * torn or reordered there.
 */

/** A file being written at its end. Writes are in order; none is durable before `sync`. */
export interface AppendFile {
  /** Bytes written so far. */
  readonly size: number;
  append(chunks: readonly Uint8Array[]): Promise<void>;
  /** fdatasync: all appended bytes are durable when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Files {
  /** Creates the folder and its parents where missing, and syncs the parents made. */
  makeFolder(path: string): Promise<void>;
  /** Names in the folder, sorted; a missing folder is empty. */
  list(path: string): Promise<string[]>;
  /** Size in bytes; null when there is no such file. */
  size(path: string): Promise<number | null>;
  /** Up to `length` bytes from `position`; shorter at the file's end. */
  read(path: string, position: number, length: number): Promise<Uint8Array>;
  /** Opens for appending; creates an empty file where there is none. */
  openAppend(path: string): Promise<AppendFile>;
  /** Cuts the file to `size` bytes and syncs it. */
  truncate(path: string, size: number): Promise<void>;
  /** fsync of a file that something else wrote. */
  syncFile(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** fsync of the folder: creations, renames and removals in it are durable after. */
  syncFolder(path: string): Promise<void>;
}
