/** Which minutes, types and partitions have deltas, as readers are told. */
import { expect, test } from "vitest";
import { layout } from "../../src/kernel/layout.ts";
import { rowsOf } from "../../src/store/database.ts";
import { addDeltaSpans, dropDeltaSpans } from "../../src/store/delta-spans.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { readOpen } from "../../src/store/open-windows.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { StagedTables } from "../../src/store/staged.ts";

const identity = { logId: "log", partitionCount: 4, seed: "0".repeat(16) };

/** Counts of one chunk in the kernel's form (assembly/exact-counts.ts), of ids without bytes. */
function chunkOf(rows: { minute: number; type: number; partition: number }[]): ArrayBuffer {
  const narrow = Math.ceil((rows.length * 4) / 16) * 16;
  const wide = Math.ceil((rows.length * 8) / 16) * 16;
  const start = layout.COUNTS_HEADER_SIZE;
  const chunk = new ArrayBuffer(start + 3 * narrow + wide + rows.length * 16);
  const view = new DataView(chunk);
  view.setUint32(0, rows.length, true);
  for (const [i, { minute, type, partition }] of rows.entries()) {
    for (const [column, value] of [minute, type, partition].entries()) {
      view.setUint32(start + column * narrow + i * 4, value, true);
    }
    view.setUint32(start + 3 * narrow + i * 8, 1, true);
  }
  return chunk;
}

async function open(): Promise<{ database: LocalDatabase; staged: StagedTables }> {
  const database = await LocalDatabase.open(":memory:");
  const staged = new StagedTables();
  staged.register(database.writer);
  await database.write((connection) => prepareSchema(connection, identity));
  return { database, staged };
}

async function spansIn(database: LocalDatabase): Promise<string[]> {
  const rows = await rowsOf(database.writer, "SELECT DISTINCT * FROM delta_spans ORDER BY ALL");
  return rows.map((row) => [row["minute"], row["type_id"], row["partition"]].join("/"));
}

test.for([2, 700])("hold every minute, type and partition of %i minutes", async (minutes) => {
  const { database, staged } = await open();
  const rows = Array.from({ length: minutes * 3 }, (_, i) => ({
    minute: 100 + Math.floor(i / 3),
    type: i % 2,
    partition: i % 3,
  }));
  const typeIds = Uint32Array.of(7, 9);
  const halves = [rows.slice(0, minutes), rows.slice(minutes)];
  const counts = halves.map(chunkOf);
  const token = staged.stage({ raw: [], counts, typeIds });
  await database.write((connection) => addDeltaSpans(connection, { counts, typeIds }, token));
  const told = rows.map((row) => `${row.minute}/${typeIds[row.type]}/${row.partition}`);
  expect((await spansIn(database)).sort()).toEqual([...new Set(told)].sort());
  await database.write((connection) => dropDeltaSpans(connection, 100 + minutes - 1));
  expect(await spansIn(database)).toEqual(
    [...new Set(told)].filter((span) => span.startsWith(`${100 + minutes - 1}/`)).sort(),
  );
  await database.close();
});

test("are made anew from the deltas at a start", async () => {
  const { database } = await open();
  await database.writer.run(
    "INSERT INTO count_deltas VALUES (5, 1, 'a', 2, 1), (5, 1, 'b', 2, 1)",
  );
  await database.writer.run("INSERT INTO delta_spans VALUES (4, 1, 0)");
  await database.write((connection) => prepareSchema(connection, identity));
  expect(await spansIn(database)).toEqual(["5/1/2"]);
  await database.close();
});

test("leave a reader the deltas that no candidates stand in for", async () => {
  const { database } = await open();
  const { writer } = database;
  const read = async (start: number, end: number) => {
    const { deltas } = await readOpen(writer, { start, end }, [1, 2]);
    if (deltas === null) return null;
    const rows = await rowsOf(
      writer,
      `SELECT event_id FROM count_deltas WHERE minute >= ${start} AND minute < ${end}
       AND type_id IN (1, 2) AND ${deltas} ORDER BY event_id`,
    );
    return rows.map((row) => row["event_id"]).join("");
  };
  await writer.run(`INSERT INTO count_deltas VALUES (5, 1, 'a', 0, 1), (5, 1, 'b', 1, 1),
    (6, 1, 'c', 0, 1), (6, 2, 'd', 0, 1), (7, 3, 'e', 0, 1), (8, 1, 'f', 0, 1)`);
  await database.write((connection) => prepareSchema(connection, identity));
  await writer.run("INSERT INTO open_spans VALUES (0, 5, 0), (0, 6, 0)");
  await writer.run("INSERT INTO open_windows VALUES (0, 5, 1, 1, 0), (0, 6, 1, 1, 0)");
  expect(await read(5, 9)).toBe("bdf");
  expect(await read(5, 6)).toBe("b");
  expect(await read(7, 8)).toBe(null);
  expect(await read(8, 9)).toBe("f");
  await writer.run("INSERT INTO open_spans VALUES (1, 5, 1)");
  await writer.run("INSERT INTO open_windows VALUES (1, 5, 1, 1, 0), (0, 6, 2, 1, 0)");
  expect(await read(5, 8)).toBe(null);
  await database.close();
});
