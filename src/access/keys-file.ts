/** The file of keys on the disk: read where nobody else may write it, written as a whole. */
import { constants } from "node:fs";
import { type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { quoted, RankstreamError } from "../errors.ts";
import {
  keysBounds,
  keysDocumentText,
  readKeysDocument,
  type StoredKey,
} from "./keys-document.ts";

/** Writable by its group or by all. */
const othersMayWrite = 0o022;
const ownerOnly = 0o600;

export interface KeysFile {
  keys: StoredKey[];
  /** Another text for another state of the file, as far as the disk tells. */
  mark: string;
}

function unusable(path: string, why: string, cause?: unknown): RankstreamError {
  const detail = `the file of keys ${quoted(path, 200)}: ${why}`;
  return new RankstreamError("keys_unusable", detail, { cause });
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

async function markOf(handle: FileHandle): Promise<{ mark: string; mode: number; size: number }> {
  const { dev, ino, size, mtimeNs, ctimeNs, mode } = await handle.stat({ bigint: true });
  const mark = [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  return { mark, mode: Number(mode), size: Number(size) };
}

async function readOpen(path: string, handle: FileHandle, knownMark: string | null) {
  const { mark, mode, size } = await markOf(handle);
  if (mark === knownMark) return null;
  // Windows has neither: modes say nothing of rights there.
  const hasModes = constants.O_NOFOLLOW !== undefined;
  if (hasModes && (mode & othersMayWrite) !== 0) {
    const rights = (mode & 0o777).toString(8);
    throw unusable(path, `others than its owner may write it (${rights}): chmod go-w`);
  }
  if (size > keysBounds.fileBytesMax) {
    throw unusable(path, `expected at most ${keysBounds.fileBytesMax} bytes, got ${size}`);
  }
  const text = await handle.readFile("utf8");
  try {
    return { keys: readKeysDocument(text), mark };
  } catch (error) {
    throw unusable(path, (error as Error).message, error);
  }
}

/**
 * The keys in the file; null where its mark is `knownMark`: it is as it was. Throws
 * `keys_unusable`, which names the file and what is wrong with it.
 */
export async function readKeysFile(
  path: string,
  knownMark: string | null = null,
): Promise<KeysFile | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    throw unusable(path, `it can not be read (${reasonOf(error)})`, error);
  }
  try {
    return await readOpen(path, handle, knownMark);
  } catch (error) {
    if (error instanceof RankstreamError) throw error;
    throw unusable(path, `it can not be read (${reasonOf(error)})`, error);
  } finally {
    await handle.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Changes the file as one: whoever reads it meanwhile sees all of the old keys or all of the new
 * ones, and a second change at the same time is refused. `change` gets null where there is no
 * file. Throws `keys_unusable`, and what `change` throws.
 */
export async function changeKeysFile(
  path: string,
  change: (keys: StoredKey[] | null) => StoredKey[],
): Promise<void> {
  const temporary = `${path}.new`;
  let handle: FileHandle;
  try {
    handle = await open(temporary, "wx", ownerOnly);
  } catch (error) {
    const reason = reasonOf(error);
    if (reason !== "EEXIST") throw unusable(path, `it can not be written (${reason})`, error);
    const why = `${quoted(temporary, 200)} is there: it is being changed, or a change was killed`;
    throw unusable(path, `${why}; remove that file where nobody changes it`, error);
  }
  try {
    const before = (await isThere(path)) ? await readKeysFile(path) : null;
    await handle.writeFile(keysDocumentText(change(before?.keys ?? null)));
    await handle.sync();
    await handle.close();
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw unusable(path, `it can not be read (${reasonOf(error)})`, error);
  }
}
