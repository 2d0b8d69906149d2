/**
 * What this region tells others: what it counted itself, never what it keeps of others. Sums of
 * cells first, so that who has them all learns so at little cost; then, of those that differ,
 * counts by item.
 */
import { unlink } from "node:fs/promises";
import { Readable } from "node:stream";
import { minuteMs } from "../model.ts";
import {
  cellMinutes,
  type RegionCountsRequest,
  type RegionHorizon,
  type RegionTotalsReply,
  type RegionTotalsRequest,
  regionFormat,
} from "../model-region-wire.ts";
import { isReservedType } from "../model-regions.ts";
import type { AskControl } from "../query/ask.ts";
import { type FreshnessDeps, passBarrier } from "../query/freshness.ts";
import type { Store } from "../store/store.ts";
import type { TypeSettings } from "../store/type-settings.ts";
import { fileBytes } from "./count-lines.ts";

export interface RegionSourceDeps {
  region: string;
  store: Pick<Store, "regions" | "loadTypeSettings">;
  freshness: FreshnessDeps;
  now?: () => number;
}

/** Events of a minute that come up to so long after its end are not late. */
const graceMs = 10_000;
const readMsMax = 30_000;
const finestSeconds = 60;
const dayMinutes = cellMinutes.day;
const dayMs = dayMinutes * minuteMs;

/** From which day on events of a type are surely all kept; null: of all times. */
function horizonOf(settings: TypeSettings, now: number): RegionHorizon | null {
  const { name: eventType, retentionDays, expiredThrough } = settings;
  const kept = retentionDays === null ? 0 : now - retentionDays * dayMs;
  const through = Math.max(kept, expiredThrough ?? 0);
  if (through <= 0) return null;
  // Both sides have until the end of the day after to delete what expires.
  return { eventType, minute: (Math.ceil(through / dayMs) + 1) * dayMinutes };
}

/** Where retention cuts this region's own types off. */
export function horizonsOf(settings: readonly TypeSettings[], now: number): RegionHorizon[] {
  return settings
    .filter(({ name }) => !isReservedType(name))
    .map((one) => horizonOf(one, now))
    .filter((one) => one !== null);
}

/** Of each type the later of the horizons given. */
export function latestHorizons(...lists: readonly RegionHorizon[][]): RegionHorizon[] {
  const latest = new Map<string, number>();
  for (const { eventType, minute } of lists.flat()) {
    latest.set(eventType, Math.max(minute, latest.get(eventType) ?? 0));
  }
  return [...latest].map(([eventType, minute]) => ({ eventType, minute }));
}

export class RegionSource {
  readonly #deps: RegionSourceDeps;

  constructor(deps: RegionSourceDeps) {
    this.#deps = deps;
  }

  /**
   * The sums asked for, of everything acknowledged before. Throws as exact answers do:
   * `query_timeout` where that is not counted in time, `log_unavailable`.
   */
  async totals(
    { spans, horizons: given }: RegionTotalsRequest,
    control: AskControl = {},
  ): Promise<RegionTotalsReply> {
    const { region, store, freshness } = this.#deps;
    const { asOf } = await passBarrier(freshness, control);
    const settings = await store.loadTypeSettings();
    const horizons = latestHorizons(given, horizonsOf(settings, asOf));
    const windows = settings.map(({ aggregationWindow }) => aggregationWindow ?? finestSeconds);
    const query = { region: null, spans, horizons, budgetMs: readMsMax };
    const { cells } = await store.regions.totals(query, { signal: control.signal });
    return {
      format: regionFormat,
      region,
      asOf,
      completeThrough: Math.floor((asOf - graceMs) / minuteMs),
      coarsestSeconds: Math.max(finestSeconds, ...windows),
      horizons,
      cells,
    };
  }

  /**
   * Lines of the counts asked for, of one moment, not before the sums that were told last; the
   * last line says how many there were. Destroyed with an error where they can't all be told.
   */
  async counts(request: RegionCountsRequest, control: AskControl = {}): Promise<Readable> {
    const { store } = this.#deps;
    const query = { ...request, region: null, budgetMs: readMsMax };
    const { signal } = control;
    const { path, rows } = await store.regions.counts(query, { signal });
    const lines = Readable.from(ended(path, rows, signal), { objectMode: false });
    // Also where nobody has begun to read it.
    lines.once("close", () => void unlink(path).catch(() => undefined));
    const hangUp = () => lines.destroy();
    signal?.addEventListener("abort", hangUp, { once: true });
    if (signal?.aborted === true) hangUp();
    return lines;
  }
}

async function* ended(path: string, rows: number, signal: AbortSignal | undefined) {
  yield* fileBytes(path, signal);
  yield `${JSON.stringify({ rows })}\n`;
}
