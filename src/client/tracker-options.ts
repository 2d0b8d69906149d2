/** What a tracker can be told, and what it does untold: in a page other things than elsewhere. */
import type { Refusal } from "./batch-outcome.ts";
import type { FlushTimeoutError } from "./flush-waiters.ts";
import { isServer } from "./leaving.ts";
import type { ProblemError, UnreachableError } from "./requests.ts";
import type { BatchStorage } from "./stored-batches.ts";

const KiB = 1024;
const everywhere = {
  exitMsMax: 10_000,
  storedCharsMax: 256 * KiB,
};
const serverDefaults = {
  ...everywhere,
  keys: "lasting" as const,
  batchEventsMax: 1000,
  batchBytesMax: 256 * KiB,
  batchMsMax: 250,
  bufferedEventsMax: 100_000,
  bufferedBytesMax: 32 * KiB * KiB,
};
const pageDefaults = {
  ...everywhere,
  keys: "hourly" as const,
  batchEventsMax: 100,
  batchBytesMax: 16 * KiB,
  batchMsMax: 1000,
  bufferedEventsMax: 10_000,
  bufferedBytesMax: 2 * KiB * KiB,
};

export interface TrackerOptions {
  /** A batch is sent once it has so many events. Default 1000, in pages 100. */
  batchEventsMax?: number;
  /** … or so many bytes; default 256 KiB, in pages 16 KiB. */
  batchBytesMax?: number;
  /** … or its first event has waited so long. Default 250 ms, in pages 1 s. */
  batchMsMax?: number;
  /** Events held until they are answered; beyond, `track()` says no. 100,000, in pages 10,000. */
  bufferedEventsMax?: number;
  /** Their bytes. Default 32 MiB, in pages 2 MiB. */
  bufferedBytesMax?: number;
  /** How long the end of a Node process is held up for what is not sent. Default 10 s. */
  exitMsMax?: number;
  /**
   * How long the service remembers the keys. `lasting`: for good, for programs: it remembers
   * 100,000 trackers. `hourly`: for an hour, for pages, of which there may be any number.
   * Default `lasting`, in pages `hourly`.
   */
  keys?: "lasting" | "hourly";
  /** Where a page leaves what it could not send, for the next one: `localStorage`. */
  storage?: BatchStorage;
  /** Characters left there at most. Default 256 Ki. */
  storedCharsMax?: number;
  /** Hears of events that the service won't count. Never of those that it may yet take. */
  onRefused?: (refusal: Refusal) => void;
  /** Hears of attempts that failed and are made again. */
  onError?: (error: ProblemError | UnreachableError | FlushTimeoutError) => void;
  /** Epoch ms, for events without a time. Default `Date.now`. */
  now?: () => number;
}

type Settings = TrackerOptions & Required<Pick<TrackerOptions, keyof typeof pageDefaults>>;

/** The options with a default for each bound. */
export function trackerSettings(options: TrackerOptions): Settings {
  // A member that is undefined must not hide a default.
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const defaults = isServer() ? serverDefaults : pageDefaults;
  return { ...defaults, ...(Object.fromEntries(given) as TrackerOptions) };
}
