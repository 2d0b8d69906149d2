// The house rules, held over the project's own sources. Each rule is first shown a source that
// offends against it, so that a rule which sees nothing can't pass for a clean house.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  cycleOffences,
  dependencyOffences,
  importOffences,
  isBundled,
  leftoverOffences,
  lengthOffences,
  lockOffences,
  nameOffences,
  ownerOffences,
  shapeOffences,
} from "./support/house-rules.ts";
import { blockOffences, linkOffences, pageNames } from "./support/markdown.ts";
import { parseSource, readTree, root, type Source } from "./support/source-tree.ts";

const sources = readTree("src");
const assembly = readTree("assembly");
const around = ["test", "bench", "tools"].flatMap((folder) => readTree(folder));
const parsed = sources.map(parseSource);

function readJson(name: string) {
  return JSON.parse(readFileSync(join(root, name), "utf8"));
}

function planted(path: string, text: string) {
  return [parseSource({ path, text })];
}

/** `lines` lines that do nothing. */
function filler(lines: number, line = ";") {
  return `${line}\n`.repeat(lines);
}

describe("imports", () => {
  it("go one way", () => {
    expect(importOffences(parsed)).toEqual([]);
  });

  it.each([
    ["src/log/log.ts", 'import { a } from "../store/store.ts";', "imports src/store/store.ts"],
    ["src/log/log.ts", 'import type { A } from "../edge/edge.ts";', "imports src/edge/edge.ts"],
    ["src/model.ts", 'import type { A } from "./errors.ts";', "imports src/errors.ts"],
    ["src/kernel/kernel.ts", 'export { a } from "../telemetry.ts";', "imports src/telemetry.ts"],
    ["src/store/store.ts", 'type A = import("../query/a.ts").A;', "imports src/query/a.ts"],
    ["src/service.ts", 'const a = await import("./cli.ts");', "imports src/cli.ts"],
    ["src/import/csv.ts", 'import { a } from "../store/store.ts";', "imports src/store/store.ts"],
    ["src/api/app.ts", 'import { a } from "../config.ts";', "imports src/config.ts"],
    ["src/api/app.ts", 'import { a } from "../query/a";', "without .ts"],
    ["src/api/app.ts", 'import { a } from "../../test/a.ts";', "outside src/"],
    ["src/tools/tool.ts", "", "no rule says what tools may import"],
  ])("%s: %s", (path, text, message) => {
    expect(importOffences(planted(path, text)).join()).toContain(message);
  });

  it("may follow the table", () => {
    const allowed = [
      ["src/import/csv.ts", 'import { a } from "../store/reader.ts";'],
      ["src/log/segment.ts", 'import type { Files } from "../files.ts"; import "./frame.ts";'],
      ["src/node-files.ts", 'import type { Files } from "./files.ts"; import "./errors.ts";'],
      ["src/cli-start.ts", 'import { startService } from "./service.ts"; import "./config.ts";'],
    ] as const;
    for (const [path, text] of allowed) expect(importOffences(planted(path, text))).toEqual([]);
  });

  it("make no circle", () => {
    expect(cycleOffences(parsed)).toEqual([]);
    expect(cycleOffences(assembly.map(parseSource))).toEqual([]);
    const circle = [
      ...planted("src/log/a.ts", 'import { b } from "./b.ts";'),
      ...planted("src/log/b.ts", 'import type { C } from "./c.ts";'),
      ...planted("src/log/c.ts", 'import { b } from "./b.ts";'),
    ];
    expect(cycleOffences(circle)).toEqual(["src/log/b.ts → src/log/c.ts → src/log/b.ts"]);
    const pair = [
      ...planted("assembly/a.ts", 'import { b } from "./b";'),
      ...planted("assembly/b.ts", 'import { a } from "./a";'),
    ];
    expect(cycleOffences(pair)).toHaveLength(1);
  });
});

