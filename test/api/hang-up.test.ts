// Whoever asked a question and went away is told of to those who answer it.
import { expect, it } from "vitest";
import { describeOverEach, makeApi, onSocket, rawConnection } from "./api-fixture.ts";

const ask = "GET /leaderboard?eventType=a HTTP/1.1\r\nhost: x\r\n\r\n";

/** An API whose questions are answered by `answer`, and the signals they came with. */
async function makeAsked(answer: (signal: AbortSignal) => Promise<object>) {
  const signals: AbortSignal[] = [];
  let hasAsked: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    hasAsked = resolve;
  });
  const parts = await makeApi({
    query: {
      leaderboard(_request, control) {
        if (control?.signal === undefined) return new Promise(() => undefined);
        signals.push(control.signal);
        hasAsked();
        return answer(control.signal);
      },
    },
  });
  return { ...parts, signals, asked };
}

/** Looks until it is so; false where it is not within a time that no machine needs. */
async function isSoon(look: () => boolean): Promise<boolean> {
  const deadline = Date.now() + 20_000;
  while (!look() && Date.now() < deadline) await new Promise((r) => setTimeout(r, 10));
  return look();
}

describeOverEach("a question", (server) => {
  it("is given up when its connection closes before the answer", async () => {
    const { app, signals, asked } = await makeAsked(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("gone")));
        }),
    );
    const { socket } = rawConnection(await onSocket(app));
    socket.write(ask);
    await asked;
    expect(signals[0]!.aborted).toBe(false);
    const gone = new Promise((resolve) => signals[0]!.addEventListener("abort", resolve));
    socket.destroy();
    await gone;
  });

  it("is not given up once it is answered, whatever becomes of the connection", async () => {
    const { app, signals } = await makeAsked(async () => ({ total: 0 }));
    const { socket, ended } = rawConnection(await onSocket(app));
    socket.write(ask.replace("host: x", "host: x\r\nconnection: close"));
    expect(await ended).toContain('{"total":0}');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(signals[0]!.aborted).toBe(false);
  });

  // uWebSockets.js takes one request of a connection after the other.
  it.skipIf(server === "uws")("is given up also where it waits behind another", async () => {
    const { app, signals, edge, metrics } = await makeAsked(() => new Promise(() => undefined));
    const { socket } = rawConnection(await onSocket(app));
    const clients = () => metrics.value("rankstream_live_clients");
    const isTapped = () => edge.tap.sample([]) !== null;
    const streams = ["/tail", "/live/events?eventType=b"];
    const behind = streams.map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    socket.write([ask, ask.replace("=a", "=c"), ...behind].join(""));
    expect(await isSoon(() => isTapped() && clients() === 1)).toBe(true);
    const areGone = () => signals.slice(0, 2).map(({ aborted }) => aborted);
    expect(areGone()).toEqual([false, false]);
    socket.destroy();
    expect(await isSoon(() => !isTapped() && clients() === 0)).toBe(true);
    expect(areGone()).toEqual([true, true]);
  });
});
