/** Exports of everything acknowledged before, as streams (store/exports.ts). */
import { createReadStream } from "node:fs";
import { unlink } from "node:fs/promises";
import { Readable } from "node:stream";
import { RankstreamError } from "../errors.ts";
import type { CountStep, ExportFormat } from "../model-export.ts";
import type { ExportQuery } from "../store/export-sql.ts";
import type { OpenedExport } from "../store/exports.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import type { Regions } from "./regions.ts";
import type { Registry } from "./registry.ts";
import type { TimeRange } from "./time-range.ts";

export interface ExportDeps {
  store: Pick<Store, "openExport" | "exportSlice" | "closeExport">;
  freshness: FreshnessDeps;
  registry: Pick<Registry, "expiring" | "horizonOf">;
  /** Exports are of this region's events: of others' only counts are here. */
  regions: Pick<Regions, "areSeveral">;
  /** Open at once; further ones are refused. */
  exportsMax?: number;
  /** A client that takes nothing for so long is given up. */
  stallMsMax?: number;
}

export interface ExportRequest {
  /** Null: all there are. */
  eventTypes: string[] | null;
  range: TimeRange;
  format: ExportFormat;
  counts?: CountStep | undefined;
  selection?: ExportQuery["selection"];
}

export interface ExportStream {
  /** How many events it holds; null where they are summed up. */
  events: number | null;
  /** Bytes; destroyed with an error where it can't be told to the end. */
  body: Readable;
}

/** Counts how long a client takes nothing; beyond the bound it is given up. */
interface ClientWait {
  await(): void;
  stopWaiting(): void;
}

export const exportBounds = Object.freeze({ exportsMax: 2, stallMsMax: 300_000 });
/** How long it waits for what was acknowledged before: a large import may still be counted. */
const barrierMsMax = 600_000;
const chunkBytes = 256 * 1024;
const retryAfterSeconds = 30;

export class ExportDesk {
  readonly #deps: ExportDeps;
  #open = 0;

  constructor(deps: ExportDeps) {
    this.#deps = deps;
  }

  /**
   * Opens one. Throws `too_many_exports`, as the store's, and `query_timeout` where what came is
   * not counted. `signal` ends it, also while its bytes are taken.
   */
  async open(request: ExportRequest, control: AskControl = {}): Promise<ExportStream> {
    const { exportsMax = exportBounds.exportsMax, store } = this.#deps;
    if (this.#open >= exportsMax) {
      const detail = `${exportsMax} exports are under way`;
      throw new RankstreamError("too_many_exports", detail, { retryAfterSeconds });
    }
    this.#open++;
    try {
      const { signal } = control;
      await passBarrier(this.#deps.freshness, { signal, budgetMs: barrierMsMax });
      const opened = await store.openExport(this.#queryOf(request), { signal });
      return { events: opened.rows, body: this.#stream(opened, signal) };
    } catch (error) {
      this.#open--;
      throw error;
    }
  }

  #queryOf({ range, ...request }: ExportRequest): ExportQuery {
    const { registry, regions } = this.#deps;
    const names = request.eventTypes ?? registry.expiring();
    const horizons = names
      .map((eventType) => ({ eventType, from: registry.horizonOf(eventType) }))
      .filter(({ from }) => from > range.effectiveFrom);
    const ends = { from: range.effectiveFrom, to: range.effectiveTo };
    return { ...request, ...ends, horizons, ...(regions.areSeveral && { isOwnOnly: true }) };
  }

  #stream(opened: OpenedExport, signal: AbortSignal | undefined): Readable {
    const { stallMsMax = exportBounds.stallMsMax, store } = this.#deps;
    const gone = new AbortController();
    const signals = [gone.signal, ...(signal === undefined ? [] : [signal])];
    let stalled: NodeJS.Timeout | undefined;
    const stopWaiting = () => clearTimeout(stalled);
    const awaitClient = () => {
      stopWaiting();
      stalled = setTimeout(() => {
        body.destroy(new Error(`nobody took anything of an export for ${stallMsMax} ms`));
      }, stallMsMax).unref();
    };
    const client = { await: awaitClient, stopWaiting };
    const body = Readable.from(this.#bytes(opened, AbortSignal.any(signals), client), {
      objectMode: false,
      highWaterMark: chunkBytes,
    });
    awaitClient();
    body.once("close", () => {
      stopWaiting();
      gone.abort();
      this.#open--;
      // Of a store that has ended nothing is left to be closed.
      store.closeExport(opened.id).catch(() => undefined);
    });
    return body;
  }

  /**
   * The slices' bytes; the next slice is made while one is sent. The client is waited for but
   * while a slice is made or read: that may take long, and is not its doing.
   */
  async *#bytes({ id, slices }: OpenedExport, signal: AbortSignal, client: ClientWait) {
    const make = (index: number) => {
      const made = this.#deps.store.exportSlice({ id, index }, { signal });
      // Awaited below, if it comes to that.
      made.catch(() => undefined);
      return made;
    };
    let next = make(0);
    for (let index = 0; index < slices; index++) {
      client.stopWaiting();
      const path = await next;
      if (index + 1 < slices) next = make(index + 1);
      for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes, signal })) {
        client.await();
        yield chunk as Buffer;
        client.stopWaiting();
      }
      await unlink(path);
    }
  }
}
