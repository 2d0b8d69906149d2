/** What GET /status says, as the client hands it on. Times are ISO 8601 UTC. */

/** Events since the start of a process, and how many a second lately. */
export interface EventRate {
  total: number;
  /** Over the last 10 seconds. */
  perSecond: number;
  perSecondLastMinute: number;
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
  /** `logBytes` is null where the log is elsewhere. */
  disk: {
    storeBytes: number;
    logBytes: number | null;
    freeBytes: number;
    totalBytes: number;
  } | null;
  live: { clients: number; boards: number };
  memory: { rssBytes: number; heapBytes: number; bufferBytes: number };
  /** What the service behind a node says; null where there is none. */
  upstream: { reachable: boolean; status: Status | null } | null;
}
