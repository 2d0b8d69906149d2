/** The processes of the soak bench: a broker, two edges, one that counts and answers. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../test/support/free-port.ts";
import { KafkaBroker } from "../test/support/kafka-broker.ts";
import { residentBytesOf, ServiceProcess } from "./service-process.ts";

const readyMsMax = 60_000;

/** Memory and open files of a process; null where /proc is missing, or it is gone. */
export interface Usage {
  residentBytes: number;
  openFiles: number;
}

function usageOf(pid: number): Usage | null {
  try {
    const residentBytes = residentBytesOf(readFileSync(`/proc/${pid}/status`, "utf8"));
    return { residentBytes, openFiles: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return null;
  }
}

/** A service that is killed and started again, on the same port and data. */
export class Member {
  readonly name: string;
  readonly url: string;
  readonly #args: string[];
  readonly #dataDir: string | undefined;
  #service: ServiceProcess | null = null;

  private constructor(name: string, port: number, args: string[], dataDir: string | undefined) {
    this.name = name;
    this.url = `http://127.0.0.1:${port}`;
    this.#args = ["--port", String(port), ...args];
    this.#dataDir = dataDir;
  }

  static async start(name: string, args: string[], dataDir?: string): Promise<Member> {
    const member = new Member(name, await freePort(), args, dataDir);
    await member.#start();
    return member;
  }

  async #start(): Promise<void> {
    const dataDir = this.#dataDir;
    this.#service = await ServiceProcess.start({
      args: this.#args,
      ...(dataDir !== undefined && { dataDir }),
    });
  }

  usage(): Usage | null {
    return this.#service === null ? null : usageOf(this.#service.pid);
  }

  /** kill -9 and a new start; ms until /health/ready says yes. */
  async killAndStart(): Promise<number> {
    this.#service?.dispose();
    const killed = performance.now();
    await this.#start();
    while (performance.now() - killed < readyMsMax) {
      const ready = await fetch(`${this.url}/health/ready`).catch(() => null);
      if (ready?.status === 200) return performance.now() - killed;
      await sleep(20);
    }
    throw new Error(`${this.name} is not ready ${readyMsMax} ms after its kill`);
  }

  async stop(): Promise<void> {
    await this.#service?.stop();
  }

  dispose(): void {
    this.#service?.dispose();
  }
}

export class Fleet {
  readonly broker: KafkaBroker;
  readonly edges: Member[];
  readonly counter: Member;

  private constructor(broker: KafkaBroker, edges: Member[], counter: Member) {
    this.broker = broker;
    this.edges = edges;
    this.counter = counter;
  }

  static async start(dataDir: string, serviceArgs: readonly string[]): Promise<Fleet> {
    const broker = await new KafkaBroker().start();
    const log = ["--log", "kafka", "--kafka-brokers", broker.address, ...serviceArgs];
    const counting = ["--role", "ingest,query", ...log];
    const counter = await Member.start("ingest,query", counting, dataDir);
    const edge = (n: number) => Member.start(`edge ${n}`, ["--role", "edge", ...log]);
    return new Fleet(broker, [await edge(1), await edge(2)], counter);
  }

  /** What is killed in turn: kills it, and resolves with ms until it is ready again. */
  victims(): { name: string; kill: () => Promise<number> }[] {
    const member = (one: Member) => ({ name: one.name, kill: () => one.killAndStart() });
    const broker = async () => {
      await this.broker.kill();
      const killed = performance.now();
      await this.broker.start();
      return performance.now() - killed;
    };
    const [first, second] = this.edges as [Member, Member];
    return [member(first), member(this.counter), member(second), { name: "broker", kill: broker }];
  }

  usages(): Map<string, Usage> {
    const found = new Map<string, Usage>();
    for (const member of [...this.edges, this.counter]) {
      const usage = member.usage();
      if (usage !== null) found.set(member.name, usage);
    }
    const usage = this.broker.pid === undefined ? null : usageOf(this.broker.pid);
    if (usage !== null) found.set("broker", usage);
    return found;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.edges, this.counter].map((member) => member.stop()));
  }

  async dispose(): Promise<void> {
    for (const member of [...this.edges, this.counter]) member.dispose();
    await this.broker.kill();
    await this.broker.remove();
  }
}
