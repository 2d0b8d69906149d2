/** Any range of a year of events, from a minute to all of it; what others take for the same. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../test/support/random.ts";
import { growthPlot } from "./growth-plot.ts";
import type { BenchOptions } from "./options.ts";
import { type Outcome, say } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { median } from "./statistics.ts";
import {
  dataDirOf,
  dayMs,
  eventType,
  fillYear,
  hourMs,
  openYear,
  peersStartMs,
  peersType,
  planOf,
  type YearFolder,
  yearMs,
  yearStartMs,
} from "./year-data.ts";
import { compareOn, type Work } from "./year-peers.ts";
import {
  anyQuestion,
  askApprox,
  askForExact,
  boardRows,
  checkApprox,
  checkRows,
  rangeOf,
} from "./year-questions.ts";
import { describeYear, type Growth, type YearResult } from "./year-report.ts";
import { type Question, YearSql } from "./year-sql.ts";

/** Every answer is worked out, none comes from a cache; and exact ones may take their time. */
const measuredArgs = [
  ...["--cache-bytes-max", "0", "--cache-store-bytes-max", "0"],
  ...["--exact-timeout-ms", "60000"],
];
const quietMs = 3000;
const quietShare = 0.05;
const quietMsMax = 600_000;

interface Sizes {
  approx: number;
  checked: number;
  weeks: number;
  years: number;
  filtered: number;
  growthHours: readonly number[];
}

const sizes: Sizes = {
  approx: 400,
  checked: 25,
  weeks: 30,
  years: 5,
  filtered: 5,
  growthHours: [1, 3, 6, 12, 24, 72, 168, 730, 2190, 4380, 8760],
};
const smokeSizes: Sizes = {
  approx: 10,
  checked: 10,
  weeks: 1,
  years: 1,
  filtered: 1,
  growthHours: [1, 168, 8760],
};

/** Waits until the service has nothing left to do. */
async function settle(service: ServiceProcess): Promise<void> {
  const until = performance.now() + quietMsMax;
  for (let before = service.cpuSeconds(); performance.now() < until; ) {
    await sleep(quietMs);
    const now = service.cpuSeconds();
    if ((now - before) * 1000 < quietShare * quietMs) return;
    before = now;
  }
  say("year: the service is still busy; it is measured all the same");
}

