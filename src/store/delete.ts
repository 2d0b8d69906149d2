/**
 * Deletes: of an event type, of a range of one, of an item. Each is one transaction, or, where it
 * is large, one for each of some slices of time: raw events are hidden (tombstones.ts), counts
 * not folded yet go, windows lose what goes or are made anew with the exact rest. So at every
 * moment exact answers are exact and bounds hold, of the events that are left. A whole type goes
 * at once, however large: its name no longer stands for what is cleared away later.
 *
 * Idempotency state stays: a batch sent again counts no more than before.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { minuteMs } from "../model.ts";
import { SerialQueue } from "../serial-queue.ts";
import { addMutation, type OnTouch, readMutations } from "./changes.ts";
import type { Committer } from "./checkpoint.ts";
import type { Claims } from "./claimed.ts";
import type { CoarseWindows } from "./coarse.ts";
import type { Compactor } from "./compact.ts";
import { cutInStore } from "./cover.ts";
import { type Database, ownReadBudgetMs } from "./database.ts";
import { takeDeltas } from "./delete-counts.ts";
import { type DeleteAnswer, type EventScope, nothingDeleted } from "./delete-questions.ts";
import {
  addSums,
  answerOf,
  type CountedFiles,
  countFiles,
  countRecent,
  type EventSums,
  hideRaw,
  noEvents,
} from "./delete-raw.ts";
import { sliceBounds } from "./delete-slices.ts";
import { correctType, isWholeType } from "./delete-type-row.ts";
import {
  noteGone,
  takeFromWindows,
  vectorsByHour,
  type WindowScope,
  windowsHit,
} from "./delete-windows.ts";
import { type DeleteLeft, DeletesUnderWay } from "./deletes-under-way.ts";
import { readExact, type TypeId, typesNamed } from "./exact.ts";
import { fenceOthers } from "./lake-partitions.ts";
import { closeOpenOf } from "./open-windows.ts";
import type { RawFiles } from "./raw-files.ts";
import { readApart } from "./read-apart.ts";
import { lastDeleteId, tombstoneCount } from "./tombstones.ts";
import type { Fold } from "./windows.ts";

export interface DeleteOptions {
  candidatesMax: number;
  /** Vectors of 2048 rows that one transaction takes rows from: 17 KiB of memory each. */
  vectorsMax: number;
  /** Files with hidden events times deletes; beyond, deletes are refused for a while. */
  tombstonesMax: number;
  /** Deletes that wait for another one. */
  waitingMax: number;
  /** Time for finding what goes. */
  planMsMax: number;
}

export const deleteDefaults = Object.freeze({
  vectorsMax: 4096,
  tombstonesMax: 100_000,
  waitingMax: 100,
  planMsMax: 600_000,
});

export interface DeleteDeps {
  database: Database;
  rawFiles: RawFiles;
  checkpointer: Committer;
  compactor: Compactor;
  fold: Fold;
  /** Told of each transaction, once it is committed: what it took, and how many there were. */
  onDelete?: (scope: EventScope, mutations: number) => void;
  onTouch?: OnTouch;
  /** Sees to it that the windows are there which the scope's ends cut. */
  coarse: Pick<CoarseWindows, "during">;
  /** Where several processes delete. */
  claims?: Claims | undefined;
}

/** What was left is looked for so often; after each look that failed twice as long, up to: */
const lookEveryMs = 10_000;
const lookEveryMsMax = 600_000;

interface Plan {
  counted: CountedFiles;
  slices: EventScope[];
}

/** What a slice is of: the delete under way, and what is left of it afterwards. */
interface SliceOf {
  id: number | undefined;
  rest: EventScope | null;
}

interface Taken {
  answer: DeleteAnswer;
  sums: EventSums;
  underWay: number | undefined;
}

const noneTaken = { answer: nothingDeleted, sums: noEvents, underWay: undefined };

