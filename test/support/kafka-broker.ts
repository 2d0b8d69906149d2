// A real Kafka in a process of its own: one KRaft node on loopback, its data in a temporary
// folder. Knows nothing of vitest, since the run's main process starts one, too.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { findKafka } from "../../tools/kafka.mjs";
import { endBy, hasExited } from "./child-process.ts";
import { freePort } from "./free-port.ts";
import {
  type BrokerPorts,
  brokerHost,
  brokerSettings,
  keystorePassword,
  saslUser,
} from "./kafka-settings.ts";

const readyMsMax = 120_000;
const stopMsMax = 20_000;
const toolMsMax = 30_000;
/** What is kept of the broker's output: the end of it. */
const outputCharsMax = 64 * 1024;
const heap = "-Xmx512m";

const run = promisify(execFile);

/** A process that exits without its hooks takes its brokers with it. */
const running = new Set<KafkaBroker>();
process.once("exit", () => {
  for (const broker of running) broker.killNow();
});

export interface BrokerOptions {
  /** Where it listens; default: 127.0.0.1. */
  host?: string;
  /** One more listener, which wants `saslUser`: SCRAM-SHA-256 or PLAIN. */
  sasl?: boolean;
  /** One more listener with TLS and a certificate of its own; with `sasl` one with both, too. */
  tls?: boolean;
  /** Lines of server.properties that win. */
  settings?: Record<string, string | number | boolean>;
}

/** A kafkajs client that says nothing and gives up soon. */
export function kafkaClient(address: string, retry = { retries: 8 }): Kafka {
  return new Kafka({
    clientId: "rankstream-test",
    brokers: address.split(","),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2000,
    retry: { initialRetryTime: 50, ...retry },
  });
}

/** A connected one; throws unless the broker answers. */
export async function connectedAdmin(address: string): Promise<Admin> {
  const admin = kafkaClient(address).admin();
  await admin.connect();
  return admin;
}

/** Makes a topic and waits until its leaders are known: kafkajs' own wait fails meanwhile. */
export async function createTopic(
  admin: Admin,
  topic: string,
  numPartitions: number,
  config: Record<string, string | number> = {},
): Promise<void> {
  const entries = Object.entries(config).map(([name, value]) => ({ name, value: String(value) }));
  const wanted = { topic, numPartitions, configEntries: entries };
  const until = Date.now() + readyMsMax;
  const retried = async (work: () => Promise<boolean>) => {
    while (!(await work().catch(() => false))) {
      if (Date.now() > until) throw new Error(`topic ${topic} was not made in time`);
      await sleep(50);
    }
  };
  // A topic of this name may still be going.
  await retried(() => admin.createTopics({ waitForLeaders: false, topics: [wanted] }));
  await retried(async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length === numPartitions && partitions.every(({ leader }) => leader >= 0);
  });
}

/** Deletes those that are there, best effort: a broker that is gone has none. */
export async function deleteTopics(address: string, topics: Iterable<string>): Promise<void> {
  const wanted = new Set(topics);
  if (wanted.size === 0) return;
  const admin = kafkaClient(address).admin();
  try {
    await admin.connect();
    const there = (await admin.listTopics()).filter((topic) => wanted.has(topic));
    if (there.length > 0) await admin.deleteTopics({ topics: there });
  } catch {
    // Topics have names of their own, so what stays is in nobody's way.
  } finally {
    await admin.disconnect();
  }
}

export class KafkaBroker {
  readonly folder = mkdtempSync(join(tmpdir(), "rankstream-kafka-"));
  readonly #java: string;
  readonly #jars: string;
  readonly #options: BrokerOptions;
  #ports: BrokerPorts | null = null;
  #process: ChildProcess | null = null;
  #output = "";

  constructor(options: BrokerOptions = {}) {
    const found = findKafka();
    if (found === undefined) {
      rmSync(this.folder, { recursive: true });
      throw new Error("no Kafka that can be started here: npm run test:services brings it");
    }
    this.#java = found.java;
    this.#jars = found.jars;
    this.#options = options;
  }

  /** `HOST:PORT`, the same after every restart. */
  get address(): string {
    return this.#addressOf("plain");
  }

  get saslAddress(): string {
    return this.#addressOf("sasl");
  }

  get tlsAddress(): string {
    return this.#addressOf("tls");
  }

  get saslTlsAddress(): string {
    return this.#addressOf("saslTls");
  }