/** Starts the service over the year's data for as long as `work` takes. */
async function withService<T>(
  year: YearFolder,
  args: readonly string[],
  work: (service: ServiceProcess) => Promise<T>,
): Promise<T> {
  const service = await ServiceProcess.start({ args, dataDir: dataDirOf(year) });
  try {
    const result = await work(service);
    await service.stop();
    return result;
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}

class YearRun {
  readonly #url: string;
  readonly #sql: YearSql;
  readonly #options: BenchOptions;
  readonly #sizes: Sizes;
  readonly #random: Random;

  constructor(url: string, sql: YearSql, options: BenchOptions) {
    this.#url = url;
    this.#sql = sql;
    this.#options = options;
    this.#sizes = options.smoke ? smokeSizes : sizes;
    this.#random = new Random(options.seed).fork(3);
  }

  async all(): Promise<YearResult> {
    const approx = await this.#approx();
    say("year: exact answers");
    const weeks = await this.#exact(this.#sizes.weeks, 7 * dayMs, {});
    // Years of one hour less and less: none is asked for twice.
    const years = await this.#exact(this.#sizes.years, yearMs - 24 * hourMs, {});
    const filtered = await this.#exact(this.#sizes.filtered, 7 * dayMs, { country: "DE" });
    const growth: Growth[] = [];
    for (const hours of this.#sizes.growthHours) growth.push(await this.#growthAt(hours));
    return {
      ...approx,
      exactWeekMs: weeks.exactMs,
      exactYearMs: years.exactMs,
      filteredWeekMs: filtered.exactMs,
      sqlFilteredWeekMs: filtered.sqlMs,
      growth,
      works: await this.#compare(),
    };
  }

  /** Random ranges, none asked before; the first ones are checked. */
  async #approx() {
    const approxMs: number[] = [];
    let certified = 0;
    for (let i = 0; i < this.#sizes.checked + this.#sizes.approx; i++) {
      const question = anyQuestion(this.#random);
      const { board, ms } = await askApprox(this.#url, question);
      if (i < this.#sizes.checked) {
        await checkApprox(this.#sql, question, board);
        continue;
      }
      approxMs.push(ms);
      if (board.certified) certified++;
    }
    return { approxMs, certified };
  }

  /** Whole hours; one in three is checked against SQL, the first before any is timed. */
  async #exact(asked: number, lengthMs: number, more: { country?: string }) {
    const exactMs: number[] = [];
    const sqlMs: number[] = [];
    for (let i = 0; i < asked; i++) {
      const range = rangeOf(this.#random, lengthMs, hourMs);
      const question: Question = { eventType, k: boardRows, ...range, ...more };
      const { board, ms } = await askForExact(this.#url, question);
      if (i % 3 === 0) {
        const truth = await this.#sql.top(question);
        checkRows(question, board.results, truth.rows);
        sqlMs.push(truth.ms);
      }
      exactMs.push(ms);
    }
    return { exactMs, sqlMs };
  }

  /** One length: the same ranges by everyone, compared. */
  async #growthAt(hours: number): Promise<Growth> {
    say(`year: ranges of ${hours} hours`);
    const [approxMs, exactMs, sqlMs]: number[][] = [[], [], []];
    for (let i = 0; i < this.#options.runs; i++) {
      const range = rangeOf(this.#random, hours * hourMs, hourMs);
      const question: Question = { eventType, k: 100, ...range };
      const approx = await askApprox(this.#url, question);
      await checkApprox(this.#sql, question, approx.board);
      const exact = await askForExact(this.#url, question);
      const truth = await this.#sql.top(question);
      checkRows(question, exact.board.results, truth.rows);
      approxMs!.push(approx.ms);
      exactMs!.push(exact.ms);
      sqlMs!.push(truth.ms);
    }
    return {
      hours,
      approxMs: median(approxMs!),
      exactMs: median(exactMs!),
      sqlMs: median(sqlMs!),
    };
  }

  async #compare(): Promise<Work[]> {
    const deps = { url: this.#url, sql: this.#sql, options: this.#options };
    const [from, to] = [7, 43].map((minute) => peersStartMs + minute * 60_000);
    const busy = { eventType: peersType, k: boardRows, from: from!, to: to! };
    const weekStart = yearStartMs + 90 * dayMs;
    const week = { eventType, k: boardRows, from: weekStart, to: weekStart + 7 * dayMs };
    return [
      await compareOn("minutes 7 to 43 of the peers' busy hour", busy, deps),
      await compareOn("one week", week, deps),
    ];
  }
}

function plot(growth: readonly Growth[]): string {
  const curve = (name: string, color: string, pick: (at: Growth) => number) => {
    return { name, color, points: growth.map((at) => [at.hours, pick(at)] as const) };
  };
  return growthPlot("Time of an answer by the length of its range (median)", [
    curve("approximate", "#1a7f37", ({ approxMs }) => approxMs),
    curve("exact", "#0550ae", ({ exactMs }) => exactMs),
    curve("DuckDB SQL", "#bc4c00", ({ sqlMs }) => sqlMs),
  ]);
}

/** Makes the data where it is missing, then measures. */
export async function runYear(options: BenchOptions): Promise<Outcome[]> {
  const isKept = options.folder !== undefined;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "rankstream-year-"));
  try {
    const year = openYear(folder, planOf(options));
    const deadline = performance.now() + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
    const isFull = await withService(year, options.serviceArgs, async (service) => {
      if (!(await fillYear(service, year, deadline))) return false;
      if (!options.smoke) await settle(service);
      return true;
    });
    if (!isFull || options.isFillOnly) {
      say(isFull ? "year: all is there" : "year: more is to be made: run it again");
      return [];
    }
    const sql = await YearSql.open(year);
    const args = [...measuredArgs, ...options.serviceArgs];
    const result = await withService(year, args, async ({ url }) => {
      return new YearRun(url, sql, options).all();
    });
    sql.close();
    const plotFile = options.plotFile ?? join(folder, "growth.svg");
    writeFileSync(plotFile, plot(result.growth));
    return [describeYear(year.plan, result, plotFile)];
  } finally {
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  }
}
