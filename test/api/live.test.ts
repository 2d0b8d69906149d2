// GET /live over a scripted query engine, on real sockets.
import { once } from "node:events";
import { WebSocket } from "undici";
import { afterEach, expect, it, vi } from "vitest";
import type { ApiDeps } from "../../src/api/app.ts";
import { feedKey } from "../../src/api/live-feeds.ts";
import { applyDiff } from "../../src/client/board-diff.ts";
import { RankstreamError } from "../../src/errors.ts";
import type { BoardChanges, LiveBoard } from "../../src/model-live.ts";
import { describeOverEach, makeApi, onSocket, rawConnection } from "./api-fixture.ts";

interface Message {
  type: string;
  id: string | null;
  seq: number;
  since: number;
  board: LiveBoard & Record<string, unknown>;
  changes: BoardChanges;
  problem: Record<string, unknown>;
  ended: boolean;
}

class Client {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  closed: { code: number } | null = null;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.addEventListener("message", ({ data }) => this.messages.push(JSON.parse(data)));
    this.socket.addEventListener("close", ({ code }) => {
      this.closed = { code };
    });
    // A refused handshake is told by `closed`.
    this.socket.addEventListener("error", () => undefined);
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The message that `is` right; waits for it. */
  async until(is: (message: Message) => boolean): Promise<Message> {
    return vi.waitFor(() => {
      const found = this.messages.find(is);
      if (found === undefined) throw new Error(`not yet in ${JSON.stringify(this.messages)}`);
      return found;
    }, waiting);
  }
}

/** For a client that answers nothing by itself. */
const handshake =
  "GET /live HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
  "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const waiting = { timeout: 10_000, interval: 5 };
const clients: Client[] = [];
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.close();
});

/** A service whose boards are what `counts` says, and clients of it. */
async function makeLive(live: ApiDeps["live"] = {}) {
  const state = { counts: { a: 3, b: 1 } as Record<string, number>, failure: null as unknown };
  const asked: string[] = [];
  const api = await makeApi({
    live: { pollMs: 10, ...live },
    query: {
      async leaderboard({ eventTypes, k }) {
        asked.push(eventTypes.join());
        if (state.failure !== null) throw state.failure;
        const rows = Object.entries(state.counts).sort(([, a], [, b]) => b - a);
        const results = rows.slice(0, k).map(([eventId, count]) => ({ eventId, count }));
        const total = rows.reduce((sum, [, count]) => sum + count, 0);
        return { eventType: eventTypes.join(), asOf: asked.length, total, results };
      },
    },
  });
  const address = await onSocket(api.app);
  const url = `ws://${address.host}:${address.port}/live`;
  const open = async (headers: Record<string, string> = {}) => {
    const client = new Client(url, headers);
    clients.push(client);
    await vi.waitFor(() => {
      if (client.socket.readyState === WebSocket.CONNECTING) throw new Error("connecting");
    }, waiting);
    return client;
  };
  return { ...api, state, asked, address, open };
}

const subscribe = (id: string, query: object = { eventType: "t" }, more: object = {}) => ({
  type: "subscribe",
  id,
  query,
  ...more,
});

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
    const { address, open } = await makeLive({ heartbeatMs: 30 });
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

  it("that stops reading is sent the latest only, and holds up no memory", async () => {
    const soft = 64 * 1024;
    const { app, state, address, open } = await makeLive({
      unsentBytesSoft: soft,
      clockOnlyMs: 60_000,
    });
    const { socket } = rawConnection(address);
    socket.write(handshake);
    await once(socket, "data");
    const text = Buffer.from(JSON.stringify(subscribe("one", { eventType: "t", k: "1000" })));
    // A masked text frame with a mask of zeros.
    socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
    await once(socket, "data");
    socket.pause();
    const watching = await open();
    watching.send(subscribe("all", { eventType: "t", k: "1000" }));
    let most = 0;
    let grown = 0;
    for (let round = 1; round <= 100; round++) {
      const ids = Array.from({ length: 500 }, (_, i) => `${i} of ${round} ${"x".repeat(400)}`);
      const rows = ids.map((id, i) => [id, i + round]);
      state.counts = Object.fromEntries(rows);
      await watching.until(({ changes, board }) => {
        const set = changes?.set ?? board;
        return set?.["total"] === (499 * 500) / 2 + 500 * round;
      });
      watching.messages.length = 0;
      const held = [...app.websocketServer.clients].map(({ bufferedAmount }) => bufferedAmount);
      const now = Math.max(...held);
      if (now > most) grown = round;
      most = Math.max(most, now);
    }
    // Each version is about 220 KB: one beyond the soft bound, and no more.
    expect(most).toBeGreaterThan(soft);
    expect(most).toBeLessThan(soft + 300_000);
    expect(grown).toBeLessThan(100);
    // Reading again, it gets the latest though nothing changes any more.
    let received = "";
    socket.on("data", (chunk) => {
      received = received.slice(-200_000) + String(chunk);
    });
    socket.resume();
    await vi.waitFor(() => expect(received).toMatch(/"0 of 100 x/), waiting);
  });
});
