/** What is asked of the store about regions, and what it answers. */
import type { RegionCell, RegionHorizon, RegionLevel, RegionSpan } from "../model-region-wire.ts";

/** Whose counts: another region's, as they are kept here; null: this region's own. */
interface Whose {
  region: string | null;
  horizons: readonly RegionHorizon[];
  budgetMs: number;
}

export interface RegionTotalsQuery extends Whose {
  spans: readonly RegionSpan[];
}

export interface RegionCountsQuery extends Whose {
  level: RegionLevel;
  /** Minutes; `to` is exclusive. */
  from: number;
  to: number;
  itemsMax: number | null;
}

/** Lines of RegionCount in a file, all of one moment; who asked removes it. */
export interface RegionCountsAnswer {
  path: string;
  rows: number;
  /** How often what is kept of the region was deleted to be copied anew. */
  generation: number;
}

/** Ends a question. */
interface Control {
  signal?: AbortSignal | undefined;
}

/** The store's side of regions. */
export interface RegionStore {
  /** By span the cells that have events, rising. */
  totals(query: RegionTotalsQuery, control?: Control): Promise<RegionCell[][]>;
  counts(query: RegionCountsQuery, control?: Control): Promise<RegionCountsAnswer>;
  /** What was kept of each region by `putState`; a text of whoever keeps it. */
  states(): Promise<{ region: string; state: string }[]>;
  putState(state: { region: string; state: string }): Promise<null>;
  /** What is kept of the region is deleted: from now on it is another generation. */
  beginGeneration(region: string): Promise<number>;
}
