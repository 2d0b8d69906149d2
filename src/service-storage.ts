/** Opens what a service keeps: the store, which holds the data folder, and the log beside it. */
import { readFileSync } from "node:fs";
import { type Config, rolesOf } from "./config.ts";
import { lakePlace } from "./config-lake.ts";
import { regionsOf } from "./config-regions.ts";
import { openLog } from "./service-log.ts";
import { LocalStore } from "./store/local-store.ts";
import type { Logger } from "./telemetry.ts";
import type { Tracing } from "./telemetry-tracing.ts";

/** Of this package. */
export function packageVersion(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** What was opened, to be closed in reverse order. */
export class Closers {
  readonly #closers: (() => Promise<unknown>)[] = [];

  add(close: () => Promise<unknown>): void {
    this.#closers.unshift(close);
  }

  /** Closes everything, also when a part of it fails; then throws the first failure. */
  async close(): Promise<void> {
    let failure: { error: unknown } | null = null;
    for (const close of this.#closers.splice(0)) {
      try {
        await close();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
  }
}

/** What makes answers: others, or those of other regions, are not to be kept. */
function makerOf(config: Config): string {
  const regions = regionsOf(config);
  if (regions === null) return packageVersion();
  const peers = regions.peers.map(({ name, address }) =>
    address === null ? `${name} lost` : name,
  );
  return [packageVersion(), regions.own, ...peers, config.regionLagMsMax].join(", ");
}

/** Opens log and store; the store's folder lock guards both. */
export async function openStorage(
  config: Config,
  logger: Logger,
  tracing: Tracing,
  closers: Closers,
) {
  const opening = async () => {
    const opened = await openLog(config, logger);
    closers.add(() => opened.log.close());
    const { group } = opened;
    const identity = { id: opened.log.id, partitionCount: opened.log.partitionCount };
    const mayGrow = group && { mayGrow: { beginOffsets: group.beginOffsets() } };
    return { ...opened, ...identity, ...mayGrow };
  };
  const storeOptions = {
    folder: config.dataDir,
    lake: lakePlace(config),
    answers: rolesOf(config).query,
    maintains: rolesOf(config).ingest,
    memoryBytesMax: config.storeMemoryBytesMax,
    candidatesMax: config.candidatesMax,
    exactTimeoutMs: config.exactTimeoutMs,
    exactQueueMax: config.exactQueueMax,
    sealQuietMs: config.sealQuietMs,
    coarsenAfterMs: config.coarsenAfterMs,
    sealedSketches: config.sealedSketches === "on",
    keptAnswers: {
      bytesMax: lakePlace(config) === null ? config.cacheStoreBytesMax : 0,
      madeBy: makerOf(config),
    },
    program: packageVersion(),
    logger,
    tracing,
  };
  const { store, log: opened } = await LocalStore.open(storeOptions, opening);
  closers.add(() => store.close());
  return { store, opened };
}
