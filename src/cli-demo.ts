/**
 * `rankstream demo`: the service with three million real flights in it, and a stretch of them
 * flown again now, so that the board on the page moves.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { boardText } from "./cli-board.ts";
import { ProgressDisplay, sendFile, summaryText } from "./cli-import.ts";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { asFailure, clientOf } from "./cli-service.ts";
import { addConfigOptions, loadConfigOf, runService } from "./cli-start.ts";
import type { LeaderboardQuery, RankstreamClient } from "./client/client.ts";
import type { LoadedConfig } from "./config.ts";
import type { DirectFetch } from "./import/direct-fetch.ts";
import { type FileOptions, openEventFile } from "./import/event-file.ts";
import { countText, durationText } from "./import/progress.ts";

const dataPackage = "vega-datasets";
const dataPath = join(dataPackage, "data", "flights-3m.parquet");
/** The file covers the first half of 2001, the first minute of July included. */
const wholeRange = "2001-01-01T00:00:00Z/2001-07-02T00:00:00Z";
const oneDay = "2001-06-28T00:00:00Z/P1D";
const retryMsMax = 60_000;
const connectionsMax = 4;
/** Each batch of the replay takes so many flights, two events each: 400 events a second. */
const liveFlightsPerBatch = 50;
const liveEveryMs = 250;

const helpAfter = `
Starts the service as 'rankstream start' does and imports the flights of npm's vega-datasets as
event types flight_to (the destination) and flight_route (ORIGIN-DESTINATION); prints the top 10
of both; then flies a stretch of them again, now, as live_flight_to and live_flight_route, until
Ctrl-C. Run again with the same data folder it counts nothing twice.
`;

const mappings = {
  flight_to: { type: "flight_to", id: ["destination"], time: "date", meta: ["origin"] },
  flight_route: { type: "flight_route", id: ["origin", "destination"], time: "date" },
} satisfies Record<string, FileOptions>;

/** The file's path; throws CommandFailure with what to install. */
function findFlights(): string {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(dataPackage) ?? []) {
    const path = join(folder, dataPath);
    if (existsSync(path)) return path;
  }
  throw new CommandFailure(
    "the demo's flights are missing. Install them: npm install --no-save vega-datasets@3",
    exitCodes.failure,
  );
}

/** Adds the command; `done` is told its exit code. */
export function addDemoCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("demo")
    .description("Start the service with three million real flights in it.")
    .option("--exit-after-load", "end once the boards are printed")
    .addHelpText("after", helpAfter)
    .action(async (given: Record<string, string> & { exitAfterLoad?: boolean }) => {
      const { exitAfterLoad, ...flags } = given;
      const flights = findFlights();
      const demo = async (url: string, stopping: AbortSignal) => {
        const { directFetch } = await import("./import/direct-fetch.ts");
        const http = directFetch(connectionsMax);
        return new Demo({ io, url, http, flights, stopping }).run(exitAfterLoad === true);
      };
      done(await runService(quieter(loadConfigOf(flags, io)), io, demo));
    });
  addConfigOptions(command);
}

/** Whoever watches the demo reads its boards: without the lines of a service in order. */
function quieter(loaded: LoadedConfig): LoadedConfig {
  if (loaded.origins.logLevel !== "default") return loaded;
  return { ...loaded, config: { ...loaded.config, logLevel: "warn" } };
}

interface DemoOptions {
  io: CliIo;
  url: string;
  /** Closed once the demo has run. */
  http: DirectFetch;
  /** Path of the file. */
  flights: string;
  stopping: AbortSignal;
}

class Demo {
  readonly #io: CliIo;
  readonly #flights: string;
  readonly #stopping: AbortSignal;
  readonly #http: DirectFetch;
  readonly #client: RankstreamClient;

  constructor({ io, url, http, flights, stopping }: DemoOptions) {
    this.#io = io;
    this.#http = http;
    this.#flights = flights;
    this.#stopping = stopping;
    this.#client = clientOf({ url }, io, { retryMsMax, fetch: http.fetch });
  }

