// docs/limits.md: each limit that seconds suffice for is exceeded with a real service, which says
// so clearly and is well afterwards.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { until as untilWithin } from "../support/until.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const requestTimeoutMs = 3000;
const connectionsMax = 60;
const waitMsMax = 30_000;
const until = <T>(look: () => Promise<T>) => untilWithin(look, waitMsMax);
const json = { "content-type": "application/json" };
const head = "host: localhost\r\ncontent-type: application/json\r\n";

let service: RankstreamProcess;
const sockets = new Set<Socket>();

beforeAll(async () => {
  const options = {
    "body-bytes-max": `${MiB}`,
    "unpacked-bytes-max": `${2 * MiB}`,
    "ingest-bytes-max": `${3 * MiB}`,
    "event-types-max": "4",
    "jobs-max": "2",
    "connections-max": `${connectionsMax}`,
    "request-timeout-ms": `${requestTimeoutMs}`,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  service = await startRankstream({ args });
  expect((await service.post({ eventId: "a", eventType: "play" })).status).toBe(202);
});

/** Whatever was exceeded: it is ready, takes events and answers. */
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await until(async () => {
    expect((await service.get("/health/ready")).status).toBe(200);
    expect((await service.post({ eventId: "a", eventType: "play" })).status).toBe(202);
    const board = await service.get("/leaderboard", { eventType: "play", timeRange: "last_hour" });
    expect(board.body.results[0].eventId).toBe("a");
  });
});

function open(): { socket: Socket; ended: Promise<string> } {
  const { hostname, port } = new URL(service.url);
  const socket = connect({ host: hostname, port: Number(port) });
  sockets.add(socket);
  let text = "";
  socket.on("data", (data) => {
    text += data;
  });
  socket.on("error", () => undefined);
  return { socket, ended: once(socket, "close").then(() => text) };
}

/** The status and code that a plain connection was answered with before it was closed. */
async function answered(ended: Promise<string>): Promise<[number, string]> {
  const text = await ended;
  const status = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? 0);
  return [status, /"code":"(\w+)"/.exec(text)?.[1] ?? ""];
}

async function refusal(path: string, init: RequestInit = {}): Promise<[number, string]> {
  const { status, body } = await service.request(path, init);
  return [status, body?.code ?? ""];
}

function post(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): RequestInit {
  return { method: "POST", headers: { ...json, ...headers }, body };
}

