// GET /live over a scripted query engine, on real sockets.
import { once } from "node:events";
import { expect, it, vi } from "vitest";
import { feedKey } from "../../src/api/live-feeds.ts";
import { applyDiff } from "../../src/client/board-diff.ts";
import { RankstreamError } from "../../src/errors.ts";
import { describeOverEach, rawConnection } from "./api-fixture.ts";
import { Client, handshake, makeLive, subscribe, waiting } from "./live-fixture.ts";

describeOverEach("a subscription", () => {
  it("gets the board, then diffs that make the next boards", async () => {
    const { state, open } = await makeLive();
    const client = await open();
    client.send(subscribe("one"));
    const first = await client.until(({ type }) => type === "board");
    expect(first).toMatchObject({ id: "one", board: { eventType: "t", total: 4 } });
    state.counts = { b: 9, a: 3, c: 1 };
    const diff = await client.until(({ type }) => type === "diff");
    expect(diff.since).toBe(first.seq);
    expect(diff.seq).toBeGreaterThan(first.seq);
    expect(applyDiff(first.board, diff.changes)).toMatchObject({
      total: 13,
      results: [
        { eventId: "b", count: 9 },
        { eventId: "a", count: 3 },
        { eventId: "c", count: 1 },
      ],
    });
  });

  it("is told of the time alone only now and then", async () => {
    const { asked, open } = await makeLive({ clockOnlyMs: 60_000 });
    const client = await open();
    client.send(subscribe("one"));
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(5), waiting);
    expect(client.messages.map(({ type }) => type)).toEqual(["board"]);
    const often = await makeLive({ clockOnlyMs: 1 });
    const other = await often.open();
    other.send(subscribe("one"));
    const diff = await other.until(({ type }) => type === "diff");
    expect(Object.keys(diff.changes.set ?? {})).toEqual(["asOf"]);
  });

  it("ends when asked to", async () => {
    const { state, asked, open } = await makeLive();
    const client = await open();
    client.send(subscribe("one"));
    client.send(subscribe("two", { eventType: "u" }));
    await client.until(({ id }) => id === "one");
    client.send({ type: "unsubscribe", id: "one" });
    client.send({ type: "unsubscribe", id: "never" });
    // The reply to this one comes after both are obeyed.
    client.send("{}");
    await client.until(({ type }) => type === "error");
    state.counts = { z: 1 };
    await client.until(({ type, id }) => type === "diff" && id === "two");
    const looks = asked.filter((type) => type === "t").length;
    state.counts = { z: 2 };
    await client.until(({ changes, id }) => id === "two" && changes?.set?.["total"] === 2);
    expect(asked.filter((type) => type === "t").length).toBe(looks);
    expect(client.messages.filter(({ id, type }) => id === "one" && type === "diff")).toEqual([]);
  });

  it("goes on from a board already seen, else gets the whole", async () => {
    const { state, open } = await makeLive();
    const before = await open();
    before.send(subscribe("one"));
    const first = await before.until(({ type }) => type === "board");
    before.socket.close();
    state.counts = { a: 3, b: 2 };
    const after = await open();
    after.send(subscribe("again", undefined, { seq: first.seq }));
    const diff = await after.until(({ changes }) => changes?.set?.["total"] === 5);
    expect(applyDiff(first.board, diff.changes).results[1]).toEqual({ eventId: "b", count: 2 });
    expect(after.messages.some(({ type }) => type === "board")).toBe(false);
    after.send(subscribe("stranger", undefined, { seq: 12 }));
    await after.until(({ id, type }) => id === "stranger" && type === "board");
  });

  it("is replaced by the next of its id", async () => {
    const { open } = await makeLive();
    const client = await open();
    client.send(subscribe("one"));
    client.send(subscribe("one", { eventType: "u" }));
    const second = await client.until(({ board }) => board?.["eventType"] === "u");
    expect(second.id).toBe("one");
    expect(client.messages.filter(({ type }) => type === "error")).toEqual([]);
  });

  it("is told once when the board can't be had, and goes on", async () => {
    const { state, asked, open } = await makeLive();
    const client = await open();
    client.send(subscribe("one"));
    await client.until(({ type }) => type === "board");
    state.failure = new RankstreamError("query_timeout", "too slow");
    const error = await client.until(({ type }) => type === "error");
    expect(error).toMatchObject({ id: "one", ended: false, problem: { code: "query_timeout" } });
    const looks = asked.length;
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(looks + 3), waiting);
    expect(client.messages.filter(({ type }) => type === "error")).toHaveLength(1);
    state.failure = null;
    await client.until(({ type }) => type === "diff");
  });
});

