/** What a process says of itself at a glance: how fast, how far behind, how full. */
import { lstat, readdir, statfs } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { type Config, processFigures, rolesOf } from "./config.ts";
import type { DiskStatus, EventRate, Status, UpstreamStatus } from "./model-status.ts";
import type { Upstream } from "./query/upstream.ts";
import type { Metrics } from "./telemetry-metrics.ts";

const sampleIntervalMs = 1000;
const shortWindowMs = 10_000;
const longWindowMs = 60_000;
/** One a second for the long window, and the one before it. */
const samplesMax = longWindowMs / sampleIntervalMs + 1;
const diskIntervalMs = 15_000;
/** Files of a store looked at; beyond, its size is only what these take. */
const filesMax = 20_000;
const upstreamIntervalMs = 1000;
const upstreamMsMax = 1500;
/** Of the data folder: the log tells its own size, snapshots are mostly links to the store's. */
const notOfStore = new Set(["log", "snapshots"]);

/** How a number grew lately, from one sample a second. */
export class Rate {
  readonly #read: () => number;
  readonly #samples: { at: number; value: number }[] = [];

  /** `read` says the number now; `now` is ms of a clock that only goes forward. */
  constructor(read: () => number, now: number) {
    this.#read = read;
    this.note(now);
  }

  /** Takes a sample; at most 61 are kept. */
  note(now: number): void {
    this.#samples.push({ at: now, value: this.#read() });
    if (this.#samples.length > samplesMax) this.#samples.shift();
  }

  /** The number since the start, and per second over the last 10 s and 60 s, as far as known. */
  view(now: number): EventRate {
    const total = this.#read();
    const over = (windowMs: number) => {
      const since = this.#samples.find(({ at }) => at >= now - windowMs) ?? this.#samples.at(-1)!;
      const ms = Math.max(now - since.at, 1);
      // Over less than a second a single batch would look like a flood.
      return Math.round(((total - since.value) / Math.max(ms, sampleIntervalMs)) * 1e4) / 10;
    };
    return { total, perSecond: over(shortWindowMs), perSecondLastMinute: over(longWindowMs) };
  }
}

/** Bytes of a store's files: DuckDB's own, raw events in Parquet, whatever else there is. */
export interface StoreBytes {
  database: number;
  raw: number;
  other: number;
}

/** Which of them a file of the store's folder belongs to, by its path there. */
function storePartOf(path: string): keyof StoreBytes {
  if (path.startsWith("store.duckdb")) return "database";
  return path.startsWith(`raw${sep}`) ? "raw" : "other";
}

/** Bytes of the files in a store's folder, those of the log and of snapshots left out. */
export async function storeBytesIn(folder: string): Promise<StoreBytes> {
  const bytes: StoreBytes = { database: 0, raw: 0, other: 0 };
  let files = 0;
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    // What goes while it is looked at takes no room any more.
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (at === folder && notOfStore.has(entry.name)) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (++files <= filesMax) {
        const { size } = await lstat(path).catch(() => ({ size: 0 }));
        bytes[storePartOf(relative(folder, path))] += size;
      }
    }
    if (files > filesMax) break;
  }
  return bytes;
}

/** What the store takes, and what its disk has. */
export interface DiskFigures {
  store: StoreBytes;
  freeBytes: number;
  totalBytes: number;
}