describe("dependencies", () => {
  it("stay with their owners", () => {
    expect(ownerOffences(parsed)).toEqual([]);
  });

  it.each([
    ["src/store/a.ts", 'import { Kafka } from "kafkajs";', "belongs to log"],
    ["src/query/a.ts", 'import type { X } from "@duckdb/node-api";', "belongs to store"],
    ["src/query/a.ts", 'const x = await import("@duckdb/node-api");', "belongs to store"],
    ["src/query/a.ts", 'import fastify from "fastify";', "belongs to edge"],
    ["src/cli.ts", 'import socket from "@fastify/websocket";', "belongs to edge"],
    ["src/edge/a.ts", "\nnew WebAssembly.Module(bytes);", "src/edge/a.ts:2 uses WebAssembly"],
    ["src/edge/a.ts", "process.exit(1);", "src/edge/a.ts:1 uses process"],
    ["src/edge/a.ts", "const { env } = process;", "uses process"],
    ["src/cli-start.ts", "process.exit(1);", "uses process"],
    ["src/edge/a.ts", 'import { env } from "node:process";', "uses process"],
    ["src/ingest/a.ts", "const a = JSON.parse(text);", "uses JSON.parse"],
    ["src/store/a.ts", 'const a = JSON["parse"](text);', "uses JSON.parse"],
    ["src/log/a.ts", "const { parse } = JSON;", "uses JSON.*"],
  ])("%s: %s", (path, text, message) => {
    expect(ownerOffences(planted(path, text)).join()).toContain(message);
  });

  it("are not what a word, a key or a comment says", () => {
    const text = [
      "// process.exit and JSON.parse",
      'const a = { process: 1, text: "process.env JSON.parse" };',
      "a.process++; a.process; JSON.stringify(a);",
    ].join("\n");
    expect(ownerOffences(planted("src/edge/a.ts", text))).toEqual([]);
    expect(ownerOffences(planted("src/cli.ts", "process.exit(1);"))).toEqual([]);
    expect(ownerOffences(planted("src/api/a.ts", "JSON.parse(text);"))).toEqual([]);
  });

  it("are declared where used and used where declared", () => {
    const { dependencies, devDependencies } = readJson("package.json");
    const run = parsed.filter((source) => !isBundled(source));
    expect(dependencyOffences(run, Object.keys(dependencies))).toEqual([]);
    const bundled = parsed.filter(isBundled);
    const missing = dependencyOffences(bundled, Object.keys(devDependencies));
    expect(missing.filter((line) => line.includes("is imported but"))).toEqual([]);
    const text = 'import "a/b"; import "@c/d/e"; import "node:fs"; import "fs";';
    const found = dependencyOffences(planted("src/api/a.ts", text), ["a", "f"]);
    expect(found.map((line) => line.split(" ")[0])).toEqual(["@c/d", "fs", "f"]);
  });

  it("are locked and come from the registry", () => {
    const { lockfileVersion, packages } = readJson("package-lock.json");
    const { dependencies, devDependencies } = readJson("package.json");
    expect(lockfileVersion).toBe(3);
    expect(packages[""].dependencies).toEqual(dependencies);
    expect(packages[""].devDependencies).toEqual(devDependencies);
    expect(lockOffences(packages)).toEqual([]);
    const bad = {
      a: { resolved: "git+ssh://git@github.com/a/a.git#1234", version: "1.0.0" },
      b: { link: true, resolved: "../b" },
      c: { resolved: "https://codeload.github.com/c/c/tar.gz/1234", integrity: "sha512-x" },
      d: { version: "1.0.0" },
    };
    expect(lockOffences(bad)).toHaveLength(4);
  });
});

