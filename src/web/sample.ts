/** The sample: a day of real flights, made into events of the last 24 hours and posted. */
import { ProblemError, type RankstreamClient } from "../client/client.ts";
import type { LabelChange } from "../client/replies.ts";

/** What tools/sample.mjs writes: columns with an entry a flight, in order of time. */
export interface Sample {
  /** Code and city. */
  airports: readonly (readonly [code: string, city: string])[];
  /** Minutes since the flight before. */
  wait: readonly number[];
  /** Places in `airports`. */
  origin: readonly number[];
  destination: readonly number[];
  late: readonly number[];
}

export interface SampleBatch {
  /** The same each time: what was posted once is not counted again. */
  key: string;
  /** NDJSON. */
  body: string;
}

/** The type that is shown once the sample is in. */
export const sampleType = "flight_to";
export const sampleRange = "last_24_hours";

/** The day is laid into a little less, or its first flights would soon fall out of the range. */
const spanMs = 23 * 3_600_000;
const dayMinutes = 1440;
const flightsPerBatch = 1500;
const sampleAddress = "/web/sample-flights.json";

/** Each flight as an arrival at its destination and as a flown route, up to `endMs`. */
export function sampleBatches(sample: Sample, endMs: number): SampleBatch[] {
  const { airports, wait, origin, destination, late } = sample;
  const lines: string[] = [];
  let minute = 0;
  let inMinute = -1;
  wait.forEach((minutes, i) => {
    minute += minutes;
    inMinute = minutes === 0 ? inMinute + 1 : 0;
    const [from, to] = [airports[origin[i]!]![0], airports[destination[i]!]![0]];
    // The data knows whole minutes; flights of one follow each other by half a second.
    const atMs = endMs - spanMs * (1 - minute / dayMinutes);
    const timestamp = new Date(Math.floor(atMs) + (inMinute % 110) * 500).toISOString();
    const metadata = { origin: from, destination: to, late: late[i] === 1 ? "yes" : "no" };
    const events = [
      { eventId: to, eventType: "flight_to", timestamp, metadata },
      { eventId: `${from}-${to}`, eventType: "flight_route", timestamp, metadata },
    ];
    lines.push(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  });
  const starts = Array.from(
    { length: Math.ceil(lines.length / flightsPerBatch) },
    (_, batch) => batch * flightsPerBatch,
  );
  return starts.map((start, batch) => ({
    key: `rankstream-sample-flights/${batch + 1}`,
    body: lines.slice(start, start + flightsPerBatch).join(""),
  }));
}

/** What airports and routes are called. */
export function sampleLabels({ airports, origin, destination }: Sample): LabelChange[] {
  const pairs = origin.map((from, i) => `${from} ${destination[i]}`);
  const routes = [...new Set(pairs)].map((pair) => pair.split(" ").map(Number));
  return [
    ...airports.map(([code, city]) => ({
      eventType: "flight_to",
      eventId: code,
      label: city === code ? code : `${city} (${code})`,
    })),
    ...routes.map(([from, to]) => {
      const [start, end] = [airports[from!]!, airports[to!]!];
      const eventId = `${start[0]}-${end[0]}`;
      return {
        eventType: "flight_route",
        eventId,
        label: `${start[1]} → ${end[1]} (${eventId})`,
      };
    }),
  ];
}

async function post(client: RankstreamClient, { key, body }: SampleBatch): Promise<void> {
  try {
    await client.postBatch(body, { key, gzip: true });
  } catch (error) {
    // Posted before, at another time of day: it is counted, as it was then.
    const isCounted = error instanceof ProblemError && error.code === "idempotency_key_reused";
    if (!isCounted) throw error;
  }
}

/**
 * Posts the sample; `onProgress` hears how much of it is done, 0..1. Throws as the client does,
 * or Error when the service has no sample. May be called again: each event counts once.
 */
export async function loadSample(
  client: RankstreamClient,
  onProgress: (done: number) => void,
): Promise<void> {
  const response = await fetch(sampleAddress);
  if (!response.ok) throw new Error(`${sampleAddress} answered with status ${response.status}`);
  const sample = (await response.json()) as Sample;
  await client.putLabels(sampleLabels(sample));
  const batches = sampleBatches(sample, Date.now());
  for (const [at, batch] of batches.entries()) {
    await post(client, batch);
    onProgress((at + 1) / batches.length);
  }
}
