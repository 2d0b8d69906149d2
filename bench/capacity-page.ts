/** docs/growth.md: its tables, each below a comment that names it, are made by the bench. */
import { readFileSync, writeFileSync } from "node:fs";
import { growthInputsWith } from "../src/capacity/growth-inputs.ts";
import { compare } from "./capacity-compare.ts";
import {
  agreementTable,
  inputsTable,
  kindsTable,
  largeEventsPerDay,
  leversTable,
  limitsTable,
  loadOf,
  needsTable,
  targetTable,
  trafficTable,
} from "./capacity-tables.ts";
import type { Grid } from "./report.ts";
import { markdownTable } from "./results.ts";

/** Of the simulation that the page shows. */
const pageSeed = 1;

/** The page's tables by name. */
export function pageTables(): Record<string, Grid> {
  const inputs = growthInputsWith();
  const { figures } = compare(loadOf(largeEventsPerDay), inputs, { seed: pageSeed });
  return {
    needs: needsTable(inputs),
    target: targetTable(inputs),
    kinds: kindsTable(inputs),
    traffic: trafficTable(inputs),
    limits: limitsTable(inputs),
    levers: leversTable(),
    agreement: agreementTable([{ name: "a year", figures }]),
    inputs: inputsTable(),
  };
}

/**
 * The text with each table below its `<!-- table: NAME -->` made anew. Throws for a table that it
 * has no place for, and for a place without a table.
 */
export function withTables(text: string, tables: Readonly<Record<string, Grid>>): string {
  const left = new Set(Object.keys(tables));
  const place = /(<!-- table: ([a-z]+) -->\n)(?:\n(?:\|.*\n)+)?/g;
  const made = text.replace(place, (_, comment: string, name: string) => {
    const grid = tables[name];
    if (grid === undefined) throw new Error(`there is no table ${name}`);
    left.delete(name);
    return comment + markdownTable(grid);
  });
  if (left.size > 0) throw new Error(`no place for the tables ${[...left].join(", ")}`);
  return made;
}

/** Writes the page's tables anew. */
export function writePage(file: string): void {
  writeFileSync(file, withTables(readFileSync(file, "utf8"), pageTables()));
}
