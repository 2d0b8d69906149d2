/** Questions about regions as the main thread asks them. */
import type { AskStore } from "./protocol.ts";
import type { RegionCountsQuery, RegionStore, RegionTotalsQuery } from "./region-questions.ts";
import type { ReadControl } from "./store.ts";

export class RegionCalls implements RegionStore {
  readonly #ask: AskStore;

  constructor(ask: AskStore) {
    this.#ask = ask;
  }

  totals(query: RegionTotalsQuery, control?: ReadControl) {
    return this.#ask("regionTotals", query, control);
  }

  counts(query: RegionCountsQuery, control?: ReadControl) {
    return this.#ask("regionCounts", query, control);
  }

  states() {
    return this.#ask("regionStates", null);
  }

  putState(state: { region: string; state: string }) {
    return this.#ask("putRegionState", state);
  }

  beginGeneration(reset: { region: string; from: number }) {
    return this.#ask("beginRegionGeneration", reset);
  }
}
