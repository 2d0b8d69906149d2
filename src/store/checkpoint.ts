/**
 * A checkpoint: raw events, exact count deltas, idempotency state and offsets in one
 * transaction. Offsets move by compare-and-set, so that a part that was already committed, or
 * comes from a worker that lost its partitions, changes nothing.
 */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { discardBuffers } from "../discard.ts";
import { failPoint } from "../fail-point.ts";
import { SerialQueue } from "../serial-queue.ts";
import { type OnTouch, type Touched, touchedBy } from "./changes.ts";
import { type Database, insertRows, rowsOf, runValues } from "./database.ts";
import { addDeltaSpans } from "./delta-spans.ts";
import { ErasedArrivals } from "./erased-arrivals.ts";
import { writeOpen } from "./open-windows.ts";
import type { RawFile } from "./raw-file.ts";
import type { RawFiles } from "./raw-files.ts";
import { writeSeen } from "./seen.ts";
import type { StagedTables } from "./staged.ts";
import type { CheckpointPart, OffsetRange } from "./store.ts";
import { typeRows } from "./type-rows.ts";

/** Event types by name, as the committed store has them. */
export class TypeIds {
  readonly #ids = new Map<string, number>();
  /** Never given before, also to types that are gone since. */
  #nextId = 0;

  static async load(connection: DuckDBConnection): Promise<TypeIds> {
    const ids = new TypeIds();
    const graves = await rowsOf(connection, "SELECT max(type_id) + 1 AS next FROM type_graves");
    ids.#nextId = Number(graves[0]!["next"] ?? 0);
    for (const row of await rowsOf(connection, "SELECT type_id, event_type FROM event_types")) {
      ids.add(String(row["event_type"]), Number(row["type_id"]));
    }
    return ids;
  }

  get(name: string): number | undefined {
    return this.#ids.get(name);
  }

  /** For the next new type. */
  get nextId(): number {
    return this.#nextId;
  }

  add(name: string, id: number): void {
    this.#ids.set(name, id);
    this.#nextId = Math.max(this.#nextId, id + 1);
  }

  /** The type is gone: should it come again, it is another one. */
  remove(name: string): void {
    this.#ids.delete(name);
  }
}

export class StaleOffsetError extends Error {}

/** Frees the columns of a part that is committed, or never will be. */
export function giveBack({ raw, counts, open }: CheckpointPart): void {
  discardBuffers([...raw, ...counts, ...open.minutes.map(({ candidates }) => candidates)]);
}

async function moveOffsets(connection: DuckDBConnection, offsets: OffsetRange[]): Promise<void> {
  for (const { partition, from, next, tail = null } of offsets) {
    const result = await connection.run(
      "UPDATE log_offsets SET next_offset = ?, tail = ? WHERE partition = ? AND next_offset = ?",
      [BigInt(next), tail, partition, BigInt(from)],
    );
    if (result.rowsChanged !== 1) {
      throw new StaleOffsetError(`partition ${partition} is not at offset ${from} any more`);
    }
  }
}

async function writeTypes(
  connection: DuckDBConnection,
  part: CheckpointPart,
  fresh: Map<string, number>,
  idOf: (name: string) => number,
): Promise<void> {
  const rows = typeRows(part.types, idOf);
  const isFresh = (row: DuckDBValue[]) => fresh.has(String(row[1]));
  const columns = "(type_id, event_type, total, first_seen, last_seen)";
  await runValues(
    connection,
    `INSERT INTO event_types SELECT type_id, event_type, total, make_timestamp_ms(first_seen),
       make_timestamp_ms(last_seen) FROM (VALUES`,
    rows.filter(isFresh),
    `) AS fresh ${columns}`,
  );
  await runValues(
    connection,
    `UPDATE event_types SET total = event_types.total + note.total,
       first_seen = least(event_types.first_seen, make_timestamp_ms(note.first_seen)),
       last_seen = greatest(event_types.last_seen, make_timestamp_ms(note.last_seen))
     FROM (VALUES`,
    rows.filter((row) => !isFresh(row)),
    `) AS note ${columns} WHERE event_types.type_id = note.type_id`,
  );
}

/** A checkpoint of so many events goes straight to a Parquet file. */
const rawFileRowsMin = 32_768;

/** Epoch ms of the first and last event, from the chunks' headers (assembly/columns.ts). */
function spanOf(chunks: readonly ArrayBuffer[]): [number, number] {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const chunk of chunks) {
    const view = new DataView(chunk);
    first = Math.min(first, Number(view.getBigInt64(8, true)));
    last = Math.max(last, Number(view.getBigInt64(16, true)));
  }
  return [first, last];
}

/** Files that hold parts' events already, and how many erasures there were by then. */
export type WrittenParts = WeakMap<CheckpointPart, { file: RawFile; erasures: number }>;

interface PartWriting {
  part: CheckpointPart;
  /** A FROM source of its events. */
  events: string;
  erasures: number;
  /** Fewer events get no file. */
  rowsMin: number;
}

/** The file of a part's events, written once; null where they are too few. */
export async function fileOfPart(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  known: WrittenParts,
  { part, events, erasures, rowsMin }: PartWriting,
): Promise<RawFile | null> {
  if (part.rawRows < rowsMin) return null;
  const before = known.get(part);
  if (before?.erasures === erasures) return before.file;
  // Users were erased since: it holds them as they came.
  if (before !== undefined) await rawFiles.abandon(before.file);
  const file = await rawFiles.write(connection, events, spanOf(part.raw));
  known.set(part, { file, erasures });
  return file;
}

