// A real PostgreSQL on loopback, for a test file or for a whole run.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findPostgres } from "../../tools/services.mjs";
import { endBy } from "./child-process.ts";
import { freePort } from "./free-port.ts";

const readyMsMax = 30_000;
/** Many processes, each with a pool of connections, may share one. */
const connectionsMax = 400;
const loopback = "127.0.0.1";
const neighbours = "host all all samenet trust\n";

/** It refuses to run as root: then it runs as the user that its package made. */
function ownUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) =>
    Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

export class PostgresServer {
  readonly #programs: string;
  readonly #folder: string;
  readonly #user = ownUser();
  readonly port: number;
  readonly #host: string;
  #settings: string[] = [];
  #process: ChildProcess | null = null;

  constructor(programs: string, port: number, host = loopback) {
    this.#programs = programs;
    this.port = port;
    this.#host = host;
    this.#folder = mkdtempSync(join(tmpdir(), "rankstream-postgres-"));
    this.#own(this.#folder);
  }

  /** From its next start on it takes TLS as well, with this certificate and key. */
  useTls(pair: { cert: string; key: string }): void {
    this.#settings = ["-c", "ssl=on"];
    for (const [name, from] of Object.entries(pair)) {
      // It takes no key that others could read.
      const path = join(this.#folder, `server.${name}`);
      copyFileSync(from, path);
      chmodSync(path, 0o600);
      this.#own(path);
      this.#settings.push("-c", `ssl_${name}_file=${path}`);
    }
  }

  #own(path: string): void {
    if (this.#user !== undefined) chownSync(path, this.#user.uid, this.#user.gid);
  }

  /** What psql and other clients find it by. */
  get environment(): Record<string, string> {
    const place = { PGHOST: this.#host, PGPORT: String(this.port) };
    return { ...place, PGUSER: "postgres", PGDATABASE: "postgres" };
  }

  /** `host=127.0.0.1 port=…`: how libpq is told of it. */
  get address(): string {
    const { PGHOST, PGPORT, PGUSER, PGDATABASE } = this.environment;
    return `host=${PGHOST} port=${PGPORT} user=${PGUSER} dbname=${PGDATABASE}`;
  }

  /** Starts it, also after `kill`, with what it had; resolves when it answers. */
  async start(): Promise<void> {
    const data = join(this.#folder, "data");
    const options = { ...this.#user, stdio: "ignore" as const, cwd: this.#folder };
    if (!existsSync(data)) {
      const init = ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"];
      execFileSync(join(this.#programs, "initdb"), init, options);
      // Else it trusts this machine's own addresses alone.
      if (this.#host !== loopback) appendFileSync(join(data, "pg_hba.conf"), neighbours);
    }
    const place = ["-p", String(this.port), "-h", this.#host, "-k", this.#folder];
    const own = ["-D", data, ...place, "-F", "-N", String(connectionsMax), ...this.#settings];
    this.#process = spawn(join(this.#programs, "postgres"), own, options);
    const deadline = Date.now() + readyMsMax;
    for (;;) {
      try {
        this.query("SELECT 1");
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
      await sleep(100);
    }
  }

  /** What psql prints of it: a row a line, columns by `|`. */
  query(sql: string): string {
    return execFileSync(join(this.#programs, "psql"), ["-qAtc", sql], {
      env: { ...process.env, ...this.environment },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Cuts all connections and ends it, and keeps what it wrote. */
  async kill(): Promise<void> {
    const own = this.#process;
    this.#process = null;
    // Its immediate shutdown, which takes its other processes along; kill -9 would leave them.
    if (own !== null) await endBy(own, "SIGQUIT");
  }

  /** Ends it and removes what it wrote. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A fresh one that answers; throws where there is none on this machine. */
export async function startedPostgres(host?: string): Promise<PostgresServer> {
  const programs = findPostgres();
  if (programs === undefined) throw new Error("no PostgreSQL: npm run test:services brings it");
  const server = new PostgresServer(programs, await freePort(), host);
  try {
    await server.start();
  } catch (error) {
    await server.remove();
    throw error;
  }
  return server;
}
