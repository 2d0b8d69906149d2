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
  const { app } = await makeApi({
    query: {
      leaderboard(_request, control) {
        signals.push(control!.signal!);
        hasAsked();
        return answer(control!.signal!);
      },
    },
  });
  return { app, signals, asked };
}

describeOverEach("a question", () => {
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
});