/** Commits what workers hand over. */
export interface Committer {
  /**
   * Commits `part` whole; resolves with what it touched. Throws StaleOffsetError when its offsets
   * are not the store's.
   */
  commit(part: CheckpointPart): Promise<Touched[]>;
  /** Runs `work` while this process commits no checkpoint. */
  alone<T>(work: (types: { remove(name: string): void }) => Promise<T>): Promise<T>;
  /**
   * From now on the deltas answer for open minutes of this type before minute `until`: what the
   * workers streamed of them holds events that are deleted.
   */
  closeOpen(eventType: string, until: number): void;
}

/** Commits parts, one at a time, and knows the event types' ids. */
export class Checkpointer implements Committer {
  readonly #database: Database;
  readonly #staged: StagedTables;
  readonly #types: TypeIds;
  readonly #rawFiles: RawFiles;
  readonly #sealedBefore: () => number;
  /** Workers that have rows of open minutes in the store. */
  readonly #openWorkers = new Set<number>();
  readonly #onTouch: OnTouch;
  readonly #queue = new SerialQueue();
  /** Open minutes of these types before these minutes hold events that are deleted. */
  readonly #closed = new Map<string, number>();
  /** A part that failed is tried again: with the file that holds its events already. */
  readonly #written: WrittenParts = new WeakMap();
  readonly #arrivals: ErasedArrivals;

  constructor(
    database: Database,
    staged: StagedTables,
    types: TypeIds,
    rawFiles: RawFiles,
    sealedBefore: () => number,
    onTouch: OnTouch = async () => undefined,
    arrivals = new ErasedArrivals(),
  ) {
    this.#database = database;
    this.#staged = staged;
    this.#types = types;
    this.#rawFiles = rawFiles;
    this.#sealedBefore = sealedBefore;
    this.#onTouch = onTouch;
    this.#arrivals = arrivals;
  }

  /**
   * Commits `part` whole; resolves with what it touched. Throws StaleOffsetError when its offsets
   * are not the store's.
   */
  commit(part: CheckpointPart): Promise<Touched[]> {
    // After those before it: two workers' new types must not be given the same id.
    return this.#queue.run(() => this.#commit(part));
  }

  /** Runs `work` while no checkpoint is being committed. */
  alone<T>(work: (types: TypeIds) => Promise<T>): Promise<T> {
    return this.#queue.run(() => work(this.#types));
  }

  /**
   * From now on the deltas answer for open minutes of this type before minute `until`: what the
   * workers streamed of them holds events that are deleted.
   */
  closeOpen(eventType: string, until: number): void {
    if (until > (this.#closed.get(eventType) ?? 0)) this.#closed.set(eventType, until);
  }

  async #commit(part: CheckpointPart): Promise<Touched[]> {
    let touched: Touched[] = [];
    const fresh = new Map<string, number>();
    const idOf = (name: string): number => {
      const known = this.#types.get(name) ?? fresh.get(name);
      if (known !== undefined) return known;
      const id = this.#types.nextId + fresh.size;
      fresh.set(name, id);
      return id;
    };
    const indexMax = part.types.reduce((max, { index }) => Math.max(max, index), -1);
    const typeIds = new Uint32Array(indexMax + 1);
    for (const { index, name } of part.types) typeIds[index] = idOf(name);
    const staged = { raw: part.raw, counts: part.counts, typeIds };
    const token = this.#staged.stage(staged);
    const events = this.#arrivals.sourceOf(part.raw, `staged_events(${token})`);
    let file: RawFile | null = null;
    const writeFile = async (connection: DuckDBConnection) => {
      const { erasures } = this.#arrivals;
      const writing = { part, events, erasures, rowsMin: rawFileRowsMin };
      file = await fileOfPart(connection, this.#rawFiles, this.#written, writing);
    };
    try {
      await this.#database.write(async (connection) => {
        await moveOffsets(connection, part.offsets);
        failPoint("store.in_transaction");
        await writeTypes(connection, part, fresh, idOf);
        if (file !== null) await this.#rawFiles.register(connection, file);
        else if (part.rawRows > 0) {
          await insertRows(connection, "raw_recent", `SELECT * FROM ${events}`);
        }
        if (part.countRows > 0) {
          const counts = `staged_counts(${token})`;
          const columns = "minute, type_id, event_id, partition, count";
          await insertRows(connection, "count_deltas", `SELECT ${columns} FROM ${counts}`);
          await addDeltaSpans(connection, staged, token);
          touched = await touchedBy(connection, part.types, idOf, counts);
          await this.#onTouch(connection, touched);
        }
        for (const changes of part.seen) await writeSeen(connection, changes);
        await this.#writeOpen(connection, part, idOf);
        failPoint("store.before_commit");
      }, writeFile);
      failPoint("store.after_commit");
      for (const [name, id] of fresh) this.#types.add(name, id);
      return touched;
    } finally {
      this.#staged.release(token);
    }
  }

  async #writeOpen(
    connection: DuckDBConnection,
    part: CheckpointPart,
    idOf: (eventType: string) => number,
  ): Promise<void> {
    const { worker, open } = part;
    if (open.minutes.length === 0 && !this.#openWorkers.has(worker)) return;
    const sealedBefore = this.#sealedBefore();
    for (const [name, until] of this.#closed) {
      if (until <= sealedBefore) this.#closed.delete(name);
    }
    const isOpen = (name: string, minute: number) => minute >= (this.#closed.get(name) ?? 0);
    await writeOpen(connection, worker, open, {
      staged: this.#staged,
      idOf,
      isOpen,
      sealedBefore,
    });
    if (open.minutes.length > 0) this.#openWorkers.add(worker);
    else this.#openWorkers.delete(worker);
  }
}
