/**
 * Where the files of raw events lie: a folder of this process alone, one that several processes
 * write, or a bucket of S3. Paths are those of the manifest (`raw/date=…/hour=…/name.parquet`).
 * A file never changes, and no two writers ever choose the same name (raw-files.ts).
 */

/** A file being read from its begin to its end, once; to be closed. */
export interface OpenedRaw {
  /** Its length. */
  readonly bytes: number;
  /** The next `length` bytes, fewer at the end; they are good until the next call. */
  next(length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What lies at the place, named by the manifest or not. */
export interface PlacedFile {
  path: string;
  /** Epoch ms by the place's own clock. */
  modifiedAt: number;
}

export interface RawPlace {
  /** Whether other processes write here: what no row names may be theirs, not committed yet. */
  readonly isShared: boolean;
  /** A replaced file is kept here no shorter, whatever else is asked for. */
  readonly keptMsMin: number;
  /** Whether `keep` writes the file a second time. */
  readonly keepsCopies: boolean;
  /**
   * Whether files that nobody asks for are to be held against their checksums too, when there is
   * time: after each start that reads all there are.
   */
  readonly isLookedAfter: boolean;
  /** Files that may be read at once. */
  readonly readsAtOnce: number;
  /** What stands before each path in what `locate` returns. */
  readonly base: string;
  /** What DuckDB reads the file by, and a person knows it by. */
  locate(path: string): string;
  /**
   * Has `copy` write the file to what it is given, and resolves to what that returned once the
   * file is durable and whole. Of a failure nothing is there by this path, unless only the answer
   * was lost: a sweep takes what that leaves.
   */
  write<T>(path: string, copy: (target: string) => Promise<T>): Promise<T>;
  /** Opens the file; null where there is none. */
  open(path: string): Promise<OpenedRaw | null>;
  /** Puts the file, or another name of it, at `target`, an absolute path of this machine. */
  keep(path: string, target: string): Promise<void>;
  /** Removes files; one that is not there is no error. */
  remove(paths: readonly string[]): Promise<void>;
  /** All that lies below `raw/`, a thousand at a time or fewer. */
  list(): AsyncIterable<PlacedFile[]>;
  /** Ends writes begun so long ago that never came to their end, where `list` tells none of it. */
  endUploads(olderThanMs: number): Promise<number>;
  /** Lets go of the connections of a place that has any. */
  close?(): Promise<void>;
}

/**
 * How long a replaced file is kept where other processes read it, whose reads nobody here sees:
 * longer than any goes on, of which an export's or a snapshot's may take an hour.
 */
export const sharedKeptMsMin = 2 * 3_600_000;

/** Files that `list` tells at once. */
export const listedAtOnce = 1000;
