/**
 * What a repository says of a base: a small document that is written last, and by it the list of
 * the files that the base is made of.
 *
 *   bases/<id>.json    BaseManifest as JSON, whose last member "sha256" is the digest of the
 *                      document without it
 *   objects/…          the list: BackupFile[] as JSON, packed, under its own digest
 */
import { createHash } from "node:crypto";
import { RankstreamError } from "../errors.ts";
import type { LogPosition } from "../log/log.ts";

export const manifestFormat = 1;

/** How an object's bytes are kept: as they are, or packed with Brotli. */
export type Codec = "raw" | "br";

/** A file of the data folder, as objects that together are its bytes. */
export interface BackupFile {
  /** Below the data folder. */
  path: string;
  bytes: number;
  codec: Codec;
  /** Bytes of the first part, and of each further one but for the last. */
  headBytes: number;
  partBytes: number;
  /** SHA-256 of each part's bytes, unpacked, hexadecimal: the name of its object. */
  parts: string[];
  /** Of a raw file: CRC-32 of each MiB as the store has them; null where it has none. */
  checksums?: number[] | null;
  /** It was not as the store had written it when it was backed up. */
  isDamaged?: true;
}

export interface BaseManifest {
  format: number;
  id: string;
  /** Times are epoch ms. */
  createdAt: number;
  finishedAt: number;
  /** Nothing that it counts was received later. */
  receivedThrough: number;
  /** Of the program that took it. */
  version: string;
  log: {
    kind: "embedded" | "kafka";
    id: string;
    partitionCount: number;
    /** Of the embedded log: the segment from which on it holds what the base does not count. */
    segment: number | null;
    /** And where in it everything lies that was received through `receivedThrough`. */
    end: LogPosition | null;
  };
  /** Next offset to be counted, by partition. */
  offsets: number[];
  /** The store's own account of itself (table meta). */
  meta: Record<string, string>;
  eventTypes: number;
  /** Sum of all event types' totals. */
  total: number;
  mutations: number;
  /** The list of files, and what they come to. */
  list: string;
  files: number;
  bytes: number;
  /** What had to be written for it that was not there yet. */
  sentObjects: number;
  sentBytes: number;
}

/** SHA-256, hexadecimal. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function damaged(name: string, what: string): RankstreamError {
  return new RankstreamError("backup_damaged", `${name}: ${what}`);
}

/** The document with its digest as its last member. */
export function sealDocument(document: object): string {
  const text = JSON.stringify(document);
  return `${text.slice(0, -1)},"sha256":"${sha256(text)}"}\n`;
}

const sealPattern = /,"sha256":"([0-9a-f]{64})"\}\s*$/;

/** The document again. Throws `backup_damaged` where it is not as it was written. */
export function openDocument(name: string, text: string): Record<string, unknown> {
  const seal = sealPattern.exec(text);
  const plain = seal === null ? "" : `${text.slice(0, seal.index)}}`;
  if (seal === null || sha256(plain) !== seal[1]) throw damaged(name, "its digest is not right");
  return JSON.parse(plain) as Record<string, unknown>;
}

/** As openDocument. Throws `backup_mismatch` for another format than this one. */
export function openFormat(name: string, bytes: Buffer, wanted: number): Record<string, unknown> {
  const document = openDocument(name, bytes.toString("utf8"));
  const { format } = document;
  if (format === wanted) return document;
  const detail = `${name}: format ${format}, this version reads ${wanted}`;
  throw new RankstreamError("backup_mismatch", detail);
}

/** Throws `backup_mismatch` for a format that this version doesn't know, `backup_damaged`. */
export function parseManifest(name: string, bytes: Buffer): BaseManifest {
  return openFormat(name, bytes, manifestFormat) as unknown as BaseManifest;
}

/** First and last byte, exclusive, of each part of the file. */
export function partBounds(file: {
  bytes: number;
  headBytes: number;
  partBytes: number;
}): [number, number][] {
  const bounds: [number, number][] = [];
  for (let at = 0; at < file.bytes; ) {
    const end = Math.min(file.bytes, at === 0 ? file.headBytes : at + file.partBytes);
    bounds.push([at, end]);
    at = end;
  }
  return bounds;
}

/** `20261130T101500Z-1a2b3c4d`: in the order of time. */
export function baseId(createdAt: number, suffix: string): string {
  const time = new Date(createdAt).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `${time}-${suffix}`;
}

/** The second that the base of this id was asked for in: epoch ms of its beginning. */
export function baseTime(id: string): number {
  const [, date, hours, minutes, seconds] = /^(\d{8})T(\d\d)(\d\d)(\d\d)Z/.exec(id)!;
  const day = date!.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3");
  return Date.parse(`${day}T${hours}:${minutes}:${seconds}Z`);
}

export const baseIdPattern = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;
