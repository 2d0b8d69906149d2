// What a campaign is held against: a log and what of it can break. Another log is one more row.
import { type LoadPoint, passesMax } from "./kills.ts";

export interface CrashTarget {
  readonly name: string;
  /** The service's options that name the log, for a data folder made anew. */
  logArgs(): string[];
  /** Points at which the service can die with this log. */
  readonly points: readonly LoadPoint[];
  /** The log's files are the service's own, in its data folder. */
  readonly ownsLogFiles: boolean;
  stop(): Promise<void>;
}

/** Small segments, so that they are closed and removed all the time. */
const embedded: CrashTarget = {
  name: "embedded",
  logArgs: () => ["--log-segment-bytes", "1MiB", "--log-bytes-max", "64MiB"],
  points: Object.keys(passesMax) as LoadPoint[],
  ownsLogFiles: true,
  stop: async () => undefined,
};

const targets: Record<string, () => Promise<CrashTarget>> = {
  embedded: async () => embedded,
};

/** Starts what the target needs beside the service. */
export function startTarget(name: string): Promise<CrashTarget> {
  const start = targets[name];
  const known = Object.keys(targets).join(", ");
  if (start === undefined) throw new Error(`target: expected one of ${known}, got ${name}`);
  return start();
}
