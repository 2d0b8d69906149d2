// What `doctor` says of a lake: its extensions, its catalog, its files, and no password.
import { describe, expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import type { LakePlace } from "../src/model-lake.ts";
import { checkLake } from "../src/service-lake-checks.ts";
import { hasLake, startLake } from "./support/lake.ts";
import { lakeEnvironment } from "./support/lake-place.ts";
import { temporaryFolder } from "./support/service.ts";

function checksOf(place: LakePlace, more: Record<string, string> = {}) {
  const environment = { ...lakeEnvironment(place), ...more };
  return checkLake(loadConfig({ environment }).config);
}

it("is nothing where there is no lake, or the process has no store", async () => {
  expect(await checkLake(loadConfig({}).config)).toEqual([]);
  const environment = {
    RANKSTREAM_STORE: "ducklake:postgres:host=127.0.0.1 port=1",
    RANKSTREAM_DATA: "s3://bucket/lake",
    RANKSTREAM_LOG: "kafka",
    RANKSTREAM_KAFKA_BROKERS: "127.0.0.1:1",
    RANKSTREAM_ROLE: "edge",
  };
  expect(await checkLake(loadConfig({ environment }).config)).toEqual([]);
});

describe.runIf(hasLake())("a lake's checks", () => {
  it("are content with a bucket and with a folder", async () => {
    const lake = await startLake();
    for (const place of [lake.place(), lake.placeInFolder()]) {
      const checks = await checksOf(place);
      expect(checks.map(({ name, status }) => [name, status])).toEqual([
        ["extensions", "ok"],
        ["catalog", "ok"],
        ["data", "ok"],
      ]);
      expect(checks[1]!.message).toContain(`the first start makes schema ${place.schema}`);
      const found = place.s3 === null ? "can be written" : "can be listed, and is empty";
      expect(checks[2]!.message).toBe(`${place.dataPath} ${found}`);
    }
    const made = { ...lake.place(), schema: "public" };
    expect((await checksOf(made))[1]!.message).toContain("schema public is there");
  });

  it("say what is missing, what to do, and no password", async () => {
    const place = (await startLake()).place();
    const nowhere: LakePlace = {
      ...place,
      catalog: "host=127.0.0.1 port=1 user=me password='s3cret word'",
      dataPath: `s3://none-of-the-tests/${place.schema}`,
      extensionDirectory: temporaryFolder(),
    };
    const checks = await checksOf(nowhere);
    expect(checks.map(({ status }) => status)).toEqual(["fail", "fail", "fail"]);
    expect(checks[0]!.message).toContain("ducklake.duckdb_extension, of DuckDB v");
    expect(checks[1]!.message).toContain("ECONNREFUSED");
    expect(checks[2]!.message).toContain("NoSuchBucket");
    expect(checks.every(({ hint }) => hint !== undefined)).toBe(true);
    const secret = place.s3!.credentials!.secretAccessKey;
    expect(JSON.stringify(checks)).not.toMatch(new RegExp(`s3cret|${secret}`));
    const unknown = `${place.catalog.replace(/dbname=\S+/, "dbname=none")} password=s3cret`;
    const [, catalog] = await checksOf({ ...place, catalog: unknown });
    expect(catalog).toMatchObject({
      status: "fail",
      message: 'database "none" does not exist',
    });
  });
});
