/**
 * The reading side of a log in Kafka: one member of a consumer group. What the group says is only
 * who reads which partition; where to begin comes from the store, never from the broker. Each
 * assignment has an epoch; whatever the client still delivers of an earlier one is dropped. The
 * client resets an offset that the broker doesn't have without asking: so every batch must have
 * been fetched from just where the last one ended, or reading stops with a named error.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, EachBatchPayload, KafkaMessage } from "kafkajs";
import { RankstreamError } from "../errors.ts";
import type { LogRecord } from "../model.ts";
import type { Logger } from "../telemetry.ts";
import { waitAtMost } from "./bounded-wait.ts";
import { residueAssigner } from "./kafka-assigner.ts";
import { fetchWaitMs, GroupMember } from "./kafka-member.ts";
import { decodeRecord, recordHeaderName, traceHeaderName } from "./kafka-record.ts";
import { type KafkaSettings, reasonOf } from "./kafka-settings.ts";
import { AssignmentChanged, type LogReader, tailOf } from "./log.ts";

/** Where reading of a partition begins. */
export interface KafkaStart {
  partition: number;
  offset: number;
  /** What `tailOf` says of the record before it; null: not known. */
  tail: string | null;
}

export interface Assignment {
  epoch: number;
  partitions: number[];
}

export interface KafkaReaderOptions {
  settings: KafkaSettings;
  groupId: string;
  /** Names the process, to the group: what is left over is spread over processes. */
  node: string;
  /** All numbers of partitions that the topic is known to have had. */
  counts: () => readonly number[];
  logger: Logger;
  /** There is something to read, or to look at. */
  onNews: () => void;
  /** A partition can't be read any further; the others go on. */
  onStopped: (partition: number, error: RankstreamError) => void;
}

const queueBytesMax = 32 * 1024 * 1024;
const readBytesMax = 4 * 1024 * 1024;
const handlersAtOnce = 16;
/** From one try to read to the next while the brokers are away: twice as long each time. */
const retryMsMin = 100;
const retryMsMax = 1000;
/** So often; then the group waits for the member that it still knows until its session ends. */
const leaveTriesMax = 10;
const noBytes = new Uint8Array(0);

interface Position {
  /** Offset of the next record to come. */
  next: number;
  /** Only until the record before the start has been looked at. */
  check: { start: number; tail: string } | null;
}

export class KafkaReader implements LogReader {
  readonly #options: KafkaReaderOptions;
  #member: GroupMember | null = null;
  /** Its client once it has joined: before that it can neither seek nor pause. */
  #joined: Consumer | null = null;
  /** What the group knows this reader as, or knew before its client failed. */
  #memberId: string | null = null;
  #leaveTries = 0;
  #retryMs = retryMsMin;
  #epoch = 0;
  #assigned: number[] = [];
  /** Time of day of the assignment, ms. */
  #since = 0;
  /** Partitions being read, once `begin` said where; empty before. Without those stopped. */
  #positions = new Map<number, Position>();
  #isReady = false;
  #isChanged = false;
  #queue: LogRecord[] = [];
  #queueBytes = 0;
  #closed = false;
  #drained: () => void = () => undefined;
  #onAssigned: () => void = () => undefined;

  constructor(options: KafkaReaderOptions) {
    this.#options = options;
  }

  /** Joins the group, and goes on trying while no broker answers. */
  async start(): Promise<void> {
    const { settings, groupId, node, counts, logger } = this.#options;
    const assigner = residueAssigner(() => {
      return { node, since: this.#since, partitions: this.#assigned, counts: counts() };
    });
    const member = new GroupMember({ settings, groupId, assigner, logger });
    this.#member = member;
    this.#follow(member);
    while (!this.#closed && member === this.#member) {
      try {
        await member.connect();
        await this.#leaveBefore(member);
        await member.consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: handlersAtOnce,
          eachBatch: (payload) => this.#take(member, payload),
        });
        // Replaced meanwhile it joins all the same.
        if (member !== this.#member) await member.end();
        return;
      } catch (error) {
        logger.warn({ part: "log", reason: reasonOf(error) }, "no broker to read from");
        await this.#retryLater();
      }
    }
  }

