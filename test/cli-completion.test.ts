import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { configNames, flagOf } from "../src/config.ts";
import { runIo } from "./support/cli-io.ts";
import { temporaryFolder } from "./support/service.ts";

const folder = temporaryFolder();
const path = join(folder, "completion.bash");
writeFileSync(join(folder, "plays 1.csv"), "");

/** Completes the last of each line's words, as bash does it. */
function complete(lines: string[][]): string[][] {
  const ask = lines.map((words) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(rankstream ${quoted}) COMP_CWORD=${words.length}
      _rankstream; printf '%s\\n' "\${COMPREPLY[@]}" --`;
  });
  const script = `source '${path}'; ${ask.join("\n")}`;
  const done = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8", cwd: folder });
  expect(done.stderr).toBe("");
  const replies = done.stdout.split(/^--$/m).slice(0, -1);
  return replies.map((reply) => reply.split("\n").filter((word) => word !== "" && word !== "--"));
}

beforeAll(async () => {
  const { code, out } = await runIo(["completion", "bash"]);
  expect(code).toBe(0);
  writeFileSync(path, out);
});

describe("bash completion", () => {
  it("completes commands, flags, values and files", () => {
    const asked: [string[], unknown][] = [
      [[""], expect.arrayContaining(["start", "export", "config", "completion"])],
      [["ex"], ["export"]],
      [["config", ""], ["check"]],
      [
        ["start", "--http-server", ""],
        ["fastify", "uws"],
      ],
      [["config", "check", "--role", "edge,q"], ["edge,query"]],
      [["top", "--mode", "e"], ["exact"]],
      [["top", "--type", "start", "--mo"], ["--mode"]],
      [["top", "-k", "5", "--by", "u"], ["users"]],
      [["export", "--format", "p"], ["parquet"]],
      [["export", "plays"], ["plays 1.csv"]],
      [["start", "--config", "comp"], ["completion.bash"]],
      [
        ["completion", ""],
        ["bash", "zsh", "fish"],
      ],
      [["top", "--type", ""], []],
      [["types", "x"], []],
    ];
    const found = complete(asked.map(([words]) => words));
    expect(found).toEqual(asked.map(([, wanted]) => wanted));
  });

  it("knows every flag of start", () => {
    const [flags] = complete([["start", "--"]]);
    expect(flags!.sort()).toEqual([...configNames.map(flagOf), "--config", "--help"].sort());
  });
});

describe("completion of other shells", () => {
  it("has every command, and quotes what it says of them", async () => {
    for (const shell of ["zsh", "fish"]) {
      const { code, out } = await runIo(["completion", shell]);
      expect(code).toBe(0);
      for (const word of ["export", "http-server", "fastify uws", "auto approx exact"]) {
        expect(out).toContain(word);
      }
      for (const line of out.split("\n")) expect(line.split("'").length % 2, line).toBe(1);
    }
    expect((await runIo(["completion", "tcsh"])).code).toBe(2);
  });
});
