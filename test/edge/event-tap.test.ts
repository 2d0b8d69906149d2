import { describe, expect, it } from "vitest";
import {
  EventTap,
  type TappedLines,
  type TapWatcher,
  tapBounds,
} from "../../src/edge/event-tap.ts";
import { makeEdge } from "./edge-fixture.ts";

function blocksOf(...parts: string[][]) {
  return parts.map((lines, partition) => ({
    partition,
    value: Buffer.from(lines.map((line) => `${line}\n`).join("")),
    events: lines.length,
    lines: new Uint8Array(),
  }));
}

/** A watcher with room for so many lines a batch. */
function watcherOf(room: number, needle: string | null = null) {
  const shown: TappedLines[] = [];
  const watcher: TapWatcher = { needle, room: () => room, show: (tapped) => shown.push(tapped) };
  return { watcher, shown };
}

describe("the tap", () => {
  it("takes the first lines of every block in turn, and counts the others", () => {
    const tap = new EventTap();
    const { watcher, shown } = watcherOf(4);
    tap.watch(watcher);
    tap.show(tap.sample(blocksOf(["a", "b", "c"], ["d"], ["e", "é"]))!, 7);
    expect(shown).toEqual([{ receivedAt: 7, lines: ["a", "d", "e", "b"], skipped: 2 }]);
    tap.show(tap.sample(blocksOf(["a"], ["b"]))!, 8);
    expect(shown[1]).toEqual({ receivedAt: 8, lines: ["a", "b"], skipped: 0 });
  });

  it("ends where a block has fewer lines than it says", () => {
    const tap = new EventTap();
    const { watcher, shown } = watcherOf(10);
    tap.watch(watcher);
    const [block] = blocksOf(["a", "b"]);
    tap.show(tap.sample([{ ...block!, events: 5 }])!, 1);
    expect(shown).toEqual([{ receivedAt: 1, lines: ["a", "b"], skipped: 3 }]);
  });

  it("finds the lines that hold a text, each once", () => {
    const tap = new EventTap();
    const { watcher, shown } = watcherOf(2, '"t"');
    const none = watcherOf(2, '"none"');
    tap.watch(watcher);
    tap.watch(none.watcher);
    tap.show(tap.sample(blocksOf(['1 "t" "t"', "2", '3"t"'], ['"t"4']))!, 1);
    expect(shown).toEqual([{ receivedAt: 1, lines: ['1 "t" "t"', '3"t"'], skipped: 1 }]);
    expect(none.shown).toEqual([]);
  });

  it("costs nothing without watchers, and has room for some", () => {
    const tap = new EventTap();
    expect(tap.sample(blocksOf(["a"]))).toBeNull();
    const ends = Array.from({ length: tapBounds.watchersMax }, () =>
      tap.watch(watcherOf(1).watcher),
    );
    expect(() => tap.watch(watcherOf(1).watcher)).toThrow("follow what comes in");
    for (const end of ends) end();
    expect(tap.sample(blocksOf(["a"]))).toBeNull();
  });

  it("shows what is durable, as it was before the append, and nothing that is not", async () => {
    const { edge, log } = makeEdge();
    const { watcher, shown } = watcherOf(10);
    edge.tap.watch(watcher);
    const send = (line: string) =>
      edge.ingest({ body: Buffer.from(line), contentType: "application/x-ndjson" });
    log.before = () => {
      expect(shown).toEqual([]);
    };
    expect((await send('{"eventId":"a"}')).status).toBe(202);
    expect(shown.map(({ lines }) => lines)).toEqual([['{"eventId":"a"}']]);
    log.before = () => {
      throw new Error("disk");
    };
    expect((await send('{"eventId":"b"}')).status).toBe(500);
    expect((await send("{}")).status).toBe(400);
    expect(shown).toHaveLength(1);
  });
});
