// Each request's id, in its reply, its problem document and its log lines, over each HTTP server.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { GuardedAccess } from "../../src/access/access.ts";
import { callerText } from "../../src/access/caller.ts";
import { RankstreamError } from "../../src/errors.ts";
import { everybody } from "../../src/model-access.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { createLogger } from "../../src/telemetry-log.ts";
import { keyOf, writeKeys } from "../access/access-fixture.ts";
import { describeOverEach, makeApi, onSocket, rawConnection, send } from "./api-fixture.ts";

const json = { "content-type": "application/json" };
const one = '{"eventId":"a","userId":"alice-in-body"}';

function makeLog() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  return { lines, logger: createLogger({ level: "trace", write }) };
}

type More = Parameters<typeof makeApi>;

async function makeLogged(more: More[0] = {}, edge: More[1] = {}) {
  const { lines, logger } = makeLog();
  const made = await makeApi({ logger, ...more }, { logger, ...edge });
  return { ...made, lines };
}

describeOverEach("a request's id", () => {
  it("is the one it came with, in reply and log", async () => {
    const { app, lines } = await makeLogged();
    const id = "proxy/7:abc-1.2_3+=";
    const headers = { ...json, "x-request-id": id };
    const reply = await send(app, { method: "POST", url: "/events", headers, payload: one });
    expect([reply.statusCode, reply.headers["x-request-id"]]).toEqual([202, id]);
    await expect
      .poll(() => lines)
      .toContainEqual(
        expect.objectContaining({
          "http.request.id": id,
          "http.request.method": "POST",
          "url.path": "/events",
          "http.response.status_code": 202,
          "event.outcome": "success",
          "event.duration": expect.any(Number),
          "log.level": "debug",
        }),
      );
    expect(JSON.stringify(lines)).not.toContain("alice");
  });

  it("is made where none came, or one that can't stand everywhere", async () => {
    const { app } = await makeLogged();
    const ids = new Set<unknown>();
    for (const given of [undefined, "", "a b", 'x"y', "é", "x".repeat(129), "a, b"]) {
      const headers = given === undefined ? json : { ...json, "x-request-id": given };
      const reply = await send(app, { method: "POST", url: "/events", headers, payload: one });
      const id = reply.headers["x-request-id"];
      expect(id).toMatch(/^[\w-]{12}\.[0-9a-z]+$/);
      ids.add(id);
    }
    expect(ids.size).toBe(7);
  });

  it.each([
    ["what the edge refuses", "/events", "{", 400],
    ["what is refused before it is read", "/events?x=1", one, 400],
    ["an unknown address", "/nowhere", one, 404],
  ])("is in the problem document of %s", async (_what, url, payload, status) => {
    const { app, lines } = await makeLogged();
    const headers = { ...json, "x-request-id": "r-9" };
    const reply = await send(app, { method: "POST", url, headers, payload });
    expect(reply.statusCode).toBe(status);
    expect(reply.headers["x-request-id"]).toBe("r-9");
    const { requestId, code } = JSON.parse(reply.body);
    expect(requestId).toBe("r-9");
    await expect
      .poll(() => lines)
      .toContainEqual(expect.objectContaining({ "http.request.id": "r-9", "error.code": code }));
  });

  it("names what went wrong inside, and what is then answered", async () => {
    const failing = { append: () => Promise.reject(new TypeError("broken")), partitionCount: 1 };
    const { app, lines } = await makeLogged({}, { log: failing });
    const headers = { ...json, "x-request-id": "r-500" };
    const reply = await send(app, { method: "POST", url: "/events", headers, payload: one });
    expect(reply.statusCode).toBe(500);
    await expect.poll(() => lines.length).toBeGreaterThanOrEqual(2);
    const shown = lines.map((line) => [
      line["http.request.id"],
      line["event.dataset"],
      line["log.level"],
    ]);
    expect(shown).toEqual([
      ["r-500", "rankstream.edge", "error"],
      ["r-500", "rankstream.http", "warn"],
    ]);
  });

  it("is in replies to whoever speaks HTTP by hand", async () => {
    const { app } = await makeLogged();
    const { socket, ended } = rawConnection(await onSocket(app));
    socket.write("GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const text = await ended;
    const [, id] = /x-request-id: (\S+)/i.exec(text) ?? [];
    expect(text).toContain(`"requestId":"${id}"`);
  });
});

describeOverEach("lines of requests", () => {
  it("that take long are at level info, and say what was asked, not about whom", async () => {
    const slow = {
      leaderboard: async () => {
        await sleep(30);
        return {};
      },
    };
    const { app, lines } = await makeLogged({ query: slow, slowRequestMs: 1 });
    const url = "/leaderboard?eventType=play&k=3&userId=alice&filter.plan=gold";
    await send(app, { method: "GET", url });
    await expect.poll(() => lines.length).toBe(1);
    expect(lines[0]).toMatchObject({
      "log.level": "info",
      "url.path": "/leaderboard",
      "rankstream.question": { eventType: "play", k: "3" },
    });
    expect(JSON.stringify(lines)).not.toMatch(/alice|gold/);
  });

  it("that change or delete something are at level info, with whose key it was", async () => {
    const owner = keyOf("owner");
    const reader = keyOf("reader", { scopes: ["read"] });
    const keysPath = writeKeys([owner, reader]);
    const access = await GuardedAccess.open({ keysPath, logger: silentLogger });
    const { app, lines } = await makeLogged({ access });
    const ask = (method: "GET" | "POST" | "DELETE", url: string, headers = {}) =>
      send(app, { method, url, headers, ...(method === "POST" && { payload: "{}" }) });
    await ask("DELETE", "/event-types/play?odd=1", owner.headers);
    await ask("DELETE", "/users?userId=alice", reader.headers);
    await ask("POST", "/admin/cache/invalidate", { ...json, ...owner.headers });
    const ofNode = callerText({ ...everybody, id: "shop" });
    await ask("DELETE", "/users/alice?odd=1", { ...owner.headers, "rankstream-caller": ofNode });
    // These are none, or are of nobody who is known.
    await ask("GET", "/event-types?odd=1", owner.headers);
    await ask("POST", "/items/play/batch", { ...json, ...reader.headers });
    await ask("DELETE", "/event-types/play");
    await expect.poll(() => lines.length).toBe(7);
    const told = lines
      .filter((line) => String(line["message"]).startsWith("a change was asked for"))
      .map((line) => [line["message"], line["log.level"], line["rankstream.key"]]);
    expect(told).toEqual([
      ["a change was asked for: DELETE /event-types/:name", "info", "owner"],
      ["a change was asked for: DELETE /users", "info", "reader"],
      ["a change was asked for: POST /admin/cache/invalidate", "info", "owner"],
      ["a change was asked for: DELETE /users/***", "info", "owner/shop"],
    ]);
    expect(JSON.stringify(lines)).not.toContain("alice");
  });

  it("that could not be served are at level warn, with code and reason", async () => {
    const error = new RankstreamError("store_failed", "no rows of alice: the disk is away");
    const failing = { leaderboard: () => Promise.reject(error) };
    const { app, lines } = await makeLogged({ query: failing });
    const url = "/leaderboard?eventType=play&userId=alice";
    expect((await send(app, { method: "GET", url })).statusCode).toBe(503);
    await expect.poll(() => lines.length).toBe(1);
    expect(lines[0]).toMatchObject({
      "log.level": "warn",
      "http.response.status_code": 503,
      "event.outcome": "failure",
      "error.code": "store_failed",
      "error.message": "no rows of ***: the disk is away",
    });
  });

  it("whose client left are written too, and name the trace they came with", async () => {
    let asked: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const never = () => {
      asked();
      return new Promise<never>(() => undefined);
    };
    const { app, lines } = await makeLogged({ query: { leaderboard: never } });
    const { socket } = rawConnection(await onSocket(app));
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const trace = `traceparent: 00-${traceId}-00f067aa0ba902b7-00`;
    socket.write(`GET /leaderboard?eventType=play HTTP/1.1\r\nhost: x\r\n${trace}\r\n\r\n`);
    await begun;
    socket.destroy();
    const line = expect.objectContaining({
      "log.level": "debug",
      "url.path": "/leaderboard",
      "http.response.status_code": 499,
      "trace.id": traceId,
      "span.id": "00f067aa0ba902b7",
    });
    await expect.poll(() => lines).toContainEqual(line);
  });

  it("name the client only where asked to", async () => {
    for (const hasAddresses of [false, true]) {
      const { app, lines } = await makeLogged({ hasAddresses });
      await send(app, { method: "POST", url: "/events", headers: json, payload: one });
      await expect.poll(() => lines.length).toBe(1);
      expect("client.ip" in lines[0]!).toBe(hasAddresses);
    }
  });
});
