/** Backups in a folder of this machine, or one that is mounted here. */
import { randomBytes } from "node:crypto";
import { link, open, readdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { nodeFiles } from "../files.ts";
import { type Destination, type StoredObject, unreachable } from "./destination.ts";

/** Marks what is being written; no object's name begins so. */
const temporaryMark = ".";
const temporaryPattern = /^\.(.+)\.[0-9a-f]{12}\.tmp$/;
/** What a crash left of a writing is removed after so long. */
const temporaryMsMax = 24 * 3_600_000;

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

export class FolderDestination implements Destination {
  readonly address: string;
  readonly #folder: string;
  readonly #knownFolders = new Set<string>();
  /** Folders that got names since `settle`. */
  readonly #touched = new Set<string>();

  constructor(path: string) {
    this.address = path;
    this.#folder = resolve(path);
  }

  async get(name: string): Promise<Buffer | null> {
    try {
      return await readFile(this.#pathOf(name));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw unreachable(this.address, `reading ${name}`, error);
    }
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#write(name, bytes, async (temporary, path) => {
      await rename(temporary, path);
      return true;
    });
  }

  create(name: string, bytes: Uint8Array): Promise<boolean> {
    return this.#write(name, bytes, async (temporary, path) => {
      try {
        await link(temporary, path);
        return true;
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw error;
      } finally {
        await unlink(temporary);
      }
    });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    // The part up to the last slash is a folder.
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    try {
      for await (const found of this.#walk(folder)) {
        if (found.name.startsWith(prefix)) yield found;
      }
    } catch (error) {
      throw unreachable(this.address, `listing ${prefix}`, error);
    }
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const path = this.#pathOf(name);
      try {
        await unlink(path);
        this.#touched.add(dirname(path));
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw unreachable(this.address, `removing ${name}`, error);
      }
    }
  }

  async settle(): Promise<void> {
    try {
      for (const folder of [...this.#touched]) {
        this.#touched.delete(folder);
        await nodeFiles.syncFolder(folder);
      }
    } catch (error) {
      throw unreachable(this.address, "syncing a folder", error);
    }
  }

  async close(): Promise<void> {}

  #pathOf(name: string): string {
    return join(this.#folder, name);
  }

  async #write(
    name: string,
    bytes: Uint8Array,
    place: (temporary: string, path: string) => Promise<boolean>,
  ): Promise<boolean> {
    const path = this.#pathOf(name);
    const folder = dirname(path);
    const own = `${temporaryMark}${path.slice(folder.length + 1)}`;
    const temporary = join(folder, `${own}.${randomBytes(6).toString("hex")}.tmp`);
    try {
      if (!this.#knownFolders.has(folder)) await nodeFiles.makeFolder(folder);
      this.#knownFolders.add(folder);
      const handle = await open(temporary, "wx");
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      const isPlaced = await place(temporary, path);
      this.#touched.add(folder);
      return isPlaced;
    } catch (error) {
      // It may be the folder that is gone.
      this.#knownFolders.delete(folder);
      await unlink(temporary).catch(() => undefined);
      throw unreachable(this.address, `writing ${name}`, error);
    }
  }

  async *#walk(folder: string): AsyncIterable<StoredObject> {
    const path = this.#pathOf(folder);
    const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    });
    for (const entry of entries) {
      const name = `${folder}${entry.name}`;
      if (entry.isDirectory()) yield* this.#walk(`${name}/`);
      else if (entry.name.startsWith(temporaryMark)) await this.#sweep(name, entry.name);
      else {
        const found = await stat(this.#pathOf(name)).catch(() => null);
        if (found !== null) yield { name, bytes: found.size, modifiedAt: found.mtimeMs };
      }
    }
  }

  /** Other hidden files (`.snapshot`, `.nfs…`) are not ours. */
  async #sweep(name: string, fileName: string): Promise<void> {
    if (!temporaryPattern.test(fileName)) return;
    const path = this.#pathOf(name);
    const found = await stat(path).catch(() => null);
    if (found === null || Date.now() - found.mtimeMs < temporaryMsMax) return;
    await unlink(path).catch(() => undefined);
  }
}
