import { createServer } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { request } from "undici";
import { expect, it } from "vitest";
import { listen } from "../../src/api/listen.ts";
import { ByteBudget } from "../../src/edge/byte-budget.ts";
import { describeOverEach, makeApi, onSocket, rawConnection } from "./api-fixture.ts";

const one = '{"eventId":"a"}';
const head = "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

function problemOf(answer: string) {
  const [headers = "", body = ""] = answer.split("\r\n\r\n");
  expect(headers).toContain("content-type: application/problem+json");
  return { statusLine: headers.split("\r\n", 1)[0], body: JSON.parse(body) };
}

describeOverEach("a client that is slow", (server) => {
  it("with its body is cut off with 408", async () => {
    const { app, budget } = await makeApi({ requestTimeoutMs: 300 });
    const { socket, ended } = rawConnection(await onSocket(app));
    const start = Date.now();
    socket.write(`${head}content-length: 1000\r\n\r\n${one}`);
    const drip = setInterval(() => socket.write(" "), 50);
    const { statusLine, body } = problemOf(await ended);
    clearInterval(drip);
    expect(statusLine).toMatch(/^HTTP\/1.1 408 /);
    expect(body.code).toBe("request_timeout");
    expect(Date.now() - start).toBeLessThan(2000);
    await sleep(20);
    expect(budget.bytesHeld).toBe(0);
  });

  // uWebSockets.js answers no half head: see test/e2e/bad-input.test.ts.
  if (server === "fastify") {
    it("with its headers is cut off with 408", async () => {
      const { app } = await makeApi({ requestTimeoutMs: 300 });
      const { socket, ended } = rawConnection(await onSocket(app));
      socket.write("POST /events HTT");
      expect(problemOf(await ended).body.code).toBe("request_timeout");
    });
  }

  it("goes away in the middle: nothing stays held or stored", async () => {
    const { app, budget, log } = await makeApi();
    const { socket } = rawConnection(await onSocket(app));
    socket.write(`${head}content-length: 1000\r\n\r\n${one}`);
    while (budget.bytesHeld === 0) await sleep(5);
    expect(budget.bytesHeld).toBe(one.length);
    socket.destroy();
    while (budget.bytesHeld > 0) await sleep(5);
    expect(log.appended).toEqual([]);
  });
});

describeOverEach("a body that is too large", () => {
  const big = Buffer.alloc(100 * 1024 * 1024, " ");
  it.each([
    ["with its length", { "content-length": `${big.length}` }],
    ["in chunks", { "transfer-encoding": "chunked" }],
  ])("%s (100 MB) gets 413, and the next request is served", async (what, more) => {
    const { app, budget } = await makeApi({ bodyBytesMax: 1_000_000 });
    const { host, port } = await onSocket(app);
    const url = `http://${host}:${port}`;
    const body = what === "in chunks" ? Readable.from(chunksOf(big)) : big;
    const headers = { "content-type": "application/json" };
    if (what !== "in chunks") Object.assign(headers, more);
    const reply = await request(`${url}/events`, { method: "POST", headers, body });
    expect(reply.statusCode).toBe(413);
    expect(await reply.body.json()).toMatchObject({ code: "body_too_large", status: 413 });
    expect(budget.bytesHeld).toBe(0);
    const next = await request(`${url}/health/live`);
    expect(next.statusCode).toBe(200);
    await next.body.dump();
  });

  it("is refused by its length before any of it has come", async () => {
    const { app } = await makeApi();
    const { socket } = rawConnection(await onSocket(app));
    socket.write(`${head}content-length: 100001\r\n\r\n`);
    const answer = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    expect(problemOf(answer.toString()).body.code).toBe("body_too_large");
  });

  it("harms nothing when the refused client hangs up", async () => {
    const { app } = await makeApi();
    const address = await onSocket(app);
    const { socket } = rawConnection(address);
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n30000\r\n${" ".repeat(150_000)}`);
    await new Promise((resolve) => socket.once("data", resolve));
    socket.resetAndDestroy();
    await sleep(50);
    const next = await request(`http://${address.host}:${address.port}/health/live`);
    expect(next.statusCode).toBe(200);
    await next.body.dump();
  });

  it("packed small and unpacked huge gets 413 quickly", async () => {
    const { app, budget } = await makeApi();
    const { host, port } = await onSocket(app);
    const bomb = gzipSync(Buffer.alloc(60 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    const reply = await request(`http://${host}:${port}/events`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: bomb,
    });
    expect(reply.statusCode).toBe(413);
    expect(await reply.body.json()).toMatchObject({ code: "body_too_large" });
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024);
    expect(budget.bytesHeld).toBe(0);
  });

  async function* chunksOf(bytes: Buffer) {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }
});