  /** Resolves once the flights are in and the boards are out, or the service is stopping. */
  async run(exitsAfterLoad: boolean): Promise<"stay" | "stop"> {
    try {
      await this.#load();
      if (this.#stopping.aborted) return "stop";
      await this.#printBoards();
      if (exitsAfterLoad) return "stop";
      this.#io.writeOut(`\nThe live board: ${this.#client.url}/   (Ctrl-C ends)\n`);
      await this.#replay();
    } catch (error) {
      if (!this.#stopping.aborted) throw asFailure(error);
    } finally {
      await this.#http.close();
    }
    return "stop";
  }

  async #load(): Promise<void> {
    const started = Date.now();
    let rows = 0;
    for (const [type, mapping] of Object.entries(mappings)) {
      const file = await openEventFile(this.#flights, mapping, this.#stopping);
      try {
        const display = new ProgressDisplay(this.#io, `${type}: `);
        const tally = await sendFile(file, this.#client, this.#stopping, display);
        this.#io.writeOut(`${type}: ${summaryText(tally, display.seconds)}`);
        rows += tally.events + tally.eventsBefore;
        if (!tally.isComplete) return;
      } finally {
        file.close();
      }
    }
    await this.#allCounted();
    const seconds = (Date.now() - started) / 1000;
    const rate = countText(rows / seconds);
    this.#io.writeOut(
      `${countText(rows)} events sent, counted and queryable in ${durationText(seconds)} ` +
        `(${rate} events/s)\n`,
    );
  }

  /** An exact answer includes all that was acknowledged before: it waits for the counting. */
  async #allCounted(): Promise<void> {
    const eventType = Object.keys(mappings);
    const query: LeaderboardQuery = { eventType, timeRange: oneDay, k: 1, mode: "exact" };
    await this.#client.leaderboard(query, this.#stopping);
  }

  async #printBoards(): Promise<void> {
    for (const timeRange of [wholeRange, oneDay]) {
      for (const eventType of Object.keys(mappings)) {
        const query: LeaderboardQuery = { eventType, timeRange, k: 10 };
        const started = Date.now();
        const board = await this.#client.leaderboard(query, this.#stopping);
        const text = boardText(board, { hasColor: false, columnsMax: null });
        this.#io.writeOut(`\n${text}answered in ${Date.now() - started} ms\n`);
      }
    }
  }

  /** Flies the first flights again and again, at the time of receipt, until the service stops. */
  async #replay(): Promise<void> {
    const lines = await this.#liveLines();
    const producer = `demo-${crypto.randomUUID()}`;
    let next = Date.now();
    for (let sequence = 0; !this.#stopping.aborted; sequence++) {
      const at = (sequence * liveFlightsPerBatch) % (lines.length - liveFlightsPerBatch + 1);
      const body = lines.slice(at, at + liveFlightsPerBatch).join("");
      const signal = this.#stopping;
      await this.#client.postBatch(body, { key: `${producer}/${sequence}`, signal });
      next = Math.max(next + liveEveryMs, Date.now() - liveEveryMs);
      await sleep(Math.max(0, next - Date.now()), undefined, { signal });
    }
  }

  /** Of each flight of the file's first batch, its two events without time, as NDJSON. */
  async #liveLines(): Promise<string[]> {
    const [to, route] = [mappings.flight_to, mappings.flight_route].map((mapping) =>
      this.#firstLines({ ...mapping, type: `live_${mapping.type}`, time: undefined }),
    );
    const [tos, routes] = [await to!, await route!];
    return tos.map((line, i) => line + routes[i]!);
  }

  async #firstLines(mapping: FileOptions): Promise<string[]> {
    const file = await openEventFile(this.#flights, mapping, this.#stopping);
    try {
      for await (const { body } of file.batches()) {
        return Buffer.from(body)
          .toString("utf8")
          .split(/(?<=\n)/);
      }
      return [];
    } finally {
      file.close();
    }
  }
}
