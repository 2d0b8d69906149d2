// Parquet files over a disk that loses power: whatever the manifest names is there, whole.
import { expect, it } from "vitest";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import type { RawFile } from "../../src/store/raw-file.ts";
import { RawFiles, rawFilesDefaults, rawFilesTable } from "../../src/store/raw-files.ts";
import { PowerLoss, PowerLossDisk } from "../support/power-loss.ts";
import { randomFromEnvironment } from "../support/random.ts";

/** Each over a disk that crashes twice. */
const crashes = 700;
const folder = "/data";
const hourMs = 3_600_000;

/** Takes the place of DuckDB's COPY: its bytes are on the disk, but not synced. */
function copyingTo(disk: PowerLossDisk, bytes: Uint8Array) {
  return {
    run: async (sql: string) => {
      const path = /TO '([^']+)'/.exec(sql)?.[1];
      if (path === undefined) throw new Error(`not a COPY: ${sql}`);
      disk.adopt(path, bytes);
      const stats = { count: 1n, file_size_bytes: BigInt(bytes.length) };
      return { getRowObjects: async () => [stats] };
    },
  } as unknown as Parameters<RawFiles["write"]>[0];
}

it("are whole once the manifest names them, whenever the power goes", async () => {
  const random = randomFromEnvironment("raw-files-power-loss");
  const database = await LocalDatabase.open(":memory:");
  await database.writer.run(rawFilesTable);
  const open = (files: PowerLossDisk) =>
    new RawFiles(database, {
      ...rawFilesDefaults,
      place: new FolderRawPlace(folder, files),
      removeAfterMs: 0,
    });
  let committed = 0;
  let lost = 0;
  let swept = 0;
  for (let crash = 0; crash < crashes; crash++) {
    let disk = new PowerLossDisk();
    const manifest = new Map<string, Buffer>();
    // Twice over the same disk: what the first life left is the second one's past.
    for (let life = 0; life < 2; life++) {
      const rawFiles = open(disk);
      disk.cutPowerAfter(random.int(1, 30));
      try {
        for (let i = 0; i < 5; i++) {
          const bytes = random.bytes(random.int(1, 4000));
          const from = random.int(0, 3) * hourMs;
          const span: [number, number] = [from, from + random.pick([0, 10, 2 * hourMs])];
          const file: RawFile = await rawFiles.write(copyingTo(disk, bytes), "events", span);
          expect(file.bytes).toBe(bytes.length);
          // The manifest's row is committed only now: DuckDB syncs it by itself.
          manifest.set(file.path, Buffer.from(bytes));
          committed++;
        }
      } catch (error) {
        if (!(error instanceof PowerLoss)) throw error;
        lost++;
      }
      disk = disk.crash(random);
      for (const [path, bytes] of manifest) {
        const found = await disk.read(`${folder}/${path}`, 0, bytes.length + 1);
        expect(Buffer.compare(Buffer.from(found), bytes), `crash ${crash}: ${path}`).toBe(0);
      }
      const rows = [...manifest.keys()].map(
        (path) => `('${path}', TIMESTAMP_MS '1970-01-01', TIMESTAMP_MS '1970-01-01', 1, 1, NULL)`,
      );
      await database.writer.run("DELETE FROM raw_files");
      if (rows.length > 0) {
        await database.writer.run(`INSERT INTO raw_files VALUES ${rows.join(", ")}`);
      }
      swept += await open(disk).sweep();
      expect(await open(disk).sweep()).toBe(0);
      for (const path of manifest.keys()) {
        expect(await disk.size(`${folder}/${path}`)).not.toBe(null);
      }
    }
  }
  await database.close();
  expect(Math.min(committed, lost, swept)).toBeGreaterThan(crashes / 10);
});
