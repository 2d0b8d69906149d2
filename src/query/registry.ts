/** What is known of event types beside their counts: descriptions, and how long events stay. */
import { RankstreamError } from "../errors.ts";
import { minuteMs } from "../model.ts";
import { SerialQueue } from "../serial-queue.ts";
import type { EventTypeInfo, Store } from "../store/store.ts";
import {
  noTypeSettings,
  type TypeSettings,
  type TypeSettingsChange,
} from "../store/type-settings.ts";
import type { TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

export const dayMs = 86_400_000;
const followAgainMs = 5000;

export interface RegistryDeps {
  store: Pick<
    Store,
    "loadTypeSettings" | "putTypeSettings" | "dropTypeSettings" | "eventTypes"
  > & {
    shares: Pick<Store["shares"], "onRows">;
  };
  /** Told of a failure to read what others have set; it is tried again. */
  onFailure: (error: unknown) => void;
  /**
   * Told of what is kept now, of each type at the start and of one before it changes; returns
   * false when there is no room for the type.
   */
  onChange: (name: string, retentionMs: number | null, floor: number | null) => boolean;
  /** Event types that there may be settings of. */
  typesMax: number;
  now?: () => number;
}

/** What a user sets; what is absent stays as it is. */
export interface TypeChange {
  description?: string | null;
  retentionDays?: number | null;
  /** Seconds, one of `aggregationWindows`. */
  aggregationWindow?: number;
}

/** A type as GET /event-types tells of it. Times are ISO 8601 UTC. */
export interface TypeView {
  name: string;
  total: number;
  firstSeen: string | null;
  lastSeen: string | null;
  description: string | null;
  retentionDays: number | null;
  /** Seconds: the finest window that is kept. */
  aggregationWindow: number;
}

/** Seconds of the finest windows that may be kept: minutes (the default), hours, days. */
export const aggregationWindows: readonly number[] = Object.freeze([60, 3600, 86_400]);

export class Registry {
  readonly #deps: RegistryDeps;
  readonly #now: () => number;
  readonly #settings = new Map<string, TypeSettings>();
  /** Changes come one after another, each kept before the next. */
  readonly #changes = new SerialQueue();

  private constructor(deps: RegistryDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
  }

  static async open(deps: RegistryDeps): Promise<Registry> {
    const registry = new Registry(deps);
    deps.store.shares.onRows((table) => {
      if (table === "type_settings") registry.#follow();
    });
    await registry.#changes.run(() => registry.#load());
    return registry;
  }

  /** Once more, where others change settings as well. */
  #follow(): void {
    this.#changes
      .run(() => this.#load())
      .catch((error) => {
        this.#deps.onFailure(error);
        setTimeout(() => this.#follow(), followAgainMs).unref();
      });
  }

  async #load(): Promise<void> {
    const gone = new Set(this.#settings.keys());
    for (const settings of await this.#deps.store.loadTypeSettings()) {
      gone.delete(settings.name);
      this.#settings.set(settings.name, settings);
      this.#tell(settings);
    }
    for (const name of gone) this.#forget(name);
  }

  #forget(name: string): void {
    this.#settings.delete(name);
    this.#deps.onChange(name, null, null);
  }

  /** Every type that has events or settings, by name. */
  async list(): Promise<TypeView[]> {
    const infos = new Map((await this.#deps.store.eventTypes()).map((info) => [info.name, info]));
    const names = [...new Set([...infos.keys(), ...this.#settings.keys()])].sort();
    return names.map((name) => viewOf(name, infos.get(name), this.#settings.get(name)));
  }

  /** One type. Throws `event_type_not_found`. */
  async get(name: string): Promise<TypeView> {
    const found = (await this.list()).find((view) => view.name === name);
    if (found !== undefined) return found;
    const detail = `there is no event type ${JSON.stringify(name)}`;
    throw new RankstreamError("event_type_not_found", detail);
  }

  /** Sets what `change` has; resolves once it is kept. Throws `too_many_event_types`. */
  async put(name: string, change: TypeChange): Promise<TypeView> {
    await this.#update({ name, ...change });
    return this.get(name);
  }

  /** Notes that everything of a type before `through` (epoch ms) has expired. */
  async noteExpired(name: string, through: number): Promise<void> {
    const known = this.#settings.get(name)?.expiredThrough ?? 0;
    await this.#update({ name, expiredThrough: Math.max(through, known) });
  }

  /** Forgets a type that was deleted. */
  async remove(name: string): Promise<void> {
    await this.#changes.run(async () => {
      if (!this.#settings.has(name)) return;
      await this.#deps.store.dropTypeSettings(name);
      this.#forget(name);
    });
  }

  /** Names of the types of which events expire. */
  expiring(): string[] {
    return [...this.#settings.values()]
      .filter(({ retentionDays }) => retentionDays !== null)
      .map(({ name }) => name);
  }

  /**
   * From when on events of a type are there, epoch ms, 0 for ever: now less its retention, on a
   * whole minute, and never before what has expired once.
   */
  horizonOf(name: string): number {
    const settings = this.#settings.get(name);
    if (settings === undefined) return 0;
    const now = this.#now();
    const { retentionDays, expiredThrough } = settings;
    const kept = retentionDays === null ? 0 : now - (now % minuteMs) - retentionDays * dayMs;
    return Math.max(0, kept, expiredThrough ?? 0);
  }

  /**
   * The range without what has expired of any of these types: of several the latest horizon
   * holds for all, so that their counts are of one and the same time.
   */
  clip(eventTypes: readonly string[], range: TimeRange): TimeRange {
    const horizon = Math.max(...eventTypes.map((name) => this.horizonOf(name)));
    if (horizon <= range.effectiveFrom) return range;
    return { ...range, effectiveFrom: Math.min(horizon, range.effectiveTo) };
  }

  #update(change: TypeSettingsChange): Promise<void> {
    const { name } = change;
    return this.#changes.run(async () => {
      const known = this.#settings.get(name) ?? { name, ...noTypeSettings };
      const settings = { ...known, ...change };
      const isFull = this.#settings.size >= this.#deps.typesMax && !this.#settings.has(name);
      // What is too old from now on is refused before it is cleared away.
      if (isFull || !this.#tell(settings)) {
        const detail = `expected at most ${this.#deps.typesMax} event types, got another`;
        throw new RankstreamError("too_many_event_types", detail);
      }
      try {
        const kept = await this.#deps.store.putTypeSettings(change);
        this.#settings.set(name, kept);
        // Others may have set the rest of it.
        this.#tell(kept);
      } catch (error) {
        this.#tell(known);
        throw error;
      }
    });
  }

  #tell({ name, retentionDays, expiredThrough }: TypeSettings): boolean {
    const retentionMs = retentionDays === null ? null : retentionDays * dayMs;
    return this.#deps.onChange(name, retentionMs, expiredThrough);
  }
}

function viewOf(
  name: string,
  info: EventTypeInfo | undefined,
  settings: TypeSettings | undefined,
): TypeView {
  return {
    name,
    total: info?.total ?? 0,
    firstSeen: info === undefined ? null : formatTimestamp(info.firstSeen),
    lastSeen: info === undefined ? null : formatTimestamp(info.lastSeen),
    description: settings?.description ?? null,
    retentionDays: settings?.retentionDays ?? null,
    aggregationWindow: settings?.aggregationWindow ?? aggregationWindows[0]!,
  };
}
