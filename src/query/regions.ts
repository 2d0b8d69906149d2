/**
 * Questions where there are several regions (model-regions.ts): which event types, as they are
 * kept, one is about, and what its answer says of each region.
 *
 * What other regions counted is here by whole minutes, as events at a minute's start: a range
 * has those minutes of theirs that begin in it. Of users, sessions and metadata only this region
 * knows: where a question is about these, the answer has this region's part alone.
 */
import { RankstreamError } from "../errors.ts";
import {
  isReservedType,
  parseRegionType,
  type RegionStanding,
  type RegionView,
  regionTypeName,
} from "../model-regions.ts";
import { needsRawEvents, type Selection } from "../model-selection.ts";
import type { Touched } from "../store/changes.ts";
import type { EventTypeInfo } from "../store/store.ts";
import type { TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

/** What a checked request says of regions. */
export interface RegionChoice {
  /** Sorted and distinct; absent: all there are. */
  regions?: string[];
}

/** A region's part in an answer. Times are ISO 8601 UTC. */
export interface RegionShare {
  region: string;
  /** Its top items up to here are in; null: nothing of it. */
  asOf: string | null;
  /** Everything that it counted up to here is in; null: nothing of it. */
  completeThrough: string | null;
  /** It is not followed any more: its counts end there. */
  isLost?: true;
}

/** What every answer says of itself, as far as regions go. */
interface Sayings {
  /** ISO 8601. */
  asOf: string;
  partial: boolean;
  certified: boolean;
}

/** An answer with what its regions make of it. */
export type Told<Answer extends Sayings> = Omit<Answer, "partial" | "certified"> &
  Pick<Sayings, "partial" | "certified"> & { regions?: RegionShare[] };

/** A request as far as regions go. */
interface Asked extends RegionChoice {
  range: TimeRange;
  selection?: Selection;
}

export interface RegionsDeps {
  /** Null: there is but this one. */
  view: RegionView | null;
  now?: () => number;
}

function unknownRegion(expected: string, got: string): RankstreamError {
  const detail = `region: expected ${expected}, got ${JSON.stringify(got)}`;
  return new RankstreamError("invalid_parameter", detail, { extensions: { parameter: "region" } });
}

function reservedType(name: string): RankstreamError {
  const expected = "a name that doesn't begin with U+001F, which is for other regions' events";
  const detail = `eventType: expected ${expected}, got ${JSON.stringify(name)}`;
  const extensions = { parameter: "eventType" };
  return new RankstreamError("invalid_parameter", detail, { extensions });
}

/** Whether a region had not told all before `to` (epoch ms), or before the answer was made. */
export function lacksRegions(
  { regions = [], asOf }: { regions?: readonly RegionShare[]; asOf?: string },
  to: number,
): boolean {
  const until = asOf === undefined ? to : Math.min(to, Date.parse(asOf));
  return regions.some(
    ({ completeThrough, isLost }) =>
      isLost !== true && (completeThrough === null || Date.parse(completeThrough) < until),
  );
}

const isoOf = (at: number | null) => (at === null ? null : formatTimestamp(at));

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.min(a, b);
}

function mergedTypes(infos: readonly EventTypeInfo[]): EventTypeInfo[] {
  const merged = new Map<string, EventTypeInfo>();
  for (const info of infos) {
    const name = parseRegionType(info.name).eventType;
    const known = merged.get(name) ?? { ...info, name, total: 0 };
    merged.set(name, {
      ...known,
      total: known.total + info.total,
      firstSeen: Math.min(known.firstSeen, info.firstSeen),
      lastSeen: Math.max(known.lastSeen, info.lastSeen),
    });
  }
  return [...merged.values()];
}

export class Regions {
  readonly #view: RegionView | null;
  readonly #now: () => number;

  constructor({ view, now = Date.now }: RegionsDeps) {
    this.#view = view;
    this.#now = now;
  }

  /** Whether there are others beside this one. */
  get areSeveral(): boolean {
    return this.#view !== null;
  }

