/** What is asked of the store about erasing users, and what it answers. */

export interface EraseQuery {
  userId: string;
  /** Keys of metadata that go with user and session; `*` stands for all. */
  metadataKeys: string[];
  /** Whether snapshots that hold events of the user are removed. */
  dropsSnapshots: boolean;
  /** The id of who asked. */
  owner: string;
  /** How long it is known after its end. */
  keepMs: number;
}

/** An erased user as a backup keeps it: columns of table erased_users. */
export interface ErasedUser {
  userHash: string;
  /** Epoch ms. */
  erasedAt: number;
  metadataPatch: string | null;
  dropsMetadata: boolean;
}

/** Erased users, and the key that their hashes are made with. */
export interface ErasedUsers {
  key: string;
  users: ErasedUser[];
}

/** A place in table erased_users, whose order is that of erasures, then of hashes. */
export interface ErasedPlace {
  erasureId: number;
  userHash: string;
}

export interface ErasedUsersPage extends ErasedUsers {
  /** Where the next page begins; null: this was the last one. */
  next: ErasedPlace | null;
  /** Erasures below this one are done: nothing changes of them but that they are joined. */
  settledBelow: number;
}

/** A snapshot that holds events of the user as they came. */
export interface HoldingSnapshot {
  name: string;
  /** Absolute. */
  path: string;
  events: number;
  isRemoved: boolean;
}

/** What an erasure takes, or would take. */
export interface ErasedEvents {
  events: number;
  /** Files that hold some of them. */
  files: number;
  /** Of the events, by name. */
  eventTypes: string[];
  /** Epoch ms of the first and last event; null when there is none. */
  firstSeen: number | null;
  lastSeen: number | null;
}

/** What became of an erasure, as far as it is known. */
export interface ErasureAnswer extends ErasedEvents {
  /** Events received up to this moment (epoch ms) are erased, whenever they are counted. */
  erasedThrough: number;
  /** Offsets up to which the log may hold the user, by partition. */
  offsets: number[];
}

/**
 * `finding`: it is decided, and what it takes is being looked for. `removing`: nobody reads what
 * is erased any more, and files are being written anew. `done`: nothing in the store holds it.
 */
export type ErasureStatus = "finding" | "removing" | "done";

/** What the main thread asks of the store about erasures. */
export interface ErasureStore {
  /** What one would take right now. */
  measure(userId: string, signal?: AbortSignal): Promise<ErasedEvents>;
  /** Decides one: resolves once that is committed. Throws `too_many_deletes`. */
  begin(query: EraseQuery): Promise<ErasureInfo>;
  /** What became of it; null of one not known. Waits for its end, `waitMs` at most. */
  info(jobId: string, waitMs: number): Promise<ErasureInfo | null>;
  /** In the order of their making. */
  list(): Promise<ErasureInfo[]>;
  /** Forgets one that is done; users stay erased. */
  drop(jobId: string): Promise<null>;
  /** Erased users behind a place, some thousands at once. */
  erasedUsers(after: ErasedPlace): Promise<ErasedUsersPage>;
  /** Grows with every change of erased users, from 0 at the start. */
  readonly changes: number;
  /** Called, after the change, when users of events of these types are erased. */
  onErase(listener: (eventTypes: readonly string[]) => void): void;
}

export interface ErasureInfo {
  jobId: string;
  owner: string;
  status: ErasureStatus;
  /** 0..1. */
  progress: number;
  /** Epoch ms. */
  createdAt: number;
  finishedAt: number | null;
  expiresAt: number | null;
  /** Why the last try failed; it is tried again. */
  error: { code: string; detail: string } | null;
  /** JSON, a list. */
  metadataKeys: string;
  /** An ErasureAnswer as JSON; null while it is being looked for. */
  answer: string | null;
  /** A list of HoldingSnapshot as JSON; looked for last: null before. */
  snapshots: string | null;
}
