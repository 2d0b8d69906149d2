/** Following changes: at once what there is, later what comes, and a reset where that is lost. */
import { describe, expect, it } from "vitest";
import { ChangeFeed } from "../../src/query/change-feed.ts";
import { ChangeMap } from "../../src/query/change-map.ts";

const hourMs = 3_600_000;

function setUp(changesMax = 100) {
  const changes = new ChangeMap(10, 1000, changesMax);
  const state = { isSettled: true, asked: 0 };
  const feed = new ChangeFeed({
    changes,
    settled: async () => state.isSettled,
    asked: () => void state.asked++,
    dataId: "d",
  });
  const note = (version: number, hour: number) => {
    changes.note(version, [{ eventType: "a", from: hour * hourMs, to: (hour + 1) * hourMs }]);
    feed.wake();
  };
  const read = (since: number, waitMs = 0, mustSettle = false, signal?: AbortSignal) =>
    feed.read({ since, waitMs, mustSettle }, signal);
  return { feed, note, read, state };
}

describe("the feed of changes", () => {
  it("gives what came after a version, and no more", async () => {
    const { note, read } = setUp();
    note(11, 1);
    note(14, 2);
    const all = await read(10);
    expect(all).toMatchObject({ version: 14, reset: false, settled: null });
    expect(all.changes.map(({ version, from }) => [version, from / hourMs])).toEqual([
      [11, 1],
      [14, 2],
    ]);
    expect((await read(11)).changes.map(({ version }) => version)).toEqual([14]);
    expect(await read(14)).toEqual({
      version: 14,
      reset: false,
      settled: null,
      changes: [],
      dataId: "d",
    });
  });

  it("says so where what came is not known: too old, too much, of other data", async () => {
    const { note, read } = setUp(4);
    expect(await read(9)).toMatchObject({ version: 10, reset: true, changes: [] });
    for (let version = 11; version <= 20; version++) note(version, version);
    expect(await read(11)).toMatchObject({ version: 20, reset: true, changes: [] });
    expect((await read(19)).changes.length).toBe(1);
    expect(await read(21)).toMatchObject({ version: 20, reset: true });
  });

  it("waits for a change, until the time is up, or until the asker has gone", async () => {
    const { note, read } = setUp();
    const waiting = [read(10, 20_000), read(10, 20_000)];
    note(11, 3);
    for (const { version, changes } of await Promise.all(waiting)) {
      expect([version, changes.length]).toEqual([11, 1]);
    }
    expect(await read(11, 5)).toMatchObject({ version: 11, changes: [] });
    const gone = new AbortController();
    const asked = read(11, 20_000, false, gone.signal);
    gone.abort();
    expect(await asked).toMatchObject({ version: 11, changes: [] });
  });

  it("tells that somebody follows, with each question", async () => {
    const { state, read } = setUp();
    await read(10);
    await read(10, 5);
    expect(state.asked).toBe(2);
  });

  it("says whether everything acknowledged is in, where that is asked", async () => {
    const { read, state } = setUp();
    expect((await read(10, 0, true)).settled).toBe(true);
    state.isSettled = false;
    expect((await read(10, 0, true)).settled).toBe(false);
  });
});
