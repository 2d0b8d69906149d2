/** Of several regions: what this one tells the others, and who follows them here. */
import type { RegionPort } from "./api/regions.ts";
import { type Config, rolesOf } from "./config.ts";
import { lakePlace } from "./config-lake.ts";
import type { NamedRegions } from "./config-regions.ts";
import { ByteBudget } from "./edge/byte-budget.ts";
import { Edge } from "./edge/edge.ts";
import type { IngestPool } from "./ingest/ingest-pool.ts";
import type { KafkaLog } from "./log/kafka-log.ts";
import type { Log } from "./log/log.ts";
import { type FreshnessDeps, passBarrier } from "./query/freshness.ts";
import { formatTimestamp } from "./query/timestamp.ts";
import { Upstream } from "./query/upstream.ts";
import { RegionDesk, type RegionName } from "./region/desk.ts";
import { RegionFollower } from "./region/follower.ts";
import { KeyBudget } from "./region/key-budget.ts";
import { RegionPeer } from "./region/peer.ts";
import { horizonsOf, RegionSource } from "./region/source.ts";
import type { RegionState } from "./region/state.ts";
import { RegionWriter } from "./region/writer.ts";
import { catchUpEdgeState } from "./service-edge.ts";
import type { Closers } from "./service-storage.ts";
import { lakeLocks } from "./store/catalog-client.ts";
import { LakeTurn } from "./store/lake-turn.ts";
import type { LocalStore } from "./store/local-store.ts";
import type { Logger } from "./telemetry.ts";
import { Metrics } from "./telemetry-metrics.ts";
import { Counter } from "./telemetry-series.ts";

export interface RegionParts {
  log: Log;
  /** A log in Kafka; null: the embedded one. */
  group: KafkaLog | null;
  store: LocalStore;
  ingest: IngestPool;
}

/** The regions as the service's other parts know them. */
export interface OpenRegions {
  /** Null: there is but one. */
  desk: RegionDesk | null;
  port: RegionPort;
  /** From now on what others counted is written through it; null: an edge of its own. */
  begin(edge: Pick<Edge, "ingest"> | null): Promise<void>;
  /**
   * Does what deletes events of a type here from this time on (epoch ms), among them perhaps what
   * is kept of others: answers lack that from before on until it is copied anew.
   */
  duringDelete<T>(eventType: string, from: number, work: () => Promise<T>): Promise<T>;
}

export interface RegionTools {
  freshness: FreshnessDeps;
  metrics: Metrics;
  logger: Logger;
  closers: Closers;
}

/** So long what came before may take to be counted: after a cut it may be much. */
const settleMsMax = 60_000;
/** Greatest items of a type that are copied of a minute under way. */
const openItemsMax = 1000;
const embeddedBatchBytesMax = 4 * 1024 * 1024;
const kafkaBatchBytesMax = 1024 * 1024;

const given = (path: string) => (path === "none" ? undefined : path);
const isoOf = (ms: number | null) => (ms === null ? null : formatTimestamp(ms));

/** As GET /regions tells. */
function viewOf(desk: RegionDesk, now: number): object {
  const regions = desk.states().map((state) => ({
    region: state.region,
    address: state.address,
    state: state.state,
    completeThrough: isoOf(state.completeThrough),
    candidatesAsOf: isoOf(state.candidatesAsOf),
    heardAt: isoOf(state.heardAt),
    lagSeconds: state.completeThrough === null ? null : (now - state.completeThrough) / 1000,
    isLost: state.isLost,
    minutesAhead: state.minutesAhead,
    detail: state.detail,
  }));
  return { region: desk.own, regions };
}

function batchBytesOf({ unpackedBytesMax }: Config, { group }: RegionParts): number {
  if (group === null) return Math.min(embeddedBatchBytesMax, unpackedBytesMax);
  return Math.min(kafkaBatchBytesMax, group.oneRecordBytesMax, unpackedBytesMax);
}

/** An edge of a process that takes no events from users. */
async function ownEdge(config: Config, parts: RegionParts, logger: Logger): Promise<Edge> {
  const { group, store, ingest } = parts;
  if (group === null) throw new Error("a process without an edge has no embedded log");
  const { scanner, ledger } = await catchUpEdgeState(config, group, store, ingest);
  return new Edge({
    scanner,
    log: group,
    ledger,
    budget: new ByteBudget(config.ingestBytesMax),
    metrics: new Metrics({ isOn: false }),
    logger,
    unpackedBytesMax: config.unpackedBytesMax,
  });
}

