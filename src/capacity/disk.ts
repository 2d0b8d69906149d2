/** Bytes on disk of one store, and of the log before it. */
import type { Load } from "./load.ts";
import { defaultBounds, measured } from "./measured.ts";

const daySeconds = 86_400;
const hoursADay = 24;
const minutesADay = 1440;
const daysAMonth = 30;
/** Minutes keep their sketches so long, hours so long; days and months always. */
const minuteSketchHours = 48;
const hourSketchDays = 60;
/** Minutes whose counts still wait to be folded into windows, and how often each is written. */
const deltaMinutes = 2;
const checkpointsAMinute = 60;
const deltaRowBytes = 24;
/** Windows of a type have no sketch for fewer items than these beside the list. */
const tailItemsMin = 64;
/** A sketch takes at most so many bytes an event of its window. */
const sketchBytesPerEventMax = 1.5;

export interface StoreDisk {
  rawBytes: number;
  /** Exact counts of minutes, hours, days and months. */
  countBytes: Readonly<Record<"minute" | "hour" | "day" | "month", number>>;
  sketchBytes: number;
  deltaBytes: number;
  /** All of these. */
  storeBytes: number;
  /** With room to merge: what a disk should hold. */
  storeRoomBytes: number;
  /** Files of raw events. */
  rawFiles: number;
}

/** Bytes of a raw event in Parquet. */
export function rawEventBytes({ eventBytes, randomBytes }: Load): number {
  const texts = (eventBytes - randomBytes) * measured.rawBytesFactor.value;
  return texts + randomBytes * measured.rawRandomFactor.value;
}

/** Bytes of one item's count in one window. */
export function countRowBytes({ idBytes, ids }: Load): number {
  const factor = ids === "names" ? measured.nameByteFactor : measured.randomByteFactor;
  return measured.countRowBytes.value + idBytes * factor.value;
}

/** A window's sealed sketches, of all types: of what their lists leave out. */
function sketchesOfWindow(load: Load, items: number, seconds: number): number {
  const { eventTypes } = load;
  const tailItems = Math.max(0, items / eventTypes - defaultBounds.candidatesMax);
  if (tailItems < tailItemsMin) return 0;
  const bytes = Math.min(
    tailItems * measured.sketchBytesPerItem.value,
    measured.sketchBytesMax.value,
    ((load.eventsPerSecond * seconds) / eventTypes) * sketchBytesPerEventMax,
  );
  return bytes * eventTypes;
}

function sketchBytes(load: Load): number {
  const { retentionDays: days } = load;
  const has = { minute: load.aggregationWindow === 60, hour: load.aggregationWindow <= 3600 };
  const minutes = has.minute ? Math.min(days * hoursADay, minuteSketchHours) * 60 : 0;
  const hours = has.hour ? Math.min(days, hourSketchDays) * hoursADay : 0;
  return (
    minutes * sketchesOfWindow(load, load.itemsPerMinute, 60) +
    hours * sketchesOfWindow(load, load.itemsPerHour, 3600) +
    days * sketchesOfWindow(load, load.itemsPerDay, daySeconds) +
    (days / daysAMonth) * sketchesOfWindow(load, load.itemsPerMonth, daysAMonth * daySeconds)
  );
}

/** What a store holds once everything is as old as it is kept. */
export function storeDisk(load: Load): StoreDisk {
  const { retentionDays: days, aggregationWindow, eventsPerSecond } = load;
  const rowBytes = countRowBytes(load);
  const rawBytes = eventsPerSecond * daySeconds * days * rawEventBytes(load);
  const minutes = aggregationWindow === 60 ? days * minutesADay : 0;
  const hours = aggregationWindow <= 3600 ? days * hoursADay : 0;
  const countBytes = {
    minute: minutes * load.itemsPerMinute * rowBytes,
    hour: hours * load.itemsPerHour * rowBytes,
    day: days * load.itemsPerDay * rowBytes,
    month: (days / daysAMonth) * load.itemsPerMonth * rowBytes,
  };
  const deltaRows = Math.min(eventsPerSecond * 60, load.itemsPerMinute * checkpointsAMinute);
  const deltaBytes = deltaMinutes * deltaRows * (deltaRowBytes + load.idBytes);
  const sketches = sketchBytes(load);
  const counts = countBytes.minute + countBytes.hour + countBytes.day + countBytes.month;
  const storeBytes = rawBytes + counts + sketches + deltaBytes;
  return {
    rawBytes,
    countBytes,
    sketchBytes: sketches,
    deltaBytes,
    storeBytes,
    storeRoomBytes: storeBytes * measured.mergeRoomFactor.value,
    rawFiles: Math.ceil(rawBytes / measured.rawFileBytes.value) + days * hoursADay,
  };
}

/** Bytes of an event in the log of a process's own. */
export function logEventBytes({ eventBytes }: Load): number {
  return eventBytes * measured.logBytesFactor.value;
}

/** Bytes in all brokers together, of a log that is kept so long in so many copies. */
export function kafkaDisk(load: Load, copies: number): number {
  const events = load.eventsPerSecond * load.logRetentionHours * 3600;
  return events * load.eventBytes * measured.lz4Factor.value * copies;
}
