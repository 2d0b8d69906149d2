/**
 * A client that can be a member of a consumer group, made anew whenever one has failed: the
 * library begins again by itself after some failures and not after others (one is a coordinator
 * that goes away while it is being looked for, as each time that a broker is stopped), so it is
 * never left to it.
 */
import kafkajs, { type Cluster, type Consumer, type PartitionAssigner } from "kafkajs";
import type { Logger } from "../telemetry.ts";
import { waitAtMost } from "./bounded-wait.ts";
import { type KafkaSettings, kafkaClient } from "./kafka-settings.ts";

const fetchBytesMax = 16 * 1024 * 1024;
const partitionBytesMax = 8 * 1024 * 1024;
/** A fetch with nothing to fetch waits so long; so does a stop. */
export const fetchWaitMs = 250;
/** Members learn only from a heartbeat that the group is being divided anew. */
const heartbeatMsMax = 500;
const metadataMsMax = 15_000;
const disconnectMsMax = 2000;
const unknownMember = "UNKNOWN_MEMBER_ID";

/** What the library's types leave out of its brokers. */
interface Coordinator {
  leaveGroup(member: { groupId: string; memberId: string }): Promise<unknown>;
}

export interface MemberOptions {
  settings: KafkaSettings;
  groupId: string;
  assigner: PartitionAssigner;
  logger: Logger;
}

export class GroupMember {
  readonly consumer: Consumer;
  readonly #options: MemberOptions;
  #cluster: Cluster | null = null;

  constructor(options: MemberOptions) {
    this.#options = options;
    const { settings, groupId, assigner, logger } = options;
    const { sessionTimeoutMs } = settings;
    this.consumer = kafkaClient(settings, logger).consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      // Who lives and doesn't come to a new division is waited for no longer than who died.
      rebalanceTimeout: sessionTimeoutMs,
      heartbeatInterval: Math.min(heartbeatMsMax, Math.floor(sessionTimeoutMs / 4)),
      partitionAssigners: [
        (parts) => {
          this.#cluster = parts.cluster;
          return assigner(parts);
        },
      ],
      allowAutoTopicCreation: false,
      metadataMaxAge: metadataMsMax,
      minBytes: 1,
      maxBytes: fetchBytesMax,
      maxBytesPerPartition: partitionBytesMax,
      maxWaitTimeInMs: fetchWaitMs,
      retry: { restartOnFailure: async () => false },
    });
  }

  /** Connects, and knows the topic. Rejects as the client does. */
  async connect(): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.#options.settings.topic], fromBeginning: true });
  }

  /**
   * Leaves for a member that this reader was before its client failed: the group would wait for
   * it until its session ends. Rejects as the client does.
   */
  async leaveAs(memberId: string): Promise<void> {
    const { groupId } = this.#options;
    const coordinator: unknown = await this.#cluster!.findGroupCoordinator({ groupId });
    try {
      await (coordinator as Coordinator).leaveGroup({ groupId, memberId });
    } catch (error) {
      const isGone = error instanceof kafkajs.KafkaJSProtocolError && error.type === unknownMember;
      if (!isGone) throw error;
    }
  }

  /** Leaves and disconnects, and waits no longer than that: fetches may be under way. */
  async end(): Promise<void> {
    await waitAtMost(
      this.consumer.disconnect().catch(() => undefined),
      disconnectMsMax,
    );
  }
}
