/** Selected raw events in files and in the table, and selected counts, against a recount. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import type { Selection } from "../../src/model-selection.ts";
import { readCompared } from "../../src/store/compare.ts";
import { rowsOf } from "../../src/store/database.ts";
import { resetDeltaSpans } from "../../src/store/delta-spans.ts";
import { readExact } from "../../src/store/exact.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { randomFullEvents, randomSelection } from "../e2e/selection-questions.ts";
import { comparedRows } from "../oracles/compare-oracle.ts";
import {
  type FullEvent,
  type SelectedQuestion,
  selectedBoard,
  selectedCounts,
  selectedTotal,
} from "../oracles/selection-oracle.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";

const random = randomFromEnvironment("selected events");
const nowMs = Date.UTC(2026, 10, 24, 12);
const events = randomFullEvents(random, 3000, nowMs, 3 * 86_400_000);
const typeNames = [...new Set(events.map(({ eventType }) => eventType))];

let database: LocalDatabase;
let rawFiles: RawFiles;

/** As the service keeps them: events raw, partly in a file each, and their sums by minute. */
async function insert(part: readonly FullEvent[]): Promise<void> {
  const rows = part.map(({ timeMs, weight, eventType, eventId, userId, sessionId, metadata }) => {
    const text = metadata === undefined ? null : JSON.stringify(Object.fromEntries(metadata));
    return [timeMs, weight, eventType, eventId, userId ?? null, sessionId ?? null, text];
  });
  for (const row of rows) {
    await database.writer.run(
      `INSERT INTO raw_recent SELECT make_timestamp_ms($1::BIGINT), make_timestamp_ms($1::BIGINT),
        $2, $3, $4, $5, $6, $7`,
      row,
    );
  }
  await database.writer.run(`INSERT INTO count_deltas
    SELECT epoch_ms(event_time) // 60000, type_id, event_id, 0, weight
    FROM raw_recent JOIN event_types USING (event_type)`);
  await resetDeltaSpans(database.writer);
}

beforeAll(async () => {
  const folder = temporaryFolder();
  database = await LocalDatabase.open(join(folder, "store.duckdb"));
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  const options = {
    ...rawFilesDefaults,
    place: new FolderRawPlace(folder, nodeFiles),
    removeAfterMs: 1000,
  };
  rawFiles = new RawFiles(database, options);
  for (const [i, name] of typeNames.entries()) {
    await database.writer.run(
      "INSERT INTO event_types VALUES ($1, $2, 0, TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-01')",
      [i, name],
    );
  }
  await insert(events.slice(0, 1000));
  await rawFiles.flushRecent(true);
  await insert(events.slice(1000, 2000));
  await rawFiles.flushRecent(true);
  await insert(events.slice(2000));
});
afterAll(() => database.close());

function selectionOf(question: SelectedQuestion): Selection {
  const { by, metadata, userIds, sessionIds, include, exclude, prefix } = question;
  const any = <T>(list: T[]) => (list.length === 0 ? undefined : list);
  const parts = {
    by: by === "users" ? by : undefined,
    metadata: any(metadata),
    userIds: any(userIds),
    sessionIds: any(sessionIds),
    include: any(include),
    exclude: any(exclude),
    prefix: prefix === "" ? undefined : prefix,
  };
  const asked = Object.entries(parts).filter(([, part]) => part !== undefined);
  return Object.fromEntries(asked) as Selection;
}

/** The comparison of a question with the range right before, read in parts of so many rows. */
function compare(question: SelectedQuestion, partRowsMax: number) {
  const { eventTypes, from, to, k, offset, ties } = question;
  const previous = { from: 2 * from - to, to: from, ties };
  const asked = { eventTypes: [...eventTypes], from, to, k, offset, budgetMs: 60_000, previous };
  const query = { ...asked, selection: selectionOf(question) };
  return database.read(60_000, (c) => readCompared(c, rawFiles, query, partRowsMax));
}

function ask(question: SelectedQuestion) {
  const { eventTypes, from, to, k, offset } = question;
  const asked = { eventTypes: [...eventTypes], from, to, k, offset, budgetMs: 60_000 };
  const query = { ...asked, selection: selectionOf(question) };
  return database.read(60_000, (connection) => readExact(connection, rawFiles, query));
}

describe("selected events", () => {
  it("lie in files and in the table", async () => {
    const [row] = await rowsOf(
      database.writer,
      `SELECT (SELECT count(*) FROM raw_files) AS files,
         (SELECT count(*) FROM raw_recent) AS rows`,
    );
    expect(row).toEqual({ files: 2n, rows: 1000n });
  });

  it("are counted as a recount does", async () => {
    for (let i = 0; i < 150; i++) {
      const question = randomSelection(random, events);
      const asked = JSON.stringify(question);
      const answer = await ask(question);
      const truth = selectedBoard(events, question);
      const rows = truth.results.map(({ eventId, count }) => ({ eventId, count }));
      expect(answer.rows, asked).toEqual(rows);
      expect([answer.total, answer.distinct], asked).toEqual([truth.total, truth.distinct]);
    }
  });

  it("are read only where counts can't tell", async () => {
    const whole = { from: nowMs - 86_400_000, to: nowMs, by: "events" as const };
    const free = { metadata: [], userIds: [], sessionIds: [] };
    const items = { ...randomSelection(random, events), ...whole, ...free, prefix: "so" };
    expect((await ask(items)).rowsRead.raw).toBe(0);
    const { rowsRead } = await ask({ ...items, by: "users" });
    expect(rowsRead.counts).toBe(0);
    expect(rowsRead.raw).toBeGreaterThan(0);
  });

  it("compare the same, ranked at once or in parts", async () => {
    for (let i = 0; i < 15; i++) {
      const question = { ...randomSelection(random, events), by: "events" as const };
      const countable = { ...question, metadata: [], userIds: [], sessionIds: [] };
      const asked = JSON.stringify(countable);
      const answer = await compare(countable, 250);
      const past = { ...countable, from: 2 * countable.from - countable.to, to: countable.from };
      const [now, before] = [selectedCounts(events, countable), selectedCounts(events, past)];
      const truth = comparedRows(now, before, countable);
      const rows = truth.rows.map(({ previousCount, previousRank }) => ({
        count: previousCount,
        rank: previousRank,
      }));
      expect(
        answer.rows.map(({ previous }) => previous),
        asked,
      ).toEqual(rows);
      expect(answer.previous!.total, asked).toBe(selectedTotal(events, past));
      expect(await compare(countable, 1_000_000), asked).toEqual(answer);
    }
  });
});
