/**
 * A worker whose partitions come from a consumer group. Each assignment is counted by a loop of
 * its own with a kernel of its own: what the last one had counted and not committed is dropped,
 * and read again from where the store says. A part that the store refuses, because someone else
 * has counted from its offsets, ends the loop the same way. So nobody needs to know when exactly
 * a partition was lost: the store's offsets decide, in the transaction of the counts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DeadLetters } from "../log/dead-letters.ts";
import { KafkaReader } from "../log/kafka-reader.ts";
import { AssignmentChanged } from "../log/log.ts";
import type { LogRecord } from "../model.ts";
import type { Adopted, StoreToWorker } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import { threadLogger } from "../telemetry-thread.ts";
import type { RecordCounts } from "./block-scanner.ts";
import { IngestLoop, type IngestLoopDeps } from "./ingest-loop.ts";
import { makeIngestParts, type OnUntyped } from "./ingest-parts.ts";
import type {
  FromIngestThread,
  IngestSource,
  IngestThreadData,
  IngestTotals,
  ToIngestThread,
} from "./messages.ts";
import type { OpenMinutes } from "./open-minutes.ts";
import { SeenBatches } from "./seen-batches.ts";

export interface GroupWorkerDeps {
  data: IngestThreadData;
  source: IngestSource & { kind: "kafka" };
  shared: Pick<
    IngestLoopDeps,
    "worker" | "checkpointMs" | "checkpointBytesMax" | "commit" | "now" | "traces"
  > & { totals: IngestTotals };
  send: (message: FromIngestThread) => void;
  /** Told which minutes are open from now on. */
  onOpen: (minutes: OpenMinutes) => void;
}

const againMs = 200;
const lineFeed = 10;

/** The line of this number, from 1, without its end. */
function lineOf(value: Uint8Array, line: number): Uint8Array {
  let from = 0;
  for (let left = line - 1; left > 0; left--) from = value.indexOf(lineFeed, from) + 1;
  const end = value.indexOf(lineFeed, from);
  return value.subarray(from, end < 0 ? value.length : end);
}

export class GroupWorker {
  readonly #deps: GroupWorkerDeps;
  readonly #reader: KafkaReader;
  readonly #letters: DeadLetters;
  #counts: number[] = [];
  /** Offsets that someone waits for, or has waited for, by partition. */
  readonly #wanted: number[] = [];
  #loop: IngestLoop | null = null;
  #onAdopted: (adopted: Adopted | null) => void = () => undefined;
  #stopping = false;

