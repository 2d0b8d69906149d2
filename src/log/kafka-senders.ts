/**
 * Several senders side by side, each with partitions of its own, so that each keeps the order of
 * its partitions: while one packs its next request, the brokers have another's.
 */
import { RankstreamError } from "../errors.ts";
import {
  KafkaSender,
  type Outgoing,
  partialAppend,
  type SenderOptions,
  type SenderStats,
} from "./kafka-sender.ts";

export const sendersDefault = 2;

export class KafkaSenders {
  readonly #senders: KafkaSender[];

  private constructor(senders: KafkaSender[]) {
    this.#senders = senders;
  }

  /** Throws `log_unavailable` when no broker takes a producer. */
  static async open(options: SenderOptions, count = sendersDefault): Promise<KafkaSenders> {
    const queueBytesMax = Math.floor(options.queueBytesMax / count);
    const opening = Array.from({ length: count }, () =>
      KafkaSender.open({ ...options, queueBytesMax }),
    );
    const opened = await Promise.allSettled(opening);
    const failed = opened.find(({ status }) => status === "rejected");
    const senders = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (failed === undefined) return new KafkaSenders(senders);
    await Promise.all(senders.map((sender) => sender.close()));
    throw (failed as PromiseRejectedResult).reason;
  }

  /** Why nothing is taken now, in words; null while all is well. */
  get failure(): string | null {
    return this.#senders.find(({ failure }) => failure !== null)?.failure ?? null;
  }

  stats(): SenderStats {
    const all = this.#senders.map((sender) => sender.stats());
    return {
      queueBytes: all.reduce((sum, { queueBytes }) => sum + queueBytes, 0),
      failures: all.reduce((sum, { failures }) => sum + failures, 0),
    };
  }

  /** See KafkaSender; all records of one batch. */
  async send(records: Outgoing[]): Promise<void> {
    const shares = this.#senders.map((): Outgoing[] => []);
    for (const record of records) shares[record.partition % shares.length]!.push(record);
    const asked = [...this.#senders.entries()].filter(([index]) => shares[index]!.length > 0);
    // Before a part of it is on its way: of a batch that can't be sent whole nothing is.
    for (const [index, sender] of asked) {
      const refusal = sender.refusal(shares[index]!);
      if (refusal !== null) throw refusal;
    }
    const sent = await Promise.allSettled(
      asked.map(([index, sender]) => sender.send(shares[index]!)),
    );
    const failures = sent.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    if (failures.length === 0) return;
    const isWhole = failures.length === sent.length;
    const inDoubt = failures.find((error) => isInDoubt(error));
    if (isWhole) throw inDoubt ?? failures[0];
    throw partialAppend(failures[0]);
  }

  /** Takes producers that know the topic as it is now. */
  async renew(): Promise<void> {
    await Promise.all(this.#senders.map((sender) => sender.renew()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#senders.map((sender) => sender.close()));
  }
}

function isInDoubt(error: unknown): boolean {
  if (!(error instanceof RankstreamError)) return true;
  return error.code === "partial_append" || error.extensions?.["outcome"] === "unknown";
}
