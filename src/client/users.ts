/** Users of whom events are kept, as an administrator asks for their erasure. */
import type { Job } from "./replies.ts";
import { backoffMs, ProblemError, parametersOf, problemOf, sleep } from "./requests.ts";
import type { Transport } from "./transport.ts";

export interface EraseOptions {
  /** Keys of metadata to be removed as well; `*`: all. */
  metadata?: readonly string[];
  /** Remove snapshots that hold events of the user, too. */
  dropSnapshots?: boolean;
  /** Erase nothing, only say what would go. */
  dryRun?: boolean;
  /** Told how far it is, 0..1, where it takes longer. */
  onProgress?: (share: number) => void;
  /** Ends the wait; what was decided goes on. */
  signal?: AbortSignal;
}

/** What an erasure took, or of a dry run would take; the last three not of a dry run. */
export interface ErasureReply {
  dryRun: boolean;
  events: number;
  /** Files that hold some of the events. */
  files: number;
  eventTypes: string[];
  firstSeen: string | null;
  lastSeen: string | null;
  metadataKeys: string[];
  /** Events received up to here are erased, whenever they are counted. */
  erasedThrough?: string;
  /** Those that hold events of the user, or did. */
  snapshots?: { name: string; path: string; events: number; removed: boolean }[];
  /** `holds`: whether the log still has records of before; null: nobody answers. */
  log?: { kind: "embedded" | "kafka"; topic?: string; holds: boolean | null };
}

export class UserClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Erases a user from all events accepted before, and waits until it is done, however long. Asks
   * once: a second call would take what came in between. Throws ProblemError, UnreachableError.
   */
  async erase(userId: string, options: EraseOptions = {}): Promise<ErasureReply> {
    const { metadata = [], dropSnapshots, dryRun, onProgress, signal } = options;
    // By a parameter, since addresses can't hold "." and "..".
    const query = parametersOf({ userId, metadata: [...metadata], dropSnapshots, dryRun });
    const init = { method: "DELETE" };
    const response = await this.#transport.attempt(`/users?${query}`, init, signal);
    if (!response.ok) throw await problemOf(response);
    const reply: unknown = await response.json();
    if (response.status !== 202) return reply as ErasureReply;
    let { job } = reply as { job: Job };
    for (let attempt = 0; job.status !== "done"; attempt++) {
      if (job.status === "failed" || job.status === "cancelled") {
        throw new ProblemError(503, job.error ?? { code: "query_cancelled", detail: job.status });
      }
      onProgress?.(job.progress);
      await sleep(backoffMs(attempt), signal);
      const path = `/jobs/${encodeURIComponent(job.id)}`;
      job = (await (await this.#transport.call(path, {}, signal)).json()) as Job;
    }
    return job.result as ErasureReply;
  }
}