describe("one request", () => {
  const many = Array.from({ length: 1001 }, (_, i) => `i${i}`);
  const board = "/leaderboard?eventType=play";

  it.each([
    ["a body", "/events", () => post(" ".repeat(MiB + 1)), 413, "body_too_large"],
    [
      "an unpacked body",
      "/events",
      () =>
        post(Uint8Array.from(gzipSync(Buffer.alloc(8 * MiB, " "))), {
          "content-encoding": "gzip",
        }),
      413,
      "body_too_large",
    ],
    ["a part of the address", `/items/play/${"x".repeat(4097)}`, () => ({}), 414, "uri_too_long"],
    ["an id", `/items/play/${"x".repeat(513)}`, () => ({}), 400, "invalid_parameter"],
    ["rows", `${board}&k=1001`, () => ({}), 400, "invalid_parameter"],
    [
      "values of a parameter",
      `${board}&${many.map((id) => `include=${id}`).join("&")}`,
      () => ({}),
      400,
      "invalid_parameter",
    ],
    [
      "items of a batch",
      "/items/play/batch",
      () => post(JSON.stringify({ eventIds: many })),
      400,
      "invalid_parameter",
    ],
    [
      "a batch of items",
      "/items/play/batch",
      () => post(" ".repeat(4 * MiB + 1)),
      413,
      "body_too_large",
    ],
  ])("%s too large", async (_what, path, init, status, code) => {
    expect(await refusal(path, init())).toEqual([status, code]);
  });

  it("headers too large", async () => {
    const { socket, ended } = open();
    socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\na: ${"x".repeat(17 * KiB)}\r\n\r\n`);
    expect(await answered(ended)).toEqual([431, "headers_too_large"]);
  });

  it("a body that comes too slowly", async () => {
    const { socket, ended } = open();
    socket.write(`POST /events HTTP/1.1\r\n${head}content-length: 1000\r\n\r\n`);
    const drip = setInterval(() => socket.write(" "), 200);
    expect(await answered(ended)).toEqual([408, "request_timeout"]);
    clearInterval(drip);
  });

  it("an event type too many", async () => {
    const events = ["play", "b", "c", "d", "e", "f"].map((eventType) => {
      return { eventId: "a", eventType };
    });
    const { status, body } = await service.post(events);
    expect([status, body.accepted]).toEqual([202, 4]);
    expect(body.errors.map(({ code }: { code: string }) => code)).toEqual([
      "too_many_event_types",
      "too_many_event_types",
    ]);
    const put = { method: "PUT", headers: json, body: "{}" };
    expect(await refusal("/event-types/g", put)).toEqual([503, "too_many_event_types"]);
  });
});

describe("many slow clients", () => {
  it("that never finish a head are cut off, and keep nobody from being served", async () => {
    const slow = Array.from({ length: 40 }, open);
    const drip = setInterval(() => {
      for (const { socket } of slow) if (socket.writable) socket.write("a: b\r\n");
    }, 100);
    for (const { socket } of slow)
      socket.write("GET /leaderboard HTTP/1.1\r\nhost: localhost\r\n");
    expect((await service.get("/health/ready")).status).toBe(200);
    for (const { ended } of slow) expect((await answered(ended))[0]).toBe(408);
    clearInterval(drip);
  });
});

describe("all clients together", () => {
  it("connections: what is one too many is closed at once", async () => {
    const held = Array.from({ length: connectionsMax }, open);
    await Promise.all(held.map(({ socket }) => once(socket, "connect")));
    const last = Array.from({ length: 5 }, open);
    for (const { ended } of last) expect(await ended).toBe("");
  });

  it("bodies held at once", async () => {
    const declared = `content-length: ${MiB}\r\n\r\n`;
    const statuses = Array.from({ length: 5 }, async () => {
      const { socket, ended } = open();
      socket.write(`POST /events HTTP/1.1\r\n${head}${declared}`);
      socket.write(" ".repeat(900 * KiB));
      return (await answered(ended))[0];
    });
    const found = (await Promise.all(statuses)).sort();
    // Those that fit are cut off later, since they never come whole.
    expect([found[0], found.at(-1)]).toEqual([408, 503]);
  });

  it("jobs", async () => {
    const ask = () => refusal("/leaderboard?eventType=play&timeRange=last_hour&async=true");
    const answers = [await ask(), await ask(), await ask()];
    expect(answers.map(([status]) => status)).toEqual([202, 202, 503]);
    expect(answers[2]![1]).toBe("too_many_jobs");
  });

  it("tails", async () => {
    const stop = new AbortController();
    const tail = () => fetch(`${service.url}/tail`, { signal: stop.signal });
    const tails = await Promise.all(Array.from({ length: 20 }, tail));
    expect(tails.every(({ status }) => status === 200)).toBe(true);
    expect(await refusal("/tail")).toEqual([429, "too_many_tails"]);
    stop.abort();
  });

  it("different live boards", async () => {
    const refused: string[] = [];
    // One may be sent twice: there was something new.
    const boards = new Set<string>();
    const socketOf = async (first: number) => {
      const socket = new WebSocket(`${service.url.replace("http", "ws")}/live`);
      socket.on("message", (data) => {
        const { type, id, problem } = JSON.parse(String(data));
        if (type === "error") refused.push(problem.code);
        if (type === "board") boards.add(id);
      });
      await once(socket, "open");
      for (let k = first; k < first + 32; k++) {
        const query = { eventType: "play", timeRange: "last_hour", k: `${k}` };
        socket.send(JSON.stringify({ type: "subscribe", id: `${k}`, query }));
      }
      return socket;
    };
    const firsts = Array.from({ length: 16 }, (_, i) => 32 * i + 1);
    const open = await Promise.all(firsts.map(socketOf));
    await expect.poll(() => refused.length + boards.size, { timeout: 3 * waitMsMax }).toBe(512);
    expect([boards.size, new Set(refused)]).toEqual([500, new Set(["too_many_subscriptions"])]);
    for (const socket of open) socket.terminate();
  }, 120_000);

  it("snapshots", async () => {
    for (let i = 0; i < 10; i++) {
      const [status] = await refusal(`/admin/snapshot?name=s${i}`, { method: "POST" });
      expect(status).toBe(201);
    }
    const eleventh = await refusal("/admin/snapshot?name=s10", { method: "POST" });
    expect(eleventh).toEqual([503, "too_many_snapshots"]);
  }, 120_000);

  it("exports", async () => {
    const metadata = { text: "x".repeat(200) };
    const line = JSON.stringify({ eventId: "a", eventType: "play", metadata });
    const body = `${line}\n`.repeat(Math.floor(MiB / (line.length + 1)));
    for (let i = 0; i < 24; i++) expect((await service.post(body)).status).toBe(202);
    const ask = "GET /export?eventType=play HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (let i = 0; i < 2; i++) {
      const { socket } = open();
      socket.write(ask);
      await once(socket, "data");
      socket.pause();
    }
    expect(await refusal("/export?eventType=play")).toEqual([429, "too_many_exports"]);
  }, 120_000);
});

describe("a live socket", () => {
  const query = { eventType: "play", timeRange: "last_hour" };

  async function live(): Promise<WebSocket> {
    const socket = new WebSocket(`${service.url.replace("http", "ws")}/live`);
    await once(socket, "open");
    return socket;
  }

  it("with a message too large", async () => {
    const socket = await live();
    socket.send("x".repeat(16 * KiB + 1));
    expect((await once(socket, "close"))[0]).toBe(1009);
  });

  it("with too many messages", async () => {
    const socket = await live();
    for (let i = 0; i < 250; i++) socket.send(JSON.stringify({ type: "unsubscribe", id: `${i}` }));
    expect((await once(socket, "close"))[0]).toBe(1008);
  });

  it("with too many boards", async () => {
    const socket = await live();
    const codes: string[] = [];
    const refused = new Promise<void>((resolve) => {
      socket.on("message", (data) => {
        const { type, problem } = JSON.parse(String(data));
        if (type !== "error") return;
        codes.push(problem.code);
        resolve();
      });
    });
    for (let i = 0; i <= 32; i++) {
      socket.send(
        JSON.stringify({ type: "subscribe", id: `${i}`, query: { ...query, k: `${i + 1}` } }),
      );
    }
    await refused;
    expect(codes[0]).toBe("too_many_subscriptions");
    socket.terminate();
  });
});
