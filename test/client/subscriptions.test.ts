// Boards by question over a scripted WebSocket: one socket a client, there while it is needed.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ProblemError, RankstreamClient, UnreachableError } from "../../src/client/client.ts";

class ScriptedSocket extends EventTarget {
  static readonly all: ScriptedSocket[] = [];
  readonly url: string;
  readonly sent: { type: string; id: string; query: unknown }[] = [];
  isClosed = false;

  constructor(url: string) {
    super();
    this.url = url;
    ScriptedSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.isClosed = true;
  }
  says(message: object): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
  }
}

const sockets = ScriptedSocket.all;
beforeEach(() => {
  sockets.length = 0;
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const makeClient = () =>
  new RankstreamClient({
    url: "https://service/under",
    WebSocket: ScriptedSocket as unknown as typeof WebSocket,
  });
const settled = () => new Promise((resolve) => setTimeout(resolve));

it("all of a client's boards share a socket, which goes with the last of them", async () => {
  const client = makeClient();
  const states: string[] = [];
  const totals: number[] = [];
  const first = client.subscribe(
    { eventType: ["a", "b"], k: 3, filter: { country: "DE" } },
    {
      onBoard: ({ total }) => totals.push(total),
      onState: (state) => states.push(state),
    },
  );
  const second = client.subscribe({ eventType: "c" }, { onBoard: () => undefined });
  client.subscribe({ eventType: "never" }, { onBoard: () => undefined }).close();
  await settled();
  expect(sockets.map(({ url }) => url)).toEqual(["wss://service/under/live"]);
  const [socket] = sockets;
  socket!.dispatchEvent(new Event("open"));
  expect(socket!.sent.map(({ query }) => query)).toEqual([
    { eventType: ["a", "b"], k: "3", "filter.country": "DE" },
    { eventType: "c" },
  ]);
  const board = { results: [], total: 7 };
  socket!.says({ type: "board", id: socket!.sent[0]!.id, seq: 1, board });
  expect([totals, states]).toEqual([[7], ["connecting", "open"]]);
  first.close();
  socket!.says({ type: "board", id: socket!.sent[0]!.id, seq: 2, board });
  expect([totals.length, socket!.isClosed]).toEqual([1, false]);
  second.close();
  expect(socket!.isClosed).toBe(true);
  // Asked again, it connects again.
  client.subscribe({ eventType: "c" }, { onBoard: () => undefined });
  await settled();
  expect(sockets).toHaveLength(2);
  await client.close();
  expect(sockets[1]!.isClosed).toBe(true);
});

it("a question that is refused ends with a problem, the others go on", async () => {
  const client = makeClient();
  const problems: unknown[] = [];
  const handlers = {
    onBoard: () => undefined,
    onProblem: (error: Error, isEnded: boolean) => {
      problems.push([error instanceof ProblemError && error.code, isEnded]);
    },
  };
  client.subscribe({ eventType: "a" }, handlers);
  client.subscribe({ eventType: "b" }, handlers);
  await settled();
  const [socket] = sockets;
  socket!.dispatchEvent(new Event("open"));
  const [one, other] = socket!.sent.map(({ id }) => id);
  const problem = { status: 400, code: "invalid_time_range", detail: "no" };
  socket!.says({ type: "error", id: other, ended: false, problem: { ...problem, status: 503 } });
  socket!.says({ type: "error", id: other, ended: true, problem: { ...problem, status: 429 } });
  socket!.says({ type: "error", id: one, ended: true, problem });
  expect(problems).toEqual([
    ["invalid_time_range", false],
    ["invalid_time_range", false],
    ["invalid_time_range", true],
  ]);
  expect(socket!.isClosed).toBe(false);
  await client.close();
});

it("says what is missing where there is no WebSocket", async () => {
  vi.stubGlobal("WebSocket", undefined);
  vi.doMock("undici", () => {
    throw new Error("not installed");
  });
  const client = new RankstreamClient({ url: "http://service" });
  const [error, isEnded] = await new Promise<[Error, boolean]>((resolve) => {
    client.subscribe(
      { eventType: "a" },
      { onBoard: () => undefined, onProblem: (...problem) => resolve(problem) },
    );
  });
  vi.doUnmock("undici");
  expect(error).toBeInstanceOf(UnreachableError);
  expect([isEnded, error.message]).toEqual([
    true,
    "there is no WebSocket here: give one as the client's option WebSocket",
  ]);
});
