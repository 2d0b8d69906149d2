// Three processes as one consumer group over a real broker, while others join, leave, are killed
// and stand still: every partition is read on from where it was, by one of them.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Producer } from "kafkajs";
import { afterAll, expect, it } from "vitest";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { createTopic, kafkaClient } from "../support/kafka-broker.ts";
import { logSettings } from "../support/log-settings.ts";

const partitions = 8;
/** The least that brokers take unless they are told otherwise. */
const shortSessionMs = 6000;
/** Longer than the test waits for anything. */
const longSessionMs = 300_000;
const waitMsMax = 60_000;
const testMsMax = 240_000;
const produceMs = 20;

/** What a store would be: it knows where each partition is, and who may go on from there. */
class Group {
  readonly topic = freshTopic("group");
  readonly next = new Array<number>(partitions).fill(0);
  readonly members = new Map<string, ChildProcess>();
  faults: string[] = [];
  #owners = new Array<string>(partitions).fill("");
  #address = "";
  #producer: Producer | null = null;
  #producing: Promise<void> = Promise.resolve();

  async open(): Promise<void> {
    this.#address = (await sharedKafka()).address;
    await createTopic(await kafkaAdmin(), this.topic, partitions);
    const producer = kafkaClient(this.#address).producer();
    await producer.connect();
    this.#producer = producer;
    this.#producing = this.#produce(producer);
  }

  async #produce(producer: Producer): Promise<void> {
    const messages = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      value: "{}",
    }));
    while (this.#producer !== null) {
      await producer.send({ topic: this.topic, messages });
      await sleep(produceMs);
    }
    await producer.disconnect();
  }

  start(node: string, sessionTimeoutMs: number): void {
    const settings = logSettings(this.#address, this.topic, { partitions, sessionTimeoutMs });
    const own = JSON.stringify({ settings, groupId: this.topic, node });
    const child = fork(new URL("group-child.mjs", import.meta.url), [own], { execArgv: [] });
    this.members.set(node, child);
    child.on("message", (message: Message) => this.#take(node, child, message));
  }

  #take(node: string, child: ChildProcess, { epoch, partitions: given, read = [] }: Message) {
    if (given !== undefined) {
      for (const partition of given) this.#owners[partition] = `${node}/${epoch}`;
      const starts = given.map((partition) => {
        return { partition, offset: this.next[partition], tail: null };
      });
      child.send({ starts });
    }
    for (const [partition, offset] of read) {
      const isOwner = this.#owners[partition] === `${node}/${epoch}`;
      // Of who no longer has it, and doesn't know: a store refuses that, too.
      if (!isOwner) continue;
      if (offset === this.next[partition]) this.next[partition]!++;
      else this.faults.push(`${node} read ${offset} of ${partition}, not ${this.next[partition]}`);
    }
  }

  /** How many partitions each member reads, by its name. */
  shares(): Record<string, number> {
    const shares: Record<string, number> = {};
    for (const owner of this.#owners) {
      const [node] = owner.split("/") as [string];
      shares[node] = (shares[node] ?? 0) + 1;
    }
    return shares;
  }

  /** Until the partitions are shared out like that and all are read on. */
  async settled(shares: Record<string, number>): Promise<void> {
    await expect.poll(() => this.shares(), { timeout: waitMsMax }).toEqual(shares);
    const before = [...this.next];
    const isReadOn = () => this.next.every((offset, partition) => offset > before[partition]!);
    await expect.poll(isReadOn, { timeout: waitMsMax }).toBe(true);
  }

  /** Leaves cleanly, and is gone. */
  async leave(node: string): Promise<void> {
    const child = this.members.get(node)!;
    child.send({});
    await once(child, "exit");
    this.members.delete(node);
  }

  async close(): Promise<void> {
    this.#producer = null;
    await this.#producing;
    for (const child of this.members.values()) child.kill("SIGKILL");
  }
}

interface Message {
  epoch: number;
  partitions?: number[];
  read?: [partition: number, offset: number][];
}

const group = new Group();
afterAll(() => group.close());

it(
  "reads every partition on as processes join, leave, die and stand still",
  async () => {
    await group.open();
    for (const node of ["a", "b"]) group.start(node, shortSessionMs);
    await group.settled({ a: 4, b: 4 });
    group.start("c", longSessionMs);
    group.start("d", shortSessionMs);
    await group.settled({ a: 2, b: 2, c: 2, d: 2 });
    // Nobody waits for the session of one who says that it leaves.
    await group.leave("c");
    await expect
      .poll(() => Object.keys(group.shares()), { timeout: waitMsMax })
      .not.toContain("c");
    group.start("e", shortSessionMs);
    await group.settled({ a: 2, b: 2, d: 2, e: 2 });
    group.members.get("a")!.kill("SIGKILL");
    group.members.get("b")!.kill("SIGSTOP");
    await group.settled({ d: 4, e: 4 });
    group.members.get("b")!.kill("SIGCONT");
    await expect.poll(() => group.shares()["b"] ?? 0, { timeout: waitMsMax }).toBeGreaterThan(1);
    expect(group.faults).toEqual([]);
  },
  testMsMax,
);
