// A question's edges are looked at where they are asked for: in a lake itself, too.
import { expect, test } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { rowsOf } from "../../src/store/database.ts";
import { EdgeFiles } from "../../src/store/edge-files.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { temporaryFolder } from "../support/service.ts";
import { Member } from "./lake-member.ts";

const at = Date.UTC(2026, 10, 30, 12);
const msMax = 120_000;

test.skipIf(!hasLake())(
  "of a lake, by its writers and its readers",
  { timeout: msMax },
  async () => {
    const { database } = await Member.open((await startLake()).placeInFolder());
    const place = new FolderRawPlace(temporaryFolder(), nodeFiles, true);
    const { checks } = new RawFiles(database, { ...rawFilesDefaults, place, removeAfterMs: 0 });
    await database.write((connection) =>
      connection.run(`INSERT INTO raw_recent BY NAME SELECT 'play' AS event_type, 'a' AS event_id,
      make_timestamp_ms(${at} + 1000 * i) AS event_time, make_timestamp(0) AS received_at,
      'user' AS user_id, 1 AS weight FROM range(3) AS new (i)`),
    );
    const count: Parameters<typeof database.write<number>>[0] = async (connection) => {
      const edges = await EdgeFiles.around(connection, checks, at + 500, at + 60_000);
      expect(await edges.mayHold(connection, at + 500, at + 60_000)).toBe(true);
      const source = await edges.source(connection, at + 500, at + 60_000);
      const [row] = await rowsOf(connection, `SELECT count(*)::INTEGER AS n FROM ${source}`);
      return Number(row!["n"]);
    };
    expect(await database.write(count)).toBe(3);
    expect(await database.read(msMax, count)).toBe(3);
    await database.close();
  },
);
