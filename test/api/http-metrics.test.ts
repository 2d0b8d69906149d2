// What is counted and timed of requests, over each HTTP server.
import { once } from "node:events";
import { expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { Metrics } from "../../src/telemetry-metrics.ts";
import { readExposition } from "../support/exposition.ts";
import { describeOverEach, makeApi, onSocket, rawConnection, send } from "./api-fixture.ts";
import { makeLive } from "./live-fixture.ts";

const requests = "rankstream_http_requests_total";
const seconds = "rankstream_http_request_duration_seconds";
const waiting = { timeout: 10_000, interval: 10 };
const json = { "content-type": "application/json" };
const event = '{"eventId":"a","eventType":"b"}';

function countOf(metrics: Metrics, route: string, method: string, status: number): number {
  return metrics.value(requests, { route, method, status: `${status}` });
}

function errorsOf(metrics: Metrics, code: string): number {
  return metrics.value("rankstream_http_errors_total", { code });
}

/** All that was counted, as `GET /route 200: 3`. */
async function allOf(metrics: Metrics): Promise<string[]> {
  const families = readExposition(await metrics.text());
  const family = families.find(({ name }) => name === requests)!;
  return family.series
    .map(
      ({ labels: { route, method, status }, value }) => `${method} ${route} ${status}: ${value}`,
    )
    .sort();
}

describeOverEach("requests", (server) => {
  it("are counted by route, method and status, each once, and timed", async () => {
    const { app, metrics } = await makeApi({ query: { leaderboard: async () => ({}) as never } });
    const post = (payload: string, headers: Record<string, string> = json) =>
      send(app, { method: "POST", url: "/events", headers, payload });
    const { host, port } = await onSocket(app);
    const get = async (path: string, method = "GET") => {
      const reply = await fetch(`http://${host}:${port}${path}`, { method });
      await reply.arrayBuffer();
      return reply.status;
    };
    for (let i = 0; i < 3; i++) expect((await post(event)).statusCode).toBe(202);
    expect((await post("{}")).statusCode).toBe(400);
    expect((await post(event, { "content-type": "text/html" })).statusCode).toBe(415);
    expect((await post(`[${" ".repeat(100_000)}]`)).statusCode).toBe(413);
    for (const name of ["x", "y"]) expect(await get(`/leaderboard?eventType=${name}`)).toBe(200);
    expect(await get("/leaderboard")).toBe(400);
    expect(await get("/leaderboard?eventType=x", "DELETE")).toBe(405);
    for (const path of ["/nothing", "/items/%ff"]) await get(path);
    expect(await get("/jobs/1234")).toBe(500);
    await vi.waitFor(async () => {
      expect(await allOf(metrics)).toEqual([
        "DELETE unmatched 405: 1",
        "GET /jobs/:id 500: 1",
        "GET /leaderboard 200: 2",
        "GET /leaderboard 400: 1",
        "GET unmatched 404: 1",
        "POST /events 202: 3",
        "POST /events 400: 1",
        "POST /events 413: 1",
        "POST /events 415: 1",
      ]);
    }, waiting);
    expect(metrics.value(seconds, { route: "/events", method: "POST" })).toBe(6);
    expect(metrics.value(seconds, { route: "/leaderboard", method: "GET" })).toBe(3);
    expect(metrics.value("rankstream_http_requests_in_flight")).toBe(0);
    const codes = ["no_valid_events", "unsupported_media_type", "body_too_large", "not_found"];
    for (const code of [...codes, "method_not_allowed", "internal_error"]) {
      expect([code, errorsOf(metrics, code)]).toEqual([code, 1]);
    }
    // Of a path that can't be read, no route was looked for.
    expect(errorsOf(metrics, "bad_request")).toBe(1);
  });

  it("are in flight until they are answered, or their client has left", async () => {
    const answers: (() => void)[] = [];
    const { app, metrics } = await makeApi({
      query: {
        leaderboard: () => new Promise((resolve) => answers.push(() => resolve({} as never))),
      },
    });
    const address = await onSocket(app);
    const inFlight = () => metrics.value("rankstream_http_requests_in_flight");
    const asking = (name: string) =>
      `GET /leaderboard?eventType=${name} HTTP/1.1\r\nhost: x\r\n\r\n`;
    const [one, other] = [rawConnection(address), rawConnection(address)];
    one.socket.write(asking("a"));
    other.socket.write(asking("b"));
    const half = "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    const third = rawConnection(address);
    third.socket.write(`${half}content-length: 100\r\n\r\n{`);
    await vi.waitFor(() => expect(inFlight()).toBe(3), waiting);
    await vi.waitFor(() => expect(answers).toHaveLength(2), waiting);
    other.socket.destroy();
    third.socket.destroy();
    await vi.waitFor(() => expect(inFlight()).toBe(1), waiting);
    for (const answer of answers) answer();
    await vi.waitFor(() => expect(inFlight()).toBe(0), waiting);
    expect(countOf(metrics, "/leaderboard", "GET", 200)).toBe(1);
    expect(countOf(metrics, "/leaderboard", "GET", 499)).toBe(1);
    expect(countOf(metrics, "/events", "POST", 499)).toBe(1);
  });

  it("that stay open are counted once they end, and not timed", async () => {
    const { metrics, address } = await makeLive({});
    const socket = new WebSocket(`ws://${address.host}:${address.port}/live`);
    await once(socket, "open");
    const stream = rawConnection(address);
    stream.socket.write("GET /live/events?eventType=t HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(stream.socket, "data");
    expect(metrics.value("rankstream_http_requests_in_flight")).toBe(0);
    socket.close();
    stream.socket.destroy();
    await vi.waitFor(() => {
      expect(countOf(metrics, "/live/events", "GET", 200)).toBe(1);
      expect(countOf(metrics, "/live", "GET", 101)).toBe(1);
    }, waiting);
    expect(metrics.value(seconds, { route: "/live/events", method: "GET" })).toBe(0);
  });

  // uWebSockets.js answers these itself.
  it.skipIf(server === "uws")("that are broken are counted by their error", async () => {
    const { app, metrics } = await makeApi();
    const { socket, ended } = rawConnection(await onSocket(app));
    socket.write("POST /events HTTP/1.1\r\nhost: x\r\nbroken\r\n\r\n");
    await ended;
    expect(errorsOf(metrics, "bad_request")).toBe(1);
  });

  it("are not looked at where metrics are off", async () => {
    const metrics = new Metrics({ isOn: false });
    const { app } = await makeApi({ metrics });
    expect(
      (await send(app, { method: "POST", url: "/events", headers: json, payload: event }))
        .statusCode,
    ).toBe(202);
    const reply = await app.inject({ method: "GET", url: "/metrics" });
    expect(reply.statusCode).toBe(404);
    expect(reply.json()).toMatchObject({
      code: "not_found",
      detail: "metrics are switched off here",
    });
    expect(countOf(metrics, "/events", "POST", 202)).toBe(0);
  });
});
