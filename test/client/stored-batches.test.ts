// What pages leave to each other: the storage itself, and two trackers that share one.
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Batch } from "../../src/client/batch-queue.ts";
import { type BatchStorage, RankstreamClient } from "../../src/client/client.ts";
import { StoredBatches } from "../../src/client/stored-batches.ts";
import { CountingService, json, scriptedService } from "./scripted-service.ts";

class MemoryStorage implements BatchStorage {
  readonly entries = new Map<string, string>();
  isForbidden = false;
  get length(): number {
    if (this.isForbidden) throw new Error("SecurityError");
    return this.entries.size;
  }
  key(index: number): string | null {
    return [...this.entries.keys()][index] ?? null;
  }
  getItem(name: string): string | null {
    return this.entries.get(name) ?? null;
  }
  setItem(name: string, text: string): void {
    if (this.isForbidden) throw new Error("QuotaExceededError");
    this.entries.set(name, text);
  }
  removeItem(name: string): void {
    this.entries.delete(name);
  }
}

function batch(key: string, body = '{"a":1}\n'): Batch {
  const fresh = { ordinal: 1, bytes: body.length, events: 1, isInDoubt: false, isSettled: false };
  return { ...fresh, key, body, firstSentAt: null };
}

describe("stored batches", () => {
  it("are those of one service, until they are removed", () => {
    const storage = new MemoryStorage();
    const stored = new StoredBatches(storage, "http://a", 1000);
    stored.put(batch("p.1"));
    new StoredBatches(storage, "http://b", 1000).put(batch("p.2"));
    new StoredBatches(storage, "http://a:8080", 1000).put(batch("p.3"));
    const { body, events, firstSentAt } = batch("p.1");
    const next = new StoredBatches(storage, "http://a", 1000);
    expect(next.list()).toEqual([{ key: "p.1", body, events, firstSentAt }]);
    next.update({ ...batch("p.1"), firstSentAt: 7 });
    expect(stored.look("p.1")).toMatchObject({ firstSentAt: 7 });
    next.remove("p.1");
    expect(stored.look("p.1")).toBe("gone");
    expect([stored.look("p.9"), stored.look(null)]).toEqual([null, null]);
    expect(storage.entries.size).toBe(2);
  });

  it("are bounded in all, and leave others' entries alone", () => {
    const storage = new MemoryStorage();
    storage.setItem("theirs", "x".repeat(10_000));
    storage.setItem("rankstream:http%3A%2F%2Fa:broken", "{");
    storage.setItem("rankstream:http%3A%2F%2Fa:other", '{"key":1}');
    for (const body of ["no json\n", "{}", "{}\n{}\n", '""\n"']) {
      const text = JSON.stringify({ key: body, body, events: 1, firstSentAt: null });
      storage.setItem(`rankstream:http%3A%2F%2Fa:${body}`, text);
    }
    const stored = new StoredBatches(storage, "http://a", 400);
    expect(stored.list()).toEqual([]);
    expect([...storage.entries.keys()]).toEqual(["theirs"]);
    const large = `{"a":"${"x".repeat(80)}"}\n`;
    for (let i = 0; i < 9; i++) stored.put(batch(`p.${i}`, large));
    expect(stored.list().map(({ key }) => key)).toEqual(["p.0", "p.1"]);
    // The same again is no more.
    stored.put({ ...batch("p.1", large), firstSentAt: 1 });
    expect(stored.look("p.1")).toMatchObject({ firstSentAt: 1 });
    expect([...storage.entries.keys()]).toContain("theirs");
  });

  it("are done without where the browser keeps its storage closed", () => {
    const storage = new MemoryStorage();
    storage.isForbidden = true;
    const stored = new StoredBatches(storage, "http://a", 400);
    stored.put(batch("p.1"));
    stored.remove("p.1");
    expect([stored.list(), stored.look("p.1")]).toEqual([[], null]);
  });
});

