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

/** What is kept of a region was deleted, in whole or in part, to be copied anew. */
export interface RegionReset {
  /**
   * When that was, in epoch ms, or greater: than the one before, and, but for a clock that is set
   * back, than any that a store had before it was put back to an older state.
   */
  generation: number;
  /** The one before; 0: there was none. */
  after: number;
  /** What is before, in epoch ms, was left as it is. */
  from: number;
}

export interface RegionTotalsAnswer {
  /** By span the cells that have events, rising. */
  cells: RegionCell[][];
  /** Of another region, the last first. */
  resets: RegionReset[];
}

/** What is kept of a region beside its counts. */
export interface KeptRegion {
  region: string;
  /** A text of whoever keeps it; null: none. */
  state: string | null;
  /** The last first; the oldest are left out. */
  resets: RegionReset[];
}

/** Lines of RegionCount in a file, all of one moment; who asked removes it. */
export interface RegionCountsAnswer {
  path: string;
  rows: number;
  /** Of the last time that what is kept of the region was deleted to be copied anew; 0: never. */
  generation: number;
}

/** Ends a question. */
interface Control {
  signal?: AbortSignal | undefined;
}

/** The store's side of regions. */
export interface RegionStore {
  totals(query: RegionTotalsQuery, control?: Control): Promise<RegionTotalsAnswer>;
  counts(query: RegionCountsQuery, control?: Control): Promise<RegionCountsAnswer>;
  /** What was kept of each region by `putState` and `beginGeneration`. */
  states(): Promise<KeptRegion[]>;
  putState(state: { region: string; state: string }): Promise<null>;
  /**
   * What is kept of the region is deleted from a time on (epoch ms): from now on it is another
   * generation.
   */
  beginGeneration(reset: { region: string; from: number }): Promise<RegionReset>;
}
