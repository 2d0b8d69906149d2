/**
 * Sealed sketches of windows that don't list all of their items: an upper bound for each item
 * off the list, nearly always its exact count, much below the least listed count.
 *
 *   sketch_<level>  (start, type_id): version, data (deflated)
 *
 * Written by the fold that makes or changes the window's tail, in its transaction. A window has
 * none when it would cost more than it is worth, and one of an older version is as good as none;
 * then the least listed count is the bound.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { DuckDBBlobValue, type DuckDBConnection, type DuckDBValue } from "@duckdb/node-api";
import { LRUCache } from "lru-cache";
import { type ItemBlock, type ItemIds, ItemRegion } from "../kernel/item-region.ts";
import { Kernel } from "../kernel/kernel.ts";
import { loadKernelModule } from "../kernel/module.ts";
import { SealedSketchBuilder } from "../kernel/sealed-sketch.ts";
import { isCurrentSketch, type KernelSeed, Sketch } from "../kernel/sketch.ts";
import { minuteMs } from "../model.ts";
import { rowsOf, runValues } from "./database.ts";
import { type Level, levels } from "./windows.ts";

/** 1 MiB at most. */
const shape = { depth: 4, widthLog2Max: 16 };
const sampleItemsMax = 65_536;

export interface SketchBounds {
  /** A sketch takes at most so many bytes for each event of its window. */
  bytesPerEventMax: number;
  /** Items off the list from which a sketch is worth a row. */
  tailItemsMin: number;
  /** Items read from DuckDB at a time. */
  batchItemsMax: number;
}

type Blocks = Iterable<ItemBlock> | AsyncIterable<ItemBlock>;

/** Raw events take about 15 bytes on disk: a sketch costs a tenth of its window's at most. */
const defaultBounds: SketchBounds = Object.freeze({
  bytesPerEventMax: 1.5,
  tailItemsMin: 64,
  batchItemsMax: 300_000,
});

/** Sketches asked for one level and type at most; further windows are bounded by their lists. */
const askedMax = 512;
/** Sketches read from DuckDB at a time: of 1 MiB at most, once inflated. */
const readMax = 32;
/** Sketches brought up to date at a time: of a lake each statement takes PostgreSQL's time. */
const keepBytesMax = 32 * 1024 * 1024;
const keepWindowsMax = 500;
const sketchBytesMax = shape.depth * 2 ** shape.widthLog2Max * 4;
const cacheBytesMax = 64 * 1024 * 1024;
const noBound = 0xffffffff;

export const sketchTables = levels.map(
  ({ name }) => `CREATE TABLE IF NOT EXISTS sketch_${name} (
    start INTEGER NOT NULL, type_id INTEGER NOT NULL, version BIGINT NOT NULL,
    data BLOB NOT NULL)`,
);

interface TailWindow {
  start: number;
  typeId: number;
  eventType: string;
  items: number;
  total: number;
  /** All of the window's tail is in `ranked`; else only what changed. */
  isWhole: boolean;
}

/** A window and the items off its list. */
interface Tail {
  window: TailWindow;
  blocks: Blocks;
}

interface Wanted {
  start: number;
  /** In the cache. */
  key: string;
}

/** Reads "id NUL count NUL id NUL count …"; ids hold no NUL. */
export function parseTail(bytes: Uint8Array, items: number): ItemBlock {
  const ids = new Uint8Array(bytes.length);
  const ends = new Uint32Array(items);
  const counts = new Uint32Array(items);
  let end = 0;
  let at = 0;
  for (let i = 0; i < items; i++) {
    const idEnd = bytes.indexOf(0, at);
    ids.set(bytes.subarray(at, idEnd), end);
    end += idEnd - at;
    ends[i] = end;
    let count = 0;
    for (at = idEnd + 1; at < bytes.length && bytes[at] !== 0; at++) {
      count = count * 10 + bytes[at]! - 48;
    }
    counts[i] = Math.min(count, noBound);
    at++;
  }
  return { ids: ids.subarray(0, end), ends, counts };
}

