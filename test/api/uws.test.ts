// What is of uWebSockets.js alone; all it has in common with Fastify is tested over each.
import { request as httpRequest } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { describe, expect, it } from "vitest";
import { streamPair } from "../../src/api/stream-pair.ts";
import { loadUws } from "../../src/api/uws.ts";
import { RankstreamError } from "../../src/errors.ts";
import { describeOverEach, makeApi, onSocket, rawConnection } from "./api-fixture.ts";

const one = '{"eventId":"a"}';
const json = { "content-type": "application/json" };
const postOne = (more = "") =>
  `POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${more}` +
  `content-length: ${one.length}\r\n\r\n${one}`;

it("is asked for where it can't be loaded: an error that says what to do", () => {
  const load = () => loadUws("plan9_x64_1");
  expect(load).toThrow(RankstreamError);
  expect(load).toThrow(
    "httpServer uws: expected binaries/uws_plan9_x64_1.node of " +
      "@trufflesuite/uws-js-unofficial@20.30.0-unofficial.0, got no such file",
  );
});

describeOverEach("replies", (server) => {
  it("have their length and come whole, however large", async () => {
    const rows = Array.from({ length: 200_000 }, (_, i) => ({ eventId: `item-${i}` }));
    const { app } = await makeApi({ query: { leaderboard: async () => ({ rows }) } });
    const { host, port } = await onSocket(app);
    const reply = await request(`http://${host}:${port}/leaderboard?eventType=a`);
    const text = await reply.body.text();
    expect(reply.headers["content-length"]).toBe(`${text.length}`);
    expect(JSON.parse(text).rows).toHaveLength(rows.length);
    const head = await request(`http://${host}:${port}/health/live`, { method: "HEAD" });
    expect([head.statusCode, head.headers["content-length"]]).toEqual([200, "17"]);
    expect(await head.body.text()).toBe("");
  });

  it("tell clients how long a connection is kept", async () => {
    const { app } = await makeApi();
    const { host, port } = await onSocket(app);
    const url = `http://${host}:${port}`;
    const replies = [
      await request(`${url}/events`, { method: "POST", headers: json, body: one }),
      await request(`${url}/health/live`),
    ];
    for (const reply of replies) {
      expect(reply.headers["keep-alive"]).toBe(server === "uws" ? "timeout=7" : "timeout=72");
      expect(reply.headers["x-content-type-options"]).toBe("nosniff");
      expect(Object.keys(reply.headers)).toContain("date");
      await reply.body.dump();
    }
  });

  it("come to whoever asks under an odd address, or with an odd body", async () => {
    const { app } = await makeApi();
    const address = await onSocket(app);
    for (const [text, status] of [
      [
        "POST /%65vents HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        415,
      ],
      ["GET /health/live?a=%C3%BC HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 200],
      [
        "PUT /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nab",
        404,
      ],
      [postOne("connection: close\r\nupgrade: h2c\r\n"), 202],
    ] as const) {
      const { socket, ended } = rawConnection(address);
      socket.write(text);
      expect(await ended).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });
});

describeOverEach("a body", (server) => {
  it("in chunks is taken as one with its length", async () => {
    const { app, log, budget } = await makeApi();
    const { host, port } = await onSocket(app);
    const options = { host, port, path: "/events", method: "POST", headers: json };
    const status = await new Promise((resolve, reject) => {
      const sent = httpRequest(options, (reply) => resolve(reply.resume().statusCode));
      sent.on("error", reject);
      for (const part of one) sent.write(part);
      sent.end();
    });
    expect([status, log.appended.length, budget.bytesHeld]).toEqual([202, 1, 0]);
  });

  if (server === "uws") {
    it("may come more slowly than uWebSockets.js would wait", async () => {
      const { app, log } = await makeApi({ requestTimeoutMs: 30_000 });
      const { socket, ended } = rawConnection(await onSocket(app));
      const text = postOne("connection: close\r\n");
      socket.write(text.slice(0, -2));
      await sleep(13_000);
      socket.write(text.slice(-2));
      expect(await ended).toMatch(/^HTTP\/1.1 202 /);
      expect(log.appended).toHaveLength(1);
    });

    it("is not taken while too many requests are under way", async () => {
      let open = () => {};
      const { app, log } = await makeApi({ connectionsMax: 1 });
      log.before = () => new Promise((resolve) => (open = resolve));
      const { host, port } = await onSocket(app);
      const url = `http://${host}:${port}`;
      const post = () => request(`${url}/events`, { method: "POST", headers: json, body: one });
      const first = post();
      await sleep(50);
      for (const reply of [await post(), await request(`${url}/health/live`)]) {
        expect([reply.statusCode, reply.headers["retry-after"]]).toEqual([503, "1"]);
        expect(await reply.body.json()).toMatchObject({ code: "overloaded" });
      }
      open();
      const answered = await first;
      expect(answered.statusCode).toBe(202);
      await answered.body.dump();
    });
  }
});

/** All that is read up to the end; unlike an iterator it leaves the stream open. */
function readAll(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    stream.once("end", () => resolve(Buffer.concat(chunks).toString()));
  });
}

describe("the ends of a connection within the process", () => {
  it("pass on bytes, their end, and wait for each other", async () => {
    const { client, server } = streamPair("10.0.0.1");
    expect((server as { remoteAddress?: string }).remoteAddress).toBe("10.0.0.1");
    const sent = "x".repeat(1_000_000);
    let isSent = false;
    client.end(sent, () => {
      isSent = true;
    });
    await sleep(5);
    expect(isSent).toBe(false);
    expect(await readAll(server)).toBe(sent);
    expect(isSent).toBe(true);
    server.end("reply");
    expect(await readAll(client)).toBe("reply");
  });

  it("close the server's when the client's is, and let the client read what came", async () => {
    const first = streamPair("");
    const closed = new Promise((resolve) => first.server.once("close", resolve));
    first.client.destroy();
    await closed;
    const second = streamPair("");
    second.server.write("last words");
    second.server.destroy();
    expect(await readAll(second.client)).toBe("last words");
    const error = new Promise<Error>((resolve) => second.client.once("error", resolve));
    second.client.write("too late");
    expect((await error).message).toBe("the other end is closed");
  });
});
