/** Backs up a data folder that no service runs on. */
import type { Config } from "./config.ts";
import { RankstreamError } from "./errors.ts";
import { openBackups, viewOfRun } from "./service-backup.ts";
import { Closers, openStorage, packageVersion } from "./service-storage.ts";
import { silentLogger } from "./telemetry.ts";
import { noTracing } from "./telemetry-tracing.ts";

const progressMs = 200;

/**
 * Opens the folder as a start would, and backs up its store and its log. Throws `backups_off`,
 * `data_folder_in_use`, `data_folder_mismatch`, `log_corrupt`; what else goes wrong is in the
 * reply.
 */
export async function backUpFolder(
  config: Config,
  { onProgress, signal }: { onProgress(share: number): void; signal: AbortSignal },
) {
  const closers = new Closers();
  try {
    const { store, opened } = await openStorage(config, silentLogger, noTracing, closers);
    const parts = { store, opened, version: packageVersion(), logger: silentLogger };
    const backups = openBackups(config, parts, true);
    if (backups === null) throw new RankstreamError("backups_off", "expected --backup-to");
    closers.add(() => backups.close());
    const run = backups.take();
    const stop = () => backups.cancel(run);
    signal.addEventListener("abort", stop, { once: true });
    const telling = setInterval(() => onProgress(run.progress), progressMs);
    await backups.ended();
    clearInterval(telling);
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    return viewOfRun(run);
  } finally {
    await closers.close();
  }
}
