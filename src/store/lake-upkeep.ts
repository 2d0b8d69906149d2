/**
 * What DuckLake itself wants done now and then: rows that lie in PostgreSQL move to files, small
 * files are made whole and merged, files of which nothing is left are ended, old snapshots go
 * with the files that only they name, with rows in PostgreSQL that only they show, and with files
 * that none names, and what was erased goes from figures. Only by the leader, and each step alone:
 * a step that loses against somebody's transaction comes again next time. Never
 * `rewrite_data_files`: from then on DuckLake 1.0 reads older states wrongly, which mirrors are
 * reading.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { LakeCompaction } from "./lake-compaction.ts";
import type { LakeFiles } from "./lake-files.ts";
import { chooseHoled, rewriteHoled } from "./lake-holes.ts";
import { lakeName } from "./lake-mirror.ts";
import { forgetReached } from "./lake-partitions.ts";
import { LakeRowIds } from "./lake-row-ids.ts";
import { sumUpParts } from "./lake-types.ts";
import { levels } from "./windows.ts";

export interface LakeUpkeepOptions {
  everyMs: number;
  /** Snapshots are kept so long: a mirror that is further behind is made anew. */
  snapshotAgeMs: number;
  /** Files that no snapshot names any more are kept so long: somebody may be reading them. */
  fileAgeMs: number;
  /** Files that no snapshot ever named are looked for so often: the whole list is read. */
  orphansEveryMs: number;
  /** Large files are merged with others so often. */
  mergeLargeEveryMs: number;
}

export const lakeUpkeepDefaults: LakeUpkeepOptions = Object.freeze({
  everyMs: 600_000,
  snapshotAgeMs: 3_600_000,
  fileAgeMs: 86_400_000,
  orphansEveryMs: 6 * 3_600_000,
  mergeLargeEveryMs: 6 * 3_600_000,
});

const windowTables = levels.flatMap(({ name }) =>
  ["window", "list", "tail", "sketch"].map((kind) => `${kind}_${name}`),
);

/**
 * Files from this size on are merged now and then only, up to DuckLake's target: a merge writes
 * anew what is smaller, while nobody commits, and is given up where somebody waited in vain.
 */
const mergedOftenBytesMax = 128 * 1024 ** 2;
/** Of a table in one step: each makes one file. */
const mergesMax = 100;

/**
 * Whose rows move from PostgreSQL to files: those of tables that grow. A fence's row is
 * changed by every checkpoint, and would be a file to read and to mark each time.
 */
const flushedTables = [
  "count_deltas",
  "raw_recent",
  "raw_files",
  "system_metrics",
  ...windowTables,
];

type AskedOfFiles =
  | "inlinedTables"
  | "fileCounts"
  | "holedFiles"
  | "endEmptyFiles"
  | "dropDeadRows"
  | "filesMaybeNumbered"
  | "forgetFirstRows"
  | "widenTextBounds";

export interface LakeUpkeepDeps {
  /** One transaction of maintenance. */
  write: <T>(work: (connection: DuckDBConnection) => Promise<T>) => Promise<T>;
  /** Statements that make their own transactions. */
  run: (sql: string) => Promise<unknown>;
  /** For statements that move rows between PostgreSQL and files, or between files. */
  compaction: Pick<LakeCompaction, "run" | "settle" | "isAllowed">;
  files: Pick<LakeFiles, AskedOfFiles>;
  /** Removes files that nobody names and that were made before (epoch ms). */
  removeOrphans: (before: number) => Promise<unknown>;
  /** Told of a step that failed, and comes again. */
  onFailure: (error: unknown, step: string) => void;
}

export class LakeUpkeep {
  readonly #deps: LakeUpkeepDeps;
  readonly #options: LakeUpkeepOptions;
  readonly #rowIds: LakeRowIds;
  #at = Number.NEGATIVE_INFINITY;
  #orphansAt = Number.NEGATIVE_INFINITY;
  #mergedLargeAt = Number.NEGATIVE_INFINITY;

  constructor(deps: LakeUpkeepDeps, options = lakeUpkeepDefaults) {
    this.#deps = deps;
    this.#options = options;
    this.#rowIds = new LakeRowIds(deps.files);
  }

