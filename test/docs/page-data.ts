// What the pages' examples speak of: songs, searches, and files to import.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { RankstreamProcess } from "../support/service.ts";

const hourMs = 3_600_000;
/** Weights of one hour, so that song_123 is third and song_1 and song_2 are equal. */
const songs = { song_7: 12, song_9: 9, song_123: 7, song_1: 5, song_2: 5, song_3: 2 };
const hoursAgo = [0, 1, 2, 26, 50, 98];
const places = [
  { country: "DE", device: "web" },
  { country: "AT", device: "phone" },
];

function plays(eventType: string, now: number): object[] {
  const times = hoursAgo.map((hours) => now - hours * hourMs);
  return times.flatMap((timestamp, hour) =>
    Object.entries(songs).map(([eventId, weight], song) => ({
      eventId,
      eventType,
      timestamp,
      weight,
      userId: `u${1 + ((song + hour) % 3)}`,
      sessionId: `s${hour}`,
      metadata: places[(song + hour) % 2],
    })),
  );
}

/** So many more than a page of a board holds. */
function singles(eventType: string): object[] {
  return Array.from({ length: 120 }, (_, i) => ({ eventId: `album_7/${i}`, eventType }));
}

/** As many searches of all in both hours, and one of them risen. */
function searches(now: number): object[] {
  const counts = [
    { eventId: "weather", weights: [3000, 3300] },
    { eventId: "eclipse", weights: [410, 12] },
  ];
  return counts.flatMap(({ eventId, weights }) =>
    weights.map((weight, hours) => ({
      eventId,
      eventType: "search",
      timestamp: now - hours * hourMs - hourMs / 2,
      weight,
    })),
  );
}

/** Posts it all; throws where anything of it is refused. */
export async function fill(service: RankstreamProcess): Promise<void> {
  const now = Date.now();
  const events = [...plays("song_play", now), ...singles("song_play"), ...searches(now)];
  const { status, body } = await service.post(events);
  if (status !== 202 || body.rejected !== 0) {
    throw new Error(`the pages' events were refused: ${status} ${JSON.stringify(body)}`);
  }
}

/** plays.csv, plays.parquet and events.ndjson, as the pages' imports want them. */
export async function writeFiles(folder: string): Promise<void> {
  const rows = [
    ["song_7", "2026-11-20 10:00:00", "u1"],
    ["song_9", "2026-11-20 10:00:01", "u2"],
  ];
  const csv = ["song,played_at,listener", ...rows.map((row) => row.join(","))].join("\n");
  writeFileSync(join(folder, "plays.csv"), `${csv}\n`);
  const event = { eventId: "song_7", eventType: "song_play" };
  writeFileSync(join(folder, "events.ndjson"), `${JSON.stringify(event)}\n`);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const values = rows.map(([song, at, user]) => `('${song}', TIMESTAMP '${at}', '${user}')`);
  await connection.run(
    `COPY (FROM (VALUES ${values.join(", ")}) AS plays (song, played_at, listener))
      TO '${join(folder, "plays.parquet")}'`,
  );
  connection.closeSync();
  instance.closeSync();
}
