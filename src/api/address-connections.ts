/** How many connections one address may hold, so that a single client can't take them all. */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { problemReply, RankstreamError } from "../errors.ts";
import { addressKey } from "../limits/subject.ts";
import { securityHeaders } from "./security-headers.ts";

export interface AddressBound {
  /** Of one address. */
  connectionsMax: number;
  /** Proxies, behind whom there are many clients. */
  isTrusted: (address: string) => boolean;
  /** Nothing can be said before hands are shaken. */
  isEncrypted: boolean;
}

/** Says that it is one too many, and hangs up. */
function refuse(socket: Socket, { connectionsMax, isEncrypted }: AddressBound): void {
  if (isEncrypted) {
    socket.destroy();
    return;
  }
  const detail = `${connectionsMax} connections are as many as one address may have`;
  const error = new RankstreamError("too_many_connections", detail, { retryAfterSeconds: 10 });
  const { status, headers, body } = problemReply(error);
  const all = { ...headers, ...securityHeaders, "content-length": `${Buffer.byteLength(body)}` };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} Too Many Requests\r\n${lines.join("")}connection: close\r\n`;
  socket.end(`${head}\r\n${body}`, () => socket.destroy());
}

/** Holds the server's connections to the bound. */
export function boundAddresses(server: Server, bound: AddressBound): void {
  /** As many as there are connections, at most. */
  const open = new Map<string, number>();
  const seen = new WeakSet<Socket>();
  server.on("connection", (socket: Socket) => {
    // One that had offered another protocol comes again.
    if (seen.has(socket)) return;
    seen.add(socket);
    const { remoteAddress = "" } = socket;
    if (bound.isTrusted(remoteAddress)) return;
    const key = addressKey(remoteAddress);
    const count = (open.get(key) ?? 0) + 1;
    if (count > bound.connectionsMax) {
      refuse(socket, bound);
      return;
    }
    open.set(key, count);
    socket.once("close", () => {
      const left = open.get(key)! - 1;
      if (left === 0) open.delete(key);
      else open.set(key, left);
    });
  });
}
