/** The processes of the live bench beside the service: the clients, and the bare push server. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import {
  type Due,
  type FromLoad,
  type LoadOrder,
  type LoadReport,
  nowMs,
  type RecordedMessage,
  type ToLoad,
} from "./live-orders.ts";
import { cpuSecondsOf } from "./service-process.ts";

const answerMsMax = 60_000;

const program = (name: string) => new URL(`./${name}.js`, import.meta.url).pathname;

/** The clients; a failure of one of them ends every call. */
export class LiveLoad {
  readonly #child: ChildProcess;
  readonly #failed: Promise<never>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#failed = new Promise((_resolve, reject) => {
      child.on("message", (message: FromLoad) => {
        if (message.type === "failed") reject(new Error(`a live client: ${message.message}`));
      });
      child.once("exit", (code) => reject(new Error(`the live clients ended with ${code}`)));
    });
    // Whoever calls hears of it.
    this.#failed.catch(() => undefined);
  }

  /** Resolves once every client has the boards it watches. */
  static async start(order: LoadOrder): Promise<LiveLoad> {
    const child = fork(program("live-load"), [JSON.stringify(order)]);
    const load = new LiveLoad(child);
    await load.#hear("ready");
    return load;
  }

  tell(type: "pause" | "resume" | "record"): void {
    this.#child.send({ type } satisfies ToLoad);
  }

  async recording(): Promise<RecordedMessage[]> {
    this.#child.send({ type: "recording" } satisfies ToLoad);
    return (await this.#hear("recording")).messages;
  }

  /** What boards clients have, and how many of them which. */
  async boards(): Promise<Record<string, Record<string, number>>> {
    this.#child.send({ type: "boards" } satisfies ToLoad);
    return (await this.#hear("boards")).boards;
  }

  async report(due: readonly Due[]): Promise<LoadReport> {
    this.#child.send({ type: "report", due } satisfies ToLoad);
    return (await this.#hear("report")).report;
  }

  dispose(): void {
    this.#child.kill("SIGKILL");
  }

  async #hear<T extends FromLoad["type"]>(type: T): Promise<Extract<FromLoad, { type: T }>> {
    const late = new AbortController();
    const heard = new Promise<Extract<FromLoad, { type: T }>>((resolve) => {
      const hear = (message: FromLoad) => {
        if (message.type !== type) return;
        this.#child.off("message", hear);
        resolve(message as Extract<FromLoad, { type: T }>);
      };
      this.#child.on("message", hear);
    });
    const tooLate = sleep(answerMsMax, null, { signal: late.signal }).then(() => {
      throw new Error(`the live clients did not say "${type}" in ${answerMsMax} ms`);
    });
    tooLate.catch(() => undefined);
    return Promise.race([heard, this.#failed, tooLate]).finally(() => late.abort());
  }
}

/** A server that sends each message it is given to all who watch its board, and no more. */
export class BarePush {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<BarePush> {
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const child = spawn(process.execPath, [program("live-bare")], { stdio: [...stdio] });
    const [line] = (await once(child.stdout!, "data")) as [Buffer];
    return new BarePush(child, Number(line.toString()));
  }

  cpuSeconds(): number {
    return cpuSecondsOf(readFileSync(`/proc/${this.#child.pid}/stat`, "utf8"));
  }

  /** Posts a message; `isFirst`: it is what new clients get of its board. */
  async post({ board, seq, text }: RecordedMessage, isFirst: boolean): Promise<Due> {
    const sentAt = nowMs();
    const body = JSON.stringify({ board, isFirst, text });
    const reply = await request(this.url, { method: "POST", body });
    await reply.body.dump();
    return { board, mark: seq, sentAt, repliedAt: nowMs() };
  }

  dispose(): void {
    this.#child.kill("SIGKILL");
  }
}
