// docs/kernel.md: its programs in Node, its pages in a real Chromium from a plain static host,
// its bundles made by the bundlers. Each block of JSON is what the block before it must give.
import { delimiter, join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../support/chromium.ts";
import { type Block, blocksOf } from "../support/markdown.ts";
import { root } from "../support/source-tree.ts";
import { type StaticServer, serveFolder } from "../support/static-server.ts";
import { DocWorld } from "./doc-world.ts";

const page = "docs/kernel.md";

let world: DocWorld;
let host: StaticServer;
let browser: Browser;
beforeAll(async () => {
  const programs = join(root, "node_modules", ".bin");
  const path = `${programs}${delimiter}${process.env["PATH"]}`;
  world = new DocWorld("http://127.0.0.1:8080", new Map(), { PATH: path });
  host = await serveFolder(world.folder);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

/** What the page at this path writes to its `<output>`. */
async function shownAt(path: string): Promise<string> {
  const opened = await browser.newPage();
  const complaints: string[] = [];
  opened.on("pageerror", (error) => complaints.push(String(error)));
  await opened.goto(`${host.url}/${path}`);
  await opened.locator("output:not(:empty)").waitFor({ state: "attached", timeout: 20_000 });
  const text = await opened.locator("output").textContent();
  expect(complaints).toEqual([]);
  await opened.close();
  return text!;
}

/** How to get what the last block gives, should a block of JSON ask for it. */
type Answer = () => Promise<string>;

/** Does what the reader does with a block; a way to its answer, where it has one by itself. */
async function follow(block: Block): Promise<Answer | undefined> {
  const { language, text, marks } = block;
  if (language === "sh") {
    await world.runShell(block);
    return text.includes("dist") || text.includes("vite") ? () => shownAt("dist/") : undefined;
  }
  if (marks.file === undefined) return () => world.runScript(block);
  world.write(marks.file, text);
  const file = marks.file;
  return file.endsWith(".html") ? () => shownAt(file) : undefined;
}

describe(page, () => {
  let answer: Answer | undefined;
  for (const block of blocksOf(page)) {
    it(`line ${block.line}, ${block.language}`, async () => {
      if (block.language !== "json") {
        answer = await follow(block);
        return;
      }
      expect(answer, "a block before it that gives something").toBeDefined();
      expect(JSON.parse(await answer!())).toEqual(JSON.parse(block.text));
    });
  }

  it("has each kind of block", () => {
    const kinds = blocksOf(page).map(({ language }) => language);
    expect([...new Set(kinds)].sort()).toEqual(["html", "js", "json", "sh"]);
    expect(kinds.filter((kind) => kind === "json")).toHaveLength(7);
  });
});
