// What goes over a plain connection: HTTP that is none, and frames of a WebSocket.
import { connect, type Socket } from "node:net";
import type { Random } from "../support/random.ts";
import { connectMsMax } from "./fuzz-patience.ts";
import { mutated, oddText, rubbish } from "./fuzz-values.ts";

const head = "HTTP/1.1\r\nhost: localhost\r\n";
const event = '{"eventId":"t1","eventType":"fz_a"}';
const post = `POST /events ${head}content-type: application/json\r\n`;

/** Requests that are nearly right, each broken in a way of its own. */
const brokenHeads: ((random: Random) => string | Buffer)[] = [
  () => `GET / HTTP/9.9\r\nhost: localhost\r\n\r\n`,
  () => `GET  /  ${head}\r\n`,
  () => `G\u0000T / ${head}\r\n`,
  () => `GET /health/live ${head}host: other\r\n\r\n`,
  () => "GET /health/live HTTP/1.1\r\n\r\n",
  () => "GET /health/live HTTP/1.0\r\n\r\n",
  () => `GET http://localhost/health/live ${head}\r\n`,
  () => `CONNECT localhost:80 ${head}\r\n`,
  () => `GET /${"a/".repeat(4000)} ${head}\r\n`,
  (random) => `GET /leaderboard?${"a=b&".repeat(random.int(1, 3000))} ${head}\r\n`,
  (random) => `GET / ${head}x: ${"y".repeat(random.int(0, 40_000))}\r\n\r\n`,
  (random) => `GET / ${head}${"a: b\r\n".repeat(random.int(0, 3000))}\r\n`,
  () => `GET / ${head}a : b\r\n\r\n`,
  () => `GET / ${head} folded: b\r\n\r\n`,
  () => `GET / ${head}a: b\nc: d\r\n\r\n`,
  () => `${post}content-length: 5\r\ncontent-length: 6\r\n\r\n${event}`,
  () => `${post}content-length: -1\r\n\r\n${event}`,
  () => `${post}content-length: 99999999999999999999\r\n\r\n${event}`,
  () => `${post}content-length: ${event.length}\r\ntransfer-encoding: chunked\r\n\r\n${event}`,
  () => `${post}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
  () => `${post}transfer-encoding: gzip\r\n\r\n${event}`,
  () => `${post}transfer-encoding: chunked\r\n\r\nzz\r\n${event}\r\n0\r\n\r\n`,
  () => `${post}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n${event}`,
  () => `${post}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n`,
  () => `${post}expect: 100-continue\r\ncontent-length: ${event.length}\r\n\r\n`,
  () => `${post}content-length: 4000\r\n\r\n${event}`,
  () => `${post}content-length: ${event.length}\r\n\r\n${event}`.repeat(8),
  (random) => `GET /${oddText(random)} ${head}\r\n`,
  (random) =>
    Buffer.concat([Buffer.from("GET /"), rubbish(random, 200), Buffer.from(` ${head}\r\n`)]),
  (random) => Buffer.from(random.bytes(random.int(1, 2000))),
];

function rawRequest(random: Random): Buffer {
  const made = Buffer.from(random.pick(brokenHeads)(random));
  return random.chance(0.4) ? mutated(random, made) : made;
}

/** A frame as a client sends it, or nearly. */
function frame(random: Random): Buffer {
  const opcodes = random.chance(0.7) ? [1] : [0, 2, 3, 7, 8, 9, 10, 15];
  const texts = [
    '{"type":"subscribe","id":"a","query":{"eventType":"counted","timeRange":"last_hour"}}',
    '{"type":"subscribe","id":"b","query":{"eventType":"fz_a","k":"3"},"seq":1}',
    '{"type":"unsubscribe","id":"a"}',
    '{"type":"subscribe"',
    `{"type":"subscribe","id":"${"x".repeat(2000)}","query":{}}`,
    '{"type":"subscribe","id":1,"query":null}',
    "[]",
    "x".repeat(random.int(0, 200)),
  ];
  let payload: Buffer = Buffer.from(random.pick(texts));
  if (random.chance(0.3)) payload = mutated(random, payload);
  const isMasked = random.chance(0.95);
  const mask = isMasked ? Buffer.from(random.bytes(4)) : Buffer.alloc(0);
  const bits = (isMasked ? 0x80 : 0) | Math.min(payload.length, 126);
  const length = Buffer.alloc(payload.length < 126 ? 0 : 2);
  if (length.length > 0) length.writeUInt16BE(payload.length);
  const first =
    (random.chance(0.9) ? 0x80 : 0) | random.pick(opcodes) | (random.chance(0.03) ? 0x40 : 0);
  const body = isMasked ? payload.map((byte, i) => byte ^ mask[i % 4]!) : payload;
  return Buffer.concat([Buffer.from([first, bits]), length, mask, body]);
}

const upgrade =
  `GET /live ${head}connection: Upgrade\r\nupgrade: websocket\r\n` +
  "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** What is written, piece by piece, on one connection. */
export function rawExchange(random: Random): Buffer[] {
  if (random.chance(0.15)) {
    const first = Buffer.from(upgrade);
    const frames = Array.from({ length: random.int(1, 6) }, () => frame(random));
    return [random.chance(0.1) ? mutated(random, first) : first, ...frames];
  }
  const whole = rawRequest(random);
  if (!random.chance(0.2)) return [whole];
  const at = random.int(0, whole.length);
  return [whole.subarray(0, at), whole.subarray(at)];
}

/** How long a client waits; milliseconds. */
const patience = {
  /** For an answer; there need not be one. */
  answerMsMax: 300,
  /** For the service to close its side, once the client has ended its own. */
  closeMsMax: 60_000,
};

/**
 * Writes the pieces, takes what comes for a moment, and leaves: by a reset when their number is
 * even, else by ending its side and waiting for the service's. Resolves with the status, or 0
 * where none came; throws when there is no connection, or it is left open.
 */
export function exchange(
  port: number,
  pieces: readonly Buffer[],
  { answerMsMax, closeMsMax } = patience,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: "127.0.0.1", port });
    let status = 0;
    const fail = (message: string, code: string) => {
      socket.destroy();
      reject(Object.assign(new Error(message), { code }));
    };
    let timer = setTimeout(() => fail("no connection", "ETIMEDOUT"), connectMsMax);
    const leave = () => {
      clearTimeout(timer);
      if (pieces.length % 2 === 0) socket.resetAndDestroy();
      else socket.end();
      timer = setTimeout(() => {
        fail(`left open: ${JSON.stringify(pieces.map(String)).slice(0, 500)}`, "LEFT_OPEN");
      }, closeMsMax);
    };
    socket.setNoDelay(true);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (socket.connecting || error.syscall === "connect") reject(error);
    });
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(status);
    });
    socket.on("data", (data) => {
      const found = /^HTTP\/1\.1 (\d{3})/.exec(data.subarray(0, 20).toString("latin1"));
      const isFirst = status === 0;
      status ||= Number(found?.[1] ?? 0);
      // Of a WebSocket the frames are still to come.
      if (isFirst && status !== 101) leave();
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      timer = setTimeout(leave, answerMsMax);
      for (const piece of pieces) socket.write(piece);
    });
  });
}
