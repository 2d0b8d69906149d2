/**
 * The thread that owns the DuckDB instance: commits what ingest workers hand over, in the order
 * it comes, and answers the main thread's reads beside that.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { nodeFiles } from "../files.ts";
import { threadLogger } from "../telemetry-thread.ts";
import { adopt } from "./adopt.ts";
import { cutHandlers } from "./base-cuts.ts";
import { type OnTouch, type Touched, toldTables } from "./changes.ts";
import type { Committer } from "./checkpoint.ts";
import { CoarseWindows, coarseDefaults } from "./coarse.ts";
import { Commits } from "./commits.ts";
import { Compactor, compactDefaults } from "./compact.ts";
import { newestMinuteOf, readEventTypes, readProgress } from "./contents.ts";
import { versionOf } from "./data-version.ts";
import { type Database, ownReadBudgetMs } from "./database.ts";
import { Deleter, deleteDefaults } from "./delete.ts";
import { type EraseDeps, Eraser, eraseDefaults, eraseHandlers } from "./erase.ts";
import { ErasedArrivals } from "./erased-arrivals.ts";
import { Exports, exportsDefaults } from "./exports.ts";
import { GiveUp } from "./give-up.ts";
import { Graves } from "./graves.ts";
import { KeptAnswers, keptHandlers } from "./kept-answers.ts";
import { LakeCheckpointer } from "./lake-checkpoint.ts";
import { LakeDatabase } from "./lake-database.ts";
import { LakeLife } from "./lake-life.ts";
import type { MirrorStep } from "./lake-mirror.ts";
import { Maintenance } from "./maintenance.ts";
import { checkFormat, storeFormat } from "./migrations.ts";
import {
  type CallMessage,
  type FromStoreThread,
  type StoreCallHandlers,
  type StoreCalls,
  type StoreTask,
  type StoreThreadData,
  type TickMessage,
  type ToStoreThread,
  thrown,
} from "./protocol.ts";
import { type ReadSources, readHandlers } from "./read-handlers.ts";
import { regionHandlers } from "./region-handlers.ts";
import { rowHandlers } from "./row-handlers.ts";
import { type FolderIdentity, prepareSchema } from "./schema.ts";
import { readSeen } from "./seen.ts";
import { Snapshots, snapshotDefaults } from "./snapshot.ts";
import { StagedTables } from "./staged.ts";
import type { Adopted, Adoption, CheckpointPart, ReadControl } from "./store.ts";
import { claimsOf, openCommitter, openContents, openDatabase, upkeepOf } from "./store-parts.ts";
import type { Fold } from "./windows.ts";

const main = parentPort!;

function send(message: FromStoreThread): void {
  main.postMessage(message);
}
const logger = threadLogger((line) => send({ kind: "log", line }));

function onTask(task: StoreTask, seconds: number): void {
  send({ kind: "task_done", task, seconds });
}

function tellFailed(error: unknown): void {
  send({ kind: "task_failed" });
  logger.error({ part: "store", reason: thrown(error).message }, "maintenance failed");
}

class StoreThread {
  readonly #database: Database;
  readonly #data: StoreThreadData;
  readonly #lake: LakeDatabase | null;
  #checkpointer: Committer | null = null;
  #maintenance: Maintenance | null = null;
  /** What questions are answered from. */
  #sources: ReadSources | null = null;
  #deleter: Deleter | null = null;
  #eraser: Eraser | null = null;
  #snapshots: Snapshots | null = null;
  #exports: Exports | null = null;
  #kept: KeptAnswers | null = null;
  #offsets: number[] = [];
  #mutations = 0;
  readonly #commits: Commits;
  #life: LakeLife | null = null;
  #closing = false;
  readonly #giveUp: GiveUp;
  /** Calls under way, by id. */
  readonly #calls = new Map<number, AbortController>();
  /** Aborted when commits are to be tried only once more. */
  readonly #lastTry = new AbortController();

  constructor(database: Database, data: StoreThreadData) {
    this.#database = database;
    this.#lake = database instanceof LakeDatabase ? database : null;
    this.#data = data;
    this.#giveUp = new GiveUp(send, this.#lake !== null);
    this.#commits = new Commits({
      committer: () => this.#checkpointer!,
      onCommitted: (part, touched) => this.#onCommitted(part, touched),
      onFailure: (error) => this.#giveUp.look(error),
      isClosing: () => this.#closing,
      lastTry: this.#lastTry.signal,
      send,
      logger,
    });
  }

  stepped({ offsets, mutations, touched, tables }: MirrorStep): void {
    [this.#offsets, this.#mutations] = [offsets, Math.max(mutations, this.#mutations)];
    this.#note(touched);
    // First of all: what is answered from then on shows them.
    const kept = toldTables.filter((name) => tables?.includes(name) ?? true);
    if (kept.length > 0) send({ kind: "rows_changed", tables: kept });
    send({ kind: "followed", offsets, mutations, touched });
  }

  readonly handlers: StoreCallHandlers = {
    prepare: (wanted) => this.#prepare(wanted),
    adopt: (adoption) => this.#adopt(adoption),
    // Of a lake the mirror has none of it.
    loadSeen: () => this.#lake?.write(readSeen) ?? this.#database.read(ownReadBudgetMs, readSeen),
    eventTypes: () => this.#database.read(ownReadBudgetMs, readEventTypes),
    ...readHandlers(() => this.#sources!),
    ...cutHandlers(() => this.#sources!),
    ...eraseHandlers(() => this.#eraser!),
    ...rowHandlers({
      database: () => this.#database,
      coarse: () => this.#sources!.coarse,
      kept: () => this.#kept!,
      claims: () => claimsOf(this.#lake, this.#data.answers),
      onMutation: (touched, mutations) => this.#tellMutated(touched, mutations),
    }),
    ...regionHandlers(() => this.#database, (workerData as StoreThreadData).folder),
    ...keptHandlers(() => this.#kept!),
    takeSnapshot: (name, control) => this.#snapshots!.take(name, control.signal),
    snapshots: () => this.#snapshots!.list(),
    dropSnapshot: (name) => this.#snapshots!.drop(name),
    openExport: (query, control) => this.#exports!.open(query, control.signal),
    exportSlice: ({ id, index }, control) => this.#exports!.slice(id, index, control.signal),
    closeExport: (id) => this.#exports!.close(id),
    deleteEvents: ({ isDryRun, ...scope }, control) =>
      isDryRun
        ? this.#deleter!.dryRun(scope, control.signal)
        : this.#deleter!.run(scope, control.signal),
    close: async () => {
      this.#closing = true;
      for (const part of this.#stoppable) await part?.stop();
      await this.#life?.close();
      await this.#database.close();
      return null;
    },
    abandon: async () => {
      this.#closing = true;
      this.lastTry();
      await this.#database.abandon();
      return null;
    },
  };

  async #adopt(adoption: Adoption): Promise<Adopted> {
    if (this.#checkpointer instanceof LakeCheckpointer) return this.#checkpointer.adopt(adoption);
    const adopted = await this.#database.write((connection) => adopt(connection, adoption));
    for (let partition = this.#offsets.length; partition < adopted.offsets.length; partition++) {
      this.#offsets.push(adopted.offsets[partition]!);
    }
    return adopted;
  }

  connect(port: MessagePort): void {
    this.#commits.connect(port);
  }

  want(offsets: readonly number[]): void {
    this.#life?.want(offsets);
  }

  #onCommitted({ offsets }: CheckpointPart, touched: Touched[]): number[] | null {
    if (this.#lake !== null) {
      this.#life?.committed();
      return null;
    }
    for (const { partition, next } of offsets) this.#offsets[partition] = next;
    this.#note(touched);
    return [...this.#offsets];
  }

  /**
   * The service is stopping: maintenance gives way to the last commits, and those that failed
   * before are tried once more.
   */
  lastTry(): void {
    this.#lastTry.abort();
    for (const part of this.#stoppable) void part?.stop();
  }

  get #stoppable() {
    return [this.#maintenance, this.#deleter, this.#eraser, this.#snapshots, this.#exports];
  }

  /** Seals and tidies; a failure is told and tried again at the next tick. */
  async maintain({ appliedThrough }: TickMessage): Promise<void> {
    const isStopping = this.#closing || this.#lastTry.signal.aborted;
    if (isStopping || this.#life?.isLeader === false) return;
    this.#goOnDeleting();
    try {
      await this.#maintenance?.run(appliedThrough);
    } catch (error) {
      if (this.#lastTry.signal.aborted) return;
      this.#giveUp.look(error);
      tellFailed(error);
    }
  }

  async answer({ id, name, argument, control }: CallMessage): Promise<void> {
    const calls = this.#calls;
    const stop = new AbortController();
    calls.set(id, stop);
    const { reportsProgress, ...more } = control;
    const onProgress = (share: number) => send({ kind: "progress", id, share });
    const given = {
      ...more,
      signal: stop.signal,
      ...(reportsProgress === true && { onProgress }),
    };
    try {
      const handler = this.handlers[name] as (a: unknown, c: ReadControl) => Promise<unknown>;
      send({ kind: "result", id, value: await handler(argument, given) });
    } catch (error) {
      send({ kind: "error", id, error: thrown(error) });
    } finally {
      calls.delete(id);
    }
  }

  cancel(id: number): void {
    this.#calls.get(id)?.abort();
  }

  #note(touched: readonly Touched[]): void {
    this.#kept?.note(versionOf(this.#offsets, this.#mutations), touched);
  }

  #tellMutated(touched: Touched[], mutations: number): void {
    this.#mutations = mutations;
    this.#note(touched);
    const undone = touched.map((one) => ({ ...one, undoes: true as const }));
    send({ kind: "mutated", touched: undone, mutations });
  }

  async #prepare(wanted: FolderIdentity): Promise<StoreCalls["prepare"][1]> {
    const { writer } = this.#database;
    const { program } = this.#data;
    const prepare = () => this.#database.write((c) => prepareSchema(c, wanted, program));
    const identity = await (this.#lake === null ? prepare() : this.#lake.catalog.alone(prepare));
    const staged = new StagedTables();
    staged.register(writer);
    const { folder, candidatesMax, coarsenAfterMs } = this.#data;
    const {
      place: rawPlace,
      rawFiles,
      sketches,
      sealer,
    } = await openContents(this.#database, this.#data, {
      seed: identity.seed,
      onTask,
    });
    const database = this.#database;
    const kept = await this.#loadKept();
    const onTouch: OnTouch = (connection, touched) => kept.dropTouched(connection, touched);
    const arrivals = await ErasedArrivals.load(writer);
    const committing = { staged, rawFiles, sealer, arrivals, onTouch };
    this.#checkpointer = await openCommitter(database, wanted, committing);
    const compactor = new Compactor(database, {
      ...compactDefaults,
      isNeeded: this.#lake === null,
    });
    const fold: Fold = (connection, level) => sealer.fold(connection, level);
    const coarse = await CoarseWindows.open(
      { database, rawFiles, compactor, fold },
      { ...coarseDefaults, coarsenAfterMs },
    );
    this.#deleter = new Deleter(
      {
        database,
        rawFiles,
        checkpointer: this.#checkpointer!,
        compactor,
        fold,
        coarse,
        onDelete: ({ eventType, from, to }, mutations) =>
          this.#tellMutated([{ eventType, from, to }], mutations),
        onTouch,
        claims: this.#lake?.catalog,
      },
      { ...deleteDefaults, candidatesMax },
    );
    const graves = new Graves(database, compactor, deleteDefaults.vectorsMax);
    const parts = { database, sealer, rawFiles, compactor, graves, coarse };
    const isMine = () => this.#life?.isLeader !== false;
    const upkeep = upkeepOf(this.#lake, { place: rawPlace, data: this.#data, logger });
    const more = { upkeep, isMine, lastCommit: () => this.#commits.last, onTask, logger };
    this.#maintenance = new Maintenance({ ...parts, ...more });
    this.#sources = { database, rawFiles, sketches, coarse };
    const place = { folder, files: nodeFiles };
    this.#snapshots = await Snapshots.open(database, rawFiles, { ...snapshotDefaults, ...place });
    this.#exports = await Exports.start(database, rawFiles, { ...exportsDefaults, ...place });
    await this.#openEraser({ database, rawFiles, arrivals, onTouch });
    await this.#live();
    const { seed, formatBefore } = identity;
    const reached = { offsets: [...this.#offsets], mutations: this.#mutations };
    const newestMinute = await database.write(newestMinuteOf);
    return { seed, ...reached, newestMinute, formatBefore, format: storeFormat };
  }

  /** Goes on with what was left; of a lake the leader does. */
  async #live(): Promise<void> {
    if (this.#lake === null) return this.#goOnDeleting();
    this.#life = new LakeLife({
      lake: this.#lake,
      place: this.#data.lake!,
      answers: this.#data.answers,
      maintains: this.#data.maintains,
      onWanted: (offsets) => send({ kind: "wanted", offsets }),
      onReached: (offsets) => send({ kind: "followed", offsets, mutations: 0, touched: [] }),
      onLeader: (isLeader) => {
        logger.info({ part: "store", isLeader }, "whose turn maintenance is has changed");
        send({ kind: "turned", isMine: isLeader });
        if (isLeader) this.#goOnDeleting();
      },
      onFailure: (error, what) => {
        this.#giveUp.look(error);
        logger.warn({ part: "store", reason: thrown(error).message }, what);
      },
    });
    await this.#life.start();
  }

  /** Erases users, and goes on with what was begun. */
  async #openEraser(parts: Pick<EraseDeps, "database" | "rawFiles" | "arrivals" | "onTouch">) {
    const deps: EraseDeps = {
      ...parts,
      checkpointer: this.#checkpointer!,
      exports: this.#exports!,
      snapshots: this.#snapshots!,
      onErase: (touched, mutations) => {
        this.#tellMutated(touched, mutations);
        send({ kind: "erased", eventTypes: touched.map(({ eventType }) => eventType) });
      },
      onFailure: (err) => logger.warn({ err }, "users are not erased yet; it is tried again"),
      claims: claimsOf(this.#lake, this.#data.answers),
    };
    this.#eraser = await Eraser.open(deps, eraseDefaults);
  }

  /** How far the data is, and the answers kept of it. */
  async #loadKept(): Promise<KeptAnswers> {
    ({ offsets: this.#offsets, mutations: this.#mutations } = await readProgress(
      this.#database.writer,
    ));
    const version = versionOf(this.#offsets, this.#mutations);
    this.#kept = await KeptAnswers.load(this.#database, this.#data.keptAnswers, version);
    return this.#kept;
  }

  /** What a stop, a crash or a failure has left of deletes. */
  #goOnDeleting(): void {
    this.#deleter?.goOn().catch((error) => {
      if (!this.#closing && !this.#lastTry.signal.aborted) tellFailed(error);
    });
  }
}

async function start(data: StoreThreadData): Promise<void> {
  let onStep: (step: MirrorStep) => void = () => undefined;
  const database = await openDatabase(data, (step) => onStep(step));
  // Before anything else is opened or mended that a later version may have written otherwise.
  await checkFormat(database.writer, data.program);
  const thread = new StoreThread(database, data);
  onStep = (step) => thread.stepped(step);
  main.on("message", (message: ToStoreThread) => {
    if (message.kind === "connect") thread.connect(message.port);
    else if (message.kind === "last_try") thread.lastTry();
    else if (message.kind === "tick") void thread.maintain(message);
    else if (message.kind === "want") thread.want(message.offsets);
    else if (message.kind === "cancel") thread.cancel(message.id);
    else void thread.answer(message);
  });
  send({ kind: "open" });
}

start(workerData as StoreThreadData).catch((error) =>
  send({ kind: "refused", error: thrown(error) }),
);
