/**
 * What items are called: set, and shown on whatever answers speak of items. Labels are attached
 * below the caches, and a change of one is a change of its type's data: so kept answers, entity
 * tags and far caches are right about them without knowing of them.
 */
import { LRUCache } from "lru-cache";
import type { ItemLabel, LabelChange, LabelledItem } from "../model-labels.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { type Asker, eventTypesOf, type QuestionKind, type Questions } from "./questions.ts";

export interface LabelsDeps {
  store: Pick<Store, "labels" | "labelledTypes" | "putLabels" | "dropLabels"> & {
    shares: Pick<Store["shares"], "onRows">;
  };
}

/** What is kept in memory of labels; what is not is read from the store. */
const keptMax = 100_000;
const keptCharsMax = 16 * 1024 * 1024;
/** An entry's own weight, beside its texts. */
const entryChars = 100;
/** Changes of one transaction: between two of them events are committed. */
const changesPerWriteMax = 1000;

/** A label as rows show it: only what there is of it. */
type Shown = Partial<Record<keyof ItemLabel, string>>;

interface Row {
  eventId: string;
}

/** Wherever an answer has rows of items. */
interface Listing {
  eventId?: string;
  results?: Row[];
  dropped?: Row[];
  items?: Row[];
  neighbours?: { above: Row[]; below: Row[] };
}

const nothing: Shown = Object.freeze({});

function shownOf({ label, url, imageUrl }: ItemLabel): Shown {
  return {
    ...(label !== null && { label }),
    ...(url !== null && { url }),
    ...(imageUrl !== null && { imageUrl }),
  };
}

function charsOf(shown: Shown, key: string): number {
  const texts = Object.values(shown).reduce((sum, text) => sum + text.length, 0);
  return entryChars + key.length + texts;
}

function keyOf(eventType: string, eventId: string): string {
  return `${eventType}\0${eventId}`;
}

function idsIn({ eventId, results, dropped, items, neighbours }: Listing): string[] {
  const lists = [results, dropped, items, neighbours?.above, neighbours?.below];
  const ids = lists.flatMap((rows) => (rows ?? []).map((row) => row.eventId));
  return [...new Set(eventId === undefined ? ids : [eventId, ...ids])];
}

/** The answer with labels on its rows; the answer given stays as it is. */
function labelled(answer: Listing, labels: ReadonlyMap<string, Shown>): Listing {
  const one = <R extends Row>(row: R): R => ({ ...row, ...labels.get(row.eventId) });
  const { eventId, results, dropped, items, neighbours } = answer;
  return {
    ...answer,
    ...(eventId !== undefined && labels.get(eventId)),
    ...(results !== undefined && { results: results.map(one) }),
    ...(dropped !== undefined && { dropped: dropped.map(one) }),
    ...(items !== undefined && { items: items.map(one) }),
    ...(neighbours !== undefined && {
      neighbours: { above: neighbours.above.map(one), below: neighbours.below.map(one) },
    }),
  };
}

