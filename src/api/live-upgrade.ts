/**
 * Requests that ask for another protocol. Node hands every one of them to the listener of
 * `upgrade` once there is one, also those that only offer HTTP/2 (`Upgrade: h2c`, as Java's
 * HttpClient does with every first request): these must be answered as if they had not.
 */
import { EventEmitter } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";

const hopHeaders = new Set(["connection", "upgrade", "http2-settings"]);

/** The request's head again, without the offer. */
function plainHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!hopHeaders.has(name.toLowerCase())) text += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  return Buffer.from(`${text}\r\n`, "latin1");
}

/**
 * Closes the connection of one that is refused: Node has let go of it, so nobody else would, and
 * the client may leave it open for good. To be called when its reply is over.
 */
export function closeRefused(request: IncomingMessage): void {
  if ((request as { upgrade?: boolean }).upgrade === true) request.socket.destroySoon();
}

/** Where upgrades to WebSocket are heard; the server answers all others as plain requests. */
export function webSocketUpgrades(server: Server): Server {
  const upgrades = new EventEmitter();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() === "websocket") {
      upgrades.emit("upgrade", request, socket, head);
      return;
    }
    socket.unshift(Buffer.concat([plainHead(request), head]));
    server.emit("encrypted" in socket ? "secureConnection" : "connection", socket);
  });
  // All that is asked of it is `on("upgrade")`.
  return upgrades as Server;
}
