// docs/container.md: its commands in bash, with stand-ins for docker, kubectl, helm and npm that
// note what they are given. That must be there, and mean something: files, services, keys that the
// real program makes, values that the chart takes. The image itself is tried by
// test/docker/image.test.ts.
import { chmodSync, cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Ajv } from "ajv";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config.ts";
import { lakePlace } from "../../src/config-lake.ts";
import { catalogParts } from "../../src/model-lake.ts";
import { readCompose } from "../docker/compose-files.ts";
import { blocksOf } from "../support/markdown.ts";
import { root } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";
import { describePage } from "./page-checks.ts";

const page = "docs/container.md";
const programs = ["docker", "kubectl", "helm", "npm"];
const keysFile = "keys.json";

let world: DocWorld;
let calls: string[][];

/** Notes its arguments, a line of JSON each time; `run … keys …` is done by the real program. */
const standIn = `#!/usr/bin/env node
const { appendFileSync } = require("node:fs");
const { basename } = require("node:path");
const { spawnSync } = require("node:child_process");
const args = process.argv.slice(2);
appendFileSync(process.env.CALLS, JSON.stringify([basename(process.argv[1]), ...args]) + "\\n");
const at = args.indexOf("keys");
if (args[0] === "compose" && at > 0) {
  const done = spawnSync("rankstream", args.slice(at), { stdio: "inherit" });
  process.exit(done.status ?? 1);
}
`;

beforeAll(async () => {
  const folder = new DocWorld("http://127.0.0.1:1").folder;
  const [bin, file] = [join(folder, "bin"), join(folder, "calls")];
  mkdirSync(bin);
  writeFileSync(file, "");
  for (const name of programs) {
    writeFileSync(join(bin, name), standIn);
    chmodSync(join(bin, name), 0o755);
  }
  const path = `${bin}${delimiter}${process.env["PATH"]}`;
  world = new DocWorld("http://127.0.0.1:1", new Map(), {
    CALLS: file,
    RANKSTREAM_ACCESS_KEYS: keysFile,
  });
  world.environment["PATH"] =
    `${world.environment["PATH"]!.split(delimiter)[0]}${delimiter}${path}`;
  cpSync(join(root, "docker"), join(world.folder, "docker"), { recursive: true });
  for (const block of blocksOf(page)) if (block.language === "sh") await world.runShell(block);
  calls = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
});

describePage(page, () => world);

function callsOf(program: string, command: string): string[][] {
  return calls.filter(([name, first]) => name === program && first === command);
}

function valueAfter(args: string[], flag: string): string {
  return args[args.indexOf(flag) + 1]!;
}

describe("the commands of the page", () => {
  it("build and run the image that the compose files name", () => {
    const [build] = callsOf("docker", "build");
    expect(build).toEqual(expect.arrayContaining(["-f", "docker/Dockerfile"]));
    const { image } = readCompose("compose.yaml").services["rankstream"]!;
    expect(valueAfter(build!, "-t")).toBe(image);
    const [run] = callsOf("docker", "run");
    expect(run!.at(-1)).toBe(image);
    expect(valueAfter(run!, "-p")).toBe("127.0.0.1:8080:8080");
  });

  it("name compose files and services that there are", () => {
    const composed = callsOf("docker", "compose");
    expect(composed.length).toBeGreaterThan(8);
    for (const [, , flag, file, ...more] of composed) {
      const [command, ...rest] = more[0] === "--profile" ? more.slice(2) : more;
      expect(flag).toBe("-f");
      const { services } = readCompose(file!.replace(/^docker\//, ""));
      expect(["build", "run", "up", "ps", "kill"]).toContain(command);
      const named = rest.filter((word) => /^(keys|node\d)$/.test(word));
      for (const service of named) expect(Object.keys(services)).toContain(service);
    }
  });

  it("make keys and secrets, each once", async () => {
    const made = (path: string) => readFileSync(join(world.folder, path), "utf8");
    for (const path of ["admin.key", "ops.key", "node-key", "docker/secrets/node-key"]) {
      expect(made(path)).toMatch(/^rsk_\w+_[\w-]{43}\n$/);
    }
    const password = /^requirepass ([0-9a-f]{48})$/m.exec(made("docker/secrets/redis.conf"))![1];
    expect(made("docker/secrets/redis-url")).toBe(`redis://:${password}@redis:6379`);
    expect(statSync(join(world.folder, "docker/secrets")).mode & 0o777).toBe(0o700);
    const [block] = blocksOf(page).filter(({ text }) => text.includes("make-secrets.sh"));
    await world.runShell({ ...block!, text: "sh docker/make-secrets.sh" });
    expect(made("docker/secrets/redis.conf")).toContain(password!);
  });

  it("fetch extensions to where the compose file mounts them from", () => {
    const calls = callsOf("npm", "run");
    expect(calls).toEqual([["npm", "run", "extensions", "--", "--to", expect.any(String)]]);
    const { ingest1 } = readCompose("compose.lake.yaml").services;
    const [from] = ingest1!.volumes!.filter((mount) => mount.includes("duckdb-extensions"));
    expect(`docker/${from!.split(":")[0]!.replace(/^\.\//, "")}`).toBe(calls[0]!.at(-1));
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(scripts["extensions"]).toBe("node tools/duckdb-extensions.mjs");
  });

  it("make the address of PostgreSQL with its password", () => {
    const made = (name: string) =>
      readFileSync(join(world.folder, "docker/secrets", name), "utf8");
    const environment = { RANKSTREAM_STORE: made("store-address"), RANKSTREAM_DATA: "/lake" };
    const { catalog } = lakePlace(loadConfig({ environment }).config)!;
    const parts = { host: "postgres", dbname: "rankstream", user: "rankstream" };
    expect(catalogParts(catalog)).toEqual({ ...parts, password: made("postgres-password") });
  });

  it("give the chart values that it takes", () => {
    const [install] = callsOf("helm", "install");
    const chart = join(root, install![3]!);
    const schema = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
    const values: Record<string, unknown> = {};
    const set = install!.filter((_, index) => install![index - 1] === "--set");
    for (const pair of set) {
      const [path = "", value] = pair.split("=");
      const names = path.split(".");
      const last = names.pop()!;
      let place = values;
      for (const name of names) {
        place[name] ??= {};
        place = place[name] as Record<string, unknown>;
      }
      place[last] = value;
    }
    const isValid = new Ajv({ allowUnionTypes: true }).compile(schema);
    expect(isValid(values), JSON.stringify(isValid.errors)).toBe(true);
    const [secret] = callsOf("kubectl", "create");
    expect(secret![4]).toBe(values["keysSecret"]);
    const files = secret!.filter((word) => word.startsWith("--from-file=")).join(" ");
    expect(files).toBe("--from-file=keys.json --from-file=node-key");
    expect(parse(readFileSync(join(chart, "values.yaml"), "utf8")).keysSecret).toBe("");
  });
});
