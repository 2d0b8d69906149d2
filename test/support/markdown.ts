// The pages of the documentation, their code blocks, links and headings. A comment right before a
// block says how it is to be tested where its language doesn't tell.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { root } from "./source-tree.ts";

export interface Block {
  /** From the repository's root: `docs/items.md`. */
  page: string;
  /** Of the opening fence, from 1. */
  line: number;
  language: string;
  text: string;
  marks: Marks;
}

export interface Marks {
  /** Why nothing runs it. */
  notRun?: string;
  /** The test file that does. */
  runBy?: string;
  /** The file of that content that later blocks of the page speak of. */
  file?: string;
}

const fence = /^```(.*)$/;
const comment = /^<!-- (not run|run by|file): (.+) -->$/;
const heading = /^#{1,6} (.+)$/;
const link = /\]\(([^()\s]+)\)/g;

/** README.md and every page under docs/, in order. */
export function pageNames(): string[] {
  const files = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  const pages = files.filter((name) => name.endsWith(".md")).sort();
  return ["README.md", ...pages.map((name) => posix.join("docs", name.replaceAll("\\", "/")))];
}

export function readPage(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

function marksBefore(lines: readonly string[], index: number): Marks {
  const marks: Marks = {};
  for (let i = index - 1; i >= 0; i--) {
    const match = comment.exec(lines[i]!);
    if (match === null) break;
    if (match[1] === "not run") marks.notRun = match[2]!;
    if (match[1] === "run by") marks.runBy = match[2]!;
    if (match[1] === "file") marks.file = match[2]!;
  }
  return marks;
}

/** The page's fenced blocks, in order. Throws where a fence isn't closed. */
export function blocksOf(page: string, text = readPage(page)): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const language = fence.exec(lines[i]!)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", i + 1);
    if (end < 0) throw new Error(`${page}:${i + 1}: the block is not closed`);
    const marks = marksBefore(lines, i);
    const own = lines.slice(i + 1, end).join("\n");
    blocks.push({ page, line: i + 1, language, text: own, marks });
    i = end;
  }
  return blocks;
}

/** The page without its blocks, line by line. */
function proseOf(text: string): string[] {
  let inside = false;
  return text.split("\n").map((line) => {
    const isFence = fence.test(line);
    if (isFence) inside = !inside;
    return inside || isFence ? "" : line;
  });
}

/** Blocks of no language: nothing says what they are, and nothing would run them. */
export function blockOffences(page: string, text = readPage(page)): string[] {
  const lines = proseOf(text);
  const indented = lines.flatMap((line, i) => {
    const begins = /^ {4}\S/.test(line) && (i === 0 || lines[i - 1] === "");
    return begins ? [`${page}:${i + 1} is a block without a fence: ${line.trim()}`] : [];
  });
  const bare = blocksOf(page, text).filter(({ language }) => !/^[a-z]+$/.test(language));
  return [...indented, ...bare.map(({ line }) => `${page}:${line} is a block of no language`)];
}

/** A heading's anchor, as GitHub makes it. */
function anchorOf(title: string): string {
  const words = title.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "");
  return words.trim().replaceAll(/\s/g, "-");
}

function anchorsOf(text: string): Set<string> {
  const titles = proseOf(text).map((line) => heading.exec(line)?.[1]);
  return new Set(titles.flatMap((title) => (title === undefined ? [] : [anchorOf(title)])));
}

/** Links of the page to files or headings that aren't there. */
export function linkOffences(page: string, text = readPage(page)): string[] {
  return proseOf(text).flatMap((line, i) =>
    [...line.matchAll(link)].flatMap(([, target = ""]) => {
      if (/^[a-z]+:/.test(target)) return [];
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : posix.normalize(posix.join(posix.dirname(page), path));
      const at = `${page}:${i + 1} leads nowhere: ${target}`;
      if (file !== page && !existsSync(join(root, file))) return [at];
      if (anchor === undefined || !file.endsWith(".md")) return [];
      const there = file === page ? text : readPage(file);
      return anchorsOf(there).has(anchor) ? [] : [at];
    }),
  );
}
