// What the client judges of an event is what the service's contract says of its line.
import { describe, expect, it } from "vitest";
import { eventLine, InvalidEventError, utf8Bytes } from "../../src/client/event-line.ts";
import { oracleNdjson } from "../oracles/event-oracle.ts";
import { randomFromEnvironment } from "../support/random.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
const good = { eventId: "a", eventType: "play" };

/** Each breaks one member, as the service would see it in JSON. */
const broken: Record<string, unknown>[] = [
  { ...good, eventId: undefined },
  { ...good, eventType: undefined },
  { ...good, eventId: "" },
  { ...good, eventId: 7 },
  { ...good, eventId: null },
  { ...good, eventId: "x".repeat(513) },
  { ...good, eventId: "ä".repeat(257) },
  { ...good, eventId: "a\0" },
  { ...good, eventId: "\ud800" },
  { ...good, eventType: "😀".repeat(33) },
  { ...good, userId: "x".repeat(513) },
  { ...good, userId: null },
  { ...good, sessionId: ["a"] },
  { ...good, timestamp: "2026-11-24T10:30:00" },
  { ...good, timestamp: "yesterday" },
  { ...good, timestamp: "2026-11-24\0" },
  { ...good, timestamp: 1e10 },
  { ...good, timestamp: 1.5 + 1e12 },
  { ...good, timestamp: true },
  { ...good, metadata: [] },
  { ...good, metadata: { a: 1 } },
  { ...good, metadata: { a: "\udc00" } },
  { ...good, metadata: { "\0": "" } },
  { ...good, metadata: { a: "x".repeat(16_384 - 7) } },
  { ...good, metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, ""])) },
  { ...good, weight: 0 },
  { ...good, weight: 1.5 },
  { ...good, weight: 1_000_001 },
  { ...good, weight: "2" },
  { ...good, count: 1 },
];

function faultOf(event: unknown) {
  try {
    eventLine(event as never, nowMs);
  } catch (error) {
    if (error instanceof InvalidEventError) return { code: error.code, field: error.field };
    throw error;
  }
  return null;
}

function verdictOf(line: string) {
  const { events, errors } = oracleNdjson(Buffer.from(line), nowMs);
  const [error] = errors;
  if (error !== undefined) return { code: error.code, field: error.field };
  expect(events).toHaveLength(1);
  return null;
}

describe("an event that can be none", () => {
  it.each(broken)("is refused as the service would: %j", (event) => {
    const fault = faultOf(event);
    expect(fault).not.toBeNull();
    expect(fault).toEqual(verdictOf(JSON.stringify(event)));
  });

  it("is refused whatever it is", () => {
    for (const value of [null, [], "a", 1, undefined]) {
      expect(faultOf(value)).toEqual({ code: "wrong_type", field: null });
    }
    const failure = { ...good, timestamp: new Date("no") };
    expect(faultOf(failure)).toEqual({ code: "invalid_timestamp", field: "timestamp" });
  });

  it("is named with what was expected and what came", () => {
    const message = (event: object) => {
      try {
        return eventLine(event as never, nowMs);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(message({ ...good, eventId: "x".repeat(600) })).toBe(
      "eventId: expected at most 512 bytes, got 600",
    );
    expect(message({ ...good, weight: 0 })).toBe(
      "weight: expected an integer from 1 to 1000000, got 0",
    );
  });
});

describe("an event at its bounds", () => {
  it.each([
    good,
    { ...good, eventId: "x".repeat(512), eventType: "😀".repeat(32) },
    { ...good, userId: "", sessionId: "ä".repeat(256) },
    { ...good, timestamp: "2026-11-24 10:30:00.123456789+0530" },
    { ...good, timestamp: 1e11, weight: 1_000_000 },
    { ...good, metadata: { a: "x".repeat(16_384 - 8) } },
    { ...good, metadata: Object.fromEntries(Array.from({ length: 64 }, (_, i) => [i, ""])) },
    { ...good, metadata: {}, userId: undefined },
    { ...good, eventId: 'quoted "\\/\n\u2028', metadata: { __proto__: "x" } },
  ])("is taken, and by the service, too", (event) => {
    expect(verdictOf(eventLine(event, nowMs))).toBeNull();
  });

  it("of random text is written as the service reads it", () => {
    const random = randomFromEnvironment("event lines");
    const alphabet = ["a", '"', "\\", "\n", "\u0001", "ä", "€", "😀", "\u2028", "/"];
    const text = (charsMax: number) =>
      Array.from({ length: random.int(1, charsMax) }, () => random.pick(alphabet)).join("");
    for (let i = 0; i < 300; i++) {
      const event = { eventId: text(100), eventType: text(30), metadata: { [text(9)]: text(50) } };
      const line = eventLine(event, nowMs);
      expect(line).not.toContain("\n");
      expect(utf8Bytes(line)).toBe(Buffer.byteLength(line));
      const [read] = oracleNdjson(Buffer.from(line), nowMs).events;
      expect(read).toMatchObject({ eventId: event.eventId, timestamp: nowMs });
    }
  });
});
