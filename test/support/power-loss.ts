/**
 * A disk in memory that loses power. What is not synced may be dropped, torn at sectors of 512
 * bytes, or kept in any pattern; a file's new length may or may not have been stored, with
 * zeros where its sectors were not; creations, renames and removals of names may or may not
 * have happened until their folder is synced.
 *
 * `cutPowerAfter(n)` makes the n-th operation from now, and all after it, throw PowerLoss.
 * `crash(random)` is the disk after power came back: only what survived, all of it durable.
 */
import { dirname, normalize } from "node:path";
import type { AppendFile, Files, ReadFile } from "../../src/files.ts";
import type { Random } from "./random.ts";

export const sectorBytes = 512;

export class PowerLoss extends Error {
  constructor() {
    super("power loss");
    this.name = "PowerLoss";
  }
}

/** One file's bytes, as written and as certainly on the disk. */
class Node {
  current: Buffer = Buffer.alloc(0);
  size = 0;
  /** Durable content of the sectors that changed since the last sync, by number. */
  readonly old = new Map<number, Buffer>();
  durableSize = 0;

  #keepOld(from: number, to: number): void {
    const last = Math.ceil(to / sectorBytes);
    for (let sector = Math.floor(from / sectorBytes); sector < last; sector++) {
      if (this.old.has(sector)) continue;
      const start = sector * sectorBytes;
      const bytes = Buffer.alloc(sectorBytes);
      const end = Math.min(this.durableSize, this.size, start + sectorBytes);
      if (end > start) this.current.copy(bytes, 0, start, end);
      this.old.set(sector, bytes);
    }
  }

  append(chunk: Uint8Array): void {
    const start = this.size;
    this.#resize(start + chunk.length);
    this.current.set(chunk, start);
  }

  truncate(size: number): void {
    this.#resize(size);
  }

  #resize(size: number): void {
    this.#keepOld(Math.min(size, this.size), Math.max(size, this.size));
    if (size > this.current.length) {
      const grown = Buffer.alloc(Math.max(size, 2 * this.current.length));
      this.current.copy(grown, 0, 0, this.size);
      this.current = grown;
    }
    if (size < this.size) this.current.fill(0, size, this.size);
    this.size = size;
  }

  sync(): void {
    this.old.clear();
    this.durableSize = this.size;
  }

  /** What the disk may hold after the power went. */
  survivor(random: Random): Node {
    const node = new Node();
    const unchanged = this.old.size === 0 && this.size === this.durableSize;
    const length = unchanged || random.float() < 0.5 ? this.size : this.#someSize(random);
    const bytes = Buffer.alloc(length);
    this.current.copy(bytes, 0, 0, Math.min(length, this.size));
    const keep = random.float();
    for (const [sector, old] of this.old) {
      if (random.float() < keep) continue;
      const start = sector * sectorBytes;
      if (start < length) old.copy(bytes, start, 0, Math.min(sectorBytes, length - start));
    }
    node.current = bytes;
    node.size = length;
    node.sync();
    return node;
  }

  #someSize(random: Random): number {
    if (random.float() < 0.5) return this.durableSize;
    const low = Math.min(this.durableSize, this.size);
    const high = Math.max(this.durableSize, this.size);
    const cut = low + Math.floor(random.float() * (high - low + 1));
    // A length between is one that some of the sectors brought with them.
    return Math.min(high, Math.ceil(cut / sectorBytes) * sectorBytes);
  }
}

type NameChange =
  | { kind: "create"; name: string; node: Node }
  | { kind: "remove"; name: string }
  | { kind: "rename"; from: string; to: string };

function applyChange(names: Map<string, Node>, change: NameChange): void {
  if (change.kind === "create") names.set(change.name, change.node);
  else if (change.kind === "remove") names.delete(change.name);
  else {
    const node = names.get(change.from);
    if (!node) return;
    names.delete(change.from);
    names.set(change.to, node);
  }
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
}

export class PowerLossDisk implements Files {
  #names = new Map<string, Node>();
  #durableNames = new Map<string, Node>();
  #changes: NameChange[] = [];
  #operationsLeft = Number.POSITIVE_INFINITY;
  /** How many operations were made, failed ones not counted. */
  operations = 0;
  /** When set, called before each operation: throw from it to model a disk's own errors. */
  fault: ((operation: string, path: string) => void) | null = null;

  /** The n-th operation from now, and all after it, throw PowerLoss. */
  cutPowerAfter(operations: number): void {
    this.#operationsLeft = operations;
  }

  get isPowered(): boolean {
    return this.#operationsLeft > 0;
  }

