// A real server that speaks S3, on loopback, for a test file or for a whole run.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findVersitygw } from "../../tools/services.mjs";
import { endBy } from "./child-process.ts";
import { freePort } from "./free-port.ts";

const readyMsMax = 20_000;
const accessKeyId = "tests";
const secretAccessKey = "of these tests alone";
export class S3Server {
  readonly port: number;
  readonly #host: string;
  /** A bucket is a folder in it. */
  readonly folder = mkdtempSync(join(tmpdir(), "rankstream-s3-"));
  readonly bucket = "backups";
  readonly credentials = { accessKeyId, secretAccessKey };
  #process: ChildProcess | null = null;

  constructor(port: number, host = "127.0.0.1") {
    this.port = port;
    this.#host = host;
    mkdirSync(join(this.folder, this.bucket));
  }

  get endpoint(): string {
    return `http://${this.#host}:${this.port}`;
  }

  /** What leads a service or a command there, by the environment. */
  place(prefix: string): Record<string, string> {
    return {
      RANKSTREAM_BACKUP_TO: `s3://${this.bucket}/${prefix}`,
      RANKSTREAM_BACKUP_S3_ENDPOINT: this.endpoint,
      RANKSTREAM_BACKUP_S3_ACCESS_KEY_ID: accessKeyId,
      RANKSTREAM_BACKUP_S3_SECRET_ACCESS_KEY: secretAccessKey,
    };
  }

  /** Starts it, also after `kill`, with what it had; resolves when it answers. */
  async start(): Promise<void> {
    const own = [
      "--port",
      `${this.#host}:${this.port}`,
      "--quiet",
      "--keep-alive",
      "posix",
      this.folder,
    ];
    const env = {
      ...process.env,
      ROOT_ACCESS_KEY: accessKeyId,
      ROOT_SECRET_KEY: secretAccessKey,
    };
    this.#process = spawn(findVersitygw()!, own, { env, stdio: "ignore" });
    const until = Date.now() + readyMsMax;
    for (;;) {
      const isUp = await fetch(this.endpoint).then(
        () => true,
        () => false,
      );
      if (isUp) return;
      if (Date.now() > until) throw new Error("versitygw was not there in time");
      await sleep(50);
    }
  }

  /** How a store reaches it. */
  get access() {
    return { endpoint: this.endpoint, region: null, credentials: this.credentials };
  }

  /** SIGSTOP: it takes connections and answers nothing. */
  pause(): void {
    this.#process!.kill("SIGSTOP");
  }

  /** SIGCONT. */
  resume(): void {
    this.#process!.kill("SIGCONT");
  }

  /** kill -9; keeps what it holds. */
  async kill(): Promise<void> {
    const own = this.#process;
    this.#process = null;
    if (own !== null) await endBy(own, "SIGKILL");
  }

  /** Ends it and removes what it holds. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A fresh one that answers. */
export async function startedS3(host?: string): Promise<S3Server> {
  const server = new S3Server(await freePort(), host);
  try {
    await server.start();
  } catch (error) {
    await server.remove();
    throw error;
  }
  return server;
}
