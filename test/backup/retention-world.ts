/**
 * The life of a service over weeks, as its repository sees it: batches come, the log is copied,
 * bases are taken, some are not finished, the log has gaps, the service is restored and goes on
 * with another log. Beside the repository it keeps what it knows itself: which bytes of which log
 * each batch is, and what each base needs. By these it says what can be restored, without a line
 * of the code that plans restores or removes backups.
 */
import { randomUUID } from "node:crypto";
import { knownOf } from "../../src/backup/base-writer.ts";
import { partName } from "../../src/backup/log-parts.ts";
import { baseId, sha256 } from "../../src/backup/manifest.ts";

import { objectName, pack, Repository } from "../../src/backup/repository.ts";
import type { Random } from "../support/random.ts";
import { MemoryDestination } from "./memory-destination.ts";

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
const segmentBytesMax = 2000;
const headBytes = 16;
const filesParts = 6;

interface Batch {
  segment: number;
  start: number;
  end: number;
  receivedAt: number;
}

interface Log {
  id: string;
  batches: Batch[];
  /** Length of each segment, the first is number 1. */
  lengths: number[];
  copied: { segment: number; position: number };
  lastReceivedAt: number;
  /** Batches that the store counts. */
  counted: number;
}

export interface TrueBase {
  id: string;
  createdAt: number;
  receivedThrough: number;
  log: Log;
  /** Where its log begins. */
  segment: number;
  objects: string[];
}

/** Bytes of each segment that are there, from 0 to the first that is not. */
function reachOf(names: Iterable<string>, { id }: Log): Map<number, number> {
  const stretches = new Map<number, [number, number][]>();
  for (const name of names) {
    const [kind, logId, segment, place] = name.split("/");
    if (kind !== "log" || logId !== id || place === undefined) continue;
    const [start, end] = place.split("-");
    const known = stretches.get(Number(segment)) ?? [];
    known.push([Number(start), Number(end)]);
    stretches.set(Number(segment), known);
  }
  const reach = new Map<number, number>();
  for (const [segment, own] of stretches) {
    let at = 0;
    for (const [start, end] of own.sort((a, b) => a[0] - b[0])) if (start === at) at = end;
    reach.set(segment, at);
  }
  return reach;
}

export class RetentionWorld {
  readonly place = new MemoryDestination();
  readonly bases: TrueBase[] = [];
  repository!: Repository;
  log: Log = this.#newLog();
  readonly #random: Random;
  #contents: string[] = [];
  #old: string[] = [];
  /** As of so many changes. */
  #seenAt = -1;
  readonly #reaches = new Map<Log, Map<number, number>>();

  constructor(random: Random) {
    this.#random = random;
    this.place.now = Date.UTC(2026, 0, 5);
  }

  async open(): Promise<void> {
    this.repository = await Repository.open(this.place, { create: true });
  }

