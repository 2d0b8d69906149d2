import { expect, it } from "vitest";
import { eventData } from "../../src/cli-tail.ts";
import { tapBounds } from "../../src/edge/event-tap.ts";
import { describeOverEach, makeApi, onSocket } from "./api-fixture.ts";

async function openTail(query = "") {
  const { app, edge } = await makeApi();
  const { host, port } = await onSocket(app);
  const gone = new AbortController();
  const url = `http://${host}:${port}`;
  const reply = await fetch(`${url}/tail?${query}`, { signal: gone.signal });
  const post = (...events: object[]) =>
    fetch(`${url}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(events),
    });
  const told = eventData(reply.body as unknown as AsyncIterable<Uint8Array>);
  const next = async () => JSON.parse((await told.next()).value as string);
  return { app, edge, url, reply, post, next, gone };
}

describeOverEach("GET /tail", () => {
  it("shows events once they are accepted, and how many more there were", async () => {
    const { reply, post, next, gone } = await openTail("eventsPerSecond=2");
    expect(reply.headers.get("content-type")).toBe("text/event-stream");
    await post({ eventId: "a", eventType: "t" });
    const first = await next();
    expect(first.event).toEqual({ eventId: "a", eventType: "t" });
    expect(Math.abs(Date.parse(first.receivedAt) - Date.now())).toBeLessThan(60_000);
    await post(...Array.from({ length: 50 }, (_, i) => ({ eventId: `b${i}`, eventType: "t" })));
    let seen = 0;
    for (let skipped = 0; seen + skipped < 50; ) {
      const told = await next();
      if (told.event === undefined) skipped += told.skipped;
      else seen++;
    }
    expect(seen).toBeLessThan(50);
    gone.abort();
  });

  it("shows events of one type alone", async () => {
    const { post, next, gone } = await openTail(`eventType=${encodeURIComponent('q"x')}`);
    await post({ eventId: 'q"x', eventType: "other" }, { eventId: "mine", eventType: 'q"x' });
    expect((await next()).event.eventId).toBe("mine");
    gone.abort();
  });

  it("ends with its client, and with the service", async () => {
    const { app, edge, next, gone } = await openTail();
    const isWatched = () => edge.tap.sample([]) !== null;
    expect(isWatched()).toBe(true);
    gone.abort();
    const deadline = Date.now() + 20_000;
    while (isWatched() && Date.now() < deadline) await new Promise((r) => setTimeout(r, 10));
    expect(isWatched()).toBe(false);
    await expect(next()).rejects.toThrow();
    await app.close();
  });

  it("refuses what it does not know, and one client too many", async () => {
    const { edge, url, gone } = await openTail();
    const statusOf = async (query: string) => (await fetch(`${url}/tail?${query}`)).status;
    expect(await statusOf("eventsPerSecond=0")).toBe(400);
    expect(await statusOf("type=x")).toBe(400);
    const watcher = () => ({ needle: null, room: () => 0, show: () => undefined });
    for (let i = 1; i < tapBounds.watchersMax; i++) edge.tap.watch(watcher());
    expect(await statusOf("")).toBe(429);
    gone.abort();
  });
});
