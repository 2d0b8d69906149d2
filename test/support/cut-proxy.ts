// A way between two services that a test can cut: connections are refused, or nothing comes
// through any more although they stay open.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type CutMode = "open" | "refuse" | "hang";

export class CutProxy {
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#take(socket));
  readonly #sockets = new Set<Socket>();
  #mode: CutMode = "open";
  /** Where it leads; may change. */
  target = 0;

  /** Listens on a free port of 127.0.0.1. */
  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Open again, connections of before are gone all the same. */
  set mode(mode: CutMode) {
    this.#mode = mode;
    for (const socket of this.#sockets) {
      if (mode === "hang") socket.pause().removeAllListeners("data");
      else socket.destroy();
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #take(socket: Socket): void {
    this.#keep(socket);
    if (this.#mode === "refuse") socket.destroy();
    if (this.#mode !== "open") return;
    const other = connect(this.target, "127.0.0.1");
    this.#keep(other);
    const pairs: [Socket, Socket][] = [
      [socket, other],
      [other, socket],
    ];
    for (const [from, to] of pairs) {
      from.on("data", (chunk) => to.write(chunk));
      from.once("end", () => to.end());
      from.once("close", () => to.destroy());
    }
  }
}
