/**
 * The least a push server can do: clients subscribe, and each message that is posted goes to all
 * who watch its board. Writes the port it took.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

interface Posted {
  board: string;
  /** What a new subscriber is sent first: kept, and not sent on. */
  isFirst: boolean;
  text: string;
}

const watchers = new Map<string, Set<WebSocket>>();
const first = new Map<string, Buffer>();

function take({ board, isFirst, text }: Posted): void {
  const message = Buffer.from(text);
  if (isFirst) {
    first.set(board, message);
    return;
  }
  for (const socket of watchers.get(board) ?? []) socket.send(message, { binary: false });
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.writeHead(202).end();
    take(JSON.parse(Buffer.concat(chunks).toString()) as Posted);
  });
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  socket.once("close", () => {
    for (const all of watchers.values()) all.delete(socket);
  });
  socket.on("message", (data) => {
    const { id } = JSON.parse(String(data)) as { id: string };
    const all = watchers.get(id) ?? new Set();
    watchers.set(id, all.add(socket));
    const message = first.get(id);
    if (message !== undefined) socket.send(message, { binary: false });
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
