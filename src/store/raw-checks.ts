/**
 * Whether the files of raw events are as they were written. DuckDB writes Parquet without
 * checksums: of a flipped bit it makes another id or count and says nothing. So the manifest has
 * a CRC-32 of every MiB of each file, and a file is held against them before this process first
 * reads it: when a question needs it, or when there is time. Files of older versions have none
 * and are taken as they are.
 */
import { crc32 } from "node:zlib";
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { rowsOf } from "./database.ts";
import type { OpenedRaw, RawPlace } from "./raw-place.ts";
import { whyStopped } from "./read-watch.ts";
import { sqlText } from "./sql.ts";

const blockBytes = 1024 * 1024;

/** What the manifest says of a file. */
interface Written {
  path: string;
  bytes: number;
  /** Null of a file of an older version. */
  checksums: number[] | null;
  /** Times of its first and last event, as text. */
  span: string;
}

export class RawChecks {
  /** Where the files lie. */
  readonly place: RawPlace;
  /** What was found of each file looked at, by path; null: it is sound. */
  readonly #found = new Map<string, Promise<RankstreamError | null>>();
  readonly #damaged = new Set<string>();
  /** Files to be looked at when there is time. */
  #left: string[] | null = null;

  constructor(place: RawPlace) {
    this.place = place;
  }

  /** Paths of files found damaged, in SQL: never an empty list. */
  get damagedSql(): string {
    return ["", ...this.#damaged].map(sqlText).join(", ");
  }

  /**
   * CRC-32 of each block of a file that was just written with so many bytes. Throws where it is
   * not there with as many.
   */
  async note(path: string, bytes: number): Promise<number[]> {
    const file = await this.place.open(path);
    try {
      if (file?.bytes !== bytes) {
        const there = file === null ? "no file" : `${file.bytes} bytes`;
        throw new Error(`${this.place.locate(path)}: ${there}, ${bytes} bytes were written`);
      }
      const checksums = await checksumsOf(file);
      this.#found.set(path, Promise.resolve(null));
      return checksums;
    } finally {
      await file?.close();
    }
  }

  /** The files are gone. */
  forget(paths: readonly string[]): void {
    for (const path of paths) {
      this.#found.delete(path);
      this.#damaged.delete(path);
    }
  }

  /** Throws `raw_corrupt` where one of these files, which the manifest names, is damaged. */
  async check(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
    const unknown = paths.filter((path) => !this.#found.has(path));
    const written = await this.#written(connection, unknown);
    const atOnce = this.place.readsAtOnce;
    for (let at = 0; at < written.length; at += atOnce) {
      // Many files may take longer than the question has; those done are done for the next one.
      const why = whyStopped(connection);
      if (why !== null) throw why;
      await Promise.all(written.slice(at, at + atOnce).map((one) => this.#look(one)));
    }
    for (const path of paths) {
      const fault = await this.#found.get(path);
      if (fault) throw fault;
    }
  }

  /** Looks at one file that nobody asked for yet; false when there is none left. */
  async checkNext(connection: DuckDBConnection): Promise<boolean> {
    if (this.#left === null) {
      const rows = await rowsOf(connection, "SELECT path FROM raw_files ORDER BY first_time");
      this.#left = rows.map((row) => String(row["path"]));
    }
    for (let path = this.#left.pop(); path !== undefined; path = this.#left.pop()) {
      if (this.#found.has(path)) continue;
      await this.check(connection, [path]);
      return true;
    }
    return false;
  }

  async #written(connection: DuckDBConnection, paths: readonly string[]): Promise<Written[]> {
    if (paths.length === 0) return [];
    const rows = await rowsOf(
      connection,
      `SELECT path, bytes, array_to_string(checksums, ' ') AS checksums,
         first_time::VARCHAR || ' to ' || last_time::VARCHAR AS span
       FROM raw_files WHERE path IN (${paths.map(sqlText).join(", ")})`,
    );
    return rows.map((row) => ({
      path: String(row["path"]),
      bytes: Number(row["bytes"]),
      checksums: row["checksums"] === null ? null : numbersOf(String(row["checksums"])),
      span: String(row["span"]),
    }));
  }

  async #look(written: Written): Promise<void> {
    const { path } = written;
    const looking = this.#found.get(path) ?? this.#compare(written);
    this.#found.set(path, looking);
    try {
      if ((await looking) !== null) this.#damaged.add(path);
    } catch (error) {
      // It could not be read: that may pass.
      this.#found.delete(path);
      throw error;
    }
  }

  async #compare({ path, bytes, checksums, span }: Written): Promise<RankstreamError | null> {
    const fault = (what: string) => {
      const detail = `${this.place.locate(path)} (events of ${span}): ${what}`;
      return new RankstreamError("raw_corrupt", detail);
    };
    const file = await this.place.open(path);
    if (file === null) return fault("the file is missing");
    let found: number[];
    try {
      if (file.bytes !== bytes) return fault(`${file.bytes} bytes, ${bytes} expected`);
      if (checksums === null) return null;
      found = await checksumsOf(file);
    } finally {
      await file.close();
    }
    const block = found.findIndex((checksum, i) => checksum !== checksums[i]);
    if (block < 0) return null;
    const [first, end] = [block * blockBytes, Math.min(bytes, (block + 1) * blockBytes)];
    const [is, was] = [hexOf(found[block]!), hexOf(checksums[block]!)];
    return fault(`bytes ${first} to ${end - 1} have CRC-32 ${is}, ${was} expected`);
  }
}

async function checksumsOf(file: OpenedRaw): Promise<number[]> {
  const checksums: number[] = [];
  for (;;) {
    const block = await file.next(blockBytes);
    if (block.length > 0) checksums.push(crc32(block));
    if (block.length < blockBytes) return checksums;
  }
}

function numbersOf(text: string): number[] {
  return text === "" ? [] : text.split(" ").map(Number);
}

function hexOf(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