  /** Does what is due; whether anything was. `now` by performance.now(). */
  async step(now: number): Promise<boolean> {
    await this.#try("settle", () => this.#deps.compaction.settle());
    if (now - this.#at < this.#options.everyMs) return false;
    this.#at = now;
    const { snapshotAgeMs, fileAgeMs } = this.#options;
    const ago = (ms: number) => `older_than => now() - INTERVAL '${Math.round(ms)} milliseconds'`;
    const { files } = this.#deps;
    await this.#try("sum up", () => this.#deps.write(sumUp));
    await this.#try("inlined tables", () => this.#flush());
    await this.#try("empty files", () => files.endEmptyFiles());
    await this.#try("holes", () => this.#fillHoles());
    await this.#try("compact", () => this.#compact(`, max_file_size => ${mergedOftenBytesMax}`));
    if (now - this.#mergedLargeAt >= this.#options.mergeLargeEveryMs) {
      this.#mergedLargeAt = now;
      await this.#try("compact", () => this.#compact(""));
    }
    for (const [name, more] of [
      ["expire_snapshots", `, ${ago(snapshotAgeMs)}`],
      ["cleanup_old_files", `, ${ago(fileAgeMs)}`],
    ] as const) {
      await this.#try(name, () => this.#deps.run(`CALL ducklake_${name}('${lakeName}'${more})`));
    }
    await this.#try("dead rows", () => files.dropDeadRows());
    await this.#try("bounds", () => files.widenTextBounds());
    if (now - this.#orphansAt >= this.#options.orphansEveryMs) {
      this.#orphansAt = now;
      await this.#try("orphans", () => this.#deps.removeOrphans(Date.now() - fileAgeMs));
    }
    return true;
  }

  /**
   * As files are merged: where a COMMIT of it is tried again, DuckLake 1.0 leaves in PostgreSQL
   * as well which rows of files are gone, and then reads these files wrongly.
   */
  async #flush(): Promise<void> {
    const inlined = await this.#deps.files.inlinedTables();
    for (const table of flushedTables.filter((name) => inlined.has(name))) {
      const flush = `CALL ducklake_flush_inlined_data('${lakeName}', table_name => '${table}')`;
      await this.#try("flush_inlined_data", () => this.#deps.compaction.run("flush", flush));
    }
  }

  /** Of tables whose rows stay: those of others go with the rest of their file soon. */
  async #fillHoles(): Promise<void> {
    const holed = await this.#deps.files.holedFiles();
    for (const table of ["raw_files", ...windowTables]) {
      const files = chooseHoled(holed.get(table) ?? []);
      if (files.length === 0) continue;
      const rewrite = (connection: DuckDBConnection) => rewriteHoled(connection, table, files);
      await this.#try("holes", () => this.#deps.write(rewrite));
    }
  }

  /** Files of tables that only maintenance, deletes and erasures take rows from. */
  async #compact(more: string): Promise<void> {
    const { files, compaction } = this.#deps;
    const counts = await files.fileCounts();
    for (const table of flushedTables) {
      if ((counts.get(table) ?? 0) < 2) continue;
      const sql = `CALL ducklake_merge_adjacent_files('${lakeName}', '${table}',
        max_compacted_files => 1${more})`;
      const prepare = (connection: DuckDBConnection) => this.#rowIds.keep(connection, table);
      await this.#try("merge_adjacent_files", async () => {
        for (let merged = 1, i = 0; merged > 0 && i < mergesMax; i++) {
          merged = (await compaction.run("merge", sql, prepare)).length;
        }
      });
    }
  }

  /** Whoever is the leader by then does what is left. */
  async #try(name: string, run: () => Promise<unknown>): Promise<void> {
    if (!this.#deps.compaction.isAllowed) return;
    try {
      await run();
    } catch (error) {
      this.#deps.onFailure(error, name);
    }
  }
}

/** Rows that are only added are summed up where there are many. */
async function sumUp(connection: DuckDBConnection): Promise<void> {
  await sumUpParts(connection);
  await forgetReached(connection);
}