  /**
   * The names under which that is kept which a request about `eventTypes` is of. Throws
   * `invalid_parameter` for a region that there is not, and for a name that none may have.
   */
  typesOf(eventTypes: readonly string[], asked: RegionChoice): string[] {
    if (this.#view === null) {
      const [first] = asked.regions ?? [];
      if (first !== undefined) throw unknownRegion("none, for this service has no regions", first);
      return [...eventTypes];
    }
    const reserved = eventTypes.find(isReservedType);
    if (reserved !== undefined) throw reservedType(reserved);
    const { own } = this.#view;
    return this.#named(asked).flatMap((region) =>
      eventTypes.map((name) => (region === own ? name : regionTypeName(region, name))),
    );
  }

  /** Types as users know them: each with what all regions have of it. */
  merge(infos: EventTypeInfo[]): EventTypeInfo[] {
    return this.#view === null ? infos : mergedTypes(infos);
  }

  /** What changed, by types as users know them. */
  mergeTouched(touched: readonly Touched[]): readonly Touched[] {
    const isPlain = !touched.some(({ eventType }) => isReservedType(eventType));
    if (this.#view === null || isPlain) return touched;
    return touched.map((one) => ({ ...one, eventType: parseRegionType(one.eventType).eventType }));
  }

  /** The names under which what other regions counted of `eventType` is kept. */
  replicasOf(eventType: string): string[] {
    const standings = this.#view?.standings() ?? [];
    return standings.map(({ region }) => regionTypeName(region, eventType));
  }

  /**
   * To be asked before the store is: returns what adds its regions to the answer, if there are
   * several. Partial where it lacks a part of them.
   */
  teller(asked: Asked): <Answer extends Sayings>(answer: Answer) => Told<Answer> {
    if (this.#view === null) return (answer) => answer;
    const known = this.#view.standings().map((standing) => ({ ...standing }));
    return (answer) => {
      const certain = known.map((before) => this.#certainOf(before));
      const { regions, isPartial } = this.#sharesOf(asked, certain, answer.asOf);
      if (!isPartial) return { ...answer, regions };
      return { ...answer, regions, partial: true, certified: false };
    };
  }

  /** What was so before the answer, and still is: meanwhile a part may have been deleted. */
  #certainOf(before: RegionStanding): RegionStanding {
    const after = this.#view!.standings().find(({ region }) => region === before.region);
    if (after === undefined) return before;
    const { completeThrough, candidatesAsOf } = before;
    return {
      ...before,
      completeThrough: earlier(completeThrough, after.completeThrough),
      candidatesAsOf: earlier(candidatesAsOf, after.candidatesAsOf),
    };
  }

  /** The regions asked for, this one first. */
  #named({ regions }: RegionChoice): string[] {
    const { own } = this.#view!;
    const all = [own, ...this.#view!.standings().map(({ region }) => region)];
    const other = regions?.find((name) => !all.includes(name));
    if (other !== undefined) throw unknownRegion(`any of ${all.join(", ")}`, other);
    return regions === undefined ? all : all.filter((name) => regions.includes(name));
  }

  #sharesOf(
    asked: Asked,
    known: readonly RegionStanding[],
    asOf: string,
  ): { regions: RegionShare[]; isPartial: boolean } {
    const { own } = this.#view!;
    const named = this.#named(asked);
    const isNarrow = asked.selection !== undefined && needsRawEvents(asked.selection);
    const others = known.filter(({ region }) => named.includes(region));
    const shares: RegionShare[] = isNarrow ? [] : others.map(shareOf);
    const isPartial = isNarrow
      ? others.length > 0
      : others.some((standing) => this.#isBehind(standing, asked.range));
    if (!named.includes(own)) return { regions: shares, isPartial };
    return { regions: [{ region: own, asOf, completeThrough: asOf }, ...shares], isPartial };
  }

  /** Whether so much of the range is not here yet that the answer lacks a part. */
  #isBehind({ completeThrough, isLost }: RegionStanding, range: TimeRange): boolean {
    // Of a region that is lost there will never be more.
    if (isLost || range.effectiveFrom >= range.effectiveTo) return false;
    const due = Math.min(range.effectiveTo, this.#now() - this.#view!.lagMsMax);
    return (completeThrough ?? 0) < due;
  }
}

function shareOf({
  region,
  completeThrough,
  candidatesAsOf,
  isLost,
}: RegionStanding): RegionShare {
  const asOf = Math.max(completeThrough ?? 0, candidatesAsOf ?? 0);
  return {
    region,
    asOf: asOf === 0 ? null : formatTimestamp(asOf),
    completeThrough: isoOf(completeThrough),
    ...(isLost && { isLost: true as const }),
  };
}