  /** The file of the certificate that the listeners with TLS have, in PEM. */
  get certificatePath(): string {
    return join(this.folder, "certificate.pem");
  }

  get certificate(): string {
    return readFileSync(this.certificatePath, "utf8");
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  #addressOf(listener: keyof BrokerPorts): string {
    const port = this.#ports?.[listener];
    if (port === undefined) throw new Error(`this broker has no listener ${listener} (yet)`);
    return `${this.#options.host ?? brokerHost}:${port}`;
  }

  #path(name: string): string {
    return join(this.folder, name);
  }

  #javaArgs(main: string, ...args: string[]): string[] {
    return ["-cp", join(this.#jars, "*"), main, ...args];
  }

  /** Starts it, over the same data on the same ports after a kill or stop. */
  async start(): Promise<this> {
    if (this.#process !== null) throw new Error("this broker runs already");
    if (this.#ports === null) await this.#prepare();
    const args = this.#javaArgs("kafka.Kafka", this.#path("server.properties"));
    const own = spawn(this.#java, [heap, "-XX:+UseSerialGC", ...args], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = own;
    running.add(this);
    this.#output = "";
    for (const stream of [own.stdout, own.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-outputCharsMax);
      });
    }
    await this.#ready(own);
    return this;
  }

  async #prepare(): Promise<void> {
    const { sasl = false, tls = false, settings = {}, host } = this.#options;
    const ports: BrokerPorts = { plain: await freePort(), controller: await freePort() };
    if (sasl) ports.sasl = await freePort();
    if (tls) ports.tls = await freePort();
    if (sasl && tls) ports.saslTls = await freePort();
    const files = { logs: this.#path("data"), keystore: this.#path("keystore.p12") };
    writeFileSync(this.#path("server.properties"), brokerSettings(ports, files, settings, host));
    if (tls) await this.#makeCertificate(files.keystore);
    const { username, password } = saslUser;
    const user = `SCRAM-SHA-256=[name=${username},password=${password}]`;
    const format = ["format", "-t", clusterId(), "-c", this.#path("server.properties")];
    const args = [...format, ...(sasl ? ["--add-scram", user] : [])];
    await run(this.#java, this.#javaArgs("kafka.tools.StorageTool", ...args), {
      timeout: toolMsMax,
    });
    this.#ports = ports;
  }

  /** By Java's own tool, which is beside every Java. */
  async #makeCertificate(keystore: string): Promise<void> {
    const keytool = join(dirname(realpathSync(this.#java)), "keytool");
    const store = ["-keystore", keystore, "-storepass", keystorePassword, "-alias", "broker"];
    const names = ["-dname", "CN=localhost", "-ext", `san=ip:${brokerHost},dns:localhost`];
    const key = ["-storetype", "PKCS12", "-keyalg", "RSA", "-keysize", "2048", "-validity", "2"];
    await run(keytool, ["-genkeypair", ...store, ...key, ...names], { timeout: toolMsMax });
    const out = ["-rfc", "-file", this.certificatePath];
    await run(keytool, ["-exportcert", ...store, ...out], { timeout: toolMsMax });
  }

  /** Until it is registered with itself: a port that is open says less. */
  async #ready(own: ChildProcess): Promise<void> {
    const until = Date.now() + readyMsMax;
    while (!hasExited(own) && Date.now() < until) {
      if (await isServing(this.address)) return;
      await sleep(50);
    }
    const reason = hasExited(own) ? "ended" : `was not ready in ${readyMsMax} ms`;
    await this.kill();
    throw new Error(`Kafka ${reason}\n${this.#output}`);
  }

  /** SIGCONT takes back SIGSTOP. */
  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(name);
  }

  /** kill -9; resolves when it is gone. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** SIGTERM, and kill -9 where that takes too long. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => void this.kill(), stopMsMax);
    await this.#end("SIGTERM");
    clearTimeout(timer);
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const own = this.#process;
    if (own === null) return;
    await endBy(own, signal);
    if (this.#process !== own) return;
    this.#process = null;
    running.delete(this);
  }

  /** For a process that exits itself and can wait for nothing. */
  killNow(): void {
    this.#process?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ends it, and nothing of it is left. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** As Kafka's own tool makes them; the first letter is never the "-" that begins an option. */
function clusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = bytes[0]! & 0x7f;
  return bytes.toString("base64url");
}

async function isServing(address: string): Promise<boolean> {
  const admin = kafkaClient(address, { retries: 0 }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect();
  }
}
