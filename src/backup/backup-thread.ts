/** The thread that reads, packs and sends: it waits and computes while the service goes on. */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { RankstreamError } from "../errors.ts";
import { SerialQueue } from "../serial-queue.ts";
import { thrown } from "../store/protocol.ts";
import { type BaseLogEnd, BaseWriter, type Known, knownOf } from "./base-writer.ts";
import { writeErasures } from "./erasure-documents.ts";
import { LogArchive, logArchiveDefaults } from "./log-archive.ts";
import { type LogPart, parsePart, runFrom, segmentPrefix } from "./log-parts.ts";
import { openDestination } from "./open-destination.ts";
import type {
  BackupCallName,
  BackupCalls,
  BackupThreadData,
  BaseRequest,
  FromBackupThread,
  ToBackupThread,
} from "./protocol.ts";
import { Repository } from "./repository.ts";
import { listBases, reaches } from "./restore-plan.ts";
import { prune, safeMs } from "./retention.ts";

const main = parentPort!;
/** The log's head is told so often where nothing comes. */
const headMsMax = 60_000;

type Handlers = {
  [Name in BackupCallName]: (argument: BackupCalls[Name][0]) => Promise<BackupCalls[Name][1]>;
};

function send(message: FromBackupThread): void {
  main.postMessage(message);
}

class BackupThread {
  readonly #data: BackupThreadData;
  #repository: Repository | null = null;
  #archive: LogArchive | null = null;
  /** Copies of the log, one after another. */
  readonly #copies = new SerialQueue();
  #headAt = Number.NEGATIVE_INFINITY;
  #partsAtHead = -1;
  #known: Known | null = null;
  #base: { writer: BaseWriter; segment: number | null } | null = null;
  /** Of the base under way, from before the first that is waited for. */
  #stop = new AbortController();

  constructor(data: BackupThreadData) {
    this.#data = data;
  }

  readonly handlers: Handlers = {
    open: async () => {
      const { destination, folder, log } = this.#data;
      if (this.#repository === null) {
        this.#repository = await Repository.open(await openDestination(destination), {
          create: true,
        });
      }
      if (log.kind === "embedded") {
        const options = { ...logArchiveDefaults, folder: join(folder, "log"), logId: log.id };
        this.#archive ??= await LogArchive.open(this.#repository, options);
      }
      const { bases } = await this.#repository.readBases();
      const newest = bases.findLast((base) => base.log.id === log.id);
      return { newestAt: newest?.createdAt ?? null, archive: this.#archive?.state ?? null };
    },
    copyLog: (argument) => this.#copies.run(() => this.#copyLog(argument)),
    readBase: (request) => this.#readBase(request),
    sendBase: async () => {
      const { writer } = this.#base!;
      await writer.send();
      return { damaged: writer.damaged };
    },
    finishBase: async (end) => {
      const { writer, segment } = this.#base!;
      await this.#checkLog(segment, end);
      this.#stop.signal.throwIfAborted();
      const manifest = await writer.finish(end);
      this.#known = writer.known;
      return manifest;
    },
    endBase: async () => {
      await this.#base?.writer.close();
      this.#base = null;
      return null;
    },
    writeErasures: async (erased) => {
      await writeErasures(this.#opened, erased);
      return null;
    },
    prune: () => {
      const { keep: rules, logMs, log } = this.#data;
      // What is known to be there may go: the next base looks again.
      this.#known = null;
      return prune(this.#opened, { rules, logMs, safeMs }, log.id, Date.now());
    },
    list: () => listBases(this.#opened),
    close: async () => {
      await this.#repository?.destination.close();
      return null;
    },
  };

  get #opened(): Repository {
    if (this.#repository !== null) return this.#repository;
    throw new RankstreamError("backup_unreachable", "the repository is not open");
  }

  async #copyLog({ end, through }: BackupCalls["copyLog"][0]) {
    const archive = this.#archive!;
    await archive.copyTo(end);
    const isNew = archive.state.parts !== this.#partsAtHead;
    if (isNew || performance.now() - this.#headAt >= headMsMax) {
      await archive.writeHead(through);
      this.#headAt = performance.now();
      this.#partsAtHead = archive.state.parts;
    }
    return archive.state;
  }

  async #readBase({ segment, ...request }: BaseRequest): Promise<null> {
    const { folder, version, log } = this.#data;
    const stop = new AbortController();
    this.#stop = stop;
    this.#known ??= await knownOf(this.#opened);
    const source = { ...request, folder, version, log: { ...log, segment } };
    const onProgress = (share: number) => send({ kind: "progress", share });
    const hooks = { onProgress, signal: stop.signal };
    const writer = new BaseWriter(this.#opened, source, this.#known, hooks);
    this.#base = { writer, segment };
    await writer.read();
    return null;
  }

  /** Without the log from its segment on, a base is of several moments at once. */
  async #checkLog(segment: number | null, { end }: BaseLogEnd): Promise<void> {
    if (segment === null || end === null) return;
    const { destination } = this.#opened;
    const parts: LogPart[] = [];
    for (let sequence = segment; sequence <= end.segment; sequence++) {
      for await (const { name } of destination.list(segmentPrefix(this.#data.log.id, sequence))) {
        const part = parsePart(name);
        if (part !== null) parts.push(part);
      }
    }
    if (reaches(runFrom(parts, segment), end)) return;
    const detail = "a part of the log that goes with the backup was freed before it was copied";
    throw new RankstreamError("backup_unreachable", detail);
  }

  cancel(): void {
    const reason = new RankstreamError("backup_cancelled", "the backup was stopped");
    this.#stop.abort(reason);
  }

  async answer(id: number, name: BackupCallName, argument: unknown): Promise<void> {
    try {
      const handler = this.handlers[name] as (argument: unknown) => Promise<unknown>;
      send({ kind: "result", id, value: await handler(argument) });
    } catch (error) {
      send({ kind: "error", id, error: thrown(error) });
    }
  }
}

const thread = new BackupThread(workerData as BackupThreadData);
main.on("message", (message: ToBackupThread) => {
  if (message.kind === "cancel") thread.cancel();
  else void thread.answer(message.id, message.name, message.argument);
});
