// The live client over a scripted WebSocket.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveBoards } from "../../src/client/live.ts";
import type { LiveBoard } from "../../src/model-live.ts";

class ScriptedSocket extends EventTarget {
  static readonly all: ScriptedSocket[] = [];
  readonly sent: Record<string, unknown>[] = [];
  isClosed = false;

  constructor() {
    super();
    ScriptedSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.isClosed = true;
  }

  opens(): void {
    this.dispatchEvent(new Event("open"));
  }

  breaks(): void {
    this.dispatchEvent(new Event("close"));
  }

  says(message: object): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
  }
}

const sockets = ScriptedSocket.all;
beforeEach(() => {
  sockets.length = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function makeLive() {
  const states: string[] = [];
  const boards: LiveBoard[] = [];
  const problems: unknown[] = [];
  const live = new LiveBoards({
    url: "ws://service/live",
    WebSocket: ScriptedSocket as unknown as typeof WebSocket,
    onState: (state) => states.push(state),
    silenceMsMax: 1000,
  });
  const stop = live.watch(
    { eventType: "t" },
    {
      onBoard: (board) => boards.push(board),
      onProblem: (problem, ended) => problems.push([problem["code"], ended]),
    },
  );
  return { live, states, boards, problems, stop };
}

const board = { results: [{ eventId: "a", count: 1 }] };
const subscription = { type: "subscribe", id: "1", query: { eventType: "t" } };

describe("a live client", () => {
  it("subscribes when it is connected, and keeps the board by diffs", () => {
    const { boards, problems, stop } = makeLive();
    expect(sockets[0]!.sent).toEqual([]);
    sockets[0]!.opens();
    expect(sockets[0]!.sent).toEqual([subscription]);
    sockets[0]!.says({ type: "board", id: "1", seq: 7, board });
    const changes = { rows: [{ at: 0, was: 0, set: { count: 2 } }] };
    sockets[0]!.says({ type: "diff", id: "1", seq: 8, since: 7, changes });
    expect(boards).toEqual([board, { results: [{ eventId: "a", count: 2 }] }]);
    sockets[0]!.says({ type: "error", id: "1", ended: false, problem: { code: "x" } });
    expect(problems).toEqual([["x", false]]);
    stop();
    expect(sockets[0]!.sent.at(-1)).toEqual({ type: "unsubscribe", id: "1" });
    sockets[0]!.says({ type: "board", id: "1", seq: 9, board });
    expect(boards).toHaveLength(2);
  });

  it("asks for the whole board when a diff is to another one", () => {
    const { boards } = makeLive();
    sockets[0]!.opens();
    sockets[0]!.says({ type: "board", id: "1", seq: 7, board });
    sockets[0]!.says({ type: "diff", id: "1", seq: 9, since: 8, changes: {} });
    expect(boards).toHaveLength(1);
    expect(sockets[0]!.sent).toEqual([subscription, subscription]);
  });

  it("asks again after a while where there was no room, not where it was refused", () => {
    const { problems } = makeLive();
    sockets[0]!.opens();
    const refuse = (code: string, status: number) =>
      sockets[0]!.says({ type: "error", id: "1", ended: true, problem: { code, status } });
    refuse("invalid_parameter", 400);
    const wait = (ms: number) => {
      // Less than it takes to be silent.
      for (let at = 0; at < ms; at += 500) {
        vi.advanceTimersByTime(500);
        sockets[0]!.says({ type: "heartbeat" });
      }
    };
    wait(20_000);
    expect(sockets[0]!.sent).toEqual([subscription]);
    refuse("too_many_subscriptions", 429);
    wait(20_000);
    expect(sockets[0]!.sent).toEqual([subscription, subscription]);
    expect(problems).toEqual([
      ["invalid_parameter", true],
      ["too_many_subscriptions", true],
    ]);
  });

  it("connects again, more slowly each time, and goes on from where it was", () => {
    const { states } = makeLive();
    sockets[0]!.opens();
    sockets[0]!.says({ type: "board", id: "1", seq: 7, board });
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      sockets.at(-1)!.breaks();
      const before = Date.now();
      vi.advanceTimersToNextTimer();
      waits.push(Date.now() - before);
    }
    expect(waits[0]).toBeLessThanOrEqual(200);
    expect(waits[7]).toBeGreaterThanOrEqual(2500);
    expect(waits[7]).toBeLessThanOrEqual(5000);
    sockets.at(-1)!.opens();
    expect(sockets.at(-1)!.sent).toEqual([{ ...subscription, seq: 7 }]);
    expect(states).toEqual(["open", "lost", "open"]);
  });

  it("connects again where a socket says no more than that it failed, as Node 22.23 does", () => {
    const { states } = makeLive();
    sockets[0]!.dispatchEvent(new Event("error"));
    vi.advanceTimersByTime(200);
    expect(sockets).toHaveLength(2);
    // Where the close comes as well, that is one failure.
    sockets[1]!.dispatchEvent(new Event("error"));
    sockets[1]!.breaks();
    vi.advanceTimersByTime(400);
    expect(sockets).toHaveLength(3);
    sockets[2]!.opens();
    expect(states).toEqual(["lost", "open"]);
  });

  it("gives a silent connection up; a heartbeat is enough to keep it", () => {
    const { states } = makeLive();
    sockets[0]!.opens();
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(900);
      sockets[0]!.says({ type: "heartbeat" });
    }
    expect(states).toEqual(["open"]);
    vi.advanceTimersByTime(1001);
    expect(states).toEqual(["open", "lost"]);
    expect(sockets[0]!.isClosed).toBe(true);
  });

  it("retries at once when told to, and not at all when closed", () => {
    const { live } = makeLive();
    sockets[0]!.opens();
    live.retryNow();
    expect(sockets).toHaveLength(1);
    sockets[0]!.breaks();
    live.retryNow();
    expect(sockets).toHaveLength(2);
    live.close();
    sockets[1]!.breaks();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(2);
    expect(live.state).toBe("closed");
  });
});
