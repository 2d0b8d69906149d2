// What SQL may reach: were a statement ever to hold what somebody sent, this is where it ends.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { confine, openInstance } from "../../src/store/open-instance.ts";
import { temporaryFolder } from "../support/service.ts";

it("SQL reaches the data folder and nothing else, and can't change that", async () => {
  const folder = temporaryFolder();
  const outside = join(temporaryFolder(), "outside.csv");
  const inside = join(folder, "inside.csv");
  for (const path of [inside, outside]) writeFileSync(path, "a\n1\n");
  const options = { threads: 1, memoryBytesMax: 256e6, lockWaitMsMax: 0 };
  const instance = await openInstance(join(folder, "store.duckdb"), options as never);
  const connection = await instance.connect();
  const read = (path: string) => connection.runAndReadAll(`SELECT * FROM read_csv('${path}')`);
  expect((await read(outside)).getRowsJson()).toEqual([["1"]]);
  await confine(connection, [folder]);
  expect((await read(inside)).getRowsJson()).toEqual([["1"]]);
  for (const statement of [
    `SELECT * FROM read_csv('${outside}')`,
    `SELECT * FROM read_text('/etc/hostname')`,
    `COPY (SELECT 1) TO '${outside}'`,
    `ATTACH '${outside}.duckdb' AS other`,
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "INSTALL httpfs",
    "LOAD httpfs",
  ]) {
    await expect(connection.run(statement), statement).rejects.toThrow();
  }
  connection.closeSync();
  instance.closeSync();
});
