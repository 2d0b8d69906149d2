import { describe, expect, it } from "vitest";
import type { LabelChange, LabelledItem } from "../../src/model-labels.ts";
import { Labels } from "../../src/query/labels.ts";
import type { Asker, Questions } from "../../src/query/questions.ts";
import type { LabelQuery } from "../../src/store/labels.ts";

const none = { label: null, url: null, imageUrl: null };

/** A store in memory whose reads can be held up. */
class FakeStore {
  readonly items = new Map<string, LabelledItem>();
  readonly reads: LabelQuery[] = [];
  holdReads: Promise<void> = Promise.resolve();
  holdWrites: Promise<void> = Promise.resolve();

  async labels(query: LabelQuery): Promise<LabelledItem[]> {
    this.reads.push(query);
    const found = [...this.items.values()].filter(
      ({ eventType, eventId }) =>
        query.eventTypes.includes(eventType) && query.eventIds.includes(eventId),
    );
    await this.holdReads;
    return found;
  }

  async labelledTypes(): Promise<string[]> {
    return [...new Set([...this.items.values()].map(({ eventType }) => eventType))];
  }

  async putLabels(changes: LabelChange[]): Promise<LabelledItem[]> {
    const rows = changes.map((change) => {
      const key = `${change.eventType}/${change.eventId}`;
      const item = { ...none, ...this.items.get(key), ...change };
      this.items.set(key, item);
      return item;
    });
    await this.holdWrites;
    return rows;
  }

  /** Another process has changed labels. */
  tell: () => void = () => undefined;

  readonly shares = {
    onRows: (listener: (table: "item_labels") => void) => {
      this.tell = () => listener("item_labels");
    },
  };

  async dropLabels(type: string): Promise<null> {
    for (const [key, { eventType }] of this.items) if (eventType === type) this.items.delete(key);
    return null;
  }
}

const unasked = async (): Promise<never> => {
  throw new Error("not asked in this test");
};

async function makeLabelled(answers: Partial<Asker>, store = new FakeStore()) {
  const labels = await Labels.open({ store });
  const asker = labels.attach({
    leaderboard: unasked,
    trending: unasked,
    series: unasked,
    item: unasked,
    items: unasked,
    ...answers,
  });
  const board = (...eventTypes: string[]) =>
    asker.leaderboard({ eventTypes } as unknown as Questions["leaderboard"]);
  const one = { eventType: "t" };
  return { labels, asker, board, one, store };
}

const rows = { results: [{ eventId: "a", count: 2 }, { eventId: "b" }] };

