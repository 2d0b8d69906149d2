/** What regions say to each other about what they counted. Minutes are since 1970, UTC. */
import { eventBounds, foreverMs, minuteMs } from "./model.ts";

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

/** No minute is later. */
export const minuteMax = foreverMs / minuteMs;

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

/** Whether it may be the name of an event type, as its own region knows it. */
export function isRegionTypeName(value: unknown): value is string {
  if (typeof value !== "string" || value.includes("\0")) return false;
  const bytes = new TextEncoder().encode(value).length;
  return bytes > 0 && bytes <= eventBounds.eventTypeBytesMax;
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isHorizon(value: unknown): value is RegionHorizon {
  if (typeof value !== "object" || value === null) return false;
  const { eventType, minute } = value as Partial<Record<keyof RegionHorizon, unknown>>;
  return isRegionTypeName(eventType) && isWhole(minute, minuteMax);
}

function isCell(value: unknown, { from, to }: RegionSpan): value is RegionCell {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [start, total, isCoarse] = value as unknown[];
  const isIn = isWhole(start, minuteMax) && start >= from && start < to;
  return isIn && isWhole(total, Number.MAX_SAFE_INTEGER) && (isCoarse === 0 || isCoarse === 1);
}

/**
 * Whether what a region replied may be used: it comes from another machine, and goes into SQL and
 * into answers. Its name and format are another matter.
 */
export function isTotalsReply(
  value: unknown,
  asked: RegionTotalsRequest,
): value is RegionTotalsReply {
  if (typeof value !== "object" || value === null) return false;
  const { asOf, completeThrough, coarsestSeconds, cells, horizons } = value as Partial<
    Record<keyof RegionTotalsReply, unknown>
  >;
  if (!isWhole(asOf, foreverMs) || !isWhole(completeThrough, minuteMax)) return false;
  if (!isWhole(coarsestSeconds, foreverMs / 1000)) return false;
  if (!Array.isArray(horizons) || horizons.length > 2 * regionHorizonsMax) return false;
  if (!horizons.every(isHorizon)) return false;
  if (!Array.isArray(cells) || cells.length !== asked.spans.length) return false;
  return asked.spans.every((span, i) => {
    const own: unknown = cells[i];
    return Array.isArray(own) && own.every((cell) => isCell(cell, span));
  });
}
