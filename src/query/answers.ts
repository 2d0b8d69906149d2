/** Everything that answers questions and changes what they are about, put together. */
import type { Store } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import type { AskControl } from "./ask.ts";
import { type DeleteRequest, deleteEvents } from "./deletes.ts";
import { QueryEngine } from "./engine.ts";
import { Expiry } from "./expiry.ts";
import type { FreshnessDeps } from "./freshness.ts";
import { Jobs, type JobsOptions } from "./jobs.ts";
import type { Asker } from "./questions.ts";
import { Registry, type RegistryDeps, type TypeChange } from "./registry.ts";

export interface AnswersDeps extends JobsOptions {
  store: Store;
  freshness: FreshnessDeps;
  /** Told how long events of a type are kept, whenever that changes. */
  onRetention: RegistryDeps["onChange"];
  /** Items listed a window. */
  candidatesMax: number;
  eventTypesMax: number;
  logger: Logger;
}

/** How often it is looked for events that have expired. */
const expiryIntervalMs = 60_000;

export class Answers {
  readonly query: Asker;
  readonly jobs: Jobs;
  readonly #deps: AnswersDeps;
  readonly #registry: Registry;
  readonly #expiry: Expiry;

  private constructor(deps: AnswersDeps, registry: Registry, query: Asker, jobs: Jobs) {
    this.#deps = deps;
    this.#registry = registry;
    this.query = query;
    this.jobs = jobs;
    const deleteBefore = (eventType: string, to: number, signal: AbortSignal) =>
      this.#delete(
        { eventType, eventId: null, range: { from: 0, to }, isDryRun: false },
        { signal },
      );
    const { store, logger } = deps;
    const eventTypes = () => store.eventTypes();
    this.#expiry = new Expiry({ registry, eventTypes, deleteBefore, logger }, expiryIntervalMs);
  }

  static async open(deps: AnswersDeps): Promise<Answers> {
    const { store, freshness, candidatesMax, eventTypesMax: typesMax, logger } = deps;
    const registry = await Registry.open({ store, onChange: deps.onRetention, typesMax });
    const clip: Registry["clip"] = (eventTypes, range) => registry.clip(eventTypes, range);
    const query = new QueryEngine({ ...freshness, store, clip, candidatesMax });
    const jobs = await Jobs.open({ asker: query, store, logger }, deps);
    return new Answers(deps, registry, query, jobs);
  }

  /** What is known of event types, and set. */
  readonly eventTypes = {
    list: () => this.#registry.list(),
    get: (name: string) => this.#registry.get(name),
    put: async (name: string, change: TypeChange) => {
      const view = await this.#registry.put(name, change);
      void this.#expiry.run();
      return view;
    },
  };

  /** Deletes events (deletes.ts); of a whole type also what was set of it. */
  async deleteEvents(request: DeleteRequest, control?: AskControl): Promise<object> {
    const reply = await this.#delete(request, control);
    const { eventType, eventId, range, isDryRun } = request;
    if (!isDryRun && eventId === null && range === null) await this.#registry.remove(eventType);
    return reply;
  }

  async close(): Promise<void> {
    await Promise.all([this.#expiry.stop(), this.jobs.stop()]);
  }

  async #delete(request: DeleteRequest, control?: AskControl): Promise<object> {
    const { store, freshness } = this.#deps;
    const reply = await deleteEvents({ store, freshness }, request, control);
    if (!request.isDryRun) await this.jobs.dropResults(request.eventType);
    return reply;
  }
}
