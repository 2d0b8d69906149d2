// Extensions of DuckDB that are missing, of another version or platform, or no extensions.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { checkExtensions, duckdbBuild, lakeExtensions } from "../../src/store/lake-extensions.ts";
import { duckdbVersion } from "../../tools/duckdb-extension-pins.mjs";
import { findExtensions, platformHere } from "../../tools/duckdb-extensions.mjs";
import { temporaryFolder } from "../support/service.ts";

const build = { version: "v1.5.5", platform: "linux_amd64" };

/** A file that ends as an extension does. */
function extensionOf(version: string, platform: string): Buffer {
  const field = (text: string) => Buffer.concat([Buffer.from(text), Buffer.alloc(32)], 32);
  const fields = ["", "", "", "CPP", "0123456", version, platform, "4"].map(field);
  return Buffer.concat([Buffer.from("program"), ...fields, Buffer.alloc(256, 1)]);
}

/** A folder that has all of them, each as `content` says. */
function folderOf(
  content: (extension: string) => Buffer,
  { version, platform } = build,
): { folder: string; place: string } {
  const folder = temporaryFolder();
  const place = join(folder, version, platform);
  mkdirSync(place, { recursive: true });
  for (const extension of lakeExtensions) {
    writeFileSync(join(place, `${extension}.duckdb_extension`), content(extension));
  }
  return { folder, place };
}

async function refusal(folder: string): Promise<string> {
  const error = await checkExtensions(folder, build).then(
    () => null,
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: "extensions_unusable" });
  return (error as Error).message;
}

describe("extensions of DuckDB", () => {
  it("are taken where all are of its version and platform", async () => {
    const { folder } = folderOf(() => extensionOf("v1.5.5", "linux_amd64"));
    await checkExtensions(folder, build);
    await checkExtensions(folder, build, ["ducklake"]);
  });

  it("are refused where there is nothing", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "v1.5.5", "linux_amd64", "ducklake.duckdb_extension");
    expect(await refusal(folder)).toBe(
      `expected ${path}, of DuckDB v1.5.5 for linux_amd64; ${folder} is empty; ` +
        `npm run extensions -- --to ${folder} fetches it`,
    );
    const none = join(folder, "none");
    expect(await refusal(none)).toContain(`; ${none} is not there; npm run`);
  });

  it("are refused with what there is instead: versions, platforms, files", async () => {
    const old = folderOf(() => extensionOf("v1.5.4", "linux_amd64"), {
      ...build,
      version: "v1.5.4",
    });
    expect(await refusal(old.folder)).toContain(`${old.folder} has v1.5.4;`);
    const other = folderOf(() => extensionOf("v1.5.5", "osx_arm64"), {
      ...build,
      platform: "osx_arm64",
    });
    expect(await refusal(other.folder)).toContain(
      `${join(other.folder, "v1.5.5")} has osx_arm64;`,
    );
    const half = temporaryFolder();
    const place = join(half, "v1.5.5", "linux_amd64");
    mkdirSync(place, { recursive: true });
    const content = extensionOf("v1.5.5", "linux_amd64");
    writeFileSync(join(place, "ducklake.duckdb_extension"), content);
    const message = await refusal(half);
    expect(message).toContain("postgres_scanner.duckdb_extension, of DuckDB v1.5.5");
    expect(message).toContain(`${place} has ducklake.duckdb_extension;`);
    await checkExtensions(half, build, ["ducklake"]);
  });

  it("are refused by what the files themselves say", async () => {
    const isOf = (version: string, platform: string) =>
      refusal(folderOf(() => extensionOf(version, platform)).folder);
    expect(await isOf("v1.5.4", "linux_amd64")).toContain("is of DuckDB v1.5.4 for linux_amd64;");
    expect(await isOf("v1.5.5", "linux_arm64")).toContain("is of DuckDB v1.5.5 for linux_arm64;");
    const whole = extensionOf("v1.5.5", "linux_amd64");
    for (const content of [whole.subarray(0, -100), Buffer.alloc(10), Buffer.alloc(1000, "a")]) {
      expect(await refusal(folderOf(() => content).folder)).toContain("is no extension of DuckDB");
    }
    const { folder } = folderOf((extension) =>
      extension === "httpfs" ? Buffer.alloc(0) : extensionOf("v1.5.5", "linux_amd64"),
    );
    expect(await refusal(folder)).toContain("httpfs.duckdb_extension, of DuckDB v1.5.5");
    await checkExtensions(folder, build, ["ducklake", "postgres_scanner"]);
  });

  it("are those that this DuckDB asks for, and loads", async () => {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    try {
      const own = await duckdbBuild(connection);
      expect(own.version).toBe(`v${duckdbVersion}`);
      const folder = findExtensions();
      if (folder === undefined) return;
      expect(own.platform).toBe(platformHere());
      await checkExtensions(folder, own);
      await connection.run(`SET extension_directory = '${folder}'`);
      for (const extension of lakeExtensions) await connection.run(`LOAD ${extension}`);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  });
});
