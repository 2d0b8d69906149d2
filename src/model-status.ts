/** What GET /status says, to whoever asks and of whichever process. Times are ISO 8601 UTC. */

/** Events since the start of a process, and how many a second lately. */
export interface EventRate {
  total: number;
  /** Over the last 10 seconds. */
  perSecond: number;
  perSecondLastMinute: number;
}

export interface DiskStatus {
  storeBytes: number;
  /** Of the log in the data folder; null where the log is elsewhere. */
  logBytes: number | null;
  freeBytes: number;
  totalBytes: number;
}

/** How a service is, at a glance. */
export interface Status {
  status: "ready" | "not_ready";
  /** The parts that are missing. */
  notReady: string[];
  roles: ("edge" | "ingest" | "query")[];
  version: string;
  now: string;
  startedAt: string;
  uptimeSeconds: number;
  /** What the process took into the log; null where it appends nothing itself. */
  accepted: EventRate | null;
  /** What it counted; null without a store, as are lag, checkpoints and disk. */
  counted: EventRate | null;
  /** `ms`: how old the oldest event is, at most, that is acknowledged and not counted. */
  lag: { ms: number; records: number; asOf: string | null } | null;
  checkpoints: { count: number; lastAt: string | null; ageMs: number | null } | null;
  disk: DiskStatus | null;
  live: { clients: number; boards: number };
  memory: { rssBytes: number; heapBytes: number; bufferBytes: number };
  /** What the service behind a node says; null where there is none, or it was not asked for. */
  upstream: UpstreamStatus | null;
}

export interface UpstreamStatus {
  reachable: boolean;
  status: Status | null;
}
