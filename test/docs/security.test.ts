// SECURITY.md: what it names is there, and each test it counts on is one.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { linkOffences, readPage } from "../support/markdown.ts";
import { root } from "../support/source-tree.ts";

const page = "SECURITY.md";
const columns = 5;
const kinds = /^[STRIDE]$/;

interface Threat {
  line: number;
  cells: string[];
}

/** The rows of the tables of threats: those of five cells that begin with a kind. */
function threatsOf(text: string): Threat[] {
  return text.split("\n").flatMap((line, i) => {
    if (!line.startsWith("| ")) return [];
    const cells = line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim());
    const isThreat = cells.length === columns && !/^(?:kind|-+)$/.test(cells[0]!);
    return isThreat ? [{ line: i + 1, cells }] : [];
  });
}

/** Whether the file calls something with this title first, as a test or a group of tests. */
function hasTitle(source: string, title: string): boolean {
  const escaped = title.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return new RegExp(`[([]\\s*(["'\`])${escaped}\\1\\s*,`).test(source);
}

/** What is wrong with a page that says this. */
function offencesOf(text: string): string[] {
  return threatsOf(text).flatMap(({ line, cells }) => {
    const [kind = "", threat = "", defence = "", where = "", shown = ""] = cells;
    const faults: string[] = [];
    if (!kinds.test(kind)) faults.push(`no kind: ${kind}`);
    if (threat === "" || defence === "") faults.push("an empty cell");
    const files = [...where.matchAll(/`([^`]+)`/g)].map(([, path]) => path!);
    if (files.length === 0) faults.push("names no file");
    faults.push(
      ...files.filter((path) => !existsSync(join(root, path))).map((path) => `no ${path}`),
    );
    for (const one of shown.split(/;\s+(?=`)/)) {
      const [, path, title] = /^`(test\/[^`]+\.test\.ts)`: "(.+)"$/.exec(one) ?? [];
      if (path === undefined || title === undefined) faults.push(`names no test: ${one}`);
      else if (!existsSync(join(root, path))) faults.push(`no ${path}`);
      else if (!hasTitle(readFileSync(join(root, path), "utf8"), title)) {
        faults.push(`${path} has no "${title}"`);
      }
    }
    return faults.map((fault) => `${page}:${line}: ${fault}`);
  });
}

describe(page, () => {
  it("names files that there are, and tests by their titles", () => {
    const text = readPage(page);
    expect(threatsOf(text).length).toBeGreaterThan(35);
    expect(offencesOf(text)).toEqual([]);
    expect(linkOffences(page)).toEqual([]);
  });

  it("says of each boundary what remains", () => {
    const sections = readPage(page)
      .split("\n## ")
      .filter((part) => threatsOf(part).length > 0);
    expect(sections.length).toBe(7);
    for (const section of sections) expect(section).toContain("\nWhat remains: ");
  });

  it("is found by pages that speak of security", () => {
    for (const other of ["README.md", "docs/README.md", "docs/security.md"]) {
      expect(readPage(other)).toMatch(/\]\((?:\.\.\/)?SECURITY\.md\)/);
    }
  });

  it("would be told of what is not there", () => {
    const own = "test/docs/security.test.ts";
    const row = (kind: string, where: string, shown: string) =>
      `| ${kind} | threat | defence | ${where} | ${shown} |`;
    const title = "would be told of what is not there";
    expect(offencesOf(row("S", "`src/cli.ts`", `\`${own}\`: "${title}"`))).toEqual([]);
    const wrong = [
      row("X", "`src/cli.ts`", `\`${own}\`: "${title}"`),
      row("S", "`src/none.ts`", `\`${own}\`: "${title}"`),
      row("S", "code", `\`${own}\`: "${title}"`),
      row("S", "`src/cli.ts`", `\`${own}\`: "would be told of"`),
      row("S", "`src/cli.ts`", '`test/none.test.ts`: "x"'),
      row("S", "`src/cli.ts`", "by review"),
    ];
    for (const text of wrong) expect(offencesOf(text), text).toHaveLength(1);
  });
});
