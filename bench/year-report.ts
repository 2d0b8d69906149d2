/** The year's figures as a table. */
import { fixed, type Outcome, percent, whole } from "./report.ts";
import { latencyOf, median } from "./statistics.ts";
import type { YearPlan } from "./year-data.ts";
import type { Work } from "./year-peers.ts";

/** Figures of ranges of one length: medians. */
export interface Growth {
  hours: number;
  approxMs: number;
  exactMs: number;
  sqlMs: number;
}

export interface YearResult {
  /** Of ranges from a minute to the year. */
  approxMs: number[];
  certified: number;
  exactWeekMs: number[];
  exactYearMs: number[];
  filteredWeekMs: number[];
  /** The same by SQL. */
  sqlFilteredWeekMs: number[];
  growth: Growth[];
  works: Work[];
}

const approxMsMax = 50;
const exactWeekMsMax = 500;
const slowMsMax = 5000;
const busyMsMax = 5;

function rangeName(hours: number): string {
  if (hours < 24) return `${hours} h`;
  if (hours < 720) return `${hours / 24} d`;
  return `${Math.round(hours / 730)} mo`;
}

function latencyRow(name: string, samplesMs: readonly number[]): [string, string] {
  const { p50, p99, max, count } = latencyOf(samplesMs);
  const figures = [p50, p99, max].map((ms) => fixed(ms, 1)).join(" / ");
  return [`${name}, ms p50 / p99 / max`, `${figures} (${count})`];
}

function workRows({ name, times }: Work): Outcome["rows"] {
  const own = times[0]!.ms!;
  const rows = times.map(({ name: who, ms, firstMs, note }): [string, string] => {
    const first = firstMs === undefined ? "" : `, first ${fixed(firstMs, 1)}`;
    const value =
      ms === null ? "NOT MEASURED" : `× ${fixed(ms / own, 1)}: ${fixed(ms, 1)} ms${first}`;
    return [`  ${who} (${note})`, value];
  });
  return [[`${name}: ratio to Rankstream, approximate`, ""], ...rows];
}

function notesOf(result: YearResult, plotFile: string): string[] {
  const notes: string[] = [];
  const holds = (isHeld: boolean, what: string) => {
    if (!isHeld) notes.push(`NOT REACHED: ${what}.`);
  };
  const p99 = (samplesMs: readonly number[]) => latencyOf(samplesMs).p99;
  holds(p99(result.approxMs) < approxMsMax, `approximate under ${approxMsMax} ms at p99`);
  holds(
    p99(result.exactWeekMs) < exactWeekMsMax,
    `a week exact under ${exactWeekMsMax} ms at p99`,
  );
  holds(p99(result.exactYearMs) < slowMsMax, `the year exact under ${slowMsMax} ms`);
  holds(p99(result.filteredWeekMs) < slowMsMax, `a filtered week under ${slowMsMax} ms`);
  const busy = result.works[0]!.times[0]!.firstMs!;
  holds(busy < busyMsMax, `the busy hour approximate, first time, under ${busyMsMax} ms`);
  notes.push("Answers were checked: approximate by bounds and certificates, exact row by row.");
  notes.push("Caches of answers are off; the system's page cache is as the fill left it.");
  notes.push(`The growth is plotted in ${plotFile}.`);
  const week = result.works[1]!.times.find(({ name }) => name.startsWith("Redis"))?.ms ?? null;
  if (week !== null) {
    const year = fixed((week * 365) / 7 / 1000, 0);
    notes.push(`EXTRAPOLATED, not measured: Redis over the year, by events: ${year} s.`);
  }
  return notes;
}

export function describeYear(plan: YearPlan, result: YearResult, plotFile: string): Outcome {
  const { approxMs, certified, growth, works } = result;
  const rows: Outcome["rows"] = [
    ...works.flatMap(workRows),
    latencyRow("approximate, a minute to the year", approxMs),
    ["  certified", percent(certified / Math.max(1, approxMs.length))],
    latencyRow("exact, a week of whole hours", result.exactWeekMs),
    latencyRow("exact, the year less a day", result.exactYearMs),
    latencyRow("exact, a week, by metadata", result.filteredWeekMs),
    ["  DuckDB SQL, median ms", fixed(median(result.sqlFilteredWeekMs), 1)],
    ["range: approximate / exact / DuckDB SQL, median ms", ""],
    ...growth.map((at): [string, string] => [
      `  ${rangeName(at.hours)}`,
      [at.approxMs, at.exactMs, at.sqlMs].map((ms) => fixed(ms, 1)).join(" / "),
    ]),
  ];
  const title =
    `A year: ${whole(plan.events)} events of 3 types, ${whole(plan.ids)} ids (Zipf 1.0), ` +
    `and ${whole(plan.peersEvents)} in one busy hour`;
  const notes = notesOf(result, plotFile);
  return { name: "year", title, rows, notes, data: { plan, ...result } };
}
