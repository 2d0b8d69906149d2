// What is tested of every page's blocks: one test a block, in the page's order.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Block, blocksOf } from "../support/markdown.ts";
import { root } from "../support/source-tree.ts";
import type { DocWorld } from "./doc-world.ts";
import { differences, httpDifferences, lastJson } from "./shape.ts";

/** Something made up that a page shows; the real one is in what its commands wrote. */
export interface Capture {
  shown: string;
  from: RegExp;
}

export interface PageOptions {
  captures?: readonly Capture[];
}

/** Runs what a page tells its readers to, each block in a test of its own. */
export class PageRun {
  readonly #world: () => DocWorld;
  readonly #captures: readonly Capture[];
  /** Of the last block of commands. */
  #output = "";

  constructor(world: () => DocWorld, { captures = [] }: PageOptions) {
    this.#world = world;
    this.#captures = captures;
  }

  async run(block: Block): Promise<void> {
    const { language, text, marks } = block;
    if (marks.file !== undefined) this.#world().write(marks.file, text);
    if (language === "sh") {
      this.#output = await this.#world().runShell(block);
      this.#capture();
    } else if (language === "js") {
      await this.#world().runScript(block);
    } else if (language === "json") {
      const real = lastJson(this.#output);
      const shown = JSON.parse(text) as unknown;
      if (marks.file === undefined) expect(differences(shown, real), this.#output).toEqual([]);
    } else if (language === "http") {
      expect(httpDifferences(text, this.#output), this.#output).toEqual([]);
    } else if (marks.file === undefined) {
      throw new Error(`nothing runs ${language}: say so before the block`);
    }
  }

  #capture(): void {
    for (const { shown, from } of this.#captures) {
      const real = from.exec(this.#output)?.[1];
      if (real !== undefined) this.#world().standIn(shown, real);
    }
  }
}

/** A block may start several services, on a busy machine. */
const blockMsMax = 150_000;

/** Output, formulas: what no program reads. */
const silent = ["text"];

/** Whether the page has anything that a test looks at. */
export function hasTests(page: string): boolean {
  return blocksOf(page).some((block) => !isLeft(block));
}

function isLeft({ language, marks }: Block): boolean {
  const nothing = silent.includes(language) && marks.file === undefined;
  return nothing || marks.notRun !== undefined;
}

/** One test a block; those that are said not to be run, or run elsewhere, are held to say how. */
export function describePage(
  page: string,
  world: () => DocWorld,
  options: PageOptions = {},
): void {
  describe(page, () => {
    const run = new PageRun(world, options);
    for (const block of blocksOf(page)) {
      const { line, language, marks } = block;
      if (isLeft(block)) continue;
      const { runBy } = marks;
      if (runBy === undefined) {
        it(`line ${line}, ${language}`, () => run.run(block), blockMsMax);
        continue;
      }
      it(`line ${line}, ${language}: run by ${runBy}`, () => {
        const path = join(root, runBy);
        expect(existsSync(path), path).toBe(true);
        expect(readFileSync(path, "utf8")).toContain(page.split("/").at(-1));
      });
    }
  });
}
