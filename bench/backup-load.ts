/**
 * Bodies whose receipt is known: each holds one event without a time, which takes its receipt for
 * one. So what had been received by any moment can be counted anew.
 */
import { type Body, EventStream } from "./event-stream.ts";
import { askExact, checkExact } from "./load.ts";
import { trueBoard } from "./truth.ts";

export const eventTypes = ["song_play", "song_like", "playlist_add"];
const markerType = "receipt";
const boardRows = 1000;

export interface MarkedStream {
  bodies: Body[];
  bytes: number;
  events: number;
  ids: number;
  /** Of each event in order: number of its type times `ids`, plus its id's number. */
  places: Uint32Array;
}

export interface MarkedShape {
  seed: number;
  events: number;
  ids: number;
  bodyBytes: number;
}

/** Makes them; times are of the last minute. */
export function makeMarked({ seed, events, ids, bodyBytes }: MarkedShape): MarkedStream {
  const places = new Uint32Array(events);
  let at = 0;
  const times = { startMs: Date.now() - 60_000, stepMs: 0, lateShare: 0, lateMsMax: 0 };
  const shape = { seed, ids, zipfExponent: 1, eventTypes, form: "full" as const, ...times };
  const stream = new EventStream(shape, (type, id) => {
    places[at++] = type * ids + id;
  });
  const made = stream.makeBodies(events, bodyBytes);
  const bodies = made.bodies.map((body, i) => {
    const marker = Buffer.from(`{"eventId":"${i}","eventType":"${markerType}"}\n`);
    const bytes = Buffer.concat([body.bytes, marker]);
    return { bytes, events: body.events + 1, first: body.first };
  });
  return { bodies, bytes: made.bytes, events, ids, places };
}

/** When each body was received, in the order of the bodies: epoch ms. */
export async function receiptsOf(url: string, { bodies }: MarkedStream): Promise<number[]> {
  const query = new URLSearchParams({ eventType: markerType, timeRange: "all", format: "csv" });
  const response = await fetch(`${url}/export?${query}`);
  const [head, ...rows] = (await response.text()).trim().split(/\r?\n/);
  const names = head!.split(",");
  const [id, time] = [names.indexOf("eventId"), names.indexOf("timestamp")];
  const receipts = new Array<number>(bodies.length).fill(Number.NaN);
  for (const row of rows) {
    const cells = row.split(",");
    receipts[Number(cells[id])] = Date.parse(cells[time]!);
  }
  const missing = receipts.findIndex(Number.isNaN);
  if (missing >= 0) throw new Error(`body ${missing} was never received`);
  return receipts;
}

/** Throws unless the service counts these bodies and nothing else; how many events that are. */
export async function checkBodies(
  url: string,
  { places, ids }: MarkedStream,
  bodies: readonly Body[],
): Promise<number> {
  const counts = new Uint32Array(eventTypes.length * ids);
  let events = 0;
  for (const { first, events: withMarker } of bodies) {
    const end = first + withMarker - 1;
    for (let i = first; i < end; i++) counts[places[i]!]!++;
    events += end - first;
  }
  for (const [type, eventType] of eventTypes.entries()) {
    const { board } = await askExact(url, { timeRange: "all", k: boardRows, eventType });
    const truth = trueBoard(counts.subarray(type * ids, (type + 1) * ids), boardRows);
    checkExact(board, truth, `the board of ${eventType}`);
  }
  const { board } = await askExact(url, { timeRange: "all", k: 1, eventType: markerType });
  if (board.total === bodies.length) return events;
  throw new Error(`${board.total} bodies are counted, not ${bodies.length}`);
}
