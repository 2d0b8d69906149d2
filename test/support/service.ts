// A real Rankstream in a process of its own: the built `build/cli.js`, a free port, its own data
// folder, and nothing left behind when the test file ends.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { hasExited } from "./child-process.ts";
import { deleteKafkaTopics, kafkaArgs } from "./service-log.ts";
import { storeEnvironment } from "./service-store.ts";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const builtProgram = join(root, "build", "cli.js");
const readyLine = /^Rankstream is ready on (https?:\/\/\S+)$/m;
const readyMsMax = 120_000;
const stopMsMax = 15_000;
const requestMsMax = 60_000;
/** A test asks what is answered, not how fast: on a busy machine a query may take its time. */
const patient = Object.freeze({ RANKSTREAM_EXACT_TIMEOUT_MS: "30000" });
/** What is kept of each of stdout and stderr: the end of it. */
const outputCharsMax = 64 * 1024;

export interface StartOptions {
  /** Kept after the stop; made and removed at the end of the test file when left out. */
  dataDir?: string;
  env?: Record<string, string>;
  /** After `start --port … --data-dir …`, so these win. */
  args?: string[];
  /** 0 (default) takes a free port. */
  port?: number;
  /** Named point at which the process kills itself: RANKSTREAM_FAIL_POINT. */
  failPoint?: string;
  /** How long it may take to be ready; default 45 s. */
  readyMsMax?: number;
  /** Path of the program; default the built `cli.js`. */
  program?: string;
  /** A command with its arguments that executes what follows them, in its own place. */
  wrapper?: string[];
}

export interface PostOptions {
  /** Default: NDJSON for text and bytes, else `application/json`. */
  contentType?: string;
  /** Idempotency-Key. */
  key?: string;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came back.
  body: any;
}

const running = new Set<RankstreamProcess>();
const folders = new Set<string>();

/** A fresh folder that is removed when the test file has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-test-"));
  folders.add(folder);
  return folder;
}

/** Registered by whoever imports this file: no process and no folder outlives it. */
afterAll(async () => {
  await Promise.all([...running].map((service) => service.kill()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
  await deleteKafkaTopics();
});

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /[/+]json\b/.test(response.headers.get("content-type") ?? "");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
  };
}

function textOf(events: unknown): string | Uint8Array<ArrayBuffer> {
  if (typeof events === "string") return events;
  if (events instanceof Uint8Array) return new Uint8Array(events);
  return JSON.stringify(events);
}

export class RankstreamProcess {
  readonly dataDir: string;
  readonly child: ChildProcess;
  /** `http://HOST:PORT`, once it is ready. */
  url = "";
  stdout = "";
  stderr = "";
  readonly #readyMsMax: number;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;

  constructor(options: StartOptions) {
    this.dataDir = options.dataDir ?? temporaryFolder();
    this.#readyMsMax = options.readyMsMax ?? readyMsMax;
    const own = options.args ?? [];
    const place = ["--port", String(options.port ?? 0), "--data-dir", this.dataDir];
    const args = [...place, ...kafkaArgs(this.dataDir, own), ...own];
    const env: Record<string, string | undefined> = { ...process.env };
    // Settings of whoever runs the tests must not reach the service.
    for (const name of Object.keys(env)) if (name.startsWith("RANKSTREAM_")) delete env[name];
    if (options.failPoint !== undefined) env["RANKSTREAM_FAIL_POINT"] = options.failPoint;
    const inLake = storeEnvironment(this.dataDir, own, options.env ?? {});
    const [command, ...before] = [...(options.wrapper ?? []), process.execPath];
    this.child = spawn(command!, [...before, options.program ?? builtProgram, "start", ...args], {
      env: { ...patient, ...env, ...inLake, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout = (this.stdout + text).slice(-outputCharsMax);
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-outputCharsMax);
    });
    this.exited = once(this.child, "close").then(([code, signal]) => {
      running.delete(this);
      return { code, signal };
    });
    running.add(this);
  }

  get pid(): number {
    return this.child.pid!;
  }

  get hasExited(): boolean {
    return hasExited(this.child);
  }

  /** What to add to a failure's message. */
  output(): string {
    return `stdout:\n${this.stdout}\nstderr:\n${this.stderr}`;
  }

  /** Resolves once the ready line has come; throws with all output when it doesn't. */
  async ready(): Promise<this> {
    const lines = new Promise<void>((resolve) => {
      const look = () => {
        const match = readyLine.exec(this.stdout);
        if (match === null) return;
        this.url = match[1]!;
        resolve();
      };
      this.child.stdout?.on("data", look);
      look();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      const waitMs = this.#readyMsMax;
      timer = setTimeout(() => resolve(`was not ready in ${waitMs} ms`), waitMs);
    });
    const ended = this.exited.then(({ code, signal }) => `ended with ${code ?? signal}`);
    const failure = await Promise.race([lines, late, ended]);
    clearTimeout(timer);
    if (failure === undefined) return this;
    await this.kill();
    throw new Error(`rankstream start ${failure}\n${this.output()}`);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  /** SIGTERM; throws unless it ends with 0 in time. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), stopMsMax);
    const { code, signal } = await this.exited;
    clearTimeout(timer);
    if (code !== 0) {
      throw new Error(`rankstream ended with ${code ?? signal}, not 0\n${this.output()}`);
    }
  }

  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    try {
      const signal = AbortSignal.timeout(requestMsMax);
      return await answerOf(await fetch(`${this.url}${path}`, { signal, ...init }));
    } catch (cause) {
      if (!this.hasExited) throw cause;
      throw new Error(`the service is gone (${path})\n${this.output()}`, { cause });
    }
  }

  /** `path` with its query, or a path and the query's parameters. */
  get(path: string, parameters: Record<string, string | number> = {}): Promise<Answer> {
    const pairs = Object.entries(parameters).map(([key, value]) => [key, String(value)]);
    const query = new URLSearchParams(pairs).toString();
    return this.request(query === "" ? path : `${path}?${query}`);
  }

  /** Posts NDJSON text or bytes as they are, anything else as JSON. */
  post(events: unknown, options: PostOptions = {}): Promise<Answer> {
    const isText = typeof events === "string" || events instanceof Uint8Array;
    const ownType = isText ? "application/x-ndjson" : "application/json";
    const headers: Record<string, string> = { "content-type": options.contentType ?? ownType };
    if (options.key !== undefined) headers["idempotency-key"] = options.key;
    return this.request("/events", {
      method: "POST",
      headers: { ...headers, ...options.headers },
      body: textOf(events),
    });
  }
}

/** Starts one and waits until it is ready. */
export function startRankstream(options: StartOptions = {}): Promise<RankstreamProcess> {
  return new RankstreamProcess(options).ready();
}
