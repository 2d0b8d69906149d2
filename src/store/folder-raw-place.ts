/** Files of raw events in a folder, of this process alone or written by several. */
import { copyFile, link, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { failPoint } from "../fail-point.ts";
import type { Files } from "../files.ts";
import {
  listedAtOnce,
  type OpenedRaw,
  type PlacedFile,
  type RawPlace,
  sharedKeptMsMin,
} from "./raw-place.ts";

function isError(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}

export class FolderRawPlace implements RawPlace {
  readonly isShared: boolean;
  readonly keptMsMin: number;
  readonly keepsCopies: boolean;
  readonly isLookedAfter = true;
  /** More would only wait for the same disk. */
  readonly readsAtOnce = 1;
  readonly base: string;
  readonly #files: Files;
  readonly #known = new Set<string>();

  /**
   * `folder` is absolute. One that is shared may lie on another disk than what is kept of it, and
   * has a file system on which a file is seen by its new name once it was renamed (NFS is one).
   */
  constructor(folder: string, files: Files, isShared = false) {
    this.base = join(folder, "/");
    this.#files = files;
    this.isShared = isShared;
    this.keptMsMin = isShared ? sharedKeptMsMin : 0;
    this.keepsCopies = isShared;
  }

  locate(path: string): string {
    return this.base + path;
  }

  /** DuckDB's COPY syncs nothing by itself, and its file is there before it is whole. */
  async write<T>(path: string, copy: (target: string) => Promise<T>): Promise<T> {
    const folder = this.locate(dirname(path));
    if (!this.#known.has(folder)) await this.#files.makeFolder(folder);
    this.#known.add(folder);
    const temporary = join(folder, `.${basename(path)}.tmp`);
    failPoint("parquet.half_written");
    const copied = await copy(temporary);
    failPoint("parquet.after_write");
    await this.#files.syncFile(temporary);
    await this.#files.rename(temporary, this.locate(path));
    await this.#files.syncFolder(folder);
    failPoint("parquet.after_rename");
    return copied;
  }

  async open(path: string): Promise<OpenedRaw | null> {
    const bytes = await this.#files.size(this.locate(path));
    if (bytes === null) return null;
    const file = await this.#files.openRead(this.locate(path));
    let buffer = new Uint8Array(0);
    let position = 0;
    return {
      bytes,
      next: async (length) => {
        if (buffer.length < length) buffer = new Uint8Array(length);
        const read = await file.read(position, length, buffer);
        position += read.length;
        return read;
      },
      close: () => file.close(),
    };
  }

  async keep(path: string, target: string): Promise<void> {
    try {
      await link(this.locate(path), target);
    } catch (error) {
      if (!this.keepsCopies || !isError(error, "EXDEV")) throw error;
      await copyFile(this.locate(path), target);
    }
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await this.#files.remove(this.locate(path)).catch((error) => {
        if (!isError(error, "ENOENT")) throw error;
      });
    }
  }

  async *list(): AsyncIterable<PlacedFile[]> {
    const paths = await this.#listAll("raw");
    for (let at = 0; at < paths.length; at += listedAtOnce) {
      const part = paths.slice(at, at + listedAtOnce);
      const files = await Promise.all(part.map((path) => this.#placed(path)));
      yield files.filter((file) => file !== null);
    }
  }

  /** What is half written is a file like others. */
  async endUploads(): Promise<number> {
    return 0;
  }

  /** Ages count only where others write. */
  async #placed(path: string): Promise<PlacedFile | null> {
    if (!this.isShared) return { path, modifiedAt: 0 };
    try {
      return { path, modifiedAt: (await stat(this.locate(path))).mtimeMs };
    } catch (error) {
      if (isError(error, "ENOENT")) return null;
      throw error;
    }
  }

  /** Files below `folder`, at most three levels deep as they are made. */
  async #listAll(folder: string): Promise<string[]> {
    const found: string[] = [];
    for (const name of await this.#files.list(this.locate(folder))) {
      const path = `${folder}/${name}`;
      if (name.includes("=")) found.push(...(await this.#listAll(path)));
      else found.push(path);
    }
    return found;
  }
}
