// Stores of several processes' worth over one lake, each with a thread of its own.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { LakePlace } from "../../src/model-lake.ts";
import { LocalStore } from "../../src/store/local-store.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { temporaryFolder } from "./service.ts";

/** One that answers, and does the maintenance when it is its turn if `maintains`. */
export async function openLakeStore(lake: LakePlace, maintains: boolean): Promise<LocalStore> {
  const options = {
    folder: mkdtempSync(join(temporaryFolder(), "store-")),
    lake,
    answers: true,
    maintains,
    memoryBytesMax: 256 * 1024 * 1024,
    candidatesMax: 100,
    exactTimeoutMs: 30_000,
    exactQueueMax: 10,
    sealQuietMs: 1000,
    coarsenAfterMs: 3_600_000,
    sealedSketches: false,
    keptAnswers: { bytesMax: 0, madeBy: "test" },
    program: "test",
    logger: silentLogger,
  };
  const log = async () => ({ id: "log", partitionCount: 2, mayGrow: { beginOffsets: [0, 0] } });
  return (await LocalStore.open(options, log)).store;
}
