// What fetches DuckDB's extensions: the version it is for, the digests, and the wheels it opens.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { duckdbVersion, extensionPins } from "../tools/duckdb-extension-pins.mjs";
import { findExtensions, installExtensions, platformHere } from "../tools/duckdb-extensions.mjs";
import { zipMember } from "../tools/zip-member.mjs";
import { root, temporaryFolder } from "./support/service.ts";

/** A zip archive of these files, each packed or as it is. */
function zipOf(files: [name: string, content: Buffer, isPacked: boolean][]): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [name, content, isPacked] of files) {
    const packed = isPacked ? deflateRawSync(content) : content;
    const method = isPacked ? 8 : 0;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    locals.push(local, Buffer.from(name), packed);
    entries.push(entry, Buffer.from(name));
    at += local.length + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, ...entries, end]);
}

describe("the pinned extensions", () => {
  it("are of the version of DuckDB that the lock file has", () => {
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
    for (const name of ["@duckdb/node-api", "@duckdb/node-bindings"]) {
      const { version } = lock.packages[`node_modules/${name}`];
      expect(version.replace(/-.*$/, ""), name).toBe(duckdbVersion);
    }
  });

  it("are three a platform, each with digests of its own", () => {
    const all = Object.values(extensionPins).flatMap(({ files }) => {
      expect(Object.keys(files)).toEqual(["ducklake", "postgres_scanner", "httpfs"]);
      return Object.values(files).flatMap(({ wheel, file }) => [wheel, file]);
    });
    expect(new Set(all).size).toBe(4 * 3 * 2);
    for (const digest of all) expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it.runIf(findExtensions() !== undefined)("are nothing to fetch where they lie", () => {
    expect(installExtensions({ folder: findExtensions()!, from: temporaryFolder() })).toEqual([]);
  });

  it("are refused where the wheel is another one, and leave nothing", () => {
    const [from, folder] = [temporaryFolder(), temporaryFolder()];
    const platform = "linux_arm64";
    const missing = `expected duckdb_extension_ducklake-${duckdbVersion}-*-manylinux2014_aarch64`;
    expect(() => installExtensions({ folder, platform, from })).toThrow(missing);
    const name = `duckdb_extension_ducklake-${duckdbVersion}-py3-none-manylinux2014_aarch64.whl`;
    const inside = `duckdb_extension_ducklake/extensions/v${duckdbVersion}`;
    const member = `${inside}/ducklake.duckdb_extension`;
    writeFileSync(join(from, name), zipOf([[member, Buffer.from("another"), true]]));
    const { wheel } = extensionPins[platform]!.files["ducklake"]!;
    expect(() => installExtensions({ folder, platform, from })).toThrow(
      `expected SHA-256 ${wheel}, got `,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it("are named for platforms that are known", () => {
    const folder = temporaryFolder();
    expect(() => installExtensions({ folder, platform: "wasm_eh" })).toThrow(
      "expected a platform of linux_amd64, linux_arm64, osx_arm64, osx_amd64, got wasm_eh",
    );
    if (process.platform === "linux") expect(platformHere()).toMatch(/^linux_(amd|arm)64$/);
  });
});

describe("a file out of a zip archive", () => {
  const text = Buffer.from("content ".repeat(100));
  const archive = zipOf([
    ["a/first", Buffer.from("1"), false],
    ["a/packed", text, true],
    ["a/plain", text, false],
  ]);

  it("is what was put there", () => {
    for (const name of ["a/packed", "a/plain"]) {
      expect(zipMember(archive, name, text.length).equals(text), name).toBe(true);
    }
    // With a comment after its end, which may hold anything.
    const commented = Buffer.concat([archive, Buffer.from("a comment")]);
    expect(zipMember(commented, "a/first", 9).toString()).toBe("1");
  });

  it("is refused where something is wrong", () => {
    expect(() => zipMember(archive, "a/none", 9)).toThrow("no a/none in it");
    expect(() => zipMember(archive, "a/packed", 9)).toThrow("expected 9 bytes, got 800");
    expect(() => zipMember(Buffer.alloc(100), "a", 9)).toThrow("expected a zip archive");
    const changed = (at: number, value: number, name = "a/packed") => {
      const copy = Buffer.from(archive);
      const entry = copy.indexOf(name, copy.indexOf("a/plain")) - 46;
      copy.writeUInt32LE(value, entry + at);
      return () => zipMember(copy, name, 10_000);
    };
    // Its size: less and more than what comes out. Its place: where none is.
    expect(changed(24, 700)).toThrow();
    expect(changed(24, 900)).toThrow("expected 900 bytes, got 800");
    expect(changed(42, 1)).toThrow("no file where it should be");
    expect(changed(20, 1_000_000)).toThrow("the archive ends before it does");
    const encrypted = Buffer.from(archive);
    encrypted.writeUInt16LE(1, encrypted.indexOf("a/first", encrypted.indexOf("a/plain")) - 38);
    expect(() => zipMember(encrypted, "a/first", 9)).toThrow("it is encrypted");
  });
});
