/**
 * The one small interface through which log segments and Parquet files reach the disk, so that
 * a model of power loss (test/support) can stand in for it: what is not synced may be dropped,
 * torn or reordered there.
 */
import { writevSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** A file being written at its end. Writes are in order; none is durable before `sync`. */
export interface AppendFile {
  /** The file's length in bytes: what was there when it was opened and what was appended. */
  readonly size: number;
  append(chunks: readonly Uint8Array[]): Promise<void>;
  /** fdatasync: all appended bytes are durable when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A file being read, kept open until `close`. */
export interface ReadFile {
  /** As `Files.read`; into `buffer` where that is long enough. */
  read(position: number, length: number, buffer?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface Files {
  /** Creates the folder and its parents where missing, and syncs the parents made. */
  makeFolder(path: string): Promise<void>;
  /** Names in the folder, sorted; a missing folder is empty. */
  list(path: string): Promise<string[]>;
  /** Size in bytes; null when there is no such file. */
  size(path: string): Promise<number | null>;
  /** Up to `length` bytes from `position`; shorter at the file's end. */
  read(path: string, position: number, length: number): Promise<Uint8Array>;
  /** Opens for reading; the file may get longer meanwhile. */
  openRead(path: string): Promise<ReadFile>;
  /** Opens for appending; creates an empty file where there is none. */
  openAppend(path: string): Promise<AppendFile>;
  /** Cuts the file to `size` bytes and syncs it. */
  truncate(path: string, size: number): Promise<void>;
  /** fsync of a file that something else wrote. */
  syncFile(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** fsync of the folder: creations, renames and removals in it are durable after. */
  syncFolder(path: string): Promise<void>;
}

/**
 * So little is written at once, where it is asked for: the system only copies it, in less time
 * than a thread takes to be woken for it. The wait for the disk is in `sync`.
 */
const writtenInPlaceMax = 64 * 1024;
/** How many buffers one writev takes (Linux: IOV_MAX). */
const writeBuffersMax = 1024;

class NodeAppendFile implements AppendFile {
  #handle: FileHandle;
  #size: number;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  async append(chunks: readonly Uint8Array[]): Promise<void> {
    for (let from = 0; from < chunks.length; from += writeBuffersMax) {
      await this.#write(chunks.slice(from, from + writeBuffersMax));
    }
  }

  async #write(chunks: Uint8Array[]): Promise<void> {
    let left = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    while (left > 0) {
      const bytesWritten =
        left <= writtenInPlaceMax
          ? writevSync(this.#handle.fd, chunks)
          : (await this.#handle.writev(chunks)).bytesWritten;
      this.#size += bytesWritten;
      left -= bytesWritten;
      // A short write is legal (a signal, a nearly full disk): go on after what was taken.
      let skip = left > 0 ? bytesWritten : 0;
      while (skip > 0) {
        const first = chunks[0]!;
        if (skip < first.length) chunks[0] = first.subarray(skip);
        else chunks.shift();
        skip -= Math.min(skip, first.length);
      }
    }
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

async function withHandle<T>(
  path: string,
  flags: string,
  work: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(path, flags);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

async function syncPath(path: string): Promise<void> {
  await withHandle(path, "r", (handle) => handle.sync());
}

async function makeFolder(path: string): Promise<void> {
  const wanted = resolve(path);
  const made = await mkdir(wanted, { recursive: true });
  if (made === undefined) return;
  // A new folder's name lives in its parent, which must reach the disk too.
  for (let folder = wanted; ; folder = dirname(folder)) {
    await syncPath(dirname(folder));
    if (folder === resolve(made)) return;
  }
}

async function readFrom(
  handle: FileHandle,
  position: number,
  length: number,
  buffer?: Uint8Array,
): Promise<Uint8Array> {
  const isLong = buffer !== undefined && buffer.length >= length;
  const bytes = isLong ? buffer : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** Whether what failed did for want of room. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException)?.code;
  return code === "ENOSPC" || code === "EDQUOT";
}

/** The real disk. Holds no state: any thread may use it. Errors are Node's own (`code`). */
export const nodeFiles: Files = Object.freeze({
  makeFolder,
  async list(path: string) {
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  },
  async size(path: string) {
    try {
      return (await stat(path)).size;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  },
  read: (path: string, position: number, length: number) =>
    withHandle(path, "r", (handle) => readFrom(handle, position, length)),
  async openRead(path: string) {
    const handle = await open(path, "r");
    return {
      read: (position: number, length: number, buffer?: Uint8Array) =>
        readFrom(handle, position, length, buffer),
      close: () => handle.close(),
    };
  },
  async openAppend(path: string) {
    const handle = await open(path, "a");
    try {
      return new NodeAppendFile(handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  },
  truncate: (path: string, size: number) =>
    withHandle(path, "r+", async (handle) => {
      await handle.truncate(size);
      await handle.sync();
    }),
  syncFile: syncPath,
  rename: (from: string, to: string) => rename(from, to),
  remove: (path: string) => unlink(path),
  syncFolder: syncPath,
});
