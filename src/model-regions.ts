/**
 * Several regions, each with a log and a store of its own. What another region counted is kept
 * here as counts of an event type of its own, whose name says of which region it is:
 *
 *     U+001F region U+001F event type
 *
 * Everything that knows event types (windows, lists, bounds, exact counts) then serves other
 * regions as it does this one. Users never meet these names: where there are regions, an event
 * type that begins with U+001F is refused, and a question of an event type is one of it in all
 * regions.
 */

import { eventBounds } from "./model.ts";

const mark = "\u001f";

/** Bytes of a region's name; it is of a to z, 0 to 9 and inner hyphens. */
export const regionBytesMax = 16;
/** Other regions that one follows. */
export const regionPeersMax = 15;
/** Bytes that a region's name and marks add to an event type's name. */
export const regionTypeBytesMore = regionBytesMax + 2;
/** Bytes of the longest name that is kept. */
export const keptTypeBytesMax = eventBounds.eventTypeBytesMax + regionTypeBytesMore;

const regionPattern = /^[a-z0-9](?:[a-z0-9-]{0,14}[a-z0-9])?$/;

/** Whether `text` may name a region. */
export function isRegionName(text: string): boolean {
  return regionPattern.test(text);
}

/** The name under which another region's counts of `eventType` are kept. */
export function regionTypeName(region: string, eventType: string): string {
  return `${mark}${region}${mark}${eventType}`;
}

/** Of which region a kept name is, null: of this one; and the event type as users know it. */
export interface RegionType {
  region: string | null;
  eventType: string;
}

/** Takes apart what `regionTypeName` made; any other name is of this region. */
export function parseRegionType(name: string): RegionType {
  const end = name.startsWith(mark) ? name.indexOf(mark, 1) : -1;
  const region = end < 0 ? null : name.slice(1, end);
  if (region === null || !isRegionName(region)) return { region: null, eventType: name };
  return { region, eventType: name.slice(end + 1) };
}

/** Whether users may not send or ask for this name where there are regions. */
export function isReservedType(name: string): boolean {
  return name.startsWith(mark);
}

/** How fresh another region's counts are here. Times are epoch ms. */
export interface RegionStanding {
  region: string;
  /** All that it counted of minutes before this is in; null: nothing was heard of it yet. */
  completeThrough: number | null;
  /** Of later minutes at least its top items are in, as of this time; null: none. */
  candidatesAsOf: number | null;
  /** When it last answered; null: never. */
  heardAt: number | null;
  /** It is not asked any more: its counts stay as they are. */
  isLost: boolean;
  /** Minutes in which it has fewer events than are kept of it here: a delete, or another past. */
  minutesAhead: number;
}

/** What the query side needs to know of regions. */
export interface RegionView {
  /** The name of this region. */
  readonly own: string;
  /** Every other one, by name. */
  standings(): readonly RegionStanding[];
  /** An answer is partial without a region that lags further behind than this, in ms. */
  readonly lagMsMax: number;
}
