/** A load on a lake: processes, what is stored, traffic, money, what breaks first and when. */
import { fleetsOf, type GrowthFleet } from "./growth-fleet.ts";
import type { GrowthInputs } from "./growth-inputs.ts";
import { type GrowthLimit, growthLimits } from "./growth-limits.ts";
import { secondsADay } from "./growth-rows.ts";
import type { GrowthStore } from "./growth-store.ts";
import type { Load } from "./load.ts";
import { measured } from "./measured.ts";
import { kafkaCopies } from "./steps.ts";

const hoursAMonth = 730;
const daysAMonth = hoursAMonth / 24;
const GB = 1e9;
/** A board of ten rows, as JSON with its headers. */
const replyBytes = 2048;
/** Copies, producers and consumers whose other end is in another of three zones: 2/3 of them. */
const otherZoneShare = 2 / 3;
/** A limit is looked for up to 2^octaves times this load, and down to as small a part of it. */
const octaves = 10;

export interface GrowthTraffic {
  /** At the peak, bytes/s: events in, replies out, through Kafka, to and from objects. */
  inBytesPerSecond: number;
  outBytesPerSecond: number;
  logBytesPerSecond: number;
  objectBytesPerSecond: number;
}

export interface GrowthCost {
  cores: number;
  disks: number;
  objects: number;
  requests: number;
  backups: number;
  zones: number;
  out: number;
  all: number;
}

/** A limit with the size at which it is reached. */
export interface GrowthBreak extends GrowthLimit {
  /** Events a day, everything else in proportion; null: not within a thousand times. */
  eventsPerDayMax: number | null;
}

export interface GrowthPlan {
  load: Load;
  eventsPerDay: number;
  fleets: GrowthFleet[];
  processes: number;
  cores: number;
  diskBytes: number;
  partitions: number;
  store: GrowthStore;
  traffic: GrowthTraffic;
  cost: GrowthCost;
  /** The one that is nearest in front. */
  limits: GrowthLimit[];
}

/** The same load so many times as large: events, peak, items and questions. */
export function scaledLoad(load: Load, factor: number): Load {
  return {
    ...load,
    eventsPerSecond: load.eventsPerSecond * factor,
    eventsPerSecondPeak: load.eventsPerSecondPeak * factor,
    items: Math.max(1, Math.round(load.items * factor)),
    queriesPerSecond: load.queriesPerSecond * factor,
  };
}

function trafficOf(load: Load, store: GrowthStore): GrowthTraffic {
  const peak = load.eventsPerSecondPeak / load.eventsPerSecond;
  const events = load.eventsPerSecondPeak * load.eventBytes;
  // To the leader, from it to the other copies, and to who counts.
  const hops = 1 + (kafkaCopies - 1) + 1;
  const { bytes, readBytes } = store.perDay;
  return {
    inBytesPerSecond: events,
    outBytesPerSecond: load.queriesPerSecond * replyBytes,
    logBytesPerSecond: events * measured.lz4Factor.value * hops,
    objectBytesPerSecond: ((bytes + readBytes) / secondsADay) * peak,
  };
}

interface Parts {
  cores: number;
  diskBytes: number;
  store: GrowthStore;
}

function costOf(load: Load, inputs: GrowthInputs, { cores, diskBytes, store }: Parts): GrowthCost {
  const { bytes, perDay, objectBytes } = store;
  const secondsAMonth = hoursAMonth * 3600;
  const made = load.queriesPerSecond * (1 - load.keptShare) * secondsAMonth;
  const average = load.eventsPerSecond / load.eventsPerSecondPeak;
  const gets = made * inputs.objectReadsPerAnswer + perDay.objects * daysAMonth * 2;
  const logGb = (load.eventsPerSecond * load.eventBytes * measured.lz4Factor.value) / GB;
  const zoneGb = logGb * secondsAMonth * (kafkaCopies - 1 + 2 * otherZoneShare);
  const outGb = (load.queriesPerSecond * average * replyBytes * secondsAMonth) / GB;
  const cost = {
    cores: cores * hoursAMonth * inputs.pricePerCoreHour,
    disks: (diskBytes / GB) * inputs.pricePerDiskGbMonth,
    objects: (objectBytes / GB) * inputs.pricePerObjectGbMonth,
    requests:
      ((perDay.requests * daysAMonth) / 1000) * inputs.pricePerThousandPuts +
      (gets / 1000) * inputs.pricePerThousandGets,
    backups: (bytes.backups / GB) * inputs.pricePerBackupGbMonth,
    zones: zoneGb * inputs.pricePerZoneGb,
    out: outGb * inputs.pricePerOutGb,
  };
  return { ...cost, all: Object.values(cost).reduce((sum, one) => sum + one, 0) };
}

/** How many times as large a load may be, by what: null where it is not reached. */
function breaksAt(load: Load, inputs: GrowthInputs): Map<string, number | null> {
  const sharesAt = (octave: number) =>
    new Map(
      growthLimits(scaledLoad(load, 2 ** octave), inputs).map(({ what, share }) => [what, share]),
    );
  const found = new Map<string, number | null>();
  let before = sharesAt(-octaves);
  for (const [what, share] of before) found.set(what, share >= 1 ? 2 ** -octaves : null);
  for (let octave = 1 - octaves; octave <= octaves; octave++) {
    const after = sharesAt(octave);
    for (const [what, share] of after) {
      if (share < 1 || found.get(what) !== null) continue;
      // Between the two, in proportion of their logarithms.
      const last = Math.log(before.get(what)!);
      const part = -last / (Math.log(share) - last);
      found.set(what, 2 ** (octave - 1 + part));
    }
    before = after;
  }
  return found;
}

/** The limits with the sizes at which they are reached, the first of them in front. */
export function growthBreaks(load: Load, inputs: GrowthInputs): GrowthBreak[] {
  const eventsPerDay = load.eventsPerSecond * secondsADay;
  const factors = breaksAt(load, inputs);
  const size = ({ eventsPerDayMax }: GrowthBreak) => eventsPerDayMax ?? Number.POSITIVE_INFINITY;
  return growthLimits(load, inputs)
    .map((limit) => {
      const factor = factors.get(limit.what) ?? null;
      return { ...limit, eventsPerDayMax: factor === null ? null : factor * eventsPerDay };
    })
    .sort((a, b) => size(a) - size(b));
}

/** Everything that a load comes to, from its fields and the inputs alone. */
export function growthPlan(load: Load, inputs: GrowthInputs): GrowthPlan {
  const { all: fleets, store, partitions } = fleetsOf(load, inputs);
  const sum = (of: (fleet: GrowthFleet) => number) =>
    fleets.reduce((total, fleet) => total + fleet.processes * of(fleet), 0);
  const [processes, cores] = [sum(() => 1), sum((fleet) => fleet.cores)];
  const diskBytes = sum((fleet) => fleet.diskBytes);
  const eventsPerDay = load.eventsPerSecond * secondsADay;
  return {
    load,
    eventsPerDay,
    fleets,
    processes,
    cores,
    diskBytes,
    partitions,
    store,
    traffic: trafficOf(load, store),
    cost: costOf(load, inputs, { cores, diskBytes, store }),
    limits: growthLimits(load, inputs),
  };
}
