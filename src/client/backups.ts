/** Backups of a service, as its administrator asks for them. */
import type { Transport } from "./transport.ts";

/** A backup that is being taken, or was. Times are ISO 8601. */
export interface Backup {
  id: string;
  status: "running" | "done" | "failed" | "cancelled";
  /** 0..1. */
  progress: number;
  createdAt: string;
  finishedAt: string | null;
  /** Nothing it counts was received later. */
  receivedThrough: string | null;
  /** Any moment in between can be restored with it; null: only its own. */
  restorableFrom: string | null;
  restorableTo: string | null;
  /** Sum of the weights of all events in it. */
  total: number | null;
  bytes: number | null;
  /** Of what had to be written for it. */
  sentBytes: number | null;
  error?: { code: string; detail: string };
}

export interface Backups {
  /** Where they are. */
  address: string;
  /** The oldest first. */
  backups: Backup[];
  log: { receivedThrough: string | null; waitingBytes: number; gaps: number };
}

/** Each call throws ProblemError, UnreachableError. */
export class BackupClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Begins one, or finds the one under way. */
  async take(signal?: AbortSignal): Promise<Backup> {
    const init = { method: "POST" };
    const reply = await this.#json<{ backup: Backup }>("/admin/backups", init, signal);
    return reply.backup;
  }

  list(signal?: AbortSignal): Promise<Backups> {
    return this.#json("/admin/backups", {}, signal);
  }

  get(id: string, signal?: AbortSignal): Promise<Backup> {
    return this.#json(`/admin/backups/${encodeURIComponent(id)}`, {}, signal);
  }

  /** Ends one that is under way; returns what it is then. */
  cancel(id: string, signal?: AbortSignal): Promise<Backup> {
    const init = { method: "DELETE" };
    return this.#json(`/admin/backups/${encodeURIComponent(id)}`, init, signal);
  }

  async #json<T>(path: string, init: RequestInit, signal?: AbortSignal): Promise<T> {
    return (await (await this.#transport.call(path, init, signal)).json()) as T;
  }
}
