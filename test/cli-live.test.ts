// Commands that go on until they are stopped, over one service that is restarted.
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "../src/cli-program.ts";
import { tailLine } from "../src/cli-tail.ts";
import { frameText, rankMarks } from "../src/cli-watch.ts";
import type { Leaderboard } from "../src/client/client.ts";
import { makeIo, makeTerminal } from "./support/cli-io.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";

const dataDir = temporaryFolder();
let service: RankstreamProcess;
beforeAll(async () => {
  service = await startRankstream({ dataDir });
});
afterAll(() => service.stop());

/** A command under way; `until` waits for what it writes. */
function start(args: string[], isTerminal = false) {
  let out = "";
  let error = "";
  const listeners: (() => void)[] = [];
  const write = (text: string) => {
    out += text;
  };
  const io = makeIo({
    environment: { RANKSTREAM_URL: service.url },
    writeOut: write,
    writeError: (text) => {
      error += text;
    },
    output: new Writable({
      write: (chunk, _encoding, done) => {
        write(String(chunk));
        done();
      },
    }),
    onSignal: (_signal, listener) => listeners.push(listener),
    ...(isTerminal && { terminal: makeTerminal(60) }),
  });
  const ended = runCli(args, io);
  const until = async (isDone: (out: string, error: string) => boolean) => {
    const deadline = Date.now() + 30_000;
    while (!isDone(out, error)) {
      if (Date.now() > deadline) throw new Error(`it did not come: ${out}${error}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { ended, until, stop: () => listeners[0]!(), out: () => out };
}

/** Sends until it is seen: whoever follows may not be there yet. */
async function sendUntil(event: object, seen: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!seen() && Date.now() < deadline) {
    await service.post(event);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function restart(): Promise<void> {
  const port = Number(new URL(service.url).port);
  await service.kill();
  service = await startRankstream({ dataDir, port });
}

describe("rankstream tail", () => {
  it("shows events as they come, also after a restart, until it is stopped", async () => {
    const own = { eventType: "seen", eventId: "o\u001bne", userId: "u1", metadata: { k: "v" } };
    const plain = start(["tail", "--type", "seen"]);
    const json = start(["tail", "--json"]);
    await sendUntil(own, () => plain.out() !== "" && json.out() !== "");
    expect(plain.out()).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}seen {2}o\\u001bne {2}user=u1 {2}k=v\n/,
    );
    expect(JSON.parse(json.out().split("\n")[0]!)).toMatchObject({ event: own });
    await restart();
    const before = plain.out().length;
    await sendUntil(own, () => plain.out().length > before);
    expect(plain.out().length).toBeGreaterThan(before);
    for (const { stop, ended } of [plain, json]) {
      stop();
      expect(await ended).toBe(0);
    }
  }, 60_000);

  it("tells all an event says", () => {
    const event = { eventType: "t", eventId: "i", weight: 2, sessionId: "s", timestamp: 5 };
    const told = { receivedAt: "2026-01-02T03:04:05.678Z", event };
    expect(tailLine(told, (_style, text) => text)).toBe(
      "03:04:05.678  t  i  x2  session=s  at=5\n",
    );
  });

  it("exits with 3 where no service is", async () => {
    const url = ["--url", "http://127.0.0.1:1"];
    for (const args of [["tail"], ["top", "--type", "t", "--watch"]]) {
      expect(await start([...args, ...url]).ended).toBe(3);
    }
  });
});

describe("rankstream top --watch", () => {
  it("draws the board as it changes, also after a restart, and leaves the last one", async () => {
    await service.post([{ eventType: "watched", eventId: "a" }]);
    const args = ["top", "--type", "watched", "--range", "all", "--watch"];
    const screen = start(args, true);
    const lines = start([...args, "--json"]);
    const has = (item: string) => (out: string) => out.includes(item);
    await screen.until((out) => /1 {2}a +1/.test(out));
    await lines.until(has('"eventId":"a"'));
    await service.post([1, 2].map(() => ({ eventType: "watched", eventId: "b" })));
    await screen.until((out) => /new +\S*1 {2}b +2/.test(out) && /▼1 +\S*2 {2}a +1/.test(out));
    await restart();
    await service.post([1, 2, 3].map(() => ({ eventType: "watched", eventId: "c" })));
    await screen.until((out) => /1 {2}c +3/.test(out));
    await lines.until(has('"eventId":"c"'));
    for (const { stop, ended } of [screen, lines]) {
      stop();
      expect(await ended).toBe(0);
    }
    expect(screen.out().startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
    const last = screen.out().split("\u001b[?1049l").at(-1)!;
    expect(last).toMatch(/1 {2}c +3/);
    for (const line of lines.out().trim().split("\n")) {
      expect(JSON.parse(line)).toMatchObject({ eventType: "watched" });
    }
  }, 60_000);

  it("says what of the question is refused", async () => {
    expect(await start(["top", "--type", "t", "--range", "someday", "--watch"]).ended).toBe(1);
  });

  it("marks what moved, and draws what fits", () => {
    const boardOf = (...ids: string[]) =>
      ({ results: ids.map((eventId, i) => ({ eventId, rank: i + 1 })) }) as Leaderboard;
    const marks = rankMarks(boardOf("a", "b", "c", "d"), boardOf("d", "a", "x", "c"));
    expect(Object.fromEntries(marks)).toEqual({ d: "▲3", a: "▼1", x: "new", c: "▼1" });
    expect(rankMarks(null, boardOf("a")).size).toBe(0);
    expect(frameText(["1", "2", "3"], 2)).toBe("\u001b[H1\u001b[K\n2\u001b[K\u001b[J");
  });
});
