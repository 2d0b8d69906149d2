// What a store that is given up leaves, whatever it was at.
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import { temporaryFolder } from "../support/service.ts";

const readMs = 3_600_000;
const testMsMax = 120_000;

describe("a database that is given up", () => {
  it("waits for no statement", { timeout: testMsMax }, async () => {
    const path = join(temporaryFolder(), "store.duckdb");
    const database = await LocalDatabase.open(path, databaseDefaults);
    const endless =
      "SELECT sum(hash(a.range + b.range)) FROM range(10000000) a, range(10000000) b";
    const run = (connection: DuckDBConnection) => rowsOf(connection, endless);
    const works = [
      database.write(run),
      database.write((connection) => rowsOf(connection, "SELECT 1")),
      database.read(readMs, run),
      database.maintain(run),
    ];
    const ends = Promise.allSettled(works);
    const closing = database.close();
    await database.abandon();
    await closing;
    expect((await ends).map(({ status }) => status)).toEqual([
      "rejected",
      "fulfilled",
      "rejected",
      "rejected",
    ]);
    const again = await LocalDatabase.open(path, databaseDefaults);
    await again.close();
  });
});
