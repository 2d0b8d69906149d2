/** V8's CPU profiles: files of `node --cpu-prof`. */
import { basename } from "node:path";

/** A call, with those below it by their ids. */
export interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

export interface CpuProfile {
  nodes: ProfileNode[];
  /** Node at work, and microseconds since the sample before. */
  samples: number[];
  timeDeltas: number[];
}

/** Seconds of each node itself, by its id. */
export function selfSeconds({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const seconds = new Map<number, number>();
  for (const [at, id] of samples.entries()) {
    seconds.set(id, (seconds.get(id) ?? 0) + timeDeltas[at]! / 1e6);
  }
  return seconds;
}

/** The file's name without its folder; Node's own as they are. */
export function fileOf({ callFrame: { url } }: ProfileNode): string {
  return url.startsWith("node:") ? url : basename(url);
}

export function isIdle({ callFrame: { functionName } }: ProfileNode): boolean {
  return functionName === "(idle)";
}