export class Sketches {
  readonly #builder: SealedSketchBuilder;
  readonly #sketch: Sketch;
  readonly #bounds: SketchBounds;
  readonly #cache = new LRUCache<string, Uint8Array>({
    maxSize: cacheBytesMax,
    sizeCalculation: (saved) => saved.length,
  });
  #version = Date.now();

  private constructor(builder: SealedSketchBuilder, sketch: Sketch, bounds: SketchBounds) {
    this.#builder = builder;
    this.#sketch = sketch;
    this.#bounds = bounds;
  }

  /** `seed` is the deployment's: sketches of another one are refused. */
  static async create(seed: KernelSeed, bounds = defaultBounds): Promise<Sketches> {
    const options = { ...shape, sampleItemsMax, seed };
    const bytes =
      ItemRegion.memoryBytes() +
      SealedSketchBuilder.memoryBytes(options) +
      Sketch.memoryBytes(options) +
      65_536;
    const kernel = await Kernel.load(await loadKernelModule(), bytes);
    const items = new ItemRegion(kernel);
    const builder = new SealedSketchBuilder(kernel, items, options);
    return new Sketches(builder, new Sketch(kernel, items, options), bounds);
  }

  /**
   * Brings the sketches of `level` up to date with temporary tables `ranked` and `summed` of the
   * fold under way.
   */
  async keep(connection: DuckDBConnection, level: Level): Promise<void> {
    const rows = await rowsOf(
      connection,
      `SELECT start, type_id, event_type, items, total, coalesce(threshold_before, 0) = 0 AS whole
       FROM (SELECT start, type_id, count(*) AS items FROM ranked WHERE NOT is_listed
             GROUP BY start, type_id)
       JOIN (SELECT start, type_id, total, threshold_before FROM summed) USING (start, type_id)
       JOIN (SELECT type_id, event_type FROM event_types) USING (type_id)
       ORDER BY start, type_id`,
    );
    let batch: TailWindow[] = [];
    let items = 0;
    for (const row of rows) {
      const window: TailWindow = {
        start: Number(row["start"]),
        typeId: Number(row["type_id"]),
        eventType: String(row["event_type"]),
        items: Number(row["items"]),
        total: Number(row["total"]),
        isWhole: row["whole"] === true,
      };
      if (batch.length > 0 && items + window.items > this.#bounds.batchItemsMax) {
        await this.#keepBatch(connection, level, batch);
        batch = [];
        items = 0;
      }
      if (window.items > this.#bounds.batchItemsMax) {
        const blocks = this.#tailInParts(connection, window);
        await this.#keepTails(connection, level, [{ window, blocks }]);
        continue;
      }
      batch.push(window);
      items += window.items;
    }
    if (batch.length > 0) await this.#keepBatch(connection, level, batch);
  }

  async #keepBatch(
    connection: DuckDBConnection,
    level: Level,
    batch: TailWindow[],
  ): Promise<void> {
    const first = batch[0]!;
    const last = batch.at(-1)!;
    const tails = await rowsOf(
      connection,
      `SELECT start, type_id, encode(string_agg(event_id || chr(0) || count, chr(0))) AS tail
       FROM ranked WHERE NOT is_listed AND start BETWEEN ${first.start} AND ${last.start}
       AND (start > ${first.start} OR type_id >= ${first.typeId})
       AND (start < ${last.start} OR type_id <= ${last.typeId})
       GROUP BY start, type_id`,
    );
    const tailOf = new Map(
      tails.map((row) => [`${row["start"]}/${row["type_id"]}`, row["tail"] as DuckDBBlobValue]),
    );
    let part: Tail[] = [];
    let bytes = 0;
    for (const window of batch) {
      const tail = tailOf.get(`${window.start}/${window.typeId}`)!;
      const own = Math.min(window.total * this.#bounds.bytesPerEventMax, sketchBytesMax);
      if (part.length === keepWindowsMax || bytes + own > keepBytesMax) {
        await this.#keepTails(connection, level, part);
        part = [];
        bytes = 0;
      }
      part.push({ window, blocks: [parseTail(tail.bytes, window.items)] });
      bytes += own;
    }
    await this.#keepTails(connection, level, part);
  }

  /**
   * A tail too long for one batch, in parts: DuckDB makes each one's text in memory, twice over,
   * and can't put that on disk.
   */
  async *#tailInParts(
    connection: DuckDBConnection,
    { start, typeId, items }: TailWindow,
  ): AsyncGenerator<ItemBlock> {
    const parts = Math.ceil(items / this.#bounds.batchItemsMax);
    for (let part = 0; part < parts; part++) {
      const [row] = await rowsOf(
        connection,
        `SELECT count(*) AS items,
           encode(string_agg(event_id || chr(0) || count, chr(0))) AS tail
         FROM ranked WHERE NOT is_listed AND start = ${start} AND type_id = ${typeId}
         AND hash(event_id) % ${parts} = ${part}`,
      );
      const tail = row!["tail"] as DuckDBBlobValue | null;
      if (tail !== null) yield parseTail(tail.bytes, Number(row!["items"]));
    }
  }

  async #keepTails(
    connection: DuckDBConnection,
    level: Level,
    tails: readonly Tail[],
  ): Promise<void> {
    const changed = tails.map(({ window }) => window).filter(({ isWhole }) => !isWhole);
    const known = await this.#known(connection, level, changed);
    const rows: DuckDBValue[][] = [];
    for (const { window, blocks } of tails) {
      const { start, typeId, isWhole } = window;
      const before = known.get(`${start}/${typeId}`);
      const saved = await (isWhole
        ? this.#build(window, blocks)
        : this.#raise(window, before, blocks));
      if (saved === null) continue;
      const data = new DuckDBBlobValue(deflateRawSync(saved, { level: 1 }));
      rows.push([start, typeId, BigInt(this.#version++), data]);
    }
    const table = `sketch_${level.name}`;
    await runValues(
      connection,
      `DELETE FROM ${table} USING (VALUES`,
      rows.map(([start, typeId]) => [start!, typeId!]),
      `) AS fresh (start, type_id)
       WHERE ${table}.start = fresh.start AND ${table}.type_id = fresh.type_id`,
    );
    await runValues(connection, `INSERT INTO ${table} VALUES`, rows);
  }

  /** The sketches there are of these windows, deflated. */
  async #known(
    connection: DuckDBConnection,
    level: Level,
    windows: readonly TailWindow[],
  ): Promise<Map<string, Uint8Array>> {
    if (windows.length === 0) return new Map();
    const keys = windows.map(({ start, typeId }) => `(${start}, ${typeId})`);
    const starts = windows.map(({ start }) => start);
    const rows = await rowsOf(
      connection,
      `SELECT start, type_id, data FROM sketch_${level.name}
       WHERE start BETWEEN ${Math.min(...starts)} AND ${Math.max(...starts)}
       AND (start, type_id) IN (VALUES ${keys.join(", ")})`,
    );
    return new Map(
      rows.map((row) => [
        `${row["start"]}/${row["type_id"]}`,
        (row["data"] as DuckDBBlobValue).bytes,
      ]),
    );
  }

  async #build(
    { eventType, items, total }: TailWindow,
    blocks: Blocks,
  ): Promise<Uint8Array | null> {
    if (items < this.#bounds.tailItemsMin) return null;
    this.#builder.begin(items);
    for await (const block of blocks) this.#builder.add(eventType, block);
    return this.#builder.finish(total * this.#bounds.bytesPerEventMax);
  }

  /** New totals into the sketch there is; null without one of use: it could not bound the rest. */
  async #raise(
    window: TailWindow,
    before: Uint8Array | undefined,
    blocks: Blocks,
  ): Promise<Uint8Array | null> {
    if (before === undefined) return null;
    let saved: Uint8Array = inflateRawSync(before);
    if (!isCurrentSketch(saved)) return null;
    for await (const block of blocks) {
      // Readers use the kernel's one sketch too while the next part is fetched.
      this.#sketch.load(saved);
      this.#sketch.fold(window.eventType, block);
      saved = this.#sketch.save();
    }
    return saved;
  }

  /**
   * Upper bounds of items in the windows of `level` that fulfil `condition`, in the reader's
   * transaction: by start, in the items' order; windows without a sketch of use are missing, and
   * those beyond `askedMax`.
   */
  async bounds(
    connection: DuckDBConnection,
    level: Level,
    typeId: number,
    eventType: string,
    condition: string,
    items: ItemIds,
  ): Promise<Map<number, Float64Array>> {
    const rows = await rowsOf(
      connection,
      `SELECT start, version FROM sketch_${level.name}
       WHERE type_id = ${typeId} AND ${condition} ORDER BY start LIMIT ${askedMax}`,
    );
    const wanted = rows.map((row): Wanted => {
      const start = Number(row["start"]);
      return { start, key: `${level.name}/${typeId}/${start}/${row["version"]}` };
    });
    const found = new Map<number, Float64Array>();
    for (let from = 0; from < wanted.length; from += readMax) {
      const part = wanted.slice(from, from + readMax);
      const saved = await this.#read(connection, level, typeId, part);
      for (const [start, sketch] of saved) {
        if (!isCurrentSketch(sketch)) continue;
        this.#sketch.load(sketch);
        found.set(start, this.#sketch.estimates(eventType, items));
      }
    }
    return found;
  }

  /** The sketches wanted, by start: from the cache, the others from the store. */
  async #read(
    connection: DuckDBConnection,
    level: Level,
    typeId: number,
    wanted: Wanted[],
  ): Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    const missing = new Map<number, string>();
    for (const { start, key } of wanted) {
      const saved = this.#cache.get(key);
      if (saved === undefined) missing.set(start, key);
      else found.set(start, saved);
    }
    if (missing.size === 0) return found;
    const rows = await rowsOf(
      connection,
      `SELECT start, data FROM sketch_${level.name} WHERE type_id = ${typeId}
       AND start IN (${[...missing.keys()].join(", ")})`,
    );
    for (const row of rows) {
      const start = Number(row["start"]);
      const saved = inflateRawSync((row["data"] as DuckDBBlobValue).bytes);
      this.#cache.set(missing.get(start)!, saved);
      found.set(start, saved);
    }
    return found;
  }

  /** Forgets sketches past their time; later ones of day and month stay. `now` in epoch ms. */
  async expire(connection: DuckDBConnection, now: number): Promise<void> {
    const minute = Math.floor(now / minuteMs);
    await connection.run(`DELETE FROM sketch_minute WHERE start < ${minute - 48 * 60}`);
    await connection.run(`DELETE FROM sketch_hour WHERE start < ${minute - 60 * 1440}`);
  }
}
