// GET /live/events over a scripted query engine, on real sockets.
import { once } from "node:events";
import { request } from "undici";
import { expect, it, vi } from "vitest";
import { applyDiff } from "../../src/client/board-diff.ts";
import { RankstreamError } from "../../src/errors.ts";
import { describeOverEach, rawConnection } from "./api-fixture.ts";
import { makeLive, StreamClient, subscribe, waiting } from "./live-fixture.ts";

describeOverEach("an event stream", () => {
  it("gets the board, then diffs that make the next boards", async () => {
    const { state, address } = await makeLive();
    const client = await StreamClient.open(address, "eventType=t&k=3");
    expect(client.response.statusCode).toBe(200);
    expect(client.response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
    });
    const first = await client.until(({ type }) => type === "board");
    expect(client.others[0]).toBe("retry: 1000");
    expect(first.data).toMatchObject({ board: { eventType: "t", total: 4 } });
    expect(first.id).toBe(`${first.data.seq}`);
    state.counts = { b: 9, a: 3, c: 1 };
    const diff = await client.until(({ type }) => type === "diff");
    expect(diff.data.since).toBe(first.data.seq);
    expect([diff.id, diff.data.seq > first.data.seq]).toEqual([`${diff.data.seq}`, true]);
    expect(applyDiff(first.data.board, diff.data.changes)).toMatchObject({
      total: 13,
      results: [{ eventId: "b", count: 9 }, { eventId: "a" }, { eventId: "c" }],
    });
  });

  it("goes on from the last event seen, else begins with the whole", async () => {
    const { state, address } = await makeLive({ clockOnlyMs: 60_000 });
    const before = await StreamClient.open(address, "eventType=t");
    const first = await before.until(({ type }) => type === "board");
    before.close();
    const resume = (id: string) =>
      StreamClient.open(address, "eventType=t", { "last-event-id": id });
    const same = await resume(first.id as string);
    expect((await same.until(() => true)).type).toBe("diff");
    same.close();
    state.counts = { a: 3, b: 2 };
    const after = await resume(first.id as string);
    const diff = await after.until(({ data }) => data.changes?.set?.total === 5);
    expect(diff.data.since).toBe(first.data.seq);
    expect(after.events.some(({ type }) => type === "board")).toBe(false);
    for (const id of ["12", "x", "9".repeat(40)]) {
      expect((await (await resume(id)).until(() => true)).type).toBe("board");
    }
  });

  it("shares a question with sockets that ask the same", async () => {
    const { asked, address, open } = await makeLive({ pollMs: 60_000 });
    const socket = await open();
    socket.send(subscribe("x"));
    await socket.until(({ type }) => type === "board");
    const stream = await StreamClient.open(address, "k=10&eventType=t");
    await stream.until(({ type }) => type === "board");
    expect(asked).toEqual(["t"]);
  });

  it("is told once when the board can't be had, and goes on", async () => {
    const { state, asked, address } = await makeLive();
    const client = await StreamClient.open(address, "eventType=t");
    await client.until(({ type }) => type === "board");
    state.failure = new RankstreamError("query_timeout", "too slow");
    const problem = await client.until(({ type }) => type === "problem");
    expect(problem).toMatchObject({ id: null, data: { code: "query_timeout", status: 503 } });
    const late = await StreamClient.open(address, "eventType=t");
    await late.until(({ type }) => type === "problem");
    const looks = asked.length;
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(looks + 3), waiting);
    expect(client.events.filter(({ type }) => type === "problem")).toHaveLength(1);
    state.failure = null;
    await client.until(({ type }) => type === "diff");
  });

  it("has heartbeats; left, its board is looked at no more", async () => {
    const { asked, metrics, address } = await makeLive({
      heartbeatMs: 20,
      clockOnlyMs: 60_000,
    });
    const client = await StreamClient.open(address, "eventType=t");
    await vi.waitFor(() => {
      expect(client.others.filter((text) => text === ":").length).toBeGreaterThan(3);
    }, waiting);
    client.close();
    await vi.waitFor(() => {
      expect(metrics.value("rankstream_live_clients")).toBe(0);
    }, waiting);
    const looks = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(asked.length).toBeLessThanOrEqual(looks + 1);
  });

  it("is over when the service stops, and cut off when it isn't read", async () => {
    const { app, state, address } = await makeLive({ dismissMs: 50, unsentBytesSoft: 1000 });
    const client = await StreamClient.open(address, "eventType=t");
    await client.until(({ type }) => type === "board");
    const { socket } = rawConnection(address);
    socket.write("GET /live/events?eventType=t&k=1000 HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(socket, "data");
    socket.pause();
    const row = (i: number) => [`${i}${"x".repeat(8000)}`, i];
    state.counts = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => row(i + 1)));
    await client.until(({ data }) => data.changes?.set?.total === 500_500);
    const started = Date.now();
    await app.close();
    // Far below what requests under way may take (2 s).
    expect(Date.now() - started).toBeLessThan(1500);
    await vi.waitFor(() => expect(client.isEnded).toBe(true), waiting);
  });
});

describeOverEach("an event stream is refused", () => {
  it.each([
    ["", 400, "invalid_parameter"],
    ["eventType=t&kk=1", 400, "unknown_parameter"],
    ["eventType=t&k=0", 400, "invalid_parameter"],
    ["eventType=t&timeRange=x", 400, "invalid_time_range"],
    ["eventType=t&format=csv", 400, "unknown_parameter"],
    ["eventType=t&cursor=x", 400, "unknown_parameter"],
    ["eventType=t&async=true", 400, "unknown_parameter"],
  ])("%s: %i %s", async (query, status, code) => {
    const { address } = await makeLive();
    const url = `http://${address.host}:${address.port}/live/events?${query}`;
    for (const method of ["GET", "HEAD"] as const) {
      const reply = await request(url, { method });
      expect(reply.statusCode).toBe(status);
      expect(reply.headers["content-type"]).toBe("application/problem+json");
      const text = await reply.body.text();
      if (method === "GET") expect(JSON.parse(text)).toMatchObject({ code });
    }
  });

  it("where there is no room for one more board or client", async () => {
    const { address, open } = await makeLive({ feedsMax: 1, socketsMax: 2 });
    const url = `http://${address.host}:${address.port}/live/events?eventType=`;
    const socket = await open();
    socket.send(subscribe("x"));
    await socket.until(({ type }) => type === "board");
    const refusal = async (eventType: string) => {
      const reply = await request(url + eventType);
      expect([reply.statusCode, reply.headers["retry-after"]]).toEqual([429, "10"]);
      return (await reply.body.json()) as { detail: string };
    };
    expect((await refusal("u")).detail).toContain("1 different boards");
    await StreamClient.open(address, "eventType=t");
    expect((await refusal("t")).detail).toContain("2 live sockets and streams");
  });
});

describeOverEach("HEAD of an event stream", () => {
  it("has its headers and ends", async () => {
    const { asked, address } = await makeLive();
    const url = `http://${address.host}:${address.port}/live/events?eventType=t`;
    const reply = await request(url, { method: "HEAD" });
    expect([reply.statusCode, await reply.body.text()]).toEqual([200, ""]);
    expect(reply.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    expect(asked).toEqual([]);
  });
});
