// The streams of the oracle test: real flights, one that drifts and comes late, and one made to be
// hard: flat counts, ids that fill every list, one item more than a list holds.
import { DuckDBInstance } from "@duckdb/node-api";
import { flightsFile } from "../oracles/flight-oracle.ts";
import type { FullEvent } from "../oracles/selection-oracle.ts";
import { type Random, ZipfSampler } from "../support/random.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

export interface Stream {
  name: string;
  /** Listed a window: short, so that lists leave items out. */
  candidatesMax: number;
  events: FullEvent[];
}

/** Some of the flights of a fortnight: to where, and on which route. */
export async function flights(random: Random, size: number): Promise<Stream> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const seed = random.int(0, 1_000_000);
  const reader = await connection.runAndReadAll(`
    SELECT origin, destination, epoch_ms(date)::DOUBLE AS time_ms
    FROM read_parquet('${flightsFile}')
    WHERE date < TIMESTAMP '2001-01-15' ORDER BY hash(date, origin, destination, ${seed})
    LIMIT ${Math.floor(size / 2)}`);
  const rows = reader.getRowObjects() as {
    origin: string;
    destination: string;
    time_ms: number;
  }[];
  connection.disconnectSync();
  instance.closeSync();
  const event = (eventType: string, eventId: string, at: number, origin: string): FullEvent => ({
    eventId,
    eventType,
    // The file knows minutes: half of them get a second of their own.
    timeMs: at + (random.chance(0.5) ? 0 : random.int(0, minuteMs - 1)),
    weight: 1,
    userId: origin,
    metadata: new Map([["origin", origin]]),
  });
  const events = rows.flatMap(({ origin, destination, time_ms: at }) => [
    event("flight_to", destination, Number(at), origin),
    event("flight_route", `${origin}-${destination}`, Number(at), origin),
  ]);
  return { name: "flights", candidatesMax: 60, events };
}

/** What is popular changes from day to day; few counts, so that many tie. */
export function drifting(random: Random, size: number, nowMs: number): Stream {
  const zipf = new ZipfSampler(150, 0.9);
  const events = Array.from({ length: size }, (): FullEvent => {
    const back = random.chance(0.3) ? random.int(0, 3 * hourMs) : random.int(0, 40 * dayMs);
    const drift = 7 * Math.floor(back / dayMs);
    const event: FullEvent = {
      eventId: `song ${(zipf.draw(random) + drift) % 300}`,
      eventType: random.pick(["play", "play", "skip"]),
      timeMs: nowMs - back,
      weight: random.chance(0.9) ? 1 : random.int(2, 9),
    };
    if (random.chance(0.8)) event.userId = `user ${random.int(0, 60)}`;
    if (random.chance(0.4)) event.sessionId = `s${random.int(0, 9)}`;
    if (random.chance(0.7))
      event.metadata = new Map([["country", random.pick(["DE", "AT", "CH"])]]);
    return event;
  });
  return { name: "drifting", candidatesMax: 40, events };
}

/** Every window holds one item more than its list, all of them equal, or hundreds of them flat. */
export function adversarial(random: Random, size: number, nowMs: number): Stream {
  const candidatesMax = 20;
  const base = nowMs - (nowMs % dayMs) - 9 * dayMs;
  const events: FullEvent[] = [];
  const add = (eventType: string, eventId: string, timeMs: number) =>
    events.push({ eventId, eventType, timeMs, weight: 1, userId: eventId.slice(-1) });
  while (events.length < size) {
    const minute = base + random.int(0, 9 * 24 * 60 - 1) * minuteMs;
    // C + 1 equal items in a minute, other ones in each: which one is off the list is by its id.
    const first = random.int(0, 5) * 3;
    for (let i = 0; i <= candidatesMax; i++) add("equal", `equal ${first + i}`, minute + i);
    // Flat, of many ids, with long common beginnings.
    for (let i = 0; i < 30; i++) {
      add("flat", `${"x".repeat(40)}${random.int(0, 600)}`, minute + random.int(0, minuteMs - 1));
    }
    // One that is always just below the lists, and so on none of them.
    if (random.chance(0.5)) add("equal", "zzz hidden", minute + 30_000);
  }
  return { name: "adversarial", candidatesMax, events };
}
