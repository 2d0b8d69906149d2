/**
 * Writes a base: the store's file and its WAL as of a cut, and the raw files, as objects of which
 * only those go that the repository does not have. The store's file is read first, and what is
 * new of it put aside on this machine, since DuckDB may not write to it meanwhile: that takes as
 * long as reading it does, however slow the repository is.
 */
import { randomBytes } from "node:crypto";
import { readSync } from "node:fs";
import { type FileHandle, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import type { BaseCut, CutRawFile } from "../store/base-cuts.ts";
import {
  type BackupFile,
  type BaseManifest,
  type Codec,
  manifestFormat,
  partBounds,
  sha256,
} from "./manifest.ts";
import { isDamage, objectName, objectsOf, pack, type Repository } from "./repository.ts";

const MiB = 1024 * 1024;
/** DuckDB's file begins with three headers of 4 KiB; blocks of 256 KiB follow. */
const storeLayout = Object.freeze({ headBytes: 12_288, partBytes: MiB });
const walLayout = Object.freeze({ headBytes: 4 * MiB, partBytes: 4 * MiB });
const rawLayout = Object.freeze({ headBytes: 16 * MiB, partBytes: 16 * MiB });
/** What is put aside leaves so much of the disk free; looked at after every so many bytes. */
const freeBytesMin = 64 * MiB;
const roomStepBytes = 64 * MiB;
/** Objects written at once. */
const writesAtOnce = 4;

/** What a base is made from. */
export interface BaseSource {
  id: string;
  cut: BaseCut;
  /** The data folder. */
  folder: string;
  /** Open descriptors: closing one of the store's file ends DuckDB's lock on it. */
  storeDescriptor: number;
  walDescriptor: number | null;
  version: string;
  /** Epoch ms: when it was asked for. */
  createdAt: number;
  log: Omit<BaseManifest["log"], "end">;
}

export interface BaseHooks {
  /** 0..1. */
  onProgress(share: number): void;
  signal: AbortSignal;
}

/** How far the log that goes with a base is in the repository. */
export type BaseLogEnd = Pick<BaseManifest, "receivedThrough"> & Pick<BaseManifest["log"], "end">;

/** What was put aside, to be written to the repository. */
interface Aside {
  digest: string;
  at: number;
  bytes: number;
}

/** What the repository is known to have. */
export interface Known {
  objects: Set<string>;
  /** Raw files of earlier bases, by path. */
  rawFiles: Map<string, BackupFile>;
}

/**
 * What the newest base names, as far as it is there: all of it stays until the base is retired,
 * and a day longer. What is gone, because it was found to be damaged and removed, is written anew.
 */
export async function knownOf(repository: Repository): Promise<Known> {
  const newest = (await repository.readBases()).bases.at(-1);
  const none = { objects: new Set<string>(), rawFiles: new Map<string, BackupFile>() };
  if (newest === undefined) return none;
  const files = await repository.files(newest).catch((error) => {
    if (isDamage(error)) return null;
    throw error;
  });
  if (files === null) return none;
  const named = new Set(objectsOf(newest, files));
  const objects = new Set<string>();
  for await (const { name } of repository.destination.list("objects/")) {
    if (named.has(name)) objects.add(name);
  }
  const isThere = ({ parts, codec }: BackupFile) =>
    parts.every((part) => objects.has(objectName(part, codec)));
  const whole = files.filter(isThere);
  return { objects, rawFiles: new Map(whole.map((file) => [file.path, file])) };
}

function sameRawFile(known: BackupFile | undefined, { bytes, checksums }: CutRawFile): boolean {
  if (known === undefined || known.bytes !== bytes || checksums === null) return false;
  return known.isDamaged !== true && known.checksums?.join() === checksums.join();
}

export class BaseWriter {
  readonly #repository: Repository;
  readonly #source: BaseSource;
  readonly #hooks: BaseHooks;
  readonly #known: Known;
  /** Objects that are written or about to be. */
  readonly #taken: Set<string>;
  readonly #aside: Aside[] = [];
  readonly #files: BackupFile[] = [];
  #asideFile: FileHandle | null = null;
  #asideBytes = 0;
  #roomSeenAt = 0;
  #doneBytes = 0;
  #sentObjects = 0;
  #sentBytes = 0;
  #damaged = 0;

  constructor(repository: Repository, source: BaseSource, known: Known, hooks: BaseHooks) {
    this.#repository = repository;
    this.#source = source;
    this.#hooks = hooks;
    this.#known = known;
    this.#taken = new Set(known.objects);
  }

  /** Raw files that were not as they had been written. */
  get damaged(): number {
    return this.#damaged;
  }

  /** What the next base may count on. */
  get known(): Known {
    return {
      objects: this.#taken,
      rawFiles: new Map(this.#files.map((file) => [file.path, file])),
    };
  }

  /**
   * First step: reads the store's file, which may change again once this resolves. Throws
   * `disk_nearly_full`. As with all steps, `close` is to be called in the end.
   */
  async read(): Promise<void> {
    const { cut, folder, storeDescriptor, walDescriptor } = this.#source;
    const path = join(folder, `.backup-${randomBytes(6).toString("hex")}.tmp`);
    this.#asideFile = await open(path, "wx+");
    // It has no name from now on: whatever ends the process, it is gone.
    await rm(path);
    await this.#read("store.duckdb", storeDescriptor, cut.storeBytes);
    if (walDescriptor !== null && cut.walBytes > 0) {
      await this.#read("store.duckdb.wal", walDescriptor, cut.walBytes);
    }
    failPoint("backup.after_read");
  }

  /** Second step: writes all objects. Throws `backup_unreachable`, and what aborts the signal. */
  async send(): Promise<void> {
    await this.#sendAside();
    for (const file of this.#source.cut.rawFiles) this.#files.push(await this.#sendRaw(file));
  }

  async close(): Promise<void> {
    await this.#asideFile?.close();
    this.#asideFile = null;
  }

  #progress(bytes: number): void {
    const { cut } = this.#source;
    const raw = cut.rawFiles.reduce((sum, file) => sum + file.bytes, 0);
    this.#doneBytes += bytes;
    this.#hooks.onProgress(this.#doneBytes / Math.max(1, raw + cut.storeBytes + cut.walBytes));
  }

  /** Reads a file of the store, and puts aside what the repository lacks of it. */
  async #read(path: string, descriptor: number, bytes: number): Promise<void> {
    const layout = path.endsWith(".wal") ? walLayout : storeLayout;
    const file: BackupFile = { path, bytes, codec: "br", ...layout, parts: [] };
    const buffer = Buffer.alloc(Math.max(layout.headBytes, layout.partBytes));
    for (const [from, end] of partBounds(file)) {
      this.#hooks.signal.throwIfAborted();
      const part = buffer.subarray(0, end - from);
      const length = readSync(descriptor, part, 0, part.length, from);
      if (length !== part.length) throw new Error(`${path}: ${from + length} bytes, not ${bytes}`);
      const digest = sha256(part);
      file.parts.push(digest);
      if (this.#isNew(digest, "br")) await this.#putAside(digest, part);
      // The log is copied meanwhile.
      await nextTurn();
    }
    this.#files.push(file);
  }

  #isNew(digest: string, codec: Codec): boolean {
    const name = objectName(digest, codec);
    if (this.#taken.has(name)) return false;
    this.#taken.add(name);
    return true;
  }

  async #putAside(digest: string, part: Buffer): Promise<void> {
    const kept = pack(part);
    if (this.#asideBytes >= this.#roomSeenAt) {
      await this.#checkRoom();
      this.#roomSeenAt += roomStepBytes;
    }
    await this.#asideFile!.write(kept, 0, kept.length, this.#asideBytes);
    this.#aside.push({ digest, at: this.#asideBytes, bytes: kept.length });
    this.#asideBytes += kept.length;
  }

  async #checkRoom(): Promise<void> {
    const { folder } = this.#source;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize >= roomStepBytes + freeBytesMin) return;
    const detail = `${folder}: ${bavail * bsize} bytes are free, a backup needs more meanwhile`;
    throw new RankstreamError("disk_nearly_full", detail);
  }

  async #sendAside(): Promise<void> {
    const left = this.#aside.toReversed();
    const sendNext = async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const kept = Buffer.alloc(next.bytes);
        await this.#asideFile!.read(kept, 0, kept.length, next.at);
        await this.#send(next.digest, "br", kept);
      }
    };
    try {
      await Promise.all(Array.from({ length: writesAtOnce }, sendNext));
    } finally {
      left.length = 0;
    }
    this.#progress(this.#source.cut.storeBytes + this.#source.cut.walBytes);
  }

  async #send(digest: string, codec: Codec, kept: Buffer): Promise<void> {
    this.#hooks.signal.throwIfAborted();
    await this.#repository.writeObject(digest, codec, kept);
    failPoint("backup.after_object");
    this.#sentObjects++;
    this.#sentBytes += kept.length;
  }

  /** A file that an earlier base has is not read again. */
  async #sendRaw(raw: CutRawFile): Promise<BackupFile> {
    const { path, bytes, checksums } = raw;
    const known = this.#known.rawFiles.get(path);
    if (sameRawFile(known, raw)) {
      this.#progress(bytes);
      return known!;
    }
    const file: BackupFile = { path, bytes, codec: "raw", ...rawLayout, parts: [], checksums };
    const handle = await open(join(this.#source.folder, path), "r");
    let isSound = true;
    try {
      for (const [from, end] of partBounds(file)) {
        const part = Buffer.alloc(end - from);
        const { bytesRead } = await handle.read(part, 0, part.length, from);
        isSound &&= bytesRead === part.length && matches(part, checksums, from);
        const digest = sha256(part);
        file.parts.push(digest);
        if (this.#isNew(digest, "raw")) await this.#send(digest, "raw", part);
        this.#progress(part.length);
      }
    } finally {
      await handle.close();
    }
    if (isSound) return file;
    // As it is: the rest is worth keeping, and an earlier base may have it whole.
    this.#damaged++;
    return { ...file, isDamaged: true };
  }

  /** Last step: what makes a base of it. `end`: how far the log goes with it. */
  async finish({ receivedThrough, end }: BaseLogEnd): Promise<BaseManifest> {
    const { cut, id, createdAt, version, log } = this.#source;
    const files = this.#files;
    const listed = Buffer.from(JSON.stringify(files));
    const list = sha256(listed);
    await this.#send(list, "br", pack(listed));
    await this.#repository.destination.settle();
    failPoint("backup.before_manifest");
    const manifest: BaseManifest = {
      format: manifestFormat,
      id,
      createdAt,
      finishedAt: Date.now(),
      receivedThrough,
      version,
      log: { ...log, end },
      offsets: cut.offsets,
      meta: cut.meta,
      eventTypes: cut.eventTypes,
      total: cut.total,
      mutations: cut.mutations,
      list,
      files: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      sentObjects: this.#sentObjects,
      sentBytes: this.#sentBytes,
    };
    await this.#repository.writeBase(manifest);
    return manifest;
  }
}

/** Whether the part that begins at `from`, a whole MiB, has the file's checksums there. */
function matches(part: Buffer, checksums: number[] | null, from: number): boolean {
  if (checksums === null) return true;
  for (let at = 0; at < part.length; at += MiB) {
    if (crc32(part.subarray(at, at + MiB)) !== checksums[(from + at) / MiB]) return false;
  }
  return true;
}