  constructor(deps: GroupWorkerDeps) {
    this.#deps = deps;
    const { settings, groupId, node } = deps.source;
    const logger = this.#logger();
    this.#letters = new DeadLetters(settings, logger);
    this.#reader = new KafkaReader({
      settings,
      groupId,
      node,
      counts: () => this.#counts,
      logger,
      onNews: () => this.#loop?.nudge(),
      onStopped: (partition, { code, message }) =>
        deps.send({ kind: "stopped", partition, code, message }),
    });
  }

  /** Until told to stop. */
  async run(): Promise<void> {
    await this.#learnCounts();
    if (!this.#stopping) void this.#reader.start();
    while (!this.#stopping) {
      const assignment = await this.#reader.assigned();
      if (assignment === null || this.#stopping) break;
      const adopted = await this.#adopt(assignment.partitions);
      if (this.#stopping) break;
      if (adopted === null) {
        await sleep(againMs);
        this.#reader.again();
        continue;
      }
      await this.#count(assignment.epoch, adopted);
    }
    await this.#reader.close();
    await this.#letters.close();
  }

  receive(message: ToIngestThread): void {
    if (message.kind === "flush") this.#want(message.offsets);
    else if (message.kind === "adopted") this.#onAdopted(message.adopted);
    else if (message.kind === "restart_reader") void this.#reader.restart();
    else if (message.kind === "stop") void this.#stop();
  }

  /** Whoever waits goes on waiting when the partitions are assigned anew meanwhile. */
  #want(offsets: readonly number[]): void {
    for (const [partition, offset] of offsets.entries()) {
      this.#wanted[partition] = Math.max(this.#wanted[partition] ?? 0, offset);
    }
    this.#loop?.want(offsets);
  }

  /** The store's answer for a part. */
  settle(message: StoreToWorker): void {
    if (message.kind === "committed") {
      this.#loop?.committed();
      return;
    }
    if (!message.isStale) throw new Error(message.message);
    this.#logger().warn({ part: "ingest", reason: message.message }, "a part was refused");
    this.#loop?.fenced();
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.#onAdopted(null);
    if (this.#loop === null) await this.#reader.close();
    else this.#loop.stop();
  }

  #adopt(partitions: number[]): Promise<Adopted | null> {
    return new Promise((resolve) => {
      this.#onAdopted = resolve;
      this.#deps.send({ kind: "adopt", partitions });
    });
  }

  /** Before this worker, as the group's leader, may say who reads what. */
  async #learnCounts(): Promise<void> {
    while (!this.#stopping) {
      const adopted = await this.#adopt([]);
      if (adopted !== null) {
        this.#counts = adopted.counts;
        return;
      }
      await sleep(againMs);
    }
  }

  /** Counts one assignment until it changes. */
  async #count(epoch: number, adopted: Adopted): Promise<void> {
    const { data, shared } = this.#deps;
    const { starts, seen, counts, newestMinute, types } = adopted;
    this.#counts = counts;
    const begin = { starts, floorMinute: newestMinute };
    const onUntyped: OnUntyped = (place, text) => this.#untyped(place, text);
    const parts = await makeIngestParts(data, begin, onUntyped, types);
    const { aggregator, openMinutes, scanner } = parts;
    this.#deps.onOpen(openMinutes);
    const loop = new IngestLoop({
      ...shared,
      reader: this.#reader,
      scanner,
      aggregator,
      seen: new SeenBatches(seen, counts),
      open: (isAsked) => openMinutes.part(isAsked),
      starts,
      letters: this.#letters,
      onRefused: (record, refused) => this.#putAside(record, refused),
    });
    if (!this.#reader.begin(epoch, starts)) return;
    shared.totals.adoptions++;
    shared.traces?.forget();
    this.#loop = loop;
    if (this.#wanted.length > 0) loop.want(this.#wanted);
    if (this.#stopping) loop.stop();
    try {
      await loop.run();
    } catch (error) {
      if (!(error instanceof AssignmentChanged)) throw error;
      // Before the store is asked where to begin it has decided on all that it was given.
      await loop.settled();
      this.#reader.again();
    } finally {
      this.#loop = null;
    }
  }

  /** Of a foreign record: its refused lines, or all of it where they are too many to list. */
  #putAside({ partition, offset, value }: LogRecord, { errors, refused }: RecordCounts): void {
    if (refused > errors.length) {
      const [{ code, message }] = errors as [RecordCounts["errors"][0]];
      const text = `${refused} lines are no events, among them: ${message}`;
      this.#letter({ partition, offset, line: 0, code, message: text, value });
      return;
    }
    for (const { line, code, message } of errors) {
      const text = line === 0 ? value : lineOf(value, line);
      this.#letter({ partition, offset, line, code, message, value: text });
    }
  }

  #untyped(place: Parameters<OnUntyped>[0], value: Uint8Array): void {
    this.#deps.shared.totals.refusedLines++;
    this.#deps.shared.totals.events--;
    const message = `expected at most ${this.#deps.data.typesMax} event types`;
    this.#letter({ ...place, code: "too_many_event_types", message, value });
  }

  #letter(letter: Parameters<DeadLetters["add"]>[0]): void {
    this.#deps.shared.totals.deadLetters++;
    this.#letters.add(letter);
  }

  #logger(): Logger {
    return threadLogger((line) => this.#deps.send({ kind: "log", line }));
  }
}
