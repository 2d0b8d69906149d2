/**
 * A year of events in a data folder of its own, made once by the real service from real POSTs.
 * One connection sends one body after another, so that what the store holds is always the first
 * so many events of the stream: a run that was ended, by whatever, goes on from there.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "undici";
import { EventStream, type StreamOptions } from "./event-stream.ts";
import { passBarrier, postBody } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { percent, say, whole } from "./report.ts";
import type { ServiceProcess } from "./service-process.ts";

export const yearStartMs = Date.UTC(2025, 0, 1);
export const dayMs = 86_400_000;
export const hourMs = 3_600_000;
export const yearMs = 365 * dayMs;
/** Eight in ten events are plays: an array so that the stream draws them by place. */
const yearTypes = [
  ...Array.from({ length: 8 }, () => "song_play"),
  "song_like",
  "playlist_add",
] as const;
export const eventType = "song_play";
/** The peers' work of CONTRIBUTING.md: one busy hour in the middle of the year. */
export const peersType = "peers_play";
export const peersStartMs = yearStartMs + 182 * dayMs + 12 * hourMs;

const bodyBytes = 1024 * 1024;
const progressMs = 10_000;

/** What a folder was made with; another plan needs another folder. */
export interface YearPlan {
  seed: number;
  events: number;
  ids: number;
  peersEvents: number;
  peersIds: number;
}

export interface YearFolder {
  folder: string;
  plan: YearPlan;
}

export function planOf(options: BenchOptions): YearPlan {
  const { smoke, seed } = options;
  return {
    seed,
    events: options.events ?? (smoke ? 40_000 : 100_000_000),
    ids: options.ids ?? (smoke ? 2000 : 2_000_000),
    peersEvents: smoke ? 5000 : 2_000_000,
    peersIds: smoke ? 1000 : 1_000_000,
  };
}

/** Opens or makes the folder. Throws when it holds another plan's events. */
export function openYear(folder: string, plan: YearPlan): YearFolder {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "plan.json");
  const text = JSON.stringify(plan);
  if (!existsSync(file)) writeFileSync(file, text);
  const found = readFileSync(file, "utf8");
  if (found !== text)
    throw new Error(`${folder} holds ${found}, not ${text}: name another folder`);
  return { folder, plan };
}

export function dataDirOf({ folder }: YearFolder): string {
  return join(folder, "data");
}

function streamsOf({ seed, events, ids, peersEvents, peersIds }: YearPlan): StreamOptions[] {
  const shared = { zipfExponent: 1, lateShare: 0, lateMsMax: 0, form: "full" as const };
  const year = { seed, ids, eventTypes: yearTypes, startMs: yearStartMs, stepMs: yearMs / events };
  const peers = {
    seed: seed + 1,
    ids: peersIds,
    eventTypes: [peersType],
    startMs: peersStartMs,
    stepMs: hourMs / peersEvents,
  };
  return [
    { ...shared, ...year },
    { ...shared, ...peers },
  ];
}

async function countStored(url: string, types: readonly string[]): Promise<number> {
  await passBarrier(url, types[0]!);
  const reply = (await (await fetch(`${url}/event-types`)).json()) as {
    eventTypes: { name: string; total: number }[];
  };
  const totals = reply.eventTypes.filter(({ name }) => types.includes(name));
  return totals.reduce((sum, { total }) => sum + total, 0);
}

/** Sends what the service lacks of one stream. Returns whether all of it is there. */
async function sendRest(
  service: ServiceProcess,
  options: StreamOptions,
  events: number,
  deadline: number,
): Promise<boolean> {
  const types = [...new Set(options.eventTypes)];
  const name = types.join(", ");
  const there = await countStored(service.url, types);
  if (there === events) return true;
  say(`year: ${name}: ${whole(there)} of ${whole(events)} events are there`);
  const stream = new EventStream(options, () => undefined);
  // Bodies are made as they were, so that the stream goes on where it was.
  while (stream.made < there) stream.nextBody(events - stream.made, bodyBytes);
  if (stream.made !== there) {
    throw new Error(`${there} events of ${name} are there: no whole number of bodies`);
  }
  const client = new Client(service.url, { pipelining: 1 });
  let told = performance.now();
  try {
    let body = stream.nextBody(events - stream.made, bodyBytes);
    while (body.events > 0 && performance.now() < deadline) {
      const posted = postBody(client, body);
      const next = stream.nextBody(events - stream.made, bodyBytes);
      await posted;
      body = next;
      if (performance.now() - told < progressMs) continue;
      told = performance.now();
      say(`year: ${name}: ${percent(stream.made / events)} sent`);
    }
    return body.events === 0;
  } finally {
    await client.destroy();
  }
}

/**
 * Makes what is missing of the year. Returns whether all of it is there: false when
 * `deadline` (of performance.now()) came first.
 */
export async function fillYear(
  service: ServiceProcess,
  { plan }: YearFolder,
  deadline: number,
): Promise<boolean> {
  const sizes = [plan.events, plan.peersEvents];
  for (const [at, stream] of streamsOf(plan).entries()) {
    if (!(await sendRest(service, stream, sizes[at]!, deadline))) return false;
  }
  return true;
}