/** What /metrics says of each region. */
function describeRegions(metrics: Metrics, desk: RegionDesk, received: Map<string, Counter>) {
  for (const { region } of desk.standings()) {
    const own = () => desk.states().find((state) => state.region === region)!;
    const gauge = (name: string, help: string, read: () => number) =>
      metrics.readGauge(`rankstream_region_${name}`, help, read, { region });
    gauge("lag_seconds", "How long ago a region's counts are complete; NaN: never.", () => {
      const { completeThrough } = own();
      return completeThrough === null ? Number.NaN : (Date.now() - completeThrough) / 1000;
    });
    gauge("up", "1 while a region is followed.", () =>
      ["following", "behind"].includes(own().state) ? 1 : 0,
    );
    const aheadHelp = "Minutes in which a region has fewer events than are kept of it here.";
    gauge("minutes_ahead", aheadHelp, () => own().minutesAhead);
    const bytesHelp = "Bytes that came from a region, as they were sent.";
    const bytes = () => received.get(region)?.value ?? 0;
    metrics.readCounter("rankstream_region_received_bytes_total", bytesHelp, bytes, { region });
  }
}

/** Makes what follows each region; `edge` takes what is missing. */
function followers(
  config: Config,
  { own, peers }: NamedRegions,
  parts: RegionParts,
  edge: Pick<Edge, "ingest">,
  settle: (signal?: AbortSignal) => Promise<unknown>,
) {
  const { store, log } = parts;
  const keys = new KeyBudget();
  const received = new Map(peers.map(({ name }) => [name, new Counter()]));
  const upstreams: Upstream[] = [];
  const follow = ({ name, address }: RegionName, state: RegionState) => {
    const tls = { ca: given(config.regionCa) };
    const upstream = new Upstream(address!, tls, given(config.regionKey) ?? null);
    upstreams.push(upstream);
    const onBytes = (bytes: number) => received.get(name)!.add(bytes);
    const writer = new RegionWriter({
      region: name,
      regions: store.regions,
      edge,
      partitionCount: () => log.partitionCount,
      batchBytesMax: batchBytesOf(config, parts),
      keys,
    });
    const deps = {
      region: name,
      peer: new RegionPeer({ name, own, upstream, onBytes }),
      regions: store.regions,
      writer,
      settle,
      horizons: async () => horizonsOf(await store.loadTypeSettings(), Date.now()),
      itemsMax: Math.min(openItemsMax, config.candidatesMax),
    };
    return new RegionFollower(deps, state);
  };
  const close = () => Promise.all(upstreams.map((upstream) => upstream.close()));
  return { follow, received, close };
}

/** Tells other regions of this one, and follows them once `begin` says by which edge. */
export async function openNamedRegions(
  config: Config,
  named: NamedRegions,
  parts: RegionParts,
  { freshness, metrics, logger, closers }: RegionTools,
): Promise<OpenRegions> {
  const { store } = parts;
  const place = lakePlace(config);
  const follows = rolesOf(config).ingest && named.peers.some(({ address }) => address !== null);
  const onFailure = (err: unknown) =>
    logger.warn({ part: "regions", err }, "whose turn it is to follow regions is not known");
  const number = lakeLocks.follow;
  const turn = place !== null && follows ? new LakeTurn({ place, number, onFailure }) : null;
  void turn?.start();
  let edge: Pick<Edge, "ingest"> | null = null;
  const settle = (signal?: AbortSignal) =>
    passBarrier(freshness, { signal, budgetMs: settleMsMax });
  const later: Pick<Edge, "ingest"> = { ingest: (request) => edge!.ingest(request) };
  const following = followers(config, named, parts, later, settle);
  const desk = await RegionDesk.open({
    ...named,
    lagMsMax: config.regionLagMsMax,
    intervalMs: config.regionIntervalMs,
    store,
    follow: follows ? following.follow : null,
    isMine: () => edge !== null && turn?.isMine !== false,
    settle,
    logger,
  });
  closers.add(async () => {
    await desk.close();
    await Promise.all([turn?.close(), following.close()]);
  });
  describeRegions(metrics, desk, following.received);
  return {
    desk,
    port: portOf(desk, new RegionSource({ region: named.own, store, freshness })),
    begin: async (given) => {
      if (follows) edge = given ?? (await ownEdge(config, parts, logger));
    },
    duringDelete: (eventType, from, work) => desk.duringDelete(eventType, from, work),
  };
}

function portOf(desk: RegionDesk, source: RegionSource): RegionPort {
  return {
    list: async () => viewOf(desk, Date.now()),
    totals: (request, control) => source.totals(request, control),
    counts: (request, control) => source.counts(request, control),
    resync: (name, range) => desk.resync(name, range),
  };
}