  #follow(member: GroupMember): void {
    const { consumer } = member;
    const { GROUP_JOIN, END_BATCH_PROCESS, STOP, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => {
      if (member !== this.#member) return;
      this.#joined = consumer;
      this.#memberId = payload.memberId;
      this.#leaveTries = 0;
      this.#retryMs = retryMsMin;
      this.#join(payload.memberAssignment[this.#options.settings.topic] ?? []);
    });
    consumer.on(END_BATCH_PROCESS, ({ payload }) => {
      if (member === this.#member) this.#pass(payload.partition, Number(payload.lastOffset));
    });
    consumer.on(STOP, () => {
      if (this.#joined === consumer) this.#joined = null;
    });
    consumer.on(CRASH, ({ payload }) => {
      if (member === this.#member) void this.#replace(payload.error);
    });
  }

  /** Begins again with another client, which goes on where this one was. */
  async #replace(error: Error): Promise<void> {
    const { logger } = this.#options;
    logger.warn({ part: "log", reason: reasonOf(error) }, "reading failed; it begins again");
    this.#member = null;
    this.#joined = null;
    await this.#retryLater();
    if (!this.#closed && this.#member === null) await this.start();
  }

  async #retryLater(): Promise<void> {
    await sleep(this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(2 * this.#retryMs, retryMsMax);
  }

  /** Nobody waits then for what this reader was. */
  async #leaveBefore(member: GroupMember): Promise<void> {
    if (this.#memberId === null || this.#leaveTries++ >= leaveTriesMax) return;
    await member.leaveAs(this.#memberId);
    this.#memberId = null;
  }

  /** What is to be read now, once the group has said so; null once closed. */
  async assigned(): Promise<Assignment | null> {
    while (!this.#closed) {
      if (this.#isChanged) {
        this.#isChanged = false;
        return { epoch: this.#epoch, partitions: [...this.#assigned] };
      }
      await new Promise<void>((resolve) => {
        this.#onAssigned = resolve;
      });
    }
    return null;
  }

  /** Begins to read. False when the assignment is no longer that of `epoch`. */
  begin(epoch: number, starts: readonly KafkaStart[]): boolean {
    if (epoch !== this.#epoch || this.#isChanged || this.#closed) return false;
    this.#positions = new Map();
    for (const { partition, offset, tail } of starts) {
      const isChecked = tail !== null && offset > 0;
      const check = isChecked ? { start: offset, tail } : null;
      this.#positions.set(partition, { next: isChecked ? offset - 1 : offset, check });
    }
    this.#isReady = true;
    this.#seekAll();
    this.#joined?.resume([this.#all()]);
    this.#pauseStopped();
    return true;
  }

  /** Reads everything that is not committed again: someone else may have counted it. */
  again(): void {
    this.#change();
  }

  /** Leaves the group and joins it anew: for a client that stands still. */
  async restart(): Promise<void> {
    if (this.#closed) return;
    const before = this.#member;
    this.#member = null;
    this.#joined = null;
    this.#change();
    this.#isChanged = false;
    await before?.end();
    if (!this.#closed) await this.start();
  }

  /** See LogReader; throws AssignmentChanged. What stops a partition is told by `onStopped`. */
  async next(): Promise<LogRecord[]> {
    if (this.#isChanged || !this.#isReady) throw new AssignmentChanged();
    let bytes = 0;
    let count = 0;
    for (const { value } of this.#queue) {
      if (count > 0 && bytes + value.length > readBytesMax) break;
      bytes += value.length;
      count++;
    }
    const records = this.#queue.splice(0, count);
    this.#queueBytes -= bytes;
    this.#drained();
    return records;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const before = this.#member;
    this.#member = null;
    this.#joined = null;
    this.#drained();
    this.#onAssigned();
    await before?.end();
  }

  #all() {
    return { topic: this.#options.settings.topic, partitions: [...this.#assigned] };
  }

  /** Assigned, but not to be read. */
  #pauseStopped(): void {
    const { topic } = this.#options.settings;
    const partitions = this.#assigned.filter((partition) => !this.#positions.has(partition));
    if (partitions.length > 0) this.#joined?.pause([{ topic, partitions }]);
  }

  #seekAll(): void {
    const { topic } = this.#options.settings;
    for (const [partition, { next }] of this.#positions) {
      this.#joined?.seek({ topic, partition, offset: String(next) });
    }
  }

  /** Told, before anything is fetched, what this member reads from now on. */
  #join(partitions: number[]): void {
    this.#since = Date.now();
    const before = new Set(this.#assigned);
    const isSame =
      partitions.length === before.size && partitions.every((partition) => before.has(partition));
    if (isSame && this.#isReady) {
      // What is queued stays good: the next batches must come from behind it.
      this.#seekAll();
      this.#pauseStopped();
      return;
    }
    this.#assigned = partitions;
    this.#change();
    if (partitions.length > 0) this.#joined?.pause([this.#all()]);
  }

  #change(): void {
    this.#epoch++;
    this.#isReady = false;
    this.#isChanged = true;
    this.#positions = new Map();
    this.#queue = [];
    this.#queueBytes = 0;
    this.#drained();
    this.#onAssigned();
    this.#options.onNews();
  }

  async #take(member: GroupMember, payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, isStale } = payload;
    const position = this.#positions.get(batch.partition);
    const epoch = this.#epoch;
    // Fetched before a seek: it comes again, from where that says.
    if (member !== this.#member || isStale()) return;
    if (!this.#isReady || position === undefined) return;
    const { fetchedOffset } = batch as unknown as { fetchedOffset: string };
    if (Number(fetchedOffset) !== position.next) {
      const text = `offset ${position.next} wanted, the topic begins at ${batch.firstOffset()}`;
      return this.#stop(batch.partition, "offset_out_of_range", text);
    }
    for (const message of batch.messages) {
      if (!this.#push(batch.partition, position, message)) return;
    }
    resolveOffset(batch.lastOffset());
    this.#pass(batch.partition, Number(batch.lastOffset()));
    this.#options.onNews();
    const isOver = () => this.#queueBytes > queueBytesMax && epoch === this.#epoch;
    while (isOver() && !this.#closed) {
      const drained = new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
      await waitAtMost(drained, fetchWaitMs);
      await heartbeat();
    }
  }

  /** Queues a record; false when its partition had to be stopped before it. */
  #push(partition: number, position: Position, message: KafkaMessage): boolean {
    const header = message.headers?.[recordHeaderName];
    const traceparent = message.headers?.[traceHeaderName];
    const offset = Number(message.offset);
    let record: LogRecord;
    try {
      record = decodeRecord({
        partition,
        offset,
        appendedAt: Number(message.timestamp),
        value: message.value,
        header: Buffer.isBuffer(header) ? header : undefined,
        traceparent: Buffer.isBuffer(traceparent) ? traceparent : undefined,
      });
    } catch (error) {
      const { code, message: reason } = error as RankstreamError;
      this.#stop(partition, code as "log_mismatch", reason);
      return false;
    }
    position.next = offset + 1;
    const { check } = position;
    position.check = null;
    if (check !== null && offset === check.start - 1) {
      if (tailOf(record) === check.tail) return true;
      const found = `${tailOf(record)} found`;
      const text = `offset ${offset}: the store counted ${check.tail} there, ${found}`;
      this.#stop(partition, "topic_replaced", text);
      return false;
    }
    this.#queue.push(record);
    this.#queueBytes += record.value.length + record.lines.length;
    return true;
  }

  /**
   * Offsets without a record for us (marks of transactions) are passed by an empty one, so that
   * the store's offset reaches the log's end.
   */
  #pass(partition: number, last: number): void {
    const position = this.#positions.get(partition);
    if (!this.#isReady || position === undefined || last < position.next) return;
    position.next = last + 1;
    this.#queue.push({
      partition,
      offset: last,
      key: null,
      digest: null,
      receivedAt: 0,
      partitionCount: 0,
      seen: null,
      lines: noBytes,
      value: noBytes,
    });
    this.#options.onNews();
  }

  /** Reads no more of a partition: skipping what is wrong there would lose events in silence. */
  #stop(
    partition: number,
    code: "offset_out_of_range" | "topic_replaced" | "log_mismatch",
    reason: string,
  ): void {
    const { topic } = this.#options.settings;
    this.#positions.delete(partition);
    this.#joined?.pause([{ topic, partitions: [partition] }]);
    const detail = `${topic}, partition ${partition}, ${reason}`;
    this.#options.onStopped(partition, new RankstreamError(code, detail));
  }
}
