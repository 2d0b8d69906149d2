// What a busy machine does is forgiven, what only a broken service does is not.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { patiently } from "./fuzz-patience.ts";
import { exchange } from "./fuzz-raw.ts";

const failure = (code: string) => Object.assign(new Error(code), { code });

describe("a request that finds no connection", () => {
  /** Fails with each code in turn, then answers. */
  function sender(codes: string[]) {
    return async () => {
      const code = codes.shift();
      if (code !== undefined) throw failure(code);
      return "answer";
    };
  }

  it("is sent again", async () => {
    let retries = 0;
    const send = sender(["UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"]);
    await expect(patiently(send, () => retries++)).resolves.toBe("answer");
    expect(retries).toBe(2);
  });

  it("fails when none comes at any try", async () => {
    const send = sender(Array.from({ length: 100 }, () => "UND_ERR_CONNECT_TIMEOUT"));
    await expect(patiently(send, () => undefined)).rejects.toThrow("UND_ERR_CONNECT_TIMEOUT");
  });

  it.each(["ECONNREFUSED", "ECONNRESET", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_SOCKET"])(
    "fails at once with %s",
    async (code) => {
      let retries = 0;
      await expect(patiently(sender([code]), () => retries++)).rejects.toThrow(code);
      expect(retries).toBe(0);
    },
  );
});

describe("an exchange over a plain connection", () => {
  const piece = Buffer.from("GET / HTTP/1.1\r\n\r\n");
  let server: Server;
  const sockets = new Set<Socket>();

  async function listen(serve: (socket: Socket) => void): Promise<number> {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      serve(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    server.close();
  });

  it("has the status of the answer", async () => {
    const port = await listen((socket) => socket.end("HTTP/1.1 404 Not Found\r\n\r\n"));
    await expect(exchange(port, [piece])).resolves.toBe(404);
  });

  it("has none where the service only hangs up", async () => {
    const port = await listen((socket) => socket.destroy());
    await expect(exchange(port, [piece])).resolves.toBe(0);
  });

  it("fails when the service leaves the connection open", async () => {
    const port = await listen((socket) => socket.resume());
    const waits = { answerMsMax: 20, closeMsMax: 100 };
    await expect(exchange(port, [piece], waits)).rejects.toThrow("left open");
  });

  it("fails where nobody listens", async () => {
    const port = await listen(() => undefined);
    server.close();
    await once(server, "close");
    await expect(exchange(port, [piece])).rejects.toThrow("ECONNREFUSED");
  });
});