describeOverEach("one question", () => {
  it("is answered once for all who ask it", async () => {
    const { asked, open } = await makeLive({ pollMs: 60_000 });
    const both = [await open(), await open()];
    for (const [i, client] of both.entries()) {
      client.send(subscribe("x", i === 0 ? { eventType: "t" } : { k: "10", eventType: "t" }));
      await client.until(({ type }) => type === "board");
    }
    expect(asked).toEqual(["t"]);
  });

  it("has one name, however it is put", () => {
    const same = [
      { eventType: "a", k: "10" },
      { k: "10", eventType: ["a"] },
      { eventType: "a", mode: "auto", offset: "0" },
    ];
    expect(new Set(same.map(feedKey)).size).toBe(1);
    const others = [
      { eventType: "a" },
      { eventType: "a", k: "11" },
      { eventType: ["a", "b"] },
      { eventType: "a", timeRange: "all" },
      { eventType: "a", timeZone: "Asia/Tokyo" },
    ];
    expect(new Set(others.map(feedKey)).size).toBe(others.length);
  });
});

describeOverEach("what is refused", () => {
  it.each([
    ["{", "invalid_message", null],
    ["[]", "invalid_message", null],
    ["null", "invalid_message", null],
    ['{"id":"x"}', "invalid_message", "x"],
    ['{"type":"subscribe","id":""}', "invalid_message", null],
    ['{"type":"subscribe","id":7,"query":{}}', "invalid_message", null],
    ['{"type":"subscribe","id":"x"}', "invalid_message", "x"],
    ['{"type":"subscribe","id":"x","query":{"k":10}}', "invalid_message", "x"],
    ['{"type":"subscribe","id":"x","query":{},"seq":"1"}', "invalid_message", "x"],
    ['{"type":"unsubscribe","id":"x","query":{}}', "invalid_message", "x"],
    ['{"type":"subscribe","id":"x","query":{}}', "invalid_parameter", "x"],
    [JSON.stringify(subscribe("x", { eventType: "t", kk: "1" })), "unknown_parameter", "x"],
    [JSON.stringify(subscribe("x", { eventType: "t", k: "0" })), "invalid_parameter", "x"],
    [
      JSON.stringify(subscribe("x", { eventType: "t", timeRange: "x" })),
      "invalid_time_range",
      "x",
    ],
  ])("%s: %s", async (text, code, id) => {
    const { open } = await makeLive();
    const client = await open();
    client.send(text);
    const error = await client.until(({ type }) => type === "error");
    expect(error).toMatchObject({ id, ended: true, problem: { code } });
    client.send(subscribe("good"));
    await client.until(({ type }) => type === "board");
  });

  it("binary, large and too many messages", async () => {
    const { open } = await makeLive({ messagesMax: 3 });
    const binary = await open();
    binary.socket.send(new Uint8Array([1]));
    await binary.until(({ problem }) => problem?.["code"] === "invalid_message");
    for (let i = 0; i < 3; i++) binary.send("{}");
    await vi.waitFor(() => expect(binary.closed?.code).toBe(1008), waiting);
    const large = await open();
    large.send("x".repeat(20_000));
    await vi.waitFor(() => expect(large.closed?.code).toBe(1009), waiting);
  });

  it("more subscriptions, boards or sockets than there is room for", async () => {
    const { open } = await makeLive({ subscriptionsMax: 2, feedsMax: 3, socketsMax: 2 });
    const codes = (client: Client) => client.messages.map(({ problem }) => problem?.["code"]);
    const first = await open();
    for (const id of ["a", "b", "c"]) first.send(subscribe(id, { eventType: id }));
    await first.until(({ id, type }) => id === "c" && type === "error");
    expect(codes(first)).toContain("too_many_subscriptions");
    const second = await open();
    for (const id of ["d", "e"]) second.send(subscribe(id, { eventType: id }));
    await second.until(({ id, type }) => id === "e" && type === "error");
    const third = await open();
    await vi.waitFor(() => expect(third.closed).not.toBeNull(), waiting);
    second.send({ type: "unsubscribe", id: "d" });
    second.send(subscribe("f", { eventType: "f" }));
    await second.until(({ id, type }) => id === "f" && type === "board");
  });

  it("pages of other origins, by default", async () => {
    const friend = "https://friend.example";
    const { address, open } = await makeLive({ origins: [friend] });
    const own = await open({ origin: `http://${address.host}:${address.port}` });
    expect((await open({ origin: friend })).closed).toBeNull();
    own.send(subscribe("one"));
    await own.until(({ type }) => type === "board");
    for (const origin of ["https://evil.example", "null", `http://${address.host}:1`]) {
      const client = await open({ origin });
      await vi.waitFor(() => expect(client.closed, origin).not.toBeNull(), waiting);
    }
  });

  it("plain requests, and WebSockets elsewhere", async () => {
    const { app, address } = await makeLive();
    const plain = await app.inject("/live");
    expect([plain.statusCode, plain.json().code]).toEqual([426, "upgrade_required"]);
    const elsewhere = new Client(`ws://${address.host}:${address.port}/leaderboard`);
    await vi.waitFor(() => expect(elsewhere.closed).not.toBeNull(), waiting);
  });
});

