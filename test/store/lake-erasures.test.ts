// An erasure over a lake whose COMMITs are not heard of: it says what it took, once, and is done.
import { afterEach, describe, expect, it } from "vitest";
import { rowsOf, runValues } from "../../src/store/database.ts";
import { type EraseDeps, Eraser, eraseDefaults } from "../../src/store/erase.ts";
import { ErasedArrivals } from "../../src/store/erased-arrivals.ts";
import { openRawPlace } from "../../src/store/open-raw-place.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { startCutCommits } from "../support/cut-commits.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

const msMax = 300_000;
const first = Date.UTC(2026, 2, 1);
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Two events of each of two users, in no file. */
async function fill({ database }: Member): Promise<void> {
  const events = ["first", "second"].flatMap((user) => [
    [BigInt(first), user],
    [BigInt(first + 1000), user],
  ]);
  await database.write((c) =>
    runValues(
      c,
      `INSERT INTO raw_recent SELECT make_timestamp_ms(ms), make_timestamp_ms(ms), 1, 'play', 'x',
         user_name, 'session', NULL FROM (VALUES`,
      events,
      ") AS event (ms, user_name)",
    ),
  );
}

describe.skipIf(!hasLake())("an erasure over a lake", () => {
  // What it finds, marks and writes down is one transaction; that it is done another.
  it.each(["mark", "end"] as const)(
    "says what it took where the COMMIT of its %s is not heard of",
    {
      timeout: msMax,
    },
    async (which) => {
      const place = (await startLake()).placeInFolder();
      const way = await startCutCommits(place.catalog);
      const one = await Member.open({ ...place, catalog: way.catalog });
      closing.push(() => one.database.close());
      await fill(one);
      const { database, checkpointer } = one;
      const raw = { ...rawFilesDefaults, place: await openRawPlace(place), removeAfterMs: 0 };
      const cutAt = (now: typeof which) => {
        if (now === which && way.cuts() === 0) way.cutNextWrite();
      };
      const failures: unknown[] = [];
      const none = { ids: [], settled: async () => undefined };
      const snapshots = {
        ...none,
        list: async () => {
          cutAt("end");
          return [];
        },
      };
      const deps = {
        ...{ database, checkpointer, snapshots, exports: none },
        rawFiles: new RawFiles(database, raw),
        arrivals: new ErasedArrivals(),
        onTouch: async () => cutAt("mark"),
        onErase: () => undefined,
        onFailure: (error: unknown) => failures.push(error),
      } as unknown as EraseDeps;
      const eraser = await Eraser.open(deps, eraseDefaults);
      closing.push(() => eraser.stop());

      const query = { userId: "first", metadataKeys: [], dropsSnapshots: false, owner: "" };
      const { jobId } = await eraser.begin({ ...query, keepMs: 60_000 });
      const info = await eraser.info(jobId, msMax);
      expect([way.cuts(), failures.length]).toEqual([1, 1]);
      expect(info).toMatchObject({ status: "done", error: null });
      expect(JSON.parse(info!.answer!)).toMatchObject({ events: 2, eventTypes: ["play"] });

      // Another process says the same of it, and finds the events without their user.
      const other = await Member.open(place);
      closing.push(() => other.database.close());
      const [row] = await other.database.write((c) => rowsOf(c, "FROM erasures"));
      expect(row).toMatchObject({ status: "done", answer: info!.answer });
      const [sums] = await other.database.write((c) =>
        rowsOf(c, "SELECT count(*)::INTEGER AS files, sum(rows)::INTEGER AS rows FROM raw_files"),
      );
      expect(sums).toEqual({ files: 1, rows: 4 });
    },
  );
});
