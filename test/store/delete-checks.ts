// What a store after deletes must hold against the events that are left.
import { expect } from "vitest";
import { certifiedPrefix } from "../../src/query/certify.ts";
import { readApprox } from "../../src/store/approx.ts";
import { rowsOf } from "../../src/store/database.ts";
import { readExact } from "../../src/store/exact.ts";
import { boardOf, type CountedEvent } from "../oracles/board-oracle.ts";
import type { Random } from "../support/random.ts";
import type { DeleteFixture } from "./delete-fixture.ts";

export interface Seen {
  rows: number;
  certified: number;
}

function countsOf(events: readonly CountedEvent[], types: string[], from: number, to: number) {
  const counts = new Map<string, number>();
  for (const { eventType, eventId, timeMs, weight } of events) {
    if (!types.includes(eventType) || timeMs < from || timeMs >= to) continue;
    counts.set(eventId, (counts.get(eventId) ?? 0) + weight);
  }
  return counts;
}

/** One random question, exactly from counts, exactly from raw events, and in bounds. */
export async function checkAnswers(
  fixture: DeleteFixture,
  random: Random,
  { types, from, to }: { types: string[]; from: number; to: number },
  seen: Seen,
): Promise<void> {
  const { database, rawFiles, events } = fixture;
  const eventTypes = random.shuffle([...types]).slice(0, random.int(1, types.length));
  const k = random.int(1, 30);
  const truth = countsOf(events, eventTypes, from, to);
  const board = boardOf(truth, { k, offset: 0, ties: "ordinal" });
  const query = { eventTypes, from, to, k, offset: 0, budgetMs: 60_000 };
  const context = JSON.stringify(query);
  await fixture.ready(eventTypes, query);
  const exact = await database.read(60_000, (c) => readExact(c, rawFiles, query));
  const page = board.results.map(({ eventId, count }) => ({ eventId, count }));
  expect(exact.rows, context).toEqual(page);
  expect([exact.total, exact.distinct], context).toEqual([board.total, board.distinct]);
  // Nothing has this key: all events pass, but only raw ones can tell.
  const metadata = [{ key: "none", values: ["x"], isNot: true }];
  const raw = { ...query, selection: { metadata } };
  const fromRaw = await database.read(60_000, (c) => readExact(c, rawFiles, raw));
  expect(fromRaw.rows, `raw ${context}`).toEqual(page);
  const approx = await database.read(60_000, (c) =>
    readApprox(c, rawFiles, fixture.sketches, { ...query, rows: k, edgeRowsMax: 1000 }),
  );
  expect(approx.total, context).toEqual({ lower: board.total, upper: board.total });
  for (const { eventId, lower, upper } of approx.rows) {
    const count = truth.get(eventId) ?? 0;
    if (lower > count || count > upper) {
      throw new Error(`${eventId} is ${count}, not ${lower}..${upper}: ${context}`);
    }
  }
  const most = Math.max(approx.rest?.upper ?? 0, approx.unlistedUpper);
  const shown = new Set(approx.rows.map(({ eventId }) => eventId));
  for (const [eventId, count] of truth) {
    if (!shown.has(eventId) && count > most) throw new Error(`${eventId} is ${count}: ${context}`);
  }
  expect(approx.distinct.lower, context).toBeLessThanOrEqual(board.distinct);
  expect(approx.distinct.upper, context).toBeGreaterThanOrEqual(board.distinct);
  const certain = certifiedPrefix(approx.rows, approx, "ordinal");
  expect(approx.rows.slice(0, certain).map(({ eventId }) => eventId)).toEqual(
    board.results.slice(0, certain).map(({ eventId }) => eventId),
  );
  seen.rows += approx.rows.length;
  seen.certified += certain;
}

/** Types' totals and times. */
export async function checkTypes({ database, events }: DeleteFixture): Promise<void> {
  const rows = await rowsOf(
    database.writer,
    `SELECT event_type AS name, total, epoch_ms(first_seen) AS first, epoch_ms(last_seen) AS last
     FROM event_types ORDER BY event_type`,
  );
  const names = [...new Set(events.map(({ eventType }) => eventType))].sort();
  const expected = names.map((name) => {
    const own = events.filter(({ eventType }) => eventType === name);
    const times = own.map(({ timeMs }) => timeMs);
    const total = own.reduce((sum, { weight }) => sum + weight, 0);
    return [name, total, Math.min(...times), Math.max(...times)];
  });
  const got = rows.map(({ name, total, first, last }) => [
    name,
    Number(total),
    Number(first),
    Number(last),
  ]);
  expect(got).toEqual(expected);
}

const ends = { minute: 1, hour: 60, day: 1440, month: 0 };

/**
 * Every window there is: its items and total are those of its events, less what waits in deltas;
 * what is off its list is not above its threshold, nor above what is on it.
 */
export async function checkWindows(fixture: DeleteFixture): Promise<number> {
  const { database, events } = fixture;
  let checked = 0;
  for (const [level, minutes] of Object.entries(ends)) {
    const windows = await rowsOf(
      database.writer,
      `SELECT * FROM window_${level} JOIN event_types USING (type_id)`,
    );
    for (const window of windows) {
      const start = Number(window["start"]);
      const date = new Date(start * 60_000);
      const nextMonth = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 60_000;
      const end = minutes === 0 ? nextMonth : start + minutes;
      const name = String(window["event_type"]);
      const truth = countsOf(events, [name], start * 60_000, end * 60_000);
      const own = `type_id = ${window["type_id"]}`;
      const waiting = await rowsOf(
        database.writer,
        `SELECT event_id, sum(count)::BIGINT AS count FROM count_deltas
         WHERE ${own} AND minute >= ${start} AND minute < ${end} GROUP BY event_id`,
      );
      for (const row of waiting) {
        const id = String(row["event_id"]);
        truth.set(id, truth.get(id)! - Number(row["count"]));
        if (truth.get(id) === 0) truth.delete(id);
      }
      const rowsIn = async (kind: string, order: string) =>
        (
          await rowsOf(
            database.writer,
            `SELECT event_id, count FROM ${kind}_${level} WHERE ${own} AND start = ${start}
             ORDER BY ${order}`,
          )
        ).map((row): [string, number] => [String(row["event_id"]), Number(row["count"])]);
      const list = await rowsIn("list", "rank");
      const tail = await rowsIn("tail", "event_id");
      const context = `${level} ${start} of ${name}`;
      expect(new Map([...list, ...tail]), context).toEqual(truth);
      expect(Number(window["items"]), context).toBe(truth.size);
      const total = [...truth.values()].reduce((sum, count) => sum + count, 0);
      expect(Number(window["total"]), context).toBe(total);
      const mostOff = Math.max(0, ...tail.map(([, count]) => count));
      const threshold = Number(window["threshold"]);
      expect(mostOff, context).toBeLessThanOrEqual(threshold);
      const least = Math.min(...list.map(([, count]) => count));
      expect(threshold, context).toBeLessThanOrEqual(least);
      const sorted = [...list].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
      expect(list, context).toEqual(sorted);
      if (tail.length === 0) expect(threshold, context).toBe(0);
      checked++;
    }
  }
  return checked;
}