  #newLog(): Log {
    const copied = { segment: 1, position: 0 };
    const own = { batches: [], lengths: [headBytes], counted: 0, lastReceivedAt: 0 };
    return { id: randomUUID(), copied, ...own };
  }

  /** So much time goes by, in which batches come and the log is copied now and then. */
  async live(ms: number): Promise<void> {
    const random = this.#random;
    const until = this.place.now + ms;
    while (this.place.now < until) {
      this.place.now += random.int(minuteMs, 2 * hourMs);
      for (let i = random.int(0, 4); i > 0; i--) {
        this.place.now += random.int(1, 50);
        this.#receive(random.int(10, 700));
      }
      if (random.chance(0.3)) this.log.counted = this.log.batches.length;
      this.place.now += 2;
      if (random.chance(0.02)) this.#free();
      if (random.chance(0.6)) await this.copy();
    }
  }

  #receive(bytes: number): void {
    const { lengths, batches } = this.log;
    if (lengths.at(-1)! + bytes > segmentBytesMax) lengths.push(headBytes);
    const start = lengths.at(-1)!;
    lengths[lengths.length - 1] = start + bytes;
    const place = { segment: lengths.length, start, end: start + bytes };
    batches.push({ ...place, receivedAt: this.place.now });
  }

  /** Whole segments that are counted are freed, copied or not. */
  #free(): void {
    const { batches, lengths, copied } = this.log;
    this.log.counted = batches.length;
    if (copied.segment >= lengths.length) return;
    this.log.copied = { segment: lengths.length, position: 0 };
  }

  async copy(): Promise<void> {
    const { log } = this;
    for (; ; log.copied = { segment: log.copied.segment + 1, position: 0 }) {
      const { segment, position } = log.copied;
      const end = log.lengths[segment - 1]!;
      if (end > position) await this.#copyPart(segment, position, end);
      if (segment === log.lengths.length) return;
    }
  }

  async #copyPart(segment: number, start: number, end: number): Promise<void> {
    const { log } = this;
    const own = log.batches.filter(
      (batch) => batch.segment === segment && batch.start >= start && batch.end <= end,
    );
    const lastReceivedAt = own.at(-1)?.receivedAt ?? log.lastReceivedAt;
    const firstReceivedAt = own[0]?.receivedAt ?? lastReceivedAt;
    const before = log.lengths[segment - 2] ?? 0;
    const part = { segment, start, end, firstReceivedAt, lastReceivedAt, before };
    await this.place.create(partName({ logId: log.id, ...part }), Buffer.from("records"));
    log.lastReceivedAt = lastReceivedAt;
    log.copied = { segment, position: end };
  }

  /** Another process goes on from what was restored, under another log. */
  restart(): void {
    this.log = this.#newLog();
    this.place.now += hourMs;
  }

  /** Takes a base; `meanwhile` happens in its midst. False: it was not finished. */
  async takeBase(meanwhile: () => Promise<void> = async () => undefined): Promise<boolean> {
    const random = this.#random;
    const createdAt = this.place.now;
    const { log } = this;
    const next = log.batches[log.counted];
    const segment = next?.segment ?? log.lengths.length;
    const known = await knownOf(this.repository);
    await this.copy();
    const receivedThrough = this.place.now;
    const digests = await this.#writeContents(known.objects);
    await meanwhile();
    if (random.chance(0.1)) return false;
    const end = { ...log.copied };
    if (!this.#isCovered(log, segment, receivedThrough)) return false;
    const id = baseId(createdAt, random.uint32().toString(16).padStart(8, "0"));
    const bytes = digests.length;
    const layout = { headBytes: 1, partBytes: 1, parts: digests };
    const file = { path: "store.duckdb", bytes, codec: "br" as const, ...layout };
    const listed = Buffer.from(JSON.stringify([file]));
    const list = sha256(listed);
    await this.repository.writeObject(list, "br", pack(listed));
    await this.repository.writeBase({
      ...{ format: 1, id, createdAt, finishedAt: this.place.now, receivedThrough },
      log: { kind: "embedded", id: log.id, partitionCount: 1, segment, end },
      ...{ version: "1.0.0", offsets: [0], meta: {}, eventTypes: 0, total: 0, mutations: 0 },
      ...{ list, files: 1, bytes, sentObjects: 0, sentBytes: 0 },
    });
    const objects = [list, ...digests].map((digest) => objectName(digest, "br"));
    this.bases.push({ id, createdAt, receivedThrough, log, segment, objects });
    return true;
  }

  /** What changed of the store since the base before; some of it is as it was long ago. */
  async #writeContents(known: ReadonlySet<string>): Promise<string[]> {
    const random = this.#random;
    while (this.#contents.length < filesParts) this.#contents.push(random.uint32().toString());
    for (let i = random.int(0, 3); i > 0; i--) {
      const at = random.int(0, filesParts - 1);
      this.#old.push(this.#contents[at]!);
      const isOld = random.chance(0.2);
      this.#contents[at] = isOld ? random.pick(this.#old) : random.uint32().toString();
    }
    const digests = [...new Set(this.#contents)].map((text) => ({ text, digest: sha256(text) }));
    for (const { text, digest } of digests) {
      if (known.has(objectName(digest, "br"))) continue;
      await this.repository.writeObject(digest, "br", pack(Buffer.from(text)));
    }
    return digests.map(({ digest }) => digest);
  }

  #reach(log: Log): Map<number, number> {
    if (this.#seenAt !== this.place.changes) this.#reaches.clear();
    this.#seenAt = this.place.changes;
    const known = this.#reaches.get(log);
    if (known !== undefined) return known;
    const reach = reachOf(this.place.objects.keys(), log);
    this.#reaches.set(log, reach);
    return reach;
  }

  #isCovered(log: Log, segment: number, to: number): boolean {
    const last = log.batches.findLast(({ receivedAt }) => receivedAt <= to);
    const reach = this.#reach(log);
    if (last === undefined || last.segment < segment) return (reach.get(segment) ?? 0) > 0;
    for (let at = segment; at < last.segment; at++) {
      if ((reach.get(at) ?? 0) < log.lengths[at - 1]!) return false;
    }
    return (reach.get(last.segment) ?? 0) >= last.end;
  }

  /** Bases of which everything is there. */
  wholeBases(): TrueBase[] {
    const { objects } = this.place;
    return this.bases.filter(
      (base) =>
        objects.has(`bases/${base.id}.json`) && base.objects.every((name) => objects.has(name)),
    );
  }

  /** Bases with which a moment can be restored. */
  basesFor(to: number): TrueBase[] {
    return this.wholeBases().filter(
      ({ receivedThrough, log, segment }) =>
        receivedThrough <= to && this.#isCovered(log, segment, to),
    );
  }

  /** Whether a moment can be restored, and more: else more may have come by then. */
  isRestorable(to: number): boolean {
    return this.basesFor(to).some((base) => {
      const next = base.log.batches.find(({ receivedAt }) => receivedAt > to);
      return next !== undefined && this.basesFor(next.receivedAt).includes(base);
    });
  }
}