describe("shapes", () => {
  const everything: Source[] = [...sources, ...assembly, ...around];

  it("have bounded files and lines", () => {
    expect(lengthOffences(everything)).toEqual([]);
    const path = "src/log/a.ts";
    expect(lengthOffences([{ path, text: filler(399) }])).toEqual([]);
    expect(lengthOffences([{ path, text: filler(400) }])).toEqual([`${path} has 400 lines`]);
    expect(lengthOffences([{ path, text: "→".repeat(99) }])).toEqual([]);
    expect(lengthOffences([{ path, text: `\n${"→".repeat(100)}` }])).toEqual([
      `${path}:2 has 100 characters`,
    ]);
  });

  it("have bounded functions, parse, and are no barrels", () => {
    expect(shapeOffences([...parsed, ...assembly.map(parseSource)])).toEqual([]);
    const offences = (path: string, text: string) => shapeOffences(planted(path, text)).join();
    const path = "src/log/a.ts";
    expect(offences(path, `function a() {\n${filler(67)}}\n`)).toBe("");
    for (const [start, end] of [
      ["function a() {", "}"],
      ["const a = () => {", "};"],
      ["class A {\n  b() {", "}\n}"],
    ]) {
      expect(offences(path, `${start}\n${filler(68)}${end}\n`)).toContain("of 70 lines");
    }
    const kernel = `// Why.\n@inline\nexport function a(): void {\n${filler(68)}}\n`;
    expect(offences("assembly/a.ts", kernel)).toBe("assembly/a.ts:3 is a function of 70 lines");
    expect(offences(path, "const a = ;")).toContain("doesn't parse");
    expect(offences(path, 'export * from "./b.ts";\nexport { c } from "./c.ts";\n')).toContain(
      "only re-exports",
    );
    expect(offences(path, 'export { c } from "./c.ts";\nexport const d = 1;\n')).toBe("");
  });

  it("have plain names", () => {
    expect(nameOffences(everything)).toEqual([]);
    const named = (path: string) => nameOffences([{ path, text: "" }]).length;
    expect(named("src/log/torn-tail.test.ts")).toBe(0);
    for (const path of ["src/utils.ts", "src/util/a.ts", "src/log/log-utils.ts", "src/Log.ts"]) {
      expect(named(path), path).toBe(1);
    }
  });

  it("leave nothing unfinished and no test switched off", () => {
    expect(leftoverOffences(everything)).toEqual([]);
    const word = ["FIX", "ME"].join("");
    const off = [["it", "only"].join("."), ["describe", "concurrent", "skip"].join(".")];
    for (const text of [`// ${word}: later`, `${off[0]}("a", b)`, `${off[1]}("a", b)`]) {
      expect(leftoverOffences([{ path: "test/a.test.ts", text }]), text).toHaveLength(1);
    }
    expect(leftoverOffences([{ path: "src/a.ts", text: "page.only('x'); list.skip(3)" }])).toEqual(
      [],
    );
  });
});

describe("pages", () => {
  it("have blocks that say what they are in", () => {
    expect(pageNames().flatMap((page) => blockOffences(page))).toEqual([]);
    const offences = (text: string) => blockOffences("docs/a.md", text).join();
    expect(offences("Ask:\n\n    curl a\n")).toContain("docs/a.md:3 is a block without a fence");
    expect(offences("Ask:\n\n```\ncurl a\n```\n")).toContain("docs/a.md:3 is a block of no lang");
    expect(offences("Ask:\n\n```sh\n    curl a\n```\n")).toBe("");
  });

  it("are all in the list of pages", () => {
    const list = readFileSync(join(root, "docs", "README.md"), "utf8");
    const missing = pageNames().filter((page) => {
      const own = page.replace(/^docs\//, "");
      return own !== "README.md" && !list.includes(`](${own})`) && !list.includes(`](${own}#`);
    });
    expect(missing).toEqual([]);
  });

  it("have links that lead somewhere", () => {
    expect(pageNames().flatMap((page) => linkOffences(page))).toEqual([]);
    const offences = (text: string) => linkOffences("docs/a.md", text).join();
    expect(offences("# So it is\n[a](#so-it-is) [b](items.md#labels) [c](https://a)")).toBe("");
    expect(offences("[a](none.md)")).toContain("docs/a.md:1 leads nowhere: none.md");
    expect(offences("[a](items.md#none)")).toContain("docs/a.md:1 leads nowhere");
  });
});
