/** The store's calls about a few rows of its own: settings, jobs, labels, its own numbers. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import type { Touched } from "./changes.ts";
import type { Claims } from "./claimed.ts";
import type { CoarseWindows } from "./coarse.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import { isLake } from "./dialect.ts";
import { readJobResult, readJobs, removeJob, writeJob } from "./jobs.ts";
import type { KeptAnswers } from "./kept-answers.ts";
import {
  readLabelledTypes,
  readLabels,
  removeLabels,
  touchedByLabels,
  writeLabels,
} from "./labels.ts";
import { readMetrics } from "./metrics-history.ts";
import type { StoreCalls } from "./protocol.ts";
import type { ReadControl } from "./store.ts";
import { MetricsKeeper } from "./system-metrics.ts";
import { readTypeFigures } from "./type-figures.ts";
import { readTypeSettings, removeTypeSettings, writeTypeSettings } from "./type-settings.ts";

/** Seconds of the windows that a lake keeps of every type: nobody tells the others of less. */
const finest = 60;

type RowName =
  | "loadTypeSettings"
  | "putTypeSettings"
  | "dropTypeSettings"
  | "loadJobs"
  | "putJob"
  | "dropJob"
  | "claimJob"
  | "releaseJob"
  | "jobResult"
  | "labels"
  | "labelledTypes"
  | "putLabels"
  | "dropLabels"
  | "putMetrics"
  | "metricsHistory"
  | "typeFigures"
  | "bytesElsewhere";

export type RowHandlers = {
  [Name in RowName]: (
    argument: StoreCalls[Name][0],
    control: ReadControl,
  ) => Promise<StoreCalls[Name][1]>;
};

export interface RowDeps {
  database: () => Database;
  coarse: () => CoarseWindows;
  kept: () => KeptAnswers;
  claims: () => Claims;
  /** Told of what a change of labels touched. */
  onMutation: (touched: Touched[], mutations: number) => void;
}

async function readRawBytes(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(connection, "SELECT coalesce(sum(bytes), 0) AS n FROM raw_files");
  return Number(row!["n"]);
}

/** All of them; what `coarse` and `kept` return is there once the store is prepared. */
export function rowHandlers(deps: RowDeps): RowHandlers {
  const { database, coarse, kept, claims, onMutation } = deps;
  const write = async (work: (connection: DuckDBConnection) => Promise<void>): Promise<null> => {
    await database().write(work);
    return null;
  };
  const read = <T>(work: (connection: DuckDBConnection) => Promise<T>, control?: ReadControl) =>
    database().read(ownReadBudgetMs, work, control);
  const metrics = new MetricsKeeper(database);
  return {
    loadTypeSettings: () => read(readTypeSettings),
    putTypeSettings: async (settings) => {
      const { aggregationWindow = null } = settings;
      if (isLake(database().writer) && (aggregationWindow ?? finest) > finest) {
        const detail = `aggregationWindow: expected ${finest} of a store in a lake`;
        throw new RankstreamError("bad_request", `${detail}, got ${aggregationWindow}`);
      }
      coarse().noteSettings(aggregationWindow);
      return database().write((c) => writeTypeSettings(c, settings));
    },
    dropTypeSettings: (name) => write((c) => removeTypeSettings(c, name)),
    loadJobs: () => read(readJobs),
    putJob: (job) => write((c) => writeJob(c, job)),
    claimJob: (id) => claims().claim(id),
    releaseJob: async (id) => {
      await claims().release(id);
      return null;
    },
    dropJob: (id) => write((c) => removeJob(c, id)),
    jobResult: (id) => read((c) => readJobResult(c, id)),
    labels: (query, control) => read((c) => readLabels(c, query), control),
    labelledTypes: () => read(readLabelledTypes),
    putLabels: async (changes) => {
      const touched = touchedByLabels(changes.map(({ eventType }) => eventType));
      const { rows, mutations } = await database().write(async (c) => {
        await kept().dropTouched(c, touched);
        return writeLabels(c, changes);
      });
      onMutation(touched, mutations);
      return rows;
    },
    dropLabels: async (eventType) => {
      const touched = touchedByLabels([eventType]);
      const mutations = await database().write(async (c) => {
        await kept().dropTouched(c, touched);
        return removeLabels(c, eventType);
      });
      onMutation(touched, mutations);
      return null;
    },
    putMetrics: async (part) => {
      await metrics.put(part);
      return null;
    },
    metricsHistory: (query) => read((c) => readMetrics(c, query)),
    typeFigures: () => read(readTypeFigures),
    bytesElsewhere: async () => {
      const bytes = await database().bytesElsewhere();
      return bytes === null ? null : { database: bytes, raw: await read(readRawBytes) };
    },
  };
}
