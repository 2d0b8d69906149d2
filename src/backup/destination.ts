/** Where backups lie: named objects that are written whole or not at all. */
import { RankstreamError } from "../errors.ts";

/** An object as a listing tells of it. */
export interface StoredObject {
  /** Parts of letters, digits, dots, dashes and underscores, between slashes. */
  name: string;
  bytes: number;
  /** Epoch ms of its last writing. */
  modifiedAt: number;
}

/** Every call throws `backup_unreachable` where the place doesn't do it. */
export interface Destination {
  /** As the user named it, without secrets. */
  readonly address: string;
  /** The object; null where there is none. */
  get(name: string): Promise<Buffer | null>;
  /** Writes the object, also over one that is there. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Writes the object; false where there is one of this name, which stays as it is. */
  create(name: string, bytes: Uint8Array): Promise<boolean>;
  /** The objects whose names begin with `prefix`, in no order. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Removes those that are there. */
  remove(names: readonly string[]): Promise<void>;
  /** All that was written before is durable, names included, when it resolves. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** What failed at `address`, as an error of its own; a RankstreamError as it is. */
export function unreachable(address: string, what: string, cause: unknown): RankstreamError {
  if (cause instanceof RankstreamError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code ?? message ?? String(cause);
  const options = { cause, retryAfterSeconds: 30 };
  return new RankstreamError("backup_unreachable", `${address}: ${what} failed (${why})`, options);
}
