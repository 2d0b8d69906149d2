// GET /live over a scripted query engine: boards that a test sets, and clients on real sockets.
import { once } from "node:events";
import { Agent, get as httpGet, type IncomingMessage } from "node:http";
import { WebSocket } from "undici";
import { afterEach, vi } from "vitest";
import type { ApiDeps } from "../../src/api/app.ts";
import type { Address } from "../../src/api/listen.ts";
import type { BoardChanges, LiveBoard } from "../../src/model-live.ts";
import { makeApi, onSocket } from "./api-fixture.ts";

export interface Message {
  type: string;
  id: string | null;
  seq: number;
  since: number;
  board: LiveBoard & Record<string, unknown>;
  changes: BoardChanges;
  problem: Record<string, unknown>;
  ended: boolean;
}

export class Client {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  closed: { code: number } | null = null;

  constructor(url: string, headers: Record<string, string> = {}, protocols: string[] = []) {
    this.socket = new WebSocket(url, { headers, protocols });
    this.socket.addEventListener("message", ({ data }) => this.messages.push(JSON.parse(data)));
    this.socket.addEventListener("close", ({ code }) => {
      this.closed = { code };
    });
    // A refused handshake is told by `closed`.
    this.socket.addEventListener("error", () => undefined);
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The message that `is` right; waits for it. */
  async until(is: (message: Message) => boolean): Promise<Message> {
    return vi.waitFor(() => {
      const found = this.messages.find(is);
      if (found === undefined) throw new Error(`not yet in ${JSON.stringify(this.messages)}`);
      return found;
    }, waiting);
  }
}

/** For a client that answers nothing by itself. */
export const handshake =
  "GET /live HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
  "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
export const waiting = { timeout: 10_000, interval: 5 };
const clients: Client[] = [];
const streams: StreamClient[] = [];
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.close();
  for (const stream of streams.splice(0)) stream.close();
});

/** A service whose boards are what `counts` says, and clients of it. */
export async function makeLive(
  live: ApiDeps["live"] = {},
  overrides: Partial<Omit<ApiDeps, "query">> = {},
) {
  const state = { counts: { a: 3, b: 1 } as Record<string, number>, failure: null as unknown };
  const asked: string[] = [];
  const api = await makeApi({
    ...overrides,
    live: { pollMs: 10, ...live },
    query: {
      async leaderboard({ eventTypes, k }) {
        asked.push(eventTypes.join());
        if (state.failure !== null) throw state.failure;
        const rows = Object.entries(state.counts).sort(([, a], [, b]) => b - a);
        const results = rows.slice(0, k).map(([eventId, count]) => ({ eventId, count }));
        const total = rows.reduce((sum, [, count]) => sum + count, 0);
        return { eventType: eventTypes.join(), asOf: asked.length, total, results };
      },
    },
  });
  const address = await onSocket(api.app);
  const url = `ws://${address.host}:${address.port}/live`;
  const open = async (headers: Record<string, string> = {}, protocols: string[] = []) => {
    const client = new Client(url, headers, protocols);
    clients.push(client);
    await vi.waitFor(() => {
      if (client.socket.readyState === WebSocket.CONNECTING) throw new Error("connecting");
    }, waiting);
    return client;
  };
  return { ...api, state, asked, address, open };
}

export const subscribe = (id: string, query: object = { eventType: "t" }, more: object = {}) => ({
  type: "subscribe",
  id,
  query,
  ...more,
});

export interface StreamEvent {
  type: string;
  id: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came.
  data: any;
}

/** A client of GET /live/events. */
export class StreamClient {
  readonly response: IncomingMessage;
  readonly events: StreamEvent[] = [];
  /** Lines before the first event, and between events, that are none. */
  readonly others: string[] = [];
  isEnded = false;
  #text = "";

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    response.on("error", () => undefined);
    response.once("close", () => {
      this.isEnded = true;
    });
  }

  static async open(
    { host, port }: Address,
    query: string,
    headers: Record<string, string> = {},
  ): Promise<StreamClient> {
    const agent = new Agent({ keepAlive: false });
    const sent = httpGet({ host, port, path: `/live/events?${query}`, headers, agent });
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const client = new StreamClient(response);
    streams.push(client);
    return client;
  }

  close(): void {
    this.response.destroy();
  }

  async until(is: (event: StreamEvent) => boolean): Promise<StreamEvent> {
    return vi.waitFor(() => {
      const found = this.events.find(is);
      if (found === undefined) throw new Error(`not yet in ${JSON.stringify(this.events)}`);
      return found;
    }, waiting);
  }

  #read(text: string): void {
    const blocks = (this.#text + text).split("\n\n");
    this.#text = blocks.pop() as string;
    for (const block of blocks) {
      const fields = new Map<string, string>();
      for (const line of block.split("\n")) {
        const [, name = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
        fields.set(name, value);
      }
      const [type, data] = [fields.get("event"), fields.get("data")];
      const id = fields.get("id") ?? null;
      if (type === undefined || data === undefined) this.others.push(block);
      else this.events.push({ type, id, data: JSON.parse(data) });
    }
  }
}