export class Labels {
  readonly #store: LabelsDeps["store"];
  /** Types of which some item has, or had, a label. */
  #types: Set<string>;
  /** Whether these are all; else any type may be one. */
  #areKnown = true;
  /** Changes by others that this process was told of. */
  #told = 0;
  /** By type and id, also of items without a label. */
  readonly #kept = new LRUCache<string, Shown>({
    max: keptMax,
    maxSize: keptCharsMax,
    sizeCalculation: charsOf,
  });
  #writing = 0;
  /** Grows where a write begins or ends: what was read across is not kept. */
  #writes = 0;

  private constructor(store: LabelsDeps["store"], types: readonly string[]) {
    this.#store = store;
    this.#types = new Set(types);
  }

  static async open({ store }: LabelsDeps): Promise<Labels> {
    const labels = new Labels(store, []);
    store.shares.onRows((table) => {
      if (table === "item_labels") void labels.#follow();
    });
    await labels.#load();
    return labels;
  }

  /** Others may have changed labels: what is known in memory is right no more. */
  async #follow(): Promise<void> {
    const told = ++this.#told;
    this.#writes++;
    this.#kept.clear();
    this.#areKnown = false;
    // Of a failure: until the next change, each is asked for in the store.
    const isRead = await this.#load().then(
      () => true,
      () => false,
    );
    if (isRead && told === this.#told) this.#areKnown = true;
  }

  async #load(): Promise<void> {
    const before = this.#writing > 0 ? -1 : this.#writes;
    const types = await this.#store.labelledTypes();
    // What is written meanwhile has added its types itself.
    const own = before === this.#writes ? [] : this.#types;
    this.#types = new Set([...types, ...own]);
  }

  /**
   * Changes what items are called; resolves to what they are then, once that is kept. Of many
   * changes the first ones may be kept when it throws `too_many_labels`.
   */
  async put(changes: readonly LabelChange[]): Promise<LabelledItem[]> {
    const rows: LabelledItem[] = [];
    for (let from = 0; from < changes.length; from += changesPerWriteMax) {
      const part = changes.slice(from, from + changesPerWriteMax);
      for (const { eventType } of part) this.#types.add(eventType);
      rows.push(...(await this.#write(() => this.#store.putLabels(part))));
    }
    return rows;
  }

  /** Forgets the labels of a type that was deleted. */
  async remove(eventType: string): Promise<void> {
    if (!this.#types.has(eventType)) return;
    // A label that comes meanwhile adds the type again, and is written after this.
    this.#types.delete(eventType);
    try {
      await this.#write(() => this.#store.dropLabels(eventType));
    } catch (error) {
      this.#types.add(eventType);
      throw error;
    }
  }

  /** The answer with labels on its rows; `eventTypes` are those that it speaks of. */
  async show(answer: object, eventTypes: readonly string[]): Promise<object> {
    const labels = await this.#of(eventTypes, idsIn(answer as Listing));
    return labels.size === 0 ? answer : labelled(answer as Listing, labels);
  }

  /** Answers what `asker` does, with labels on the rows. */
  attach(asker: Asker): Asker {
    const ask =
      <Kind extends QuestionKind>(kind: Kind) =>
      async (request: Questions[Kind], control?: AskControl): Promise<object> => {
        const answer = (await asker[kind](request as never, control)) as Listing;
        const labels = await this.#of(eventTypesOf(request), idsIn(answer), control);
        return labels.size === 0 ? answer : labelled(answer, labels);
      };
    return {
      leaderboard: ask("leaderboard"),
      trending: ask("trending"),
      series: (request, control) => asker.series(request, control),
      item: ask("item"),
      items: ask("items"),
    };
  }

  /** What is known in memory is wrong while a write is under way, and right again after it. */
  async #write<T>(write: () => Promise<T>): Promise<T> {
    this.#writing++;
    this.#writes++;
    try {
      return await write();
    } finally {
      this.#writing--;
      this.#writes++;
      this.#kept.clear();
    }
  }

  /** Labels by id; of several types that of the first which has one. */
  async #of(
    eventTypes: readonly string[],
    ids: readonly string[],
    control?: AskControl,
  ): Promise<Map<string, Shown>> {
    const types = eventTypes.filter((name) => !this.#areKnown || this.#types.has(name));
    const labels = new Map<string, Shown>();
    if (types.length === 0 || ids.length === 0) return labels;
    const found = this.#find(types, ids);
    const missing = ids.filter((id) => types.some((type) => !found.has(keyOf(type, id))));
    const read = await this.#read(types, missing, control);
    for (const id of ids) {
      for (const type of types) {
        const key = keyOf(type, id);
        const label = read.get(key) ?? found.get(key) ?? nothing;
        if (label === nothing) continue;
        labels.set(id, label);
        break;
      }
    }
    return labels;
  }

  /** What memory holds of these, by key. */
  #find(types: readonly string[], ids: readonly string[]): Map<string, Shown> {
    const found = new Map<string, Shown>();
    if (this.#writing > 0) return found;
    for (const type of types) {
      for (const id of ids) {
        const label = this.#kept.get(keyOf(type, id));
        if (label !== undefined) found.set(keyOf(type, id), label);
      }
    }
    return found;
  }

  async #read(
    types: readonly string[],
    ids: readonly string[],
    control?: AskControl,
  ): Promise<Map<string, Shown>> {
    const read = new Map<string, Shown>();
    if (ids.length === 0) return read;
    const { signal } = control ?? {};
    const writes = this.#writes;
    const rows = await this.#store.labels({ eventTypes: types, eventIds: ids }, { signal });
    for (const type of types) for (const id of ids) read.set(keyOf(type, id), nothing);
    for (const row of rows) read.set(keyOf(row.eventType, row.eventId), shownOf(row));
    if (writes === this.#writes) for (const [key, label] of read) this.#kept.set(key, label);
    return read;
  }
}
