/** Tables on stdout, and what a figure can't be read without: machine, versions, seed. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

export interface Machine {
  cpu: string;
  cores: number;
  memoryGb: number;
  system: string;
  node: string;
  rankstream: string;
  commit: string;
}

/** A table with a heading. */
export interface Grid {
  head: string[];
  rows: string[][];
}

/** One bench's outcome: what is printed, and the same as data. */
export interface Outcome {
  name: string;
  title: string;
  /** Ratios first, then absolute figures. */
  rows: [label: string, value: string][];
  /** What has more than one figure a line. */
  tables?: Grid[];
  /** What a reader must know beside the figures: what was not reached, what was not measured. */
  notes: string[];
  data: object;
}

function commitOf(): string {
  try {
    const run = (args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
    const dirty = run(["status", "--porcelain", "--", "src", "assembly"]) === "" ? "" : "+changes";
    return run(["rev-parse", "--short", "HEAD"]) + dirty;
  } catch {
    return "unknown";
  }
}

export function describeMachine(): Machine {
  const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    rankstream: (JSON.parse(manifest) as { version: string }).version,
    commit: commitOf(),
  };
}

/** `1,234,567`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

export function fixed(value: number, digits = 2): string {
  return value.toFixed(digits);
}

export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

/** Aligns columns: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  const lines = rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[at]!))),
  );
  return lines.map((cells) => `  ${cells.join("  ").trimEnd()}\n`).join("");
}

export function machineText(machine: Machine, seed: number): string {
  const { cpu, cores, memoryGb, system, node, rankstream, commit } = machine;
  return (
    `Rankstream ${rankstream} (${commit}), Node ${node}, seed ${seed}\n` +
    `${cores} × ${cpu}, ${memoryGb} GiB, ${system}\n`
  );
}

export function outcomeText({ title, rows, tables = [], notes }: Outcome): string {
  const lines = notes.map((note) => `  - ${note}\n`).join("");
  const grids = tables.map((grid) => `\n${table([grid.head, ...grid.rows])}`).join("");
  return `\n${title}\n${table(rows)}${grids}${lines}`;
}

/** A line for whoever waits; stdout keeps the results alone. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
