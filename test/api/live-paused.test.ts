// Live clients that stop reading, over a scripted query engine, on real sockets: what they may
// hold up, and that nobody else notices them.
import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, it, vi } from "vitest";
import type { Address } from "../../src/api/listen.ts";
import type { Metrics } from "../../src/telemetry-metrics.ts";
import { describeOverEach, rawConnection } from "./api-fixture.ts";
import { handshake, makeLive, StreamClient, subscribe, waiting } from "./live-fixture.ts";

const unsentBytesSoft = 64 * 1024;
const rowsPerBoard = 500;
const rounds = 60;
const pausedOfEach = 3;
/** 500 rows of 440 characters, each of them another one in every round. */
const versionBytesMax = 300_000;

/** Subscribed to the whole board, and not read from once the first bytes have come. */
async function pausedSocket(address: Address): Promise<Socket> {
  const { socket } = rawConnection(address);
  socket.write(handshake);
  await once(socket, "data");
  const text = Buffer.from(JSON.stringify(subscribe("one", { eventType: "t", k: "1000" })));
  // A masked text frame with a mask of zeros.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  await once(socket, "data");
  return socket.pause();
}

async function pausedStream(address: Address): Promise<Socket> {
  const { socket } = rawConnection(address);
  socket.write("GET /live/events?eventType=t&k=1000 HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "data");
  return socket.pause();
}

function countsOf(round: number): Record<string, number> {
  const ids = Array.from(
    { length: rowsPerBoard },
    (_, i) => `${i} of ${round} ${"x".repeat(400)}`,
  );
  return Object.fromEntries(ids.map((id, i) => [id, i + round]));
}

const totalOf = (round: number) => (rowsPerBoard * (rowsPerBoard - 1)) / 2 + rowsPerBoard * round;

function gaugeOf(metrics: Metrics, name: string): number {
  return metrics.value(`rankstream_live_${name}`);
}

describeOverEach("clients that stop reading", () => {
  it("hold one version beyond the bound, keep nobody from any, and get the latest", async () => {
    const live = { unsentBytesSoft, clockOnlyMs: 60_000, heartbeatMs: 600_000 };
    const { metrics, state, address, open } = await makeLive(live);
    const paused: Socket[] = [];
    for (let i = 0; i < pausedOfEach; i++) {
      paused.push(await pausedSocket(address), await pausedStream(address));
    }
    const socket = await open();
    socket.send(subscribe("all", { eventType: "t", k: "1000" }));
    const stream = await StreamClient.open(address, "eventType=t&k=1000");
    let [most, lastGrown] = [0, 0];
    for (let round = 1; round <= rounds; round++) {
      state.counts = countsOf(round);
      // Both see every version: a client that is behind would skip some.
      const total = totalOf(round);
      await socket.until(({ changes, board }) => (changes?.set ?? board)?.["total"] === total);
      await stream.until(({ data }) => (data.changes?.set ?? data.board).total === total);
      socket.messages.length = 0;
      stream.events.length = 0;
      const now = gaugeOf(metrics, "unsent_max_bytes");
      if (now > most) lastGrown = round;
      most = Math.max(most, now);
      expect(gaugeOf(metrics, "unsent_bytes")).toBeLessThan(
        (paused.length + 2) * (unsentBytesSoft + versionBytesMax),
      );
    }
    expect(most).toBeGreaterThan(unsentBytesSoft);
    expect(most).toBeLessThan(unsentBytesSoft + versionBytesMax);
    expect(lastGrown).toBeLessThan(rounds);
    // Reading again, they get the latest though nothing changes any more.
    await Promise.all(
      paused.map(async (client) => {
        let received = "";
        client.on("data", (chunk) => {
          received = received.slice(-200_000) + String(chunk);
        });
        client.resume();
        await vi.waitFor(() => expect(received).toContain(`"0 of ${rounds} x`), waiting);
      }),
    );
    expect(gaugeOf(metrics, "clients")).toBe(paused.length + 2);
  });

  it("are cut off when they don't go on", async () => {
    const live = { unsentBytesSoft, heartbeatMs: 200 };
    const { metrics, state, address } = await makeLive(live);
    await pausedSocket(address);
    await pausedStream(address);
    let round = 0;
    // Until the system's own buffers are full.
    await vi.waitFor(() => {
      state.counts = countsOf(++round);
      expect(gaugeOf(metrics, "clients")).toBe(0);
    }, waiting);
  });
});
