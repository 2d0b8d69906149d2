/** What regions say to each other about what they counted. Minutes are since 1970, UTC. */

/** Of the messages below; a region that speaks another one is not followed. */
export const regionFormat = 1;

export const regionLevels = ["minute", "hour", "day"] as const;
export type RegionLevel = (typeof regionLevels)[number];

/** Minutes in a cell of the level. */
export const cellMinutes: Readonly<Record<RegionLevel, number>> = Object.freeze({
  minute: 1,
  hour: 60,
  day: 1440,
});

/** Of a type nothing before this minute, the first of a day, is compared. */
export interface RegionHorizon {
  eventType: string;
  minute: number;
}

/** Cells of one level that begin in `[from, to)`. */
export interface RegionSpan {
  level: RegionLevel;
  from: number;
  to: number;
}

/**
 * Where a cell begins, the sum of its counts over all types, and 1 where its parts of the level
 * below are not all kept.
 */
export type RegionCell = readonly [start: number, total: number, isCoarse: 0 | 1];

/** Asks for the sums of what a region counted itself. */
export interface RegionTotalsRequest {
  spans: RegionSpan[];
  horizons: RegionHorizon[];
}

export interface RegionTotalsReply {
  format: number;
  region: string;
  /** Epoch ms: everything acknowledged before is in these sums. */
  asOf: number;
  /** Minutes before this one are over there: later events of them are late ones. */
  completeThrough: number;
  /** Seconds of the coarsest windows that a type is kept in after its day. */
  coarsestSeconds: number;
  /** Those asked with, and the region's own: they hold for these sums. */
  horizons: RegionHorizon[];
  /** By span asked for; cells without events are left out. */
  cells: RegionCell[][];
}

/** Asks for the counts of cells, by item. */
export interface RegionCountsRequest extends RegionSpan {
  horizons: RegionHorizon[];
  /** So many greatest items of each cell and type; null: all. */
  itemsMax: number | null;
}

/** One line of the reply, by cell, type and id (bytes of UTF-8); the last line is a RegionEnd. */
export type RegionCount = readonly [
  start: number,
  eventType: string,
  eventId: string,
  count: number,
];

/** The last line: nothing is missing before it. */
export interface RegionEnd {
  rows: number;
}

export const regionSpansMax = 8;
export const regionHorizonsMax = 10_000;
/** Cells that may be asked for at once, by item. */
export const regionCellsMax = 1440;
/** More items of a cell and type are not asked for while it is open. */
export const regionItemsMax = 100_000;
