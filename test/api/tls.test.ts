// TLS on both HTTP servers: which versions, whose certificates, and a certificate replaced.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { request } from "undici";
import { beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { TlsPort, TlsTexts } from "../../src/api/tls.ts";
import { Authority, type Pair } from "../support/certificates.ts";
import { describeOverEach, makeApi, onSocket, rawConnection } from "./api-fixture.ts";

const json = { "content-type": "application/json" };
const ask = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

let authority: Authority;
let first: Pair;
let second: Pair;

beforeAll(async () => {
  authority = await Authority.make();
  [first, second] = [await authority.sign("first"), await authority.sign("second")];
});

/** A certificate that is replaced by hand. */
function ownOf(pair: Pair, clientCa?: string): TlsPort & { replace(by: Pair): void } {
  const listeners: (() => void)[] = [];
  const read = ({ cert, key }: Pair): TlsTexts => ({
    cert: readFileSync(cert, "utf8"),
    key: readFileSync(key, "utf8"),
    clientCa: clientCa && readFileSync(clientCa, "utf8"),
  });
  const port = {
    texts: read(pair),
    files: { ...pair },
    onChange: (listener: () => void) => void listeners.push(listener),
    replace(by: Pair) {
      Object.assign(port, { texts: read(by), files: { ...by } });
      for (const listener of listeners) listener();
    },
  };
  return port;
}

/** Connects; rejects where there is no handshake. */
async function handshake(port: number, more: ConnectionOptions = {}): Promise<TLSSocket> {
  const ca = readFileSync(authority.ca);
  const socket = connect({ host: "127.0.0.1", port, ca, ...more });
  await once(socket, "secureConnect");
  return socket;
}

async function asked(socket: TLSSocket): Promise<string> {
  socket.write(ask);
  const [answer] = await once(socket, "data");
  return String(answer).split("\r\n", 1)[0]!;
}

describeOverEach("TLS", (server) => {
  it("carries all there is, and tells browsers to insist on it", async () => {
    const { app } = await makeApi({ tls: ownOf(first) });
    const { port } = await onSocket(app);
    const url = `https://127.0.0.1:${port}`;
    const dispatcher = authority.agent();
    for (const [path, options, status] of [
      ["/health/live", {}, 200],
      ["/events", { method: "POST", headers: json, body: '{"eventId":"a"}' }, 202],
      ["/events", { method: "POST", headers: json, body: "{" }, 400],
      [`/items/a/${"x".repeat(5000)}`, {}, 414],
    ] as const) {
      const reply = await request(`${url}${path}`, { ...options, dispatcher });
      await reply.body.dump();
      expect([path, reply.statusCode]).toEqual([path, status]);
      expect(reply.headers["strict-transport-security"], path).toBe("max-age=31536000");
    }
    const socket = new WebSocket(`wss://127.0.0.1:${port}/live`, {
      ca: readFileSync(authority.ca),
    });
    await once(socket, "open");
    socket.terminate();
    await dispatcher.destroy();
  });

  it("answers as a plain request one that offers HTTP/2 besides", async () => {
    const { app } = await makeApi({ tls: ownOf(first) });
    const { port } = await onSocket(app);
    const socket = await handshake(port);
    socket.write(ask.replace("\r\n\r\n", "\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"));
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  });

  it("is 1.2 or 1.3", async () => {
    const { app } = await makeApi({ tls: ownOf(first) });
    const { port } = await onSocket(app);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await handshake(port, { maxVersion });
      expect(socket.getProtocol()).toBe(maxVersion);
      socket.destroy();
    }
    const old = {
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL:@SECLEVEL=0",
    } as const;
    await expect(handshake(port, old)).rejects.toThrow(/protocol version/);
  });

  it("hangs up on who doesn't speak it, and serves the next", async () => {
    const { app } = await makeApi({ tls: ownOf(first) });
    const address = await onSocket(app);
    const { socket, ended } = rawConnection(address);
    socket.write(ask);
    expect(await ended).not.toContain("HTTP/1.1 200");
    const next = await handshake(address.port);
    expect(await asked(next)).toBe("HTTP/1.1 200 OK");
    next.destroy();
  });

  it("takes a new certificate while connections are open", async () => {
    const tls = ownOf(first);
    const { app } = await makeApi({ tls });
    const { port } = await onSocket(app);
    const before = await handshake(port);
    expect(before.getPeerCertificate().subject.CN).toBe("first");
    expect(await asked(before)).toBe("HTTP/1.1 200 OK");
    for (const [pair, name] of [
      [second, "second"],
      [first, "first"],
      [second, "second"],
    ] as const) {
      tls.replace(pair);
      const after = await handshake(port);
      expect(after.getPeerCertificate().subject.CN).toBe(name);
      expect(await asked(after)).toBe("HTTP/1.1 200 OK");
      after.destroy();
    }
    before.destroy();
  });

  it("keeps open connections while the certificate is replaced", async () => {
    const tls = ownOf(first);
    const { app } = await makeApi({ tls });
    const { port } = await onSocket(app);
    const before = await handshake(port);
    tls.replace(second);
    expect(await asked(before)).toBe("HTTP/1.1 200 OK");
    before.destroy();
  });

  if (server === "fastify") {
    it("asks clients for a certificate of the authority named", async () => {
      const client = await authority.sign("client");
      const stranger = await (await Authority.make()).sign("stranger");
      const { app } = await makeApi({ tls: ownOf(first, authority.ca) });
      const { port } = await onSocket(app);
      const statusWith = async (own?: Pair) => {
        const dispatcher = authority.agent(own);
        try {
          const reply = await request(`https://127.0.0.1:${port}/health/live`, { dispatcher });
          await reply.body.dump();
          return reply.statusCode;
        } finally {
          await dispatcher.destroy();
        }
      };
      expect(await statusWith(client)).toBe(200);
      await expect(statusWith()).rejects.toThrow();
      await expect(statusWith(stranger)).rejects.toThrow();
      expect(await statusWith(client)).toBe(200);
    });

    it("gives who never finishes a handshake no more time than a request", async () => {
      const { app } = await makeApi({ tls: ownOf(first), requestTimeoutMs: 300 });
      const { ended } = rawConnection(await onSocket(app));
      expect(await ended).toBe("");
    });
  }
});
