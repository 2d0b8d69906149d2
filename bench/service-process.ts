/** The service under load: a process of its own over a fresh data folder, and what it uses. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const readyLine = /^Rankstream is ready on (http:\/\/\S+)$/m;
const readyMsMax = 180_000;
/** A profile is written at the end, after all that has been taken is counted. */
const stopMsMax = 60_000;
const stderrCharsMax = 64 * 1024;
/** What the kernel counts CPU time in, on every Linux that Node runs on. */
const ticksPerSecond = 100;

export interface ServiceOptions {
  /** After `start --port 0 --data-dir …`. */
  args: readonly string[];
  /** Folder for CPU profiles of all its threads; none when left out. */
  profileDir?: string | undefined;
  /** Data folder that stays; left out: a fresh one, removed by `dispose`. */
  dataDir?: string;
}

export interface ThreadCpu {
  id: number;
  name: string;
  cpuSeconds: number;
}

/** CPU seconds, user and system, of the text of a process's or thread's `stat`. */
export function cpuSecondsOf(stat: string): number {
  // The name may hold anything, blanks and brackets too; fields count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of the text of a process's `status`: one that is ending has no such line. */
export function residentBytesOf(status: string): number {
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}

/** Bytes of a file, or of all files of a folder. */
export function bytesOf(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).size;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

const repository = new URL("../../../", import.meta.url).pathname;
export const builtProgram = join(repository, "build", "cli.js");

export class ServiceProcess {
  readonly url: string;
  readonly dataDir: string;
  readonly #child: ChildProcess;
  readonly #stderr: () => string;
  readonly #lines: () => number;
  readonly #isKept: boolean;

  private constructor(
    child: ChildProcess,
    url: string,
    data: { dir: string; isKept: boolean },
    stderr: () => string,
    lines: () => number,
  ) {
    this.#child = child;
    this.url = url;
    this.dataDir = data.dir;
    this.#isKept = data.isKept;
    this.#stderr = stderr;
    this.#lines = lines;
  }

  /** Starts the built program; throws with what it wrote when it doesn't become ready. */
  static async start(options: ServiceOptions): Promise<ServiceProcess> {
    const { args, profileDir } = options;
    const isKept = options.dataDir !== undefined;
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "rankstream-bench-"));
    const profiling =
      profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
    if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });
    const start = ["start", "--port", "0", "--data-dir", dataDir, "--log-level", "warn", ...args];
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("RANKSTREAM_")),
    );
    const child = spawn(process.execPath, [...profiling, builtProgram, ...start], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    let lines = 0;
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-stderrCharsMax);
      lines += text.split("\n").length - 1;
    });
    const ready = new Promise<string>((resolve) => {
      child.stdout!.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
        const url = readyLine.exec(stdout)?.[1];
        if (url !== undefined) resolve(url);
      });
    });
    const late = new AbortController();
    const failed = Promise.race([
      once(child, "exit", { signal: late.signal }).then(([code]) => `ended with ${code}`),
      new Promise<string>((resolve) => {
        const timer = setTimeout(() => resolve("was not ready in time"), readyMsMax);
        late.signal.addEventListener("abort", () => clearTimeout(timer));
      }),
    ]).catch(() => "");
    const url = await Promise.race([ready, failed.then(() => null)]);
    late.abort();
    const data = { dir: dataDir, isKept };
    if (url !== null)
      return new ServiceProcess(
        child,
        url,
        data,
        () => stderr,
        () => lines,
      );
    child.kill("SIGKILL");
    if (!isKept) rmSync(dataDir, { recursive: true, force: true });
    throw new Error(`the service did not start: ${await failed}\n${stderr}`);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Lines it has logged. */
  get logLines(): number {
    return this.#lines();
  }

  /** The end of what it has logged. */
  get logText(): string {
    return this.#stderr();
  }

  /** CPU seconds used since its start, user and system; 0 where /proc is missing. */
  cpuSeconds(): number {
    return this.#read("stat", cpuSecondsOf);
  }

  /** Resident memory in bytes; 0 where /proc is missing, and of one that is ending. */
  residentBytes(): number {
    return this.#read("status", residentBytesOf);
  }

  /** CPU by thread, the busiest first. */
  threads(): ThreadCpu[] {
    try {
      const folder = `/proc/${this.#child.pid}/task`;
      const threads = readdirSync(folder).map((id) => {
        const stat = readFileSync(join(folder, id, "stat"), "utf8");
        const given = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
        const name = Number(id) === this.#child.pid ? "main" : given;
        return { id: Number(id), name, cpuSeconds: cpuSecondsOf(stat) };
      });
      return threads.sort((a, b) => b.cpuSeconds - a.cpuSeconds);
    } catch {
      return [];
    }
  }

  /** From now on: the returned function says what was used since, in all and by thread. */
  meterCpu(): () => { seconds: number; threads: ThreadCpu[] } {
    const before = this.cpuSeconds();
    const ofThread = new Map(this.threads().map(({ id, cpuSeconds }) => [id, cpuSeconds]));
    return () => {
      const seconds = this.cpuSeconds() - before;
      const threads = this.threads().map((thread) => {
        return { ...thread, cpuSeconds: thread.cpuSeconds - (ofThread.get(thread.id) ?? 0) };
      });
      return { seconds, threads };
    };
  }

  #read(name: string, take: (text: string) => number): number {
    try {
      return take(readFileSync(`/proc/${this.#child.pid}/${name}`, "utf8"));
    } catch {
      return 0;
    }
  }

  /** One number of /metrics; null where it isn't served. */
  async metric(name: string): Promise<number | null> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
    return line === undefined ? null : Number(line.slice(name.length));
  }

  /** Bytes of its data folder on disk, the log apart. */
  diskBytes(): { log: number; store: number } {
    const own = join(this.dataDir, "log");
    // A log in Kafka is on the brokers' disks.
    const log = existsSync(own) ? bytesOf(own) : 0;
    return { log, store: bytesOf(this.dataDir) - log };
  }

  /** The error, with the end of what the service logged. */
  blame(error: unknown): Error {
    const { message } = error as Error;
    return new Error(`${message}\nThe service's log:\n${this.#stderr()}`, { cause: error });
  }

  /** SIGTERM, and waits; throws unless it ends with 0 in time. The data folder stays. */
  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopMsMax);
    const [code, signal] = await ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the service ended with ${code ?? signal}\n${this.#stderr()}`);
  }

  /** Ends it if it still runs, and removes the data folder unless it was given. */
  dispose(): void {
    this.#child.kill("SIGKILL");
    if (!this.#isKept) rmSync(this.dataDir, { recursive: true, force: true });
  }
}