async function diskOf(
  folder: string,
  elsewhere: CountingParts["storeBytes"],
): Promise<DiskFigures> {
  const [here, there, { bavail, blocks, bsize }] = await Promise.all([
    storeBytesIn(folder),
    elsewhere(),
    statfs(folder),
  ]);
  // Of a store elsewhere the folder has what may be made anew.
  const other = here.database + here.raw + here.other;
  const store = there === null ? here : { ...there, other };
  return { store, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** The value of `make`, made anew once it is older than `ageMsMax`; shared by who asks at once. */
function keptFor<T>(ageMsMax: number, make: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | null = null;
  let madeAt = 0;
  return () => {
    if (kept !== null && performance.now() - madeAt < ageMsMax) return kept;
    madeAt = performance.now();
    kept = make();
    kept.catch(() => {
      kept = null;
    });
    return kept;
  };
}

/** The upstream's status without that of its own upstream; a node may be its own. */
async function statusOf(upstream: Upstream): Promise<UpstreamStatus> {
  try {
    const signal = AbortSignal.timeout(upstreamMsMax);
    const status = (await upstream.json("/status?upstream=false", signal)) as Status;
    return { reachable: true, status };
  } catch {
    return { reachable: false, status: null };
  }
}

/** What only the process with the store knows. */
export interface CountingParts {
  /** Events counted since the start. */
  counted: () => number;
  checkpoints: () => number;
  onCommit: (listener: () => void) => void;
  /** Records that wait in the log. */
  waitingRecords: () => number;
  /** Everything acknowledged up to here is counted, epoch ms; 0 while that is not known. */
  countedThrough: () => number;
  logBytes: () => number | null;
  /** Bytes of a store that is not in the data folder; null: it is. */
  storeBytes: () => Promise<Pick<StoreBytes, "database" | "raw"> | null>;
}

export interface StatusDeps {
  config: Config;
  version: string;
  metrics: Metrics;
  notReady: () => readonly string[];
  /** Null on a node without a store. */
  counting: CountingParts | null;
  upstream: Upstream | null;
  /** Whether this process appends what it takes to the log itself. */
  hasLog: boolean;
}

const acceptedName = "rankstream_events_accepted_total";

/** Says how this process is, whenever it is asked (GET /status). */
export class StatusDesk {
  readonly #deps: StatusDeps;
  readonly #startedAt = Date.now();
  readonly #startedMs = performance.now();
  readonly #accepted: Rate | null;
  readonly #counted: Rate | null;
  readonly #sampling: NodeJS.Timeout;
  /** At most 15 s old. */
  readonly disk: () => Promise<DiskFigures>;
  readonly #upstream: () => Promise<UpstreamStatus>;
  #committedAt: number | null = null;

  constructor(deps: StatusDeps) {
    const { metrics, counting, hasLog, config, upstream } = deps;
    this.#deps = deps;
    const now = performance.now();
    this.#accepted = hasLog ? new Rate(() => metrics.value(acceptedName), now) : null;
    this.#counted = counting && new Rate(counting.counted, now);
    counting?.onCommit(() => {
      this.#committedAt = Date.now();
    });
    this.#sampling = setInterval(() => {
      this.#accepted?.note(performance.now());
      this.#counted?.note(performance.now());
    }, sampleIntervalMs);
    this.#sampling.unref();
    const elsewhere = counting?.storeBytes ?? (async () => null);
    this.disk = keptFor(diskIntervalMs, () => diskOf(config.dataDir, elsewhere));
    this.#upstream = keptFor(upstreamIntervalMs, () => statusOf(upstream!));
  }

  /** Asks nothing of the store; the disk is looked at once in 15 s, the upstream once a second. */
  async read(withUpstream: boolean): Promise<Status> {
    const { notReady, version, metrics, config, upstream } = this.#deps;
    const now = performance.now();
    const roles = rolesOf(config);
    const missing = notReady();
    return {
      status: missing.length === 0 ? "ready" : "not_ready",
      notReady: [...missing],
      roles: (["edge", "ingest", "query"] as const).filter((role) => roles[role]),
      version,
      now: new Date().toISOString(),
      startedAt: new Date(this.#startedAt).toISOString(),
      uptimeSeconds: Math.floor((now - this.#startedMs) / 1000),
      accepted: this.#accepted?.view(now) ?? null,
      counted: this.#counted?.view(now) ?? null,
      lag: this.#lag(),
      checkpoints: this.#checkpoints(),
      disk: await this.#diskStatus(),
      live: {
        clients: metrics.value("rankstream_live_clients"),
        boards: metrics.value("rankstream_live_boards"),
      },
      memory: processFigures(),
      upstream: upstream === null || !withUpstream ? null : await this.#upstream(),
    };
  }

  #lag(): Status["lag"] {
    const { counting } = this.#deps;
    if (counting === null) return null;
    const through = counting.countedThrough();
    return {
      ms: this.lagMs,
      records: counting.waitingRecords(),
      asOf: through === 0 ? null : new Date(through).toISOString(),
    };
  }

  /** How old the oldest event is, at most, that waits to be counted; 0 where nobody counts. */
  get lagMs(): number {
    const { counting } = this.#deps;
    if (counting === null || counting.waitingRecords() === 0) return 0;
    // What waits came after all was last known to be counted.
    return Math.max(0, Date.now() - Math.max(counting.countedThrough(), this.#startedAt));
  }

  #checkpoints(): Status["checkpoints"] {
    const { counting } = this.#deps;
    if (counting === null) return null;
    const at = this.#committedAt;
    return {
      count: counting.checkpoints(),
      lastAt: at === null ? null : new Date(at).toISOString(),
      ageMs: at === null ? null : Math.max(0, Date.now() - at),
    };
  }

  async #diskStatus(): Promise<DiskStatus | null> {
    const { counting } = this.#deps;
    if (counting === null) return null;
    const disk = await this.disk().catch(() => null);
    if (disk === null) return null;
    const { store, freeBytes, totalBytes } = disk;
    const storeBytes = store.database + store.raw + store.other;
    return { storeBytes, freeBytes, totalBytes, logBytes: counting.logBytes() };
  }

  close(): void {
    clearInterval(this.#sampling);
  }
}
