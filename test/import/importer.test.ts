import { describe, expect, it } from "vitest";
import { ProblemError, RankstreamClient } from "../../src/client/client.ts";
import type { EventFile } from "../../src/import/event-file.ts";
import { importFile } from "../../src/import/importer.ts";
import type { BrokenLine, LineBatch, RefusedRow } from "../../src/store/reader.ts";

/** A file of so many batches of ten rows; `refused` rows have no line. */
function fileOf(batchCount: number, refused: RefusedRow[] = [], broken: BrokenLine[] = []) {
  const read = { batches: 0 };
  const file: EventFile = {
    producer: "import-0123456789abcdef",
    bytes: 1000,
    rowCount: batchCount * 10,
    isTimeless: false,
    brokenLines: async () => broken,
    close: () => undefined,
    async *batches() {
      for (let i = 0; i < batchCount; i++) {
        read.batches += 1;
        const firstRow = i * 10 + 1;
        const own = refused.filter(({ row }) => row >= firstRow && row < firstRow + 10);
        const body = Buffer.from("x\n".repeat(10 - own.length));
        yield { body, firstRow, rows: 10, refused: own, fileBytes: 0 } satisfies LineBatch;
      }
    },
  };
  return { file, read };
}

interface Answer {
  status?: number;
  body?: object;
  replayed?: boolean;
}

/** A client whose service answers by the batch's key and lines. */
function clientOf(answer: (key: string, lines: number) => Answer | Promise<Answer>) {
  const keys: string[] = [];
  let running = 0;
  const most = { running: 0 };
  const fetch = async (_url: string, init: { headers: Record<string, string>; body: Buffer }) => {
    const key = init.headers["idempotency-key"]!;
    keys.push(key);
    running += 1;
    most.running = Math.max(most.running, running);
    const lines = init.body.toString().split("\n").length - 1;
    const { status = 202, body, replayed } = await answer(key, lines);
    running -= 1;
    const headers: Record<string, string> = {};
    if (replayed === true) headers["idempotency-replayed"] = "true";
    const reply = body ?? { accepted: lines, rejected: 0, errors: [] };
    return new Response(JSON.stringify(reply), { status, headers });
  };
  const url = "http://service";
  const client = new RankstreamClient({ url, fetch: fetch as never, retryMsMax: 0 });
  return { client, keys, most };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("an import", () => {
  it("numbers batches in order, keeps a bounded number under way, counts", async () => {
    const { file } = fileOf(20);
    const { client, keys, most } = clientOf(async () => {
      await soon();
      return {};
    });
    const seen: number[] = [];
    const tally = await importFile(file, {
      client,
      inFlightMax: 3,
      onProgress: (r) => seen.push(r),
    });
    expect(keys).toEqual(Array.from({ length: 20 }, (_, i) => `import-0123456789abcdef/${i}`));
    expect(most.running).toBe(3);
    expect(seen.at(-1)).toBe(200);
    expect(tally).toEqual({
      rows: 200,
      events: 200,
      eventsBefore: 0,
      batches: 20,
      batchesBefore: 0,
      refused: 0,
      reasons: [],
      isComplete: true,
    });
  });

  it("tells what was counted before from what is new", async () => {
    const { file } = fileOf(4);
    const { client } = clientOf((key) => ({ replayed: /\/[01]$/.test(key) }));
    const tally = await importFile(file, { client });
    expect(tally).toMatchObject({ events: 20, eventsBefore: 20, batches: 4, batchesBefore: 2 });
  });

  it("finds the rows of refused lines, and counts by reason", async () => {
    const refused = [12, 13, 20].map((row) => ({ row, code: "mine", message: "m" }));
    const broken = [{ line: 99, code: "too_many_columns", message: "b" }];
    const { file } = fileOf(3, refused, broken);
    const error = (line: number) => ({ line, code: "theirs", message: "t" });
    const { client } = clientOf((key) => {
      // Rows 11, 14, 15, 16, 17, 18, 19 are lines 1 to 7.
      if (key.endsWith("/1")) {
        return { body: { accepted: 3, rejected: 4, errors: [error(1), error(2), error(7)] } };
      }
      if (!key.endsWith("/2")) return {};
      return { status: 400, body: { code: "no_valid_events", rejected: 10, errors: [error(10)] } };
    });
    const tally = await importFile(file, { client });
    expect(tally).toMatchObject({ rows: 30, events: 13, refused: 18, isComplete: true });
    const row = (place: number) => ({ unit: "row", place, message: "t" });
    expect(tally.reasons).toEqual([
      { code: "unlisted", count: 10, examples: [] },
      { code: "theirs", count: 4, examples: [11, 14, 19, 30].map(row) },
      {
        code: "mine",
        count: 3,
        examples: refused.map(({ row: place }) => ({ unit: "row", place, message: "m" })),
      },
      {
        code: "too_many_columns",
        count: 1,
        examples: [{ unit: "line", place: 99, message: "b" }],
      },
    ]);
  });

  it("takes no number for a batch without lines", async () => {
    const refused = Array.from({ length: 10 }, (_, i) => ({
      row: 11 + i,
      code: "c",
      message: "",
    }));
    const { file } = fileOf(3, refused);
    const { client, keys } = clientOf(() => ({}));
    await importFile(file, { client });
    expect(keys.map((key) => key.split("/")[1])).toEqual(["0", "1"]);
  });

  it("gives up soon when nothing at all is an event", async () => {
    const { file, read } = fileOf(1000);
    const errors = [{ line: 3, code: "wrong_type", message: "expected text" }];
    const body = { code: "no_valid_events", rejected: 10, errors };
    const { client } = clientOf(() => ({ status: 400, body }));
    await expect(importFile(file, { client })).rejects.toThrow(
      /^gave up after 10 batches in which no row is an event: row 3: expected text$/,
    );
    expect(read.batches).toBeLessThan(20);
  });

  it("stops at a failure, and throws it once nothing is under way", async () => {
    const { file, read } = fileOf(1000);
    const { client } = clientOf(async (key) => {
      await soon();
      return key.endsWith("/5") ? { status: 413, body: { code: "body_too_large" } } : {};
    });
    const failure = await importFile(file, { client }).catch((error) => error);
    expect(failure).toBeInstanceOf(ProblemError);
    expect(failure.code).toBe("body_too_large");
    expect(read.batches).toBeLessThan(20);
  });

  it("finishes what is under way when told to stop", async () => {
    const { file } = fileOf(1000);
    const stop = new AbortController();
    const { client, keys } = clientOf(async (key) => {
      await soon();
      if (key.endsWith("/5")) stop.abort();
      return {};
    });
    const tally = await importFile(file, { client, signal: stop.signal });
    expect(tally.isComplete).toBe(false);
    expect(tally.batches).toBe(keys.length);
    expect(keys.length).toBeLessThan(20);
  });
});
