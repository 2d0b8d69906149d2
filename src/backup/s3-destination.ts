/**
 * Backups in a bucket of S3, or of a server that speaks its protocol. Objects are small enough to
 * go in one request each (repository.ts), so nothing is left half there. The client is AWS's own:
 * it finds credentials wherever AWS puts them (variables, profiles, roles of machines and pods)
 * and tries again what may be tried again.
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import type { S3Access } from "../model-lake.ts";
import { type S3Bounds, s3ClientConfig } from "../store/s3-client.ts";
import { type Destination, type StoredObject, unreachable } from "./destination.ts";

export interface S3Options extends S3Access {
  bucket: string;
  /** Before each object's name; empty or ending in a slash. */
  prefix: string;
}

const bounds: S3Bounds = Object.freeze({
  attemptsMax: 5,
  connectMsMax: 10_000,
  silentMsMax: 120_000,
});
const removalsAtOnce = 8;

function isNamed(error: unknown, ...names: string[]): boolean {
  return names.includes((error as Error).name);
}

export class S3Destination implements Destination {
  readonly address: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(options: S3Options) {
    this.address = `s3://${options.bucket}/${options.prefix}`;
    this.#bucket = options.bucket;
    this.#prefix = options.prefix;
    this.#client = new S3Client(s3ClientConfig(options, bounds));
  }

  async get(name: string): Promise<Buffer | null> {
    try {
      const found = await this.#client.send(new GetObjectCommand(this.#of(name)));
      return Buffer.from(await found.Body!.transformToByteArray());
    } catch (error) {
      if (isNamed(error, "NoSuchKey", "NotFound")) return null;
      throw this.#failed(`reading ${name}`, error);
    }
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#put(name, bytes, {});
  }

  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    return this.#put(name, bytes, { IfNoneMatch: "*" });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    let token: string | undefined;
    do {
      const page = await this.#page(prefix, token);
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const name = Key!.slice(this.#prefix.length);
        yield { name, bytes: Size ?? 0, modifiedAt: LastModified?.getTime() ?? 0 };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async remove(names: readonly string[]): Promise<void> {
    // One by one: not every server removes several at once.
    const left = [...names];
    const removeNext = async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) {
        await this.#client.send(new DeleteObjectCommand(this.#of(name))).catch((error) => {
          if (!isNamed(error, "NoSuchKey", "NotFound"))
            throw this.#failed(`removing ${name}`, error);
        });
      }
    };
    await Promise.all(Array.from({ length: removalsAtOnce }, removeNext));
  }

  /** S3 answers once an object is durable. */
  async settle(): Promise<void> {}

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #of(name: string) {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${name}` };
  }

  async #put(
    name: string,
    bytes: Uint8Array,
    condition: Pick<PutObjectCommandInput, "IfNoneMatch">,
  ): Promise<boolean> {
    const input = { ...this.#of(name), Body: bytes, ContentLength: bytes.length, ...condition };
    try {
      await this.#client.send(new PutObjectCommand(input));
      return true;
    } catch (error) {
      if (isNamed(error, "PreconditionFailed")) return false;
      throw this.#failed(`writing ${name}`, error);
    }
  }

  async #page(prefix: string, token: string | undefined) {
    const input = {
      Bucket: this.#bucket,
      Prefix: `${this.#prefix}${prefix}`,
      ...(token !== undefined && { ContinuationToken: token }),
    };
    try {
      return await this.#client.send(new ListObjectsV2Command(input));
    } catch (error) {
      throw this.#failed(`listing ${prefix}`, error);
    }
  }

  /** The client's errors say by name what the server refused. */
  #failed(what: string, error: unknown) {
    const { name, message } = error as Error;
    const why = /^(Error|TypeError)$/.test(name) ? message : `${name}: ${message}`;
    return unreachable(this.address, what, Object.assign(new Error(why), { cause: error }));
  }
}
