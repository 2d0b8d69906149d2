// What is predicted of the disk against a real service's folder: events of the day before, once
// their minutes, hours and the day are built.
import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { rawEventBytes, storeDisk } from "../../src/capacity/disk.ts";
import { parseLoad } from "../../src/capacity/load.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const events = 100_000;
const items = 20_000;
/** Of the day before, from its first minute on. */
const hours = 6;
const dayMs = 86_400_000;
const hourMs = dayMs / 24;
const batchEvents = 20_000;
const foldMsMax = 60_000;
/** Kept answers would tell the plan of the first question. */
const args = ["--seal-quiet-ms", "200", "--cache-bytes-max", "0", "--cache-store-bytes-max", "0"];
/** Predictions hold within these factors of what is there; too much is no harm, too little is. */
const least = 0.75;
const most = 2;

interface Sent {
  bytes: number;
  /** Distinct pairs by window, of all windows together. */
  rows: Record<"minute" | "hour" | "day", number>;
}

async function send(service: RankstreamProcess, random: Random, isRandom: boolean): Promise<Sent> {
  const sampler = new ZipfSampler(items, 1);
  const ids = Array.from({ length: items }, (_, i) => (isRandom ? randomUUID() : `song_${i}`));
  const first = Math.floor(Date.now() / dayMs) * dayMs - dayMs;
  const seen = { minute: new Set(), hour: new Set(), day: new Set() };
  let bytes = 0;
  for (let done = 0; done < events; done += batchEvents) {
    const lines: string[] = [];
    for (let i = done; i < done + batchEvents; i++) {
      const at = first + Math.floor((i / events) * hours * hourMs);
      const eventId = ids[sampler.draw(random)]!;
      const someone = (what: string) =>
        isRandom ? randomUUID() : `${what}_${random.int(1, 50_000)}`;
      lines.push(
        JSON.stringify({
          eventId,
          eventType: "song_play",
          timestamp: at,
          userId: someone("user"),
          sessionId: someone("session"),
          metadata: { country: random.pick(["DE", "FR", "US"]), device: "phone" },
        }),
      );
      seen.minute.add(`${Math.floor(at / 60_000)}/${eventId}`);
      seen.hour.add(`${Math.floor(at / 3_600_000)}/${eventId}`);
      seen.day.add(`${Math.floor(at / dayMs)}/${eventId}`);
    }
    const text = `${lines.join("\n")}\n`;
    bytes += text.length;
    expect((await service.post(text)).body).toMatchObject({ accepted: batchEvents, rejected: 0 });
  }
  const { minute, hour, day } = seen;
  return { bytes, rows: { minute: minute.size, hour: hour.size, day: day.size } };
}

/** Until an approximate board of the day is made of the day's window alone. */
async function untilBuilt(service: RankstreamProcess): Promise<void> {
  const to = Math.floor(Date.now() / dayMs) * dayMs;
  const deadline = Date.now() + foldMsMax;
  for (;;) {
    const range = { from: to - dayMs, to };
    const { body } = await service.get("/leaderboard", {
      eventType: "song_play",
      mode: "approx",
      k: 1,
      ...range,
    });
    const plan = body.plan?.windows ?? {};
    if (body.total === events && plan.day === 1 && !plan.minute && !plan.hour) return;
    if (Date.now() > deadline) throw new Error(`not built: ${JSON.stringify(body)}`);
    await sleep(1500);
  }
}

interface Found {
  rawBytes: number;
  rawRows: number;
  /** Of all windows' lists and tails. */
  countRows: number;
  bytesPerCountRow: number;
}

/** So often the windows' rows are written to a file of their own: its blocks are large. */
const copies = 10;

async function onDisk(dataDir: string): Promise<Found> {
  const instance = await DuckDBInstance.create(join(dataDir, "store.duckdb"));
  try {
    const connection = await instance.connect();
    const numbers = async (sql: string): Promise<number[]> =>
      (await connection.runAndReadAll(sql)).getRowsJS()[0]!.map(Number);
    const [rawBytes, rawRows] = await numbers("SELECT sum(bytes), sum(rows) FROM raw_files");
    const parts = ["minute", "hour", "day"].flatMap((level) => [
      `SELECT start, type_id, event_id, count FROM list_${level}`,
      `SELECT start, type_id, event_id, count FROM tail_${level}`,
    ]);
    const rows = `(${parts.join(" UNION ALL ")})`;
    const file = join(dataDir, "counts.duckdb");
    await connection.run(`ATTACH '${file}' AS counts`);
    await connection.run(`CREATE TABLE counts.counts AS SELECT start + copy * 1440 AS start,
      type_id, event_id, count FROM ${rows}, range(${copies}) AS copies (copy)
      ORDER BY copy, start`);
    await connection.run("CHECKPOINT counts");
    const [countRows] = await numbers(`SELECT count(*) FROM ${rows}`);
    await connection.run("DETACH counts");
    const bytesPerCountRow = statSync(file).size / (countRows! * copies);
    return { rawBytes: rawBytes!, rawRows: rawRows!, countRows: countRows!, bytesPerCountRow };
  } finally {
    instance.closeSync();
  }
}

it.each([false, true])(
  "disk as predicted, ids and users random: %s",
  { timeout: 90_000 },
  async (isRandom) => {
    const random = randomFromEnvironment("real disk");
    const service = await startRankstream({ args });
    const { bytes, rows } = await send(service, random, isRandom);
    await untilBuilt(service);
    await service.stop();
    const found = await onDisk(service.dataDir);
    const load = parseLoad({
      eventsPerSecond: String(events / 86_400),
      eventBytes: String(Math.round(bytes / events)),
      randomBytes: isRandom ? "108" : "0",
      eventTypes: "1",
      idBytes: isRandom ? "36" : "10",
      ids: isRandom ? "random" : "names",
      items: String(items),
      itemsPerMinute: String(Math.round(rows.minute / 1440)),
      itemsPerHour: String(Math.round(rows.hour / 24)),
      itemsPerDay: String(Math.round(rows.day)),
      itemsPerMonth: String(Math.round(rows.day)),
      retentionDays: "1",
    });
    const { countBytes } = storeDisk(load);
    const counts = countBytes.minute + countBytes.hour + countBytes.day;
    const rawRatio = (rawEventBytes(load) * found.rawRows) / found.rawBytes;
    const rowRatio = counts / (found.countRows * found.bytesPerCountRow);
    process.stderr.write(
      `predicted / found: raw ${rawRatio.toFixed(2)}, counts ${rowRatio.toFixed(2)} ` +
        `(${found.bytesPerCountRow.toFixed(1)} bytes a row)\n`,
    );
    expect(found.countRows).toBe(rows.minute + rows.hour + rows.day);
    for (const ratio of [rawRatio, rowRatio]) {
      expect(ratio).toBeGreaterThan(least);
      expect(ratio).toBeLessThan(most);
    }
  },
);