describeOverEach("too many bodies at once", () => {
  it("get 503 and what came is let go", async () => {
    const budget = new ByteBudget(100);
    const { app } = await makeApi({}, { budget });
    const address = await onSocket(app);
    const first = rawConnection(address);
    first.socket.write(`${head}content-length: 95\r\n\r\n${" ".repeat(90)}`);
    while (budget.bytesHeld === 0) await sleep(5);
    const second = await request(`http://${address.host}:${address.port}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: one,
    });
    expect(second.statusCode).toBe(503);
    expect(second.headers["retry-after"]).toBe("1");
    expect(await second.body.json()).toMatchObject({ code: "overloaded" });
    expect(budget.bytesHeld).toBe(90);
    first.socket.destroy();
    while (budget.bytesHeld > 0) await sleep(5);
  });
});

describeOverEach("what is not HTTP", (server) => {
  const rubbish = [
    ["nonsense\r\n\r\n", /^HTTP\/1.1 400 /, "bad_request"],
    [`${head}content-length: x\r\n\r\n`, /^HTTP\/1.1 400 /, "bad_request"],
  ] as const;
  it.each([
    ...(server === "fastify" ? rubbish : []),
    [
      `GET / HTTP/1.1\r\nhost: x\r\na: ${"x".repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1.1 431 /,
      "headers_too_large",
    ],
    [`${head}a: ${"x".repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /, "headers_too_large"],
    [`${head}content-length: 1\r\ncontent-length: 2\r\n\r\na`, /^HTTP\/1.1 400 /, "bad_request"],
  ] as const)("gets a problem document: %.30j", async (text, status, code) => {
    const { app } = await makeApi();
    const { socket, ended } = rawConnection(await onSocket(app));
    socket.write(text);
    const { statusLine, body } = problemOf(await ended);
    expect(statusLine).toMatch(status);
    expect(body.code).toBe(code);
  });

  it("sends two keys", async () => {
    const { app } = await makeApi();
    const { socket, ended } = rawConnection(await onSocket(app));
    const keys = "idempotency-key: a\r\nidempotency-key: b\r\nconnection: close\r\n";
    socket.write(`${head}${keys}content-length: ${one.length}\r\n\r\n${one}`);
    expect(problemOf(await ended).body.code).toBe("invalid_idempotency_key");
  });
});

describeOverEach("closing", () => {
  it("does not wait for idle connections", async () => {
    const { app } = await makeApi();
    const { socket } = rawConnection(await onSocket(app));
    socket.write("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    const start = Date.now();
    await app.close();
    expect(Date.now() - start).toBeLessThan(500);
  });

  it("finishes what is under way and turns away what comes after", async () => {
    let open = () => {};
    const { app, log } = await makeApi();
    log.before = () => new Promise((resolve) => (open = resolve));
    const address = await onSocket(app);
    const url = `http://${address.host}:${address.port}/events`;
    const headers = { "content-type": "application/json" };
    const late = rawConnection(address);
    await new Promise((resolve) => late.socket.once("connect", resolve));
    const reply = request(url, { method: "POST", headers, body: one });
    late.socket.write(`${head}content-length: ${one.length}\r\n`);
    await sleep(50);
    const closed = app.close();
    await sleep(20);
    late.socket.write(`\r\n${one}`);
    expect(problemOf(await late.ended).body.code).toBe("shutting_down");
    open();
    const answered = await reply;
    expect(answered.statusCode).toBe(202);
    await answered.body.dump();
    const start = Date.now();
    await closed;
    expect(Date.now() - start).toBeLessThan(500);
  });

  it("cuts what does not end in time", async () => {
    const { app, log } = await makeApi({ closeMsMax: 200 });
    const isStored = new Promise<void>((resolve) => {
      log.before = () => {
        resolve();
        return new Promise(() => {});
      };
    });
    const { socket, ended } = rawConnection(await onSocket(app));
    socket.write(`${head}content-length: ${one.length}\r\n\r\n${one}`);
    await isStored;
    const start = Date.now();
    await app.close();
    expect(Date.now() - start).toBeLessThan(1500);
    expect(await ended).toBe("");
  });
});

describeOverEach("listening", () => {
  it("waits for a port that is being given up", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    setTimeout(() => holder.close(), 300);
    const { app } = await makeApi();
    expect(await listen(app, { host: "127.0.0.1", port }, 5000)).toEqual({
      host: "127.0.0.1",
      port,
    });
  });

  it("says that the port stays taken, or that the address is none", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    const { app } = await makeApi();
    const taken = listen(app, { host: "127.0.0.1", port }, 150);
    await expect(taken).rejects.toMatchObject({ code: "port_in_use" });
    holder.close();
    const strange = listen(app, { host: "192.0.2.1", port: 0 }, 150);
    await expect(strange).rejects.toMatchObject({ code: "address_unavailable" });
  });
});

describeOverEach("an offer of a WebSocket", () => {
  const upgrade =
    "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n" +
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

  // uWebSockets.js takes what Node's own client refuses to write: it must not end the process.
  it.each(["/live#x", "/live?a#b", "/live?\u00e9"])(
    "to an odd address is answered: %s",
    async (path) => {
      const { app } = await makeApi();
      const { socket, ended } = rawConnection(await onSocket(app));
      socket.end(Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${upgrade}`));
      expect(await ended).toMatch(/^HTTP\/1.1 4\d\d /);
      expect((await app.inject("/health/live")).statusCode).toBe(200);
    },
  );

  it.each(["\u00ff", "a\u0001b", "\u007f"])("from an odd host is answered: %j", async (host) => {
    const { app } = await makeApi();
    const { socket, ended } = rawConnection(await onSocket(app));
    socket.end(Buffer.from(`GET /live HTTP/1.1\r\nhost: ${host}\r\n${upgrade}`, "latin1"));
    await ended;
    expect((await app.inject("/health/live")).statusCode).toBe(200);
  });

  it.each([
    ["/%zz", "localhost", 400],
    ["/nowhere", "localhost", 404],
    ["/live?k=1", "localhost", 400],
    ["/live", "evil.example", 421],
    ["/live", "localhost", 403],
  ])("that is refused leaves no connection open: %s of %s", async (path, host, status) => {
    const { app } = await makeApi({ allowedHosts: [] });
    const { socket, ended } = rawConnection(await onSocket(app));
    const origin = "origin: https://evil.example\r\n";
    // A client that says it has no more to say, and never closes.
    socket.end(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${origin}${upgrade}`);
    expect(await ended).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    await app.close();
  });
});