describe("labels on answers", () => {
  it("are on every row of an item, wherever it is, and the answer stays as it was", async () => {
    const item = { eventId: "a", neighbours: { above: [{ eventId: "b" }], below: [] }, n: 1 };
    const given = { results: [{ eventId: "a" }, { eventId: "c" }], dropped: [{ eventId: "b" }] };
    const before = structuredClone(given);
    const { labels, asker, one } = await makeLabelled({
      leaderboard: async () => given,
      trending: async () => ({ results: [{ eventId: "b", score: 4 }] }),
      item: async () => item,
      items: async () => ({ items: [{ eventId: "b" }, { eventId: "c" }, { eventId: "b" }] }),
      series: async () => ({ total: 3 }),
    });
    await labels.put([
      { eventType: "t", eventId: "a", label: "A", url: "http://a" },
      { eventType: "t", eventId: "b", imageUrl: "http://b" },
      { eventType: "other", eventId: "c", label: "not this one" },
    ]);
    const [a, b] = [{ label: "A", url: "http://a" }, { imageUrl: "http://b" }];
    const typed = (request: object) => request as never;
    expect(await asker.leaderboard(typed({ eventTypes: ["t"] }))).toEqual({
      results: [{ eventId: "a", ...a }, { eventId: "c" }],
      dropped: [{ eventId: "b", ...b }],
    });
    expect(given).toEqual(before);
    expect(await asker.trending(typed({ eventTypes: ["t"] }))).toEqual({
      results: [{ eventId: "b", score: 4, ...b }],
    });
    expect(await asker.item(typed(one))).toEqual({
      ...item,
      ...a,
      neighbours: { above: [{ eventId: "b", ...b }], below: [] },
    });
    expect(await asker.items(typed(one))).toEqual({
      items: [{ eventId: "b", ...b }, { eventId: "c" }, { eventId: "b", ...b }],
    });
    expect(await asker.series(typed(one))).toEqual({ total: 3 });
  });

  it("follow what other processes change", async () => {
    const { labels, board, store } = await makeLabelled({ leaderboard: async () => rows });
    await labels.put([{ eventType: "t", eventId: "a", label: "old" }]);
    expect(await board("t")).toMatchObject({ results: [{ label: "old" }, {}] });
    await store.putLabels([
      { eventType: "t", eventId: "a", label: "new" },
      { eventType: "u", eventId: "b", label: "of a type without any" },
    ]);
    store.tell();
    // At once: an answer of old labels would be kept as one of now.
    expect(await board("t", "u")).toMatchObject({
      results: [{ label: "new" }, { label: "of a type without any" }],
    });
  });

  it("are those of the first type that has one", async () => {
    const { labels, board } = await makeLabelled({ leaderboard: async () => rows });
    await labels.put([
      { eventType: "s", eventId: "a", label: "of s" },
      { eventType: "t", eventId: "a", label: "of t" },
      { eventType: "t", eventId: "b", label: "only t" },
    ]);
    expect(await board("s", "t", "u")).toMatchObject({
      results: [{ label: "of s" }, { label: "only t" }],
    });
    expect(await board("t", "s")).toMatchObject({ results: [{ label: "of t" }, {}] });
  });

  it("are read once, also of items without any, and not at all of types without", async () => {
    const { labels, board, store } = await makeLabelled({ leaderboard: async () => rows });
    expect(await board("t")).toEqual(rows);
    expect(store.reads).toEqual([]);
    await labels.put([{ eventType: "t", eventId: "a", label: "A" }]);
    for (let i = 0; i < 3; i++) {
      expect(await board("t")).toMatchObject({ results: [{ label: "A" }, {}] });
    }
    expect(store.reads).toEqual([{ eventTypes: ["t"], eventIds: ["a", "b"] }]);
    const { board: after } = await makeLabelled({ leaderboard: async () => rows }, store);
    expect(await after("t")).toMatchObject({ results: [{ label: "A" }, {}] });
    await labels.remove("t");
    expect(await board("t")).toEqual(rows);
    await labels.put([{ eventType: "t", eventId: "b", label: "B" }]);
    expect(await board("t")).toEqual({ results: [rows.results[0], { eventId: "b", label: "B" }] });
  });

  it("are never kept as they were before a write", async () => {
    const { labels, board, store } = await makeLabelled({ leaderboard: async () => rows });
    await labels.put([{ eventType: "t", eventId: "a", label: "old" }]);
    await board("t");
    // Committed, but the write's end isn't told yet: what is asked now sees it.
    let tellWrite = () => {};
    store.holdWrites = new Promise((resolve) => {
      tellWrite = resolve;
    });
    const written = labels.put([{ eventType: "t", eventId: "a", label: "new" }]);
    expect(await board("t")).toMatchObject({ results: [{ label: "new" }, {}] });
    tellWrite();
    await written;
    // Read before a write, and told after it: good for its asker, and for nobody else.
    let tellRead = () => {};
    store.holdReads = new Promise((resolve) => {
      tellRead = resolve;
    });
    const early = board("t");
    await Promise.resolve();
    await labels.put([{ eventType: "t", eventId: "a", label: "newest" }]);
    tellRead();
    await early;
    expect(await board("t")).toMatchObject({ results: [{ label: "newest" }, {}] });
  });
});
