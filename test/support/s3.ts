// A real server that speaks S3, of a test's own, on loopback.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { findVersitygw } from "../../tools/services.mjs";
import { endBy } from "./child-process.ts";
import { freePort } from "./free-port.ts";
import { temporaryFolder } from "./service.ts";

const readyMsMax = 20_000;
const accessKeyId = "tests";
const secretAccessKey = "of these tests alone";
const running = new Set<S3Server>();

afterAll(async () => {
  await Promise.all([...running].map((server) => server.kill()));
});

/** Whether there is one here; without it these tests don't run, save in CI. */
export function hasS3(): boolean {
  if (findVersitygw() !== undefined) return true;
  if (process.env["CI"] !== undefined) {
    throw new Error("no versitygw: npm run test:services brings it");
  }
  process.stderr.write("no versitygw here: tests of backups in S3 don't run\n");
  return false;
}

export class S3Server {
  readonly port: number;
  /** A bucket is a folder in it. */
  readonly folder = temporaryFolder();
  readonly bucket = "backups";
  readonly credentials = { accessKeyId, secretAccessKey };
  #process: ChildProcess | null = null;

  constructor(port: number) {
    this.port = port;
    mkdirSync(join(this.folder, this.bucket));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
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

  async start(): Promise<void> {
    const own = ["--port", `127.0.0.1:${this.port}`, "--quiet", "posix", this.folder];
    const env = {
      ...process.env,
      ROOT_ACCESS_KEY: accessKeyId,
      ROOT_SECRET_KEY: secretAccessKey,
    };
    this.#process = spawn(findVersitygw()!, own, { env, stdio: "ignore" });
    running.add(this);
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

  /** kill -9. */
  async kill(): Promise<void> {
    const own = this.#process;
    running.delete(this);
    this.#process = null;
    if (own !== null) await endBy(own, "SIGKILL");
  }
}

export async function startS3(): Promise<S3Server> {
  const server = new S3Server(await freePort());
  await server.start();
  return server;
}
