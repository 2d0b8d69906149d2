/** Benches' results as Markdown: a file of sections, one a bench, each replaced by itself. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Grid, type Machine, machineText, type Outcome } from "./report.ts";

export interface RunOf {
  machine: Machine;
  seed: number;
  /** ISO 8601. */
  started: string;
  smoke: boolean;
}

const head = `# Results

Each section is what one bench printed, on the machine it names. \`npm run bench -- NAME
--results bench/RESULTS.md\` makes a section anew and leaves the others as they are; what each
bench does and checks first is in [README.md](README.md).
`;

const cellOf = (text: string) => text.replaceAll("|", "\\|");
const lineOf = (cells: readonly string[]) => `| ${cells.map(cellOf).join(" | ")} |\n`;

/** The table as Markdown, after an empty line. */
export function markdownTable({ head, rows }: Grid): string {
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return `\n${lineOf(head)}| ${rule.join(" | ")} |\n${rows.map(lineOf).join("")}`;
}

function outcomeMarkdown({ title, rows, tables = [], notes }: Outcome): string {
  const grids = [{ head: ["", ""], rows }, ...tables].map(markdownTable).join("");
  const list = notes.map((note) => `- ${note}\n`).join("");
  return `\n**${title}**\n${grids}${list === "" ? "" : `\n${list}`}`;
}

function sectionOf(name: string, outcomes: readonly Outcome[], run: RunOf): string {
  const machine = machineText(run.machine, run.seed).trim().split("\n").join("; ");
  const smoke = run.smoke ? " A smoke run: no figure means anything." : "";
  const body = outcomes.map(outcomeMarkdown).join("");
  return `## ${name}\n\n${run.started.slice(0, 10)}; ${machine}.${smoke}\n${body}`;
}

const marker = (name: string) => `<!-- bench: ${name} -->\n`;

/** Sections of the text, by name. */
function sectionsIn(text: string): Map<string, string> {
  const parts = text.split(/<!-- bench: ([\w-]+) -->\n/);
  const sections = new Map<string, string>();
  for (let at = 1; at < parts.length; at += 2) sections.set(parts[at]!, parts[at + 1]!.trim());
  return sections;
}

/** The text with these outcomes' sections made anew; sections stand in the order of `names`. */
export function withResults(
  text: string,
  outcomes: readonly Outcome[],
  run: RunOf,
  names: readonly string[],
): string {
  const sections = sectionsIn(text);
  for (const name of new Set(outcomes.map((outcome) => outcome.name))) {
    const own = outcomes.filter((outcome) => outcome.name === name);
    sections.set(name, sectionOf(name, own, run).trim());
  }
  const rank = (name: string) => {
    const at = names.indexOf(name);
    return at < 0 ? names.length : at;
  };
  const ordered = [...sections].sort(([a], [b]) => rank(a) - rank(b));
  return head + ordered.map(([name, section]) => `\n${marker(name)}${section}\n`).join("");
}

/** Writes the outcomes' sections into the file; it need not exist. */
export function writeResults(
  file: string,
  outcomes: readonly Outcome[],
  run: RunOf,
  names: readonly string[],
): void {
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  writeFileSync(file, withResults(before, outcomes, run, names));
}
