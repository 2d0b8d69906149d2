/** A connection within the process: what is written to one end is read from the other. */
import { Duplex } from "node:stream";

class End extends Duplex {
  other: End | null = null;
  /** Told once there is room again for what the other end writes. */
  #read: (() => void) | null = null;

  override _read(): void {
    const read = this.#read;
    this.#read = null;
    read?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const { other } = this;
    if (other === null || other.destroyed) {
      done(new Error("the other end is closed"));
      return;
    }
    // At once where there is room, as a socket's: what was written before a close still arrives.
    if (other.push(chunk)) done();
    else other.#read = done;
  }

  override _final(done: () => void): void {
    this.other?.onEnd();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this._read();
    const { other } = this;
    this.other = null;
    if (other !== null && !other.destroyed) setImmediate(() => other.onGone());
    done(error);
  }

  /** The other end writes no more. */
  onEnd(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }

  /** The other end is closed: what it wrote may still be read. */
  onGone(): void {
    this.onEnd();
  }
}

/** The end a server has: it is closed as soon as the client's is. */
class ServerEnd extends End {
  /** As of a socket: who is at the other end. */
  readonly remoteAddress: string;
  /** As of a socket: the client's own connection is. */
  readonly encrypted: boolean;

  constructor(remoteAddress: string, isEncrypted: boolean) {
    super();
    this.remoteAddress = remoteAddress;
    this.encrypted = isEncrypted;
  }

  override onGone(): void {
    this.destroy();
  }

  /** As of a socket: Node's server calls it after its last reply. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }
}

/** The two ends of one connection; to the server it comes from `remoteAddress`. */
export function streamPair(
  remoteAddress: string,
  isEncrypted = false,
): { client: Duplex; server: Duplex } {
  const client = new End();
  const server = new ServerEnd(remoteAddress, isEncrypted);
  client.other = server;
  server.other = client;
  return { client, server };
}
