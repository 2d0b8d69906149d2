/** How long finding a minute's files of raw events takes, by the number of files in their list. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { filesWithin, rawFilesTable } from "../src/store/raw-files.ts";
import { median } from "./statistics.ts";

export interface ListRun {
  finds: { files: number; ms: number }[];
  bytesPerRow: number;
}

const spanMs = 6000;
const startMs = 1_700_000_000_000;
const asks = 9;

/** Lists of so many files each, in a database of its own. */
export async function listRun(sizes: readonly number[]): Promise<ListRun> {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-list-"));
  const file = join(folder, "list.duckdb");
  const instance = await DuckDBInstance.create(file);
  try {
    const connection = await instance.connect();
    await connection.run(rawFilesTable);
    const finds = [];
    let rows = 0;
    for (const files of sizes) {
      const time = `make_timestamp_ms(${startMs} + n * ${spanMs})`;
      await connection.run(`INSERT INTO raw_files SELECT
        strftime(${time}, 'raw/date=%Y-%m-%d/hour=%H/') || (${startMs} + n * ${spanMs}) || '-' ||
          substr(md5(n::VARCHAR), 1, 8) || '-' || n || '.parquet',
        ${time}, make_timestamp_ms(${startMs} + (n + 1) * ${spanMs} - 1), 500000, 9000000,
        list_transform(range(9), x -> (hash(n * 10 + x) % 4294967296)::UINTEGER)
        FROM range(${rows}, ${files}) AS files (n)`);
      rows = files;
      await connection.run("CHECKPOINT");
      const took: number[] = [];
      for (let ask = 0; ask < asks; ask++) {
        const from = startMs + Math.floor((files * ask) / asks) * spanMs;
        const started = performance.now();
        const found = await filesWithin(connection, from, from + 60_000);
        took.push(performance.now() - started);
        if (found.length !== 10) throw new Error(`${found.length} files of a minute, not 10`);
      }
      finds.push({ files, ms: median(took) });
    }
    return { finds, bytesPerRow: statSync(file).size / rows };
  } finally {
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}
