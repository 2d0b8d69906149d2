// The lakes that tests get: real ones, each apart from the others, that come back after a kill.
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { lakePlace } from "../../src/config-lake.ts";
import type { LakePlace } from "../../src/model-lake.ts";
import { hasLake, startLake, startOwnLake } from "./lake.ts";
import { lakeEnvironment } from "./lake-place.ts";

async function withDuckdb(work: (connection: DuckDBConnection) => Promise<void>): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function attach(connection: DuckDBConnection, place: LakePlace, as: string): Promise<void> {
  const { s3 } = place;
  await connection.run(`SET extension_directory = '${place.extensionDirectory}'`);
  for (const name of ["ducklake", "postgres_scanner", "httpfs"]) {
    await connection.run(`LOAD ${name}`);
  }
  if (s3 !== null) {
    await connection.run(
      `CREATE OR REPLACE SECRET (TYPE s3, KEY_ID '${s3.credentials!.accessKeyId}', ` +
        `SECRET '${s3.credentials!.secretAccessKey}', REGION '${s3.region}', ` +
        `ENDPOINT '${new URL(s3.endpoint!).host}', URL_STYLE 'path', USE_SSL false)`,
    );
  }
  await connection.run(
    `ATTACH 'ducklake:postgres:${place.catalog}' AS ${as} ` +
      `(DATA_PATH '${place.dataPath}', METADATA_SCHEMA '${place.schema}')`,
  );
}

async function writeAndCount(connection: DuckDBConnection, lake: string): Promise<unknown> {
  await connection.run(`CREATE OR REPLACE TABLE ${lake}.t AS SELECT * FROM range(10000) r(i)`);
  const result = await connection.runAndReadAll(`SELECT count(*), sum(i) FROM ${lake}.t`);
  return result.getRows();
}

const expected = [[10_000n, 49_995_000n]];

describe.runIf(hasLake())("a lake of the tests", () => {
  it("has its files in the bucket or in a folder, apart from every other", async () => {
    const lake = await startLake();
    const places = [lake.place(), lake.placeInFolder()];
    await withDuckdb(async (connection) => {
      for (const [i, place] of places.entries()) {
        await attach(connection, place, `lake${i}`);
        expect(await writeAndCount(connection, `lake${i}`)).toEqual(expected);
        const files = await connection.runAndReadAll(
          `SELECT count(*) FROM glob('${place.dataPath}/**/*.parquet')`,
        );
        expect(files.getRows()).toEqual([[1n]]);
      }
    });
    expect(new Set(places.map(({ schema }) => schema)).size).toBe(2);
  });

  it("is what a service is told by its environment", async () => {
    const place = (await startLake()).place();
    const { config } = loadConfig({ environment: lakeEnvironment(place) });
    expect(lakePlace(config)).toEqual(place);
  });

  it("comes back with what it had when its servers were killed", async () => {
    const { lake, postgres, s3 } = await startOwnLake();
    const place = lake.place();
    await withDuckdb(async (connection) => {
      await attach(connection, place, "lake");
      expect(await writeAndCount(connection, "lake")).toEqual(expected);
    });
    await Promise.all([postgres.kill(), s3.kill()]);
    await withDuckdb((connection) =>
      expect(attach(connection, place, "lake")).rejects.toThrow(/refused|connect/i),
    );
    await Promise.all([postgres.start(), s3.start()]);
    await withDuckdb(async (connection) => {
      await attach(connection, place, "lake");
      const result = await connection.runAndReadAll("SELECT count(*), sum(i) FROM lake.t");
      expect(result.getRows()).toEqual(expected);
    });
  });
});
