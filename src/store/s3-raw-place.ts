/**
 * Files of raw events as objects in a bucket of S3, or of a server that speaks its protocol.
 * DuckDB writes and reads them by itself (httpfs); AWS's client does what DuckDB does not.
 *
 * An object is written under its own name, with no temporary one: it appears whole or not at
 * all, since S3 takes a request, or the parts of an upload, only with all bytes, whose digests
 * DuckDB signs; and S3 knows no renaming. It is read back against its length, and its checksums
 * go to the manifest as of files: S3 vouches for what it stores, but other servers keep objects
 * on plain disks, and what they damage must not be counted either.
 */
import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { failPoint } from "../fail-point.ts";
import type { S3Access } from "../model-lake.ts";
import { s3RawBounds } from "./lake-s3.ts";
import {
  listedAtOnce,
  type OpenedRaw,
  type PlacedFile,
  type RawPlace,
  sharedKeptMsMin,
} from "./raw-place.ts";
import { rawUnreachable } from "./raw-unreachable.ts";
import { s3ClientConfig } from "./s3-client.ts";

/** A body that breaks off is asked for again from where it did, so often. */
const resumesMax = 2;
const removalsAtOnce = 8;
/** Uploads looked at in one sweep; more are for the next. */
const uploadsMax = 1000;

function isMissing(error: unknown): boolean {
  return ["NoSuchKey", "NotFound", "NoSuchUpload"].includes((error as Error).name);
}

type Body = Readable & AsyncIterable<Buffer>;

interface Opened {
  bytes: number;
  /** What the rest must be of, too. */
  tag: string | undefined;
  body: Body;
}

/** One object from its begin to its end: one request, unless the connection breaks. */
class S3Reading implements OpenedRaw {
  readonly bytes: number;
  readonly #reopen: (position: number) => Promise<Opened>;
  #body: Body;
  #chunks: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);
  #buffer = new Uint8Array(0);
  #position = 0;
  #resumes = 0;

  constructor(opened: Opened, reopen: (position: number) => Promise<Opened>) {
    this.bytes = opened.bytes;
    this.#reopen = reopen;
    this.#body = opened.body;
    this.#chunks = opened.body[Symbol.asyncIterator]();
  }

