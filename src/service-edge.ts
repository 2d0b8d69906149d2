/** What the edge of a process with a store knows of everything acknowledged before. */
import type { Config } from "./config.ts";
import type { Edge } from "./edge/edge.ts";
import { problemReply, RankstreamError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import type { IngestPool } from "./ingest/ingest-pool.ts";
import { Kernel } from "./kernel/kernel.ts";
import { loadKernelModule } from "./kernel/module.ts";
import { EventScanner } from "./kernel/scanner.ts";
import { TypeDictionary } from "./kernel/type-dictionary.ts";
import type { EmbeddedLog } from "./log/embedded-log.ts";
import { EmbeddedLogReader } from "./log/embedded-log-reader.ts";
import { IdempotencyLedger } from "./log/idempotency.ts";
import type { KafkaLog } from "./log/kafka-log.ts";
import { provenByCounts, unionOfStates } from "./log/ledger-union.ts";
import { eventBounds } from "./model.ts";
import type { LocalStore } from "./store/local-store.ts";

const errorsListedMax = 100;
/** Room beyond the bound, for types taken before it was lowered. */
const typesSlack = 1024;
/** How long a start waits until what the topic held before is counted. */
const catchUpMsMax = 10_000;
/** Of an edge beside others. */
export const sharedLedger = Object.freeze({ runsKept: 1024, isSaved: false });

/** What a process without an edge says to events. */
export const takesNoEvents: Pick<Edge, "ingest"> = Object.freeze({
  ingest: async () =>
    problemReply(new RankstreamError("not_served_here", "this node takes no events")),
});

/** What a process that only counts, or takes events, says to all but these. */
export const answersNothing = async (): Promise<never> => {
  throw new RankstreamError("not_served_here", "this node answers no questions: ask a query node");
};

/** The kept answers of such a process. */
export const noAnswers = Object.freeze({
  ask: answersNothing,
  invalidate: answersNothing,
  keep: answersNothing,
});

export interface EdgeState {
  ledger: IdempotencyLedger;
  scanner: EventScanner;
  types: TypeDictionary;
}

/** The names the store knows of event types, counted or set up. */
export async function knownTypes(store: LocalStore): Promise<Set<string>> {
  const named = [...(await store.eventTypes()), ...(await store.loadTypeSettings())];
  return new Set(named.map(({ name }) => name));
}

function scannerBounds({ unpackedBytesMax }: Config) {
  return {
    bodyBytesMax: unpackedBytesMax,
    errorsMax: errorsListedMax,
    futureMsMax: eventBounds.futureMsMax,
  };
}

/** An edge's scanner, with room for `known` types and those to come. */
export async function makeScanner(config: Config, known: ReadonlySet<string>) {
  const bounds = scannerBounds(config);
  const room = Math.max(config.eventTypesMax, known.size) + typesSlack;
  const memoryBytes = EventScanner.memoryBytes(bounds) + TypeDictionary.memoryBytes(room) + 65_536;
  const kernel = await Kernel.load(await loadKernelModule(), memoryBytes);
  const types = new TypeDictionary(kernel, room);
  for (const name of known) types.indexOf(name);
  return { scanner: new EventScanner(kernel, bounds, types), types };
}

/** A scanner for batches that are handed on: whoever takes them knows the event types. */
export async function makeForwardScanner(config: Config): Promise<EventScanner> {
  const bounds = scannerBounds(config);
  const kernel = await Kernel.load(
    await loadKernelModule(),
    EventScanner.memoryBytes(bounds) + 65_536,
  );
  return new EventScanner(kernel, bounds);
}

/**
 * Of the embedded log: keys and event types, those the store counted and those the log holds
 * beyond that.
 */
export async function loadEdgeState(
  config: Config,
  log: EmbeddedLog,
  store: LocalStore,
  folder: string,
): Promise<EdgeState> {
  const { scanner, types } = await makeScanner(config, await knownTypes(store));
  // The workers' ledgers are saved, not this one.
  const ledger = new IdempotencyLedger({ isSaved: false });
  ledger.load(unionOfStates(await store.loadSeen()));
  const starts = store.committedOffsets().map((offset, partition) => ({ partition, offset }));
  const reader = await EmbeddedLogReader.open(nodeFiles, folder, { starts });
  try {
    reader.advance(log.durableEnd());
    for (let records = await reader.next(); records.length > 0; records = await reader.next()) {
      for (const record of records) {
        ledger.record(record);
        scanner.learnTypes(record.value, record.receivedAt);
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const detail = `the log holds ${error.message}: it was filled with a greater eventTypesMax`;
    throw new RankstreamError("data_folder_mismatch", detail, { cause: error });
  } finally {
    await reader.close();
  }
  types.limit(config.eventTypesMax);
  return { ledger, scanner, types };
}

/**
 * Event types that others took, or copied from another region, take a place here as well once
 * they are counted: else this edge would take more than there is room for, and they would be set
 * aside when they are counted.
 */
export function learnTypes(
  store: Pick<LocalStore, "onChange">,
  types: Pick<TypeDictionary, "indexOf">,
): void {
  store.onChange((_version, touched) => {
    for (const name of new Set(touched.map(({ eventType }) => eventType))) types.indexOf(name);
  });
}

/**
 * Of a log in Kafka: what the store has counted, once it has counted what was there at the
 * start, or after 10 s. A key that is missing then, or of which it can't be told whether all of
 * its batch is in the topic, is appended again, and counted once all the same.
 */
export async function catchUpEdgeState(
  config: Config,
  log: KafkaLog,
  store: LocalStore,
  ingest: IngestPool,
): Promise<EdgeState> {
  const ends = await log.ends().catch(() => []);
  await ingest.committed(ends, catchUpMsMax);
  const { scanner, types } = await makeScanner(config, await knownTypes(store));
  const { oneRecordBytesMax: provenBytesMax } = log;
  const ledger = new IdempotencyLedger({ ...sharedLedger, provenBytesMax });
  const { state, proven } = provenByCounts(await store.loadSeen());
  ledger.load(state, proven);
  types.limit(config.eventTypesMax);
  learnTypes(store, types);
  return { ledger, scanner, types };
}