describe("two pages with one storage", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  function openPage(url: string, storage: BatchStorage, keys: "hourly" | "lasting" = "hourly") {
    const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
    vi.stubGlobal("document", page);
    vi.stubGlobal("window", new EventTarget());
    const options = { storage, keys, batchMsMax: 5 };
    const tracker = new RankstreamClient({ url }).tracker(options);
    const turn = (state: "visible" | "hidden") => {
      page.visibilityState = state;
      page.dispatchEvent(new Event("visibilitychange"));
    };
    return { tracker, turn };
  }
  const goes = (isOnline: boolean) => vi.stubGlobal("navigator", { onLine: isOnline });

  it("don't send what the other had an answer to, however long ago", async () => {
    const store = new CountingService();
    const { url, seen } = await scriptedService([store.take]);
    const storage = new MemoryStorage();
    goes(false);
    const first = openPage(url, storage);
    first.tracker.track({ eventId: "a", eventType: "play" });
    first.turn("hidden");
    expect(storage.entries.size).toBe(1);
    // By then it looks for the network less often, and the other page is quicker.
    await new Promise((resolve) => setTimeout(resolve, 700));
    goes(true);
    const second = openPage(url, storage);
    await second.tracker.flush();
    expect([store.ids, storage.entries.size]).toEqual([["a"], 0]);
    const sent = seen.length;
    first.turn("visible");
    await first.tracker.flush();
    expect(seen).toHaveLength(sent);
    await Promise.all([first, second].map(({ tracker }) => tracker.close()));
  });

  it("send what both have under one key", async () => {
    const store = new CountingService();
    const { url, seen } = await scriptedService([store.takeAndCut, store.take]);
    const storage = new MemoryStorage();
    const first = openPage(url, storage);
    first.tracker.track({ eventId: "a", eventType: "play" });
    first.turn("hidden");
    const second = openPage(url, storage);
    await Promise.all([first, second].map(({ tracker }) => tracker.flush()));
    expect(store.ids).toEqual(["a"]);
    expect(new Set(seen.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
    expect(storage.entries.size).toBe(0);
    await Promise.all([first, second].map(({ tracker }) => tracker.close()));
  });

  it.each(["hourly", "lasting"] as const)("split what both have alike (%s)", async (keys) => {
    const store = new CountingService();
    const waiting: (() => void)[] = [];
    const { url } = await scriptedService([
      (response, one) => {
        if (one.body.toString().trimEnd().split("\n").length < 3) {
          store.take(response, one);
          return;
        }
        // Not before both may have sent it.
        waiting.push(() => json(413, { code: "body_too_large" })(response));
        const answerAll = () => {
          for (const answer of waiting.splice(0)) answer();
        };
        setTimeout(answerAll, waiting.length === 2 ? 0 : 1000);
      },
    ]);
    const storage = new MemoryStorage();
    goes(false);
    const first = openPage(url, storage, keys);
    for (const eventId of ["a", "b", "c"]) first.tracker.track({ eventId, eventType: "play" });
    first.turn("hidden");
    const second = openPage(url, storage, keys);
    goes(true);
    first.turn("visible");
    second.turn("visible");
    await Promise.all([first, second].map(({ tracker }) => tracker.flush()));
    expect(store.ids.sort()).toEqual(["a", "b", "c"]);
    expect(storage.entries.size).toBe(0);
    await Promise.all([first, second].map(({ tracker }) => tracker.close()));
  });

  it("give up what may be counted once the key may be forgotten", async () => {
    const { url, seen } = await scriptedService([() => undefined]);
    const storage = new MemoryStorage();
    const line = JSON.stringify({ eventId: "a", eventType: "play" });
    const old = {
      key: "p.1",
      body: `${line}\n`,
      events: 1,
      firstSentAt: Date.now() - 51 * 60_000,
    };
    storage.setItem(`rankstream:${encodeURIComponent(url)}:p.1`, JSON.stringify(old));
    const codes: string[] = [];
    const options = { storage, keys: "hourly" as const };
    const tracker = new RankstreamClient({ url }).tracker({
      ...options,
      onRefused: ({ event, code }) => codes.push(`${event?.eventId} ${code}`),
    });
    await tracker.flush();
    expect([codes, seen.length, storage.entries.size]).toEqual([["a outcome_unknown"], 0, 0]);
    await tracker.close();
  });
});