  async next(length: number): Promise<Uint8Array> {
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    let filled = 0;
    while (filled < length && this.#position < this.bytes) {
      if (this.#left.length === 0) this.#left = await this.#chunk();
      const taken = this.#left.subarray(0, length - filled);
      this.#buffer.set(taken, filled);
      this.#left = this.#left.subarray(taken.length);
      filled += taken.length;
      this.#position += taken.length;
    }
    return this.#buffer.subarray(0, filled);
  }

  async close(): Promise<void> {
    // Read to its very end, so that the connection serves the next request too.
    if (this.#position === this.bytes) await this.#chunks.next().catch(() => undefined);
    this.#body.destroy();
  }

  async #chunk(): Promise<Buffer> {
    for (;;) {
      try {
        const { done, value } = await this.#chunks.next();
        if (done === true) throw new Error(`it ends after ${this.#position} of ${this.bytes}`);
        return value;
      } catch (error) {
        if (this.#resumes++ >= resumesMax) throw error;
        this.#body.destroy();
        this.#body = (await this.#reopen(this.#position)).body;
        this.#chunks = this.#body[Symbol.asyncIterator]();
      }
    }
  }
}

export class S3RawPlace implements RawPlace {
  readonly isShared = true;
  readonly keptMsMin = sharedKeptMsMin;
  readonly keepsCopies = true;
  /** S3 looks after what it keeps by itself, and it may be far more than can be fetched. */
  readonly isLookedAfter = false;
  /** A request is mostly waited for. */
  readonly readsAtOnce = 8;
  readonly base: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #client: S3Client;

  /** `prefix` is empty or ends in a slash. */
  constructor({ bucket, prefix }: { bucket: string; prefix: string }, access: S3Access) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.base = `s3://${bucket}/${prefix}`;
    this.#client = new S3Client(s3ClientConfig(access, s3RawBounds));
  }

  locate(path: string): string {
    return this.base + path;
  }

  async write<T>(path: string, copy: (target: string) => Promise<T>): Promise<T> {
    failPoint("parquet.half_written");
    const copied = await copy(this.locate(path)).catch((error) => {
      throw rawUnreachable(this.locate(path), "writing", error);
    });
    failPoint("parquet.after_write");
    failPoint("parquet.after_rename");
    return copied;
  }

  async open(path: string): Promise<OpenedRaw | null> {
    const failed = (error: unknown) => rawUnreachable(this.locate(path), "reading", error);
    try {
      const opened = await this.#get(path);
      const reading = new S3Reading(opened, (position) => this.#get(path, position, opened.tag));
      return {
        bytes: reading.bytes,
        next: (length) =>
          reading.next(length).catch((error) => {
            throw failed(error);
          }),
        close: () => reading.close(),
      };
    } catch (error) {
      if (isMissing(error)) return null;
      throw failed(error);
    }
  }

  async keep(path: string, target: string): Promise<void> {
    try {
      const { bytes, body } = await this.#get(path);
      const file = createWriteStream(target, { flags: "wx" });
      await pipeline(body, file);
      if (file.bytesWritten !== bytes) throw new Error(`${file.bytesWritten} bytes of ${bytes}`);
    } catch (error) {
      throw rawUnreachable(this.locate(path), `copying it to ${target}`, error);
    }
  }

  async remove(paths: readonly string[]): Promise<void> {
    // One by one: not every server removes several at once.
    const left = [...paths];
    const removeNext = async () => {
      for (let path = left.pop(); path !== undefined; path = left.pop()) {
        const own = { Bucket: this.#bucket, Key: this.#prefix + path };
        await this.#client.send(new DeleteObjectCommand(own)).catch((error) => {
          if (!isMissing(error)) throw rawUnreachable(this.locate(path!), "removing", error);
        });
      }
    };
    await Promise.all(Array.from({ length: removalsAtOnce }, removeNext));
  }

  async *list(): AsyncIterable<PlacedFile[]> {
    let token: string | undefined;
    do {
      const page = await this.#page(token);
      yield (page.Contents ?? []).map(({ Key, LastModified }) => ({
        path: Key!.slice(this.#prefix.length),
        modifiedAt: LastModified?.getTime() ?? Date.now(),
      }));
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Parts of an upload whose writer died are kept, and paid for, until somebody ends it. */
  async endUploads(olderThanMs: number): Promise<number> {
    const own = { Bucket: this.#bucket, Prefix: `${this.#prefix}raw/`, MaxUploads: uploadsMax };
    try {
      const { Uploads } = await this.#client.send(new ListMultipartUploadsCommand(own));
      const isOld = (at: Date | undefined) =>
        at !== undefined && Date.now() - at.getTime() >= olderThanMs;
      const old = (Uploads ?? []).filter(({ Initiated }) => isOld(Initiated));
      for (const { Key, UploadId } of old) {
        const upload = { Bucket: this.#bucket, Key, UploadId };
        await this.#client.send(new AbortMultipartUploadCommand(upload)).catch((error) => {
          if (!isMissing(error)) throw error;
        });
      }
      return old.length;
    } catch (error) {
      throw rawUnreachable(this.base, "ending uploads", error);
    }
  }

  /** Lets go of the connections. */
  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #get(path: string, position = 0, tag?: string): Promise<Opened> {
    const { Body, ContentLength, ETag } = await this.#client.send(
      new GetObjectCommand({
        Bucket: this.#bucket,
        Key: this.#prefix + path,
        ...(position > 0 && { Range: `bytes=${position}-`, IfMatch: tag }),
      }),
    );
    if (ContentLength === undefined) throw new Error("no length was told");
    return { bytes: ContentLength, tag: ETag, body: Body as unknown as Body };
  }

  async #page(token: string | undefined) {
    const own = { Bucket: this.#bucket, Prefix: `${this.#prefix}raw/`, MaxKeys: listedAtOnce };
    try {
      return await this.#client.send(
        new ListObjectsV2Command({ ...own, ...(token && { ContinuationToken: token }) }),
      );
    } catch (error) {
      throw rawUnreachable(this.base, "listing", error);
    }
  }
}