  /** The disk after power came back. This one stays dead. */
  crash(random: Random): PowerLossDisk {
    this.#operationsLeft = 0;
    const after = new PowerLossDisk();
    const names = new Map(this.#durableNames);
    const keep = random.float();
    for (const change of this.#changes) if (random.float() < keep) applyChange(names, change);
    const survivors = new Map<Node, Node>();
    for (const [name, node] of names) {
      const survivor = survivors.get(node) ?? node.survivor(random);
      survivors.set(node, survivor);
      after.#names.set(name, survivor);
    }
    after.#durableNames = new Map(after.#names);
    return after;
  }

  /** The disk after the process alone was killed: everything written is there, synced or not. */
  kill(): PowerLossDisk {
    this.#operationsLeft = 0;
    const after = new PowerLossDisk();
    after.#names = new Map(this.#names);
    after.#durableNames = new Map(this.#durableNames);
    after.#changes = [...this.#changes];
    return after;
  }

  /** A file that something else wrote: its bytes are durable only after `syncFile`. */
  adopt(path: string, bytes: Uint8Array): void {
    const node = this.#create(normalize(path));
    node.append(bytes);
  }

  /** The bytes of a file as a reader sees them now, to damage or to look at. */
  bytesOf(path: string): Buffer {
    const node = this.#node(path);
    return node.current.subarray(0, node.size);
  }

  #step(operation: string, path: string): void {
    if (this.#operationsLeft <= 0) throw new PowerLoss();
    this.#operationsLeft--;
    if (this.#operationsLeft <= 0) throw new PowerLoss();
    this.fault?.(operation, path);
    this.operations++;
  }

  #node(path: string): Node {
    const node = this.#names.get(normalize(path));
    if (!node) throw missing(path);
    return node;
  }

  #change(change: NameChange): void {
    applyChange(this.#names, change);
    this.#changes.push(change);
  }

  #create(name: string): Node {
    const node = new Node();
    this.#change({ kind: "create", name, node });
    return node;
  }

  async makeFolder(path: string): Promise<void> {
    this.#step("makeFolder", path);
  }

  async list(path: string): Promise<string[]> {
    this.#step("list", path);
    const folder = normalize(path);
    // Folders are not kept: one is there while something lies below it.
    const inside = [...this.#names.keys()]
      .filter((name) => name.startsWith(`${folder}/`))
      .map((name) => name.slice(folder.length + 1).split("/", 1)[0]!);
    return [...new Set(inside)].sort();
  }

  async size(path: string): Promise<number | null> {
    this.#step("size", path);
    return this.#names.get(normalize(path))?.size ?? null;
  }

  async read(path: string, position: number, length: number): Promise<Uint8Array> {
    this.#step("read", path);
    const node = this.#node(path);
    const end = Math.min(node.size, position + length);
    return new Uint8Array(node.current.subarray(Math.min(position, end), end));
  }

  async openRead(path: string): Promise<ReadFile> {
    this.#step("openRead", path);
    const read = (position: number, length: number) => this.read(path, position, length);
    return { read, close: async () => undefined };
  }

  async openAppend(path: string): Promise<AppendFile> {
    this.#step("openAppend", path);
    const name = normalize(path);
    const node = this.#names.get(name) ?? this.#create(name);
    const step = (operation: string) => this.#step(operation, path);
    return {
      get size() {
        return node.size;
      },
      append: async (chunks) => {
        // The power may go after any of the chunks.
        for (const chunk of chunks) {
          if (!this.isPowered) throw new PowerLoss();
          node.append(chunk);
          step("append");
        }
      },
      sync: async () => {
        step("sync");
        node.sync();
      },
      close: async () => step("close"),
    };
  }

  async truncate(path: string, size: number): Promise<void> {
    const node = this.#node(path);
    this.#step("truncate", path);
    node.truncate(size);
    this.#step("sync", path);
    node.sync();
  }

  async syncFile(path: string): Promise<void> {
    this.#step("syncFile", path);
    this.#node(path).sync();
  }

  async rename(from: string, to: string): Promise<void> {
    this.#node(from);
    this.#step("rename", from);
    this.#change({ kind: "rename", from: normalize(from), to: normalize(to) });
  }

  async remove(path: string): Promise<void> {
    this.#node(path);
    this.#step("remove", path);
    this.#change({ kind: "remove", name: normalize(path) });
  }

  async syncFolder(path: string): Promise<void> {
    this.#step("syncFolder", path);
    const folder = normalize(path);
    const isInside = (change: NameChange) =>
      dirname(change.kind === "rename" ? change.to : change.name) === folder;
    for (const change of this.#changes) {
      if (isInside(change)) applyChange(this.#durableNames, change);
    }
    this.#changes = this.#changes.filter((change) => !isInside(change));
  }
}