describeOverEach("a connection", () => {
  it("that offers HTTP/2 is answered as one that doesn't", async () => {
    const { log, address } = await makeLive();
    const { socket, ended } = rawConnection(address);
    const body = '{"eventId":"a"}';
    const offer = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n";
    const host = `host: ${address.host}\r\n`;
    const type = "content-type: application/json\r\n";
    const head = `POST /events HTTP/1.1\r\n${host}${offer}${type}`;
    socket.write(`${head}content-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
    await once(socket, "connect");
    socket.write(body.slice(5));
    socket.write(`GET /health/live HTTP/1.1\r\n${host}connection: close\r\n\r\n`);
    const text = await ended;
    expect(text).toContain("HTTP/1.1 202 Accepted");
    expect(text).toContain('{"status":"live"}');
    expect(log.appended).toHaveLength(1);
  });

  it("that does not answer is cut off; one that does gets heartbeats", async () => {
    const { address, open } = await makeLive({ heartbeatMs: 300 });
    const { socket, ended } = rawConnection(address);
    socket.write(handshake);
    expect(await ended).toContain("101 Switching Protocols");
    const client = await open();
    await vi.waitFor(() => {
      expect(client.messages.filter(({ type }) => type === "heartbeat").length).toBeGreaterThan(3);
    }, waiting);
    expect(client.closed).toBeNull();
  });

  it("is told to go when the service stops, and cut off when it stays", async () => {
    const { app, address, open } = await makeLive({ dismissMs: 50 });
    const client = await open();
    client.send(subscribe("one"));
    await client.until(({ type }) => type === "board");
    const { socket, ended } = rawConnection(address);
    socket.write(handshake);
    await once(socket, "data");
    const started = Date.now();
    await app.close();
    expect(Date.now() - started).toBeLessThan(1500);
    await vi.waitFor(() => expect(client.closed?.code).toBe(1001), waiting);
    await ended;
  });
});
