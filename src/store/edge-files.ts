/**
 * What the manifest says of the minutes that a range's ends cut, in one statement: a question
 * asks it five to ten times, and each time takes DuckDB a millisecond.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { cutAtMinutes } from "./cover.ts";
import { rowsOf } from "./database.ts";
import { isLake } from "./dialect.ts";
import type { RawChecks } from "./raw-checks.ts";
import type { RawFile } from "./raw-file.ts";
import { filesWithin, type RawFiles } from "./raw-files.ts";
import { timestampLiteral } from "./sql.ts";
import { aliveSources } from "./tombstones.ts";
import { countedColumns, recentSql } from "./windows.ts";

interface Stretch {
  /** Epoch ms; `to` exclusive. */
  from: number;
  to: number;
}

/**
 * As RawFiles, of raw events within the edges' minutes, in the reader's transaction; without
 * users, sessions and metadata.
 */
export class EdgeFiles implements Pick<RawFiles, "mayHold" | "rowsIn" | "source"> {
  readonly #checks: RawChecks;
  readonly #files: readonly RawFile[];
  /** Stretches in which raw events in no file lie. */
  readonly #recent: readonly Stretch[];
  readonly #recentRows: number;

  private constructor(
    checks: RawChecks,
    files: readonly RawFile[],
    recent: readonly Stretch[],
    recentRows: number,
  ) {
    this.#checks = checks;
    this.#files = files;
    this.#recent = recent;
    this.#recentRows = recentRows;
  }

  /** Looks at the minutes that `[from, to)`, epoch ms, cuts. */
  static async around(
    connection: DuckDBConnection,
    checks: RawChecks,
    from: number,
    to: number,
  ): Promise<EdgeFiles> {
    const { edges } = cutAtMinutes(from, to);
    if (edges.length === 0) return new EdgeFiles(checks, [], [], 0);
    const minutes = edges.map((edge) => {
      const start = Math.floor(edge.from / minuteMs) * minuteMs;
      return { from: start, to: start + minuteMs, edge };
    });
    // Before an edge, in it and after it: whoever asks, asks about these.
    const stretches = minutes.flatMap(({ from: start, to: end, edge }) => [
      { from: start, to: edge.from },
      edge,
      { from: edge.to, to: end },
    ]);
    const isIn = stretches.map((one, i) => `bool_or(${within(one)}) AS recent_${i}`);
    const [recent] = await rowsOf(
      connection,
      `SELECT count(*) AS rows, ${isIn.join(", ")} FROM ${recentOf(connection)}`,
    );
    const files: RawFile[] = [];
    for (const minute of minutes) {
      const found = await filesWithin(connection, minute.from, minute.to);
      files.push(...found.filter(({ path }) => files.every((known) => known.path !== path)));
    }
    const held = stretches.filter((_, i) => recent![`recent_${i}`] === true);
    return new EdgeFiles(checks, files, held, Number(recent!["rows"]));
  }

  async mayHold(_connection: DuckDBConnection, from: number, to: number): Promise<boolean> {
    if (from >= to) return false;
    const isRecent = this.#recent.some((own) => own.from < to && own.to > from);
    return isRecent || this.#within(from, to).length > 0;
  }

  async rowsIn(_connection: DuckDBConnection, from: number, to: number): Promise<number> {
    // Events are taken as spread evenly over their file's span.
    const inFiles = this.#within(from, to).map(
      ({ rows, firstTime, lastTime }) =>
        rows * Math.min(1, (to - from) / (1 + lastTime - firstTime)),
    );
    return this.#recentRows + Math.round(inFiles.reduce((sum, rows) => sum + rows, 0));
  }

  async source(connection: DuckDBConnection, from: number, to: number): Promise<string> {
    const paths = this.#within(from, to).map(({ path }) => path);
    const sources = await aliveSources(connection, this.#checks, paths);
    const recent = recentOf(connection);
    if (sources.length === 0) return recent;
    const counted = sources.map((source) => `SELECT ${countedColumns} FROM ${source}`);
    return `(${[`FROM ${recent}`, ...counted].join(" UNION ALL ")})`;
  }

  #within(from: number, to: number): readonly RawFile[] {
    return this.#files.filter(({ firstTime, lastTime }) => firstTime < to && lastTime >= from);
  }
}

/** Raw events in no file: of the lake itself where that is written, else of this process's. */
function recentOf(connection: DuckDBConnection): string {
  return isLake(connection) ? `(${recentSql})` : "recent_events";
}

function within({ from, to }: Stretch): string {
  return `event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}`;
}
