/**
 * The estimate that is usually made: every event kept as JSON, in three copies, for as long as it
 * is kept. For a billion events a day that comes to 700 TB a year, 20 nodes that take events and 5
 * that answer: 1,918 bytes an event, some 640 three times over, which is JSON of one to two
 * kilobytes packed to a half or a third. The same rule is put to any load here.
 */
import { storeDisk } from "./disk.ts";
import type { Load } from "./load.ts";

const secondsADay = 86_400;
export const classicReference = Object.freeze({
  eventsPerDay: 1e9,
  days: 365,
  storedBytes: 700e12,
  copies: 3,
  ingestNodes: 20,
  queryNodes: 5,
});

export interface ClassicEstimate {
  /** JSON as it came, once; and in all copies. */
  jsonBytes: number;
  copiedBytes: number;
  /** By the rule of 1,918 bytes an event, whatever its size. */
  storedBytes: number;
  ingestNodes: number;
  queryNodes: number;
}

/** The usual estimate for this load. */
export function classicEstimate(load: Load): ClassicEstimate {
  const { eventsPerDay, days, storedBytes, copies, ingestNodes, queryNodes } = classicReference;
  const events = load.eventsPerSecond * secondsADay * load.retentionDays;
  const perNode = eventsPerDay / secondsADay / ingestNodes;
  const nodes = Math.max(1, Math.ceil(load.eventsPerSecond / perNode - 1e-3));
  const jsonBytes = events * load.eventBytes;
  return {
    jsonBytes,
    copiedBytes: jsonBytes * copies,
    storedBytes: (events * storedBytes) / (eventsPerDay * days),
    ingestNodes: nodes,
    queryNodes: Math.max(1, Math.ceil((nodes * queryNodes) / ingestNodes)),
  };
}

/** One step of the way from JSON in three copies to what a store holds. */
export interface Reduction {
  what: string;
  /** What is stored after it. */
  bytes: number;
}

/** Each difference to the usual estimate with what remains after it. */
export function reductions(load: Load): Reduction[] {
  const { jsonBytes, copiedBytes } = classicEstimate(load);
  const { rawBytes, storeBytes, storeRoomBytes } = storeDisk(load);
  return [
    { what: "JSON in three copies", bytes: copiedBytes },
    { what: "one copy: the store has no replica", bytes: jsonBytes },
    { what: "columns, dictionaries and zstd instead of JSON", bytes: rawBytes },
    { what: "counts by minute, hour, day and month, and sketches, added", bytes: storeBytes },
    { what: "room to merge, added", bytes: storeRoomBytes },
  ];
}