export class Deleter {
  readonly #deps: DeleteDeps;
  readonly #options: DeleteOptions;
  readonly #queue = new SerialQueue();
  #waiting = 0;
  readonly #stop = new AbortController();
  readonly #underWay: DeletesUnderWay;
  #deleteId = 0;
  #resuming: Promise<void> | null = null;
  #lookAt = Number.NEGATIVE_INFINITY;
  #lookMs = lookEveryMs;

  constructor(deps: DeleteDeps, options: DeleteOptions) {
    this.#deps = deps;
    this.#underWay = new DeletesUnderWay(deps.claims);
    this.#options = options;
  }

  /** What `run` would take right now. */
  dryRun(scope: EventScope, signal?: AbortSignal): Promise<DeleteAnswer> {
    const { rawFiles } = this.#deps;
    const measure = async (connection: DuckDBConnection) => {
      const [type] = await typesNamed(connection, [scope.eventType]);
      if (type === undefined) return nothingDeleted;
      const { sums: files } = await countFiles(connection, rawFiles, scope);
      const sums = [...files.values()].reduce(addSums, await countRecent(connection, scope));
      return answerOf(sums, files.size, await this.#measure(connection, scope, type));
    };
    return this.#withWindows(scope, () => this.#read(signal, measure));
  }

  /**
   * Deletes, after the deletes asked for before; resolves once all of it is committed. Throws
   * `too_many_deletes`; and what reading throws, then nothing is deleted.
   */
  run(scope: EventScope, signal?: AbortSignal): Promise<DeleteAnswer> {
    if (this.#waiting >= this.#options.waitingMax) {
      const detail = `${this.#waiting} deletes are waiting`;
      throw new RankstreamError("too_many_deletes", detail, { retryAfterSeconds: 10 });
    }
    return this.#enqueue(async () => {
      // In turn: on the writer's own connection it would be part of somebody's transaction.
      const tombstones = await this.#deps.database.writeDeferrable(tombstoneCount);
      if (tombstones > this.#options.tombstonesMax) {
        const detail = "files are still being written anew after earlier deletes";
        throw new RankstreamError("too_many_deletes", detail, { retryAfterSeconds: 60 });
      }
      return this.#run(scope, signal);
    });
  }

  /** Goes on with what a stop, a crash or a failure has left; resolves once it is done. */
  resume(): Promise<void> {
    this.#resuming ??= this.#resume().finally(() => {
      this.#resuming = null;
    });
    return this.#resuming;
  }

  /** As `resume`, where it is time to look. */
  async goOn(): Promise<void> {
    if (performance.now() >= this.#lookAt) await this.resume();
  }

  async #resume(): Promise<void> {
    this.#lookAt = performance.now() + this.#lookMs;
    this.#lookMs = Math.min(this.#lookMs * 2, lookEveryMsMax);
    for (const { id } of await this.#left()) await this.#enqueue(() => this.#resumeOne(id));
    this.#lookMs = lookEveryMs;
  }

  async #resumeOne(id: number): Promise<void> {
    if (!(await this.#underWay.claim(id))) return;
    // Whoever was at it may have come further before.
    const left = (await this.#left()).find((one) => one.id === id);
    if (left !== undefined) await this.#run(left.scope, undefined, id);
  }

  #left(): Promise<DeleteLeft[]> {
    const list = (connection: DuckDBConnection) => this.#underWay.list(connection);
    return this.#deps.database.read(ownReadBudgetMs, list, { isNewest: true });
  }

  /** Ends what is under way where that leaves no trace, and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#queue.settled();
  }

  #read<T>(
    signal: AbortSignal | undefined,
    work: (connection: DuckDBConnection) => Promise<T>,
  ): Promise<T> {
    const signals = [this.#stop.signal, signal];
    return readApart(this.#deps.database, this.#options.planMsMax, signals, work);
  }

  #enqueue<T>(run: () => Promise<T>): Promise<T> {
    this.#waiting++;
    return this.#queue.run(async () => {
      try {
        return await run();
      } finally {
        this.#waiting--;
        await this.#underWay.letGo();
      }
    });
  }

  async #run(scope: EventScope, signal?: AbortSignal, underWay?: number): Promise<DeleteAnswer> {
    let plan = await this.#plan(scope, signal);
    if (plan.slices.length === 1) return this.#takeOne(scope, plan.counted, underWay);
    // Seen as a whole once, before the first slice: items of slices are not all different.
    const whole = await this.dryRun(scope, signal);
    let sums = noEvents;
    let count = 0;
    let id = underWay;
    for (const [i, slice] of plan.slices.entries()) {
      if (i > 0) plan = await this.#plan(slice, undefined, true);
      const isLast = slice.to === scope.to;
      const rest = isLast ? null : { ...scope, from: slice.to };
      const taken = await this.#take(slice, plan.counted, { id, rest });
      id = taken.underWay;
      sums = addSums(sums, taken.sums);
      count += taken.answer.count;
      await this.#deps.compactor.settle();
    }
    return { ...answerOf(sums, whole.files, whole), count };
  }

  async #takeOne(scope: EventScope, counted: CountedFiles, underWay?: number) {
    const { answer } = await this.#take(scope, counted, { id: underWay, rest: null });
    this.#deps.compactor.look();
    return answer;
  }

  /** Looks through the files, and divides the scope where it takes too many rows at once. */
  #plan(scope: EventScope, signal: AbortSignal | undefined, isSlice = false): Promise<Plan> {
    return this.#read(signal, async (connection) => {
      const [type] = await typesNamed(connection, [scope.eventType]);
      const isWhole = isSlice || type === undefined || isWholeType(scope);
      const bounds = isWhole ? [] : await this.#bounds(connection, scope, type);
      const ends = [...bounds.map((minute) => minute * minuteMs), scope.to];
      const slices = ends.map((to, i) => ({ ...scope, from: ends[i - 1] ?? scope.from, to }));
      return { slices, counted: await countFiles(connection, this.#deps.rawFiles, slices[0]!) };
    });
  }

  async #bounds(connection: DuckDBConnection, scope: EventScope, type: TypeId): Promise<number[]> {
    const { span } = await this.#windowScope(connection, scope, type);
    const vectors = await vectorsByHour(connection, {
      ...scope,
      typeId: type.typeId,
      span,
      edgeMinutes: [],
      candidatesMax: 0,
    });
    const { vectorsMax } = this.#options;
    return sliceBounds(vectors, vectorsMax).filter(
      (minute) => minute * minuteMs > scope.from && minute * minuteMs < scope.to,
    );
  }

  async #windowScope(connection: DuckDBConnection, scope: EventScope, type: TypeId) {
    const cut = await cutInStore(connection, this.#deps.rawFiles, scope.from, scope.to);
    const windows: WindowScope = {
      typeId: type.typeId,
      eventId: scope.eventId,
      span: { start: cut.start, end: cut.end },
      edgeMinutes: cut.edges.map(({ from }) => Math.floor(from / minuteMs)),
      candidatesMax: this.#options.candidatesMax,
    };
    return { cut, windows, span: windows.span };
  }

  /** The scope's counts, in any transaction. */
  async #measure(connection: DuckDBConnection, scope: EventScope, type: TypeId) {
    const { eventId, from, to } = scope;
    const exact = await readExact(connection, this.#deps.rawFiles, {
      eventTypes: [scope.eventType],
      from,
      to,
      k: 1,
      offset: 0,
      budgetMs: this.#options.planMsMax,
      ...(eventId !== null && { selection: { include: [eventId] } }),
    });
    const { windows } = await this.#windowScope(connection, scope, type);
    return {
      count: exact.total,
      items: exact.distinct,
      windows: await windowsHit(connection, windows),
    };
  }

  #withWindows<T>({ eventType, from, to }: EventScope, work: () => Promise<T>): Promise<T> {
    const needs = {
      eventTypes: [eventType],
      times: [from, to],
      budgetMs: this.#options.planMsMax,
    };
    return this.#deps.coarse.during(needs, work);
  }

  /** Deletes one slice, with the windows there that its ends cut. */
  #take(scope: EventScope, counted: CountedFiles, more: SliceOf): Promise<Taken> {
    return this.#withWindows(scope, () => this.#takeNow(scope, counted, more));
  }

  /** Deletes one slice in one transaction. */
  async #takeNow(scope: EventScope, counted: CountedFiles, { id, rest }: SliceOf): Promise<Taken> {
    const { database, rawFiles, checkpointer } = this.#deps;
    const { eventType } = scope;
    // No checkpoint may be between finding a type's id and its end, or it would count for nothing.
    return checkpointer.alone(async (types) => {
      const taken = await database.writeDeferrable(async (connection) => {
        await fenceOthers(connection);
        const [type] = await typesNamed(connection, [eventType]);
        if (type === undefined) {
          if (id !== undefined) await this.#underWay.note(connection, id, null, scope.from);
          return { ...noneTaken, until: 0, isGone: false, dropped: [], mutations: null };
        }
        await this.#nextId(connection, id === undefined && rest !== null);
        const measured = await this.#measure(connection, scope, type);
        const done = await this.#takeAll(connection, scope, type, counted, measured.count);
        const mutations = await addMutation(connection);
        await this.#deps.onTouch?.(connection, [scope]);
        failPoint("delete.in_transaction");
        const underWay = await this.#noteRest(connection, scope, { id, rest });
        failPoint("delete.before_commit");
        const { files, sums, dropped } = done.raw;
        const answer = answerOf(sums, files.length, measured);
        return { ...done, answer, sums, underWay, dropped, mutations };
      });
      failPoint("delete.after_commit");
      if (taken.isGone) types.remove(eventType);
      checkpointer.closeOpen(eventType, taken.until);
      rawFiles.replaced.retire(taken.dropped, Date.now(), false);
      if (taken.mutations !== null) this.#deps.onDelete?.(scope, taken.mutations);
      return taken;
    });
  }

  async #takeAll(
    connection: DuckDBConnection,
    scope: EventScope,
    type: TypeId,
    counted: CountedFiles,
    count: number,
  ) {
    const { rawFiles, fold } = this.#deps;
    const { typeId } = type;
    const isWhole = isWholeType(scope);
    const { cut, windows } = await this.#windowScope(connection, scope, type);
    const counts = { typeId, eventId: scope.eventId, cut };
    const until = await takeDeltas(connection, rawFiles, scope, counts);
    if (isWhole) {
      await connection.run(`INSERT INTO type_graves VALUES (${typeId})`);
    } else {
      await noteGone(connection, windows);
      await takeFromWindows(connection, windows, fold);
    }
    const raw = await hideRaw(connection, rawFiles, scope, counted, this.#deleteId);
    await closeOpenOf(connection, typeId, until);
    const isGone = !(await correctType(connection, rawFiles, type, scope, count));
    return { raw, until, isGone };
  }

  /** Keeps what is left of a delete in slices; returns its number, undefined when nothing is. */
  async #noteRest(
    connection: DuckDBConnection,
    { from }: EventScope,
    { id, rest }: SliceOf,
  ): Promise<number | undefined> {
    if (id === undefined && rest === null) return undefined;
    const own = id ?? this.#deleteId;
    await this.#underWay.note(connection, own, rest, id === undefined ? null : from);
    return rest === null ? undefined : own;
  }

  /** Above all that were ever given, in whatever process: each delete is a mutation. */
  async #nextId(connection: DuckDBConnection, isBegin: boolean): Promise<void> {
    const known = [await lastDeleteId(connection), await readMutations(connection)];
    this.#deleteId = Math.max(this.#deleteId, ...known) + 1;
    // Claimed before anyone can know of it; another process may be about to give the same.
    while (isBegin && !(await this.#underWay.claim(this.#deleteId))) this.#deleteId++;
  }
}
