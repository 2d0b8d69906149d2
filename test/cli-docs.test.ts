// docs/cli.md against the commands themselves.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { exitCodes } from "../src/cli-io.ts";
import { makeProgram } from "../src/cli-program.ts";
import { configNames, flagOf } from "../src/config.ts";
import { makeIo, runIo } from "./support/cli-io.ts";

const text = readFileSync(join(import.meta.dirname, "..", "docs", "cli.md"), "utf8");
const sections = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split("\n", 1)[0]!, section]),
);
const configFlags = new Set([...configNames.map(flagOf), "--config"]);

/** Commands that do something, by their words. */
function leaves(command: Command, words: string[] = []): [string, Command][] {
  const all = [...words, command.name()];
  if (command.commands.length === 0) return [[all.join(" "), command]];
  return command.commands.flatMap((sub) => leaves(sub, all));
}
const commands = leaves(makeProgram(makeIo(), () => undefined));

describe("docs/cli.md", () => {
  it("has a section for each command, and for no other", () => {
    const named = [...sections.keys()].filter((name) => name.startsWith("rankstream "));
    expect(named.sort()).toEqual(commands.map(([name]) => name).sort());
  });

  it.each(commands)("names every flag of %s, and no other", (name, command) => {
    const section = sections.get(name)!;
    const own = command.options
      .map(({ long, short }) => long ?? short!)
      .filter((flag) => !configFlags.has(flag) || name === "rankstream none");
    const said = [...section.matchAll(/(?<![\w-])-(?:-[a-z][a-z-]*|[a-z])(?=[^\w-])/g)];
    const flags = new Set(said.map(([flag]) => flag));
    for (const flag of own) expect(flags, `${name} ${flag}`).toContain(flag);
    const known = new Set([...own, ...configFlags]);
    expect([...flags].filter((flag) => !known.has(flag) && flag !== "-o")).toEqual([]);
  });

  it("names every exit code", () => {
    const shared = sections.get("What all commands share")!;
    for (const code of Object.values(exitCodes)) {
      expect(shared).toMatch(new RegExp(`^\\| (?:\\d+, )?${code}(?:, \\d+)? \\|`, "m"));
    }
  });
});

describe("--help", () => {
  it.each(commands)("of %s says what it does, with examples", async (name, command) => {
    const help = await runIo([...name.split(" ").slice(1), "--help"]);
    expect([help.code, help.error]).toEqual([0, ""]);
    expect(help.out).toContain(`Usage: ${name}`);
    expect(help.out).toContain(command.description());
    if (!["rankstream start", "rankstream demo"].includes(name)) {
      expect(help.out).toMatch(/^Examples?:$/m);
    }
  });
});
