// Labels of the real service: on every kind of answer, kept ones too, over a restart and deletes.

import { WebSocket } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RankstreamClient } from "../../src/client/client.ts";
import { LiveBoards } from "../../src/client/live.ts";
import type { Leaderboard } from "../../src/client/replies.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const from = Date.UTC(2026, 9, 1);
const hourMs = 3_600_000;
const Socket = WebSocket as unknown as typeof globalThis.WebSocket;
const range = { from, to: from + 10 * hourMs };

describe("labels", () => {
  const dataDir = temporaryFolder();
  let service: RankstreamProcess;
  let client: RankstreamClient;
  const start = async () => {
    service = await startRankstream({ dataDir });
    client = new RankstreamClient({ url: service.url });
  };
  beforeAll(async () => {
    await start();
    const events = ["a", "a", "a", "b", "b", "c"].map((eventId, i) => {
      return { eventId, eventType: "t", timestamp: from + 5 * hourMs + i };
    });
    await service.post(events);
    // Once it is counted, nothing but labels changes the data.
    await client.leaderboard({ eventType: "t", ...range, mode: "exact" });
  });
  afterAll(() => service.stop());

  const namesOf = (rows: { eventId: string; label?: string; url?: string }[]) =>
    rows.map(({ eventId, label, url }) => [eventId, label, url]);
  const board = async () =>
    namesOf((await client.leaderboard({ eventType: "t", ...range })).results);

  it("are shown as soon as they are set, whatever was kept of the answers", async () => {
    const query = { eventType: "t", ...range };
    const before = await service.get("/leaderboard", query);
    expect((await service.get("/leaderboard", query)).headers.get("cache-status")).toContain(
      "hit",
    );
    expect(await client.putLabel("t", "a", { label: "Ä", url: "https://a.example" })).toEqual({
      eventType: "t",
      eventId: "a",
      label: "Ä",
      url: "https://a.example",
      imageUrl: null,
    });
    const after = await service.get("/leaderboard", query);
    expect(namesOf(after.body.results)).toEqual([
      ["a", "Ä", "https://a.example"],
      ["b", undefined, undefined],
      ["c", undefined, undefined],
    ]);
    expect(after.headers.get("etag")).not.toBe(before.headers.get("etag"));
    expect((await service.get("/leaderboard", query)).headers.get("cache-status")).toContain(
      "hit",
    );
    const changes = [
      { eventType: "t", eventId: "b", label: "B" },
      { eventType: "t", eventId: "a", url: null },
      { eventType: "t", eventId: "no event yet", label: "later" },
    ];
    expect(await client.putLabels(changes)).toEqual({ accepted: 3, rejected: 0, errors: [] });
    expect(await board()).toEqual([
      ["a", "Ä", undefined],
      ["b", "B", undefined],
      ["c", undefined, undefined],
    ]);
  });

  it("are on items, neighbours, batches, drop-outs and what is trending", async () => {
    const item = await client.item("t", "b", range);
    expect(item.label).toBe("B");
    expect(item.neighbours.above).toMatchObject([{ eventId: "a", label: "Ä" }]);
    const { items } = await client.items("t", ["c", "a"], range);
    expect(namesOf(items)).toEqual([
      ["c", undefined, undefined],
      ["a", "Ä", undefined],
    ]);
    const next = { from: range.to, to: range.to + 10 * hourMs };
    const compared = await client.leaderboard({ eventType: "t", ...next, compare: "previous" });
    expect(compared.dropped).toMatchObject([{ label: "Ä" }, { label: "B" }, { eventId: "c" }]);
    const trending = await client.trending({ eventType: "t", ...range, minScore: 0, minCount: 1 });
    expect(trending.results.find(({ eventId }) => eventId === "a")?.label).toBe("Ä");
  });

  it("reach a live board that nothing else changes", async () => {
    const live = new LiveBoards({
      url: `${service.url.replace("http", "ws")}/live`,
      WebSocket: Socket,
    });
    const shown: (string | undefined)[] = [];
    const stop = live.watch<Leaderboard>(
      { eventType: "t", from: String(range.from), to: String(range.to) },
      {
        onBoard: ({ results }) => shown.push(results[0]?.label),
        onProblem: (problem) => expect.fail(JSON.stringify(problem)),
      },
    );
    await expect.poll(() => shown.at(-1), { timeout: 5000 }).toBe("Ä");
    await client.putLabel("t", "a", { label: "live" });
    await expect.poll(() => shown.at(-1), { timeout: 5000 }).toBe("live");
    stop();
    live.close();
  });

  it("stay over a kill, and go with the last of their fields or with the event type", async () => {
    await service.kill();
    await start();
    expect((await board())[0]).toEqual(["a", "live", undefined]);
    await client.putLabel("t", "a", { label: null });
    expect((await board())[0]).toEqual(["a", undefined, undefined]);
    await client.deleteItem("t", "b");
    await service.post([{ eventId: "b", eventType: "t", timestamp: from }]);
    expect(await board()).toContainEqual(["b", "B", undefined]);
    await client.deleteEventType("t");
    await service.post([{ eventId: "b", eventType: "t", timestamp: from }]);
    expect(await board()).toEqual([["b", undefined, undefined]]);
  });
});
