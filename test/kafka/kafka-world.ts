// What tests of a service over Kafka share: its settings, producers of three makes that are not
// ours, and what lies in a topic.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findKafka } from "../../tools/kafka.mjs";
import { findKcat } from "../../tools/services.mjs";
import type { RankstreamProcess } from "../support/service.ts";

const programMsMax = 40_000;

/** Flags of a service whose log is this topic. */
export function kafkaFlags(address: string, topic: string): string[] {
  return ["--log", "kafka", "--kafka-brokers", address, "--kafka-topic", topic];
}

/** Runs a program to its end; throws what it said unless it ends with 0. */
async function run(program: string, args: string[], input: string | Buffer): Promise<Buffer> {
  const child = spawn(program, args, { stdio: "pipe", timeout: programMsMax });
  const out: Buffer[] = [];
  const said: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => said.push(bytes));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [code, signal] = await once(child, "close");
  if (code === 0) return Buffer.concat(out);
  throw new Error(`${program} ended with ${code ?? signal}\n${Buffer.concat(said)}`);
}

/** The client in C. What `-P` makes a record of is divided by line feeds, or as `args` say. */
export async function kcat(
  address: string,
  args: string[],
  input: string | Buffer = "",
): Promise<Buffer> {
  const program = findKcat();
  if (program === undefined) throw new Error("no kcat: npm run test:services brings it");
  return run(program, ["-b", address, ...args], input);
}

/** Kafka's own producer: a record a line. */
export async function javaProduce(
  address: string,
  topic: string,
  codec: string,
  lines: readonly string[],
): Promise<void> {
  const found = findKafka();
  if (found === undefined) throw new Error("no Kafka: npm run test:services brings it");
  const tool = "org.apache.kafka.tools.ConsoleProducer";
  const java = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", join(found.jars, "*"), tool];
  const to = ["--bootstrap-server", address, "--topic", topic, "--compression-codec", codec];
  await run(found.java, [...java, ...to], `${lines.join("\n")}\n`);
}

export interface ReadRecord {
  partition: number;
  offset: number;
  key: string | null;
  value: string | null;
  headers: Record<string, string>;
}

/** All records of a topic, read by the client in C; none where there is no such topic. */
export async function readTopic(address: string, topic: string): Promise<ReadRecord[]> {
  let text: string;
  try {
    const quick = ["-X", "fetch.wait.max.ms=10"];
    const args = ["-C", "-t", topic, "-o", "beginning", "-e", "-J", ...quick];
    text = (await kcat(address, args)).toString();
  } catch (error) {
    if (/unknown topic or partition/i.test(String(error))) return [];
    throw error;
  }
  const rows = text.split("\n").filter((line) => line !== "");
  return rows.map((line) => {
    const { partition, offset, key, payload, headers = [] } = JSON.parse(line);
    const pairs: [string, string][] = [];
    for (let at = 0; at < headers.length; at += 2) pairs.push([headers[at], headers[at + 1]]);
    return { partition, offset, key, value: payload, headers: Object.fromEntries(pairs) };
  });
}

/** A number of /metrics; NaN where it isn't there. */
export async function metric(service: RankstreamProcess, name: string): Promise<number> {
  const { body } = await service.get("/metrics");
  const line = String(body)
    .split("\n")
    .find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? Number.NaN);
}

/** Asks again and again until `isDone`, `msMax` at most; the last answer. */
export async function until<T>(
  ask: () => Promise<T>,
  isDone: (answer: T) => boolean,
  msMax = 15_000,
): Promise<T> {
  const end = performance.now() + msMax;
  for (;;) {
    const answer = await ask();
    if (isDone(answer) || performance.now() > end) return answer;
    await sleep(50);
  }
}

/** Names of the parts that /health/ready says do not work; none where all is well. */
export async function notReady(service: RankstreamProcess): Promise<string> {
  const { status, body } = await service.get("/health/ready");
  return status === 200 ? "" : JSON.stringify(body);
}
