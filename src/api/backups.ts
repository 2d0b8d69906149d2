/** /admin/backups: bases of the store, taken and listed (backup/). */
import type { FastifyInstance } from "fastify";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import { checkNames, type RawQuery } from "./parameters.ts";
import { ref } from "./schema.ts";

/** Each throws `backups_off` where no place for backups is named. */
export interface BackupPort {
  /** Begins one, or finds the one under way. */
  take(): Promise<BackupReply>;
  list(): Promise<object>;
  /** Throws `backup_not_found`. */
  find(id: string): Promise<BackupReply>;
  /** Ends one that is under way, and leaves any other as it is. Throws `backup_not_found`. */
  cancel(id: string): Promise<BackupReply>;
}

/** A backup as it is told of. */
export interface BackupReply {
  id: string;
  finishedAt: string | null;
}

const pollAfterSeconds = 1;
const path = {
  id: { description: "The backup.", schema: { type: "string", minLength: 1 } },
};

const docs = Object.freeze({
  take: {
    summary: "Back the store up",
    description:
      "To where `backupTo` says. It is of one moment, holds everything acknowledged before, and " +
      "goes on by itself; where one is under way, that one is told.",
    reply: {
      status: 202,
      description: "It has begun.",
      schema: ref("AcceptedBackup"),
      headers: { Location: "The backup.", "Retry-After": "When to look again, seconds." },
    },
    problems: [403, 409],
  },
  list: {
    summary: "The backups there are",
    reply: { status: 200, description: "The oldest first.", schema: ref("Backups") },
    problems: [409],
  },
  get: {
    summary: "How far a backup is",
    path,
    reply: { status: 200, description: "The backup.", schema: ref("Backup") },
    problems: [404, 409],
  },
  cancel: {
    summary: "Stop a backup that is under way",
    description: "Nothing is kept of it then. One that is done stays.",
    path,
    reply: { status: 200, description: "What it is now.", schema: ref("Backup") },
    problems: [403, 404, 409],
  },
}) satisfies Record<string, RouteDoc>;

/** Adds the routes. */
export function addBackups(app: FastifyInstance, port: BackupPort): void {
  const idOf = (params: unknown) => (params as { id: string }).id;
  app.get("/admin/backups", { config: { doc: docs.list } }, async (request) => {
    checkNames(request.query as RawQuery, {});
    return port.list();
  });
  app.post("/admin/backups", { config: { doc: docs.take } }, async (request, reply) => {
    checkOrigin(request);
    checkNames(request.query as RawQuery, {});
    const backup = await port.take();
    reply.code(202).headers({
      location: `/admin/backups/${backup.id}`,
      "retry-after": String(pollAfterSeconds),
    });
    return { backup };
  });
  app.get("/admin/backups/:id", { config: { doc: docs.get } }, async (request, reply) => {
    checkNames(request.query as RawQuery, {});
    const backup = await port.find(idOf(request.params));
    if (backup.finishedAt === null) reply.header("retry-after", String(pollAfterSeconds));
    return backup;
  });
  app.delete("/admin/backups/:id", { config: { doc: docs.cancel } }, async (request) => {
    checkOrigin(request);
    checkNames(request.query as RawQuery, {});
    return port.cancel(idOf(request.params));
  });
}
