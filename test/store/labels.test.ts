/** Labels in the store, against a map. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LabelChange, LabelledItem } from "../../src/model-labels.ts";
import {
  labelsMax,
  readLabelledTypes,
  readLabels,
  removeLabels,
  writeLabels,
} from "../../src/store/labels.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { randomFromEnvironment } from "../support/random.ts";

let database: LocalDatabase;
beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
});
afterEach(() => database.close());

const ids = ["a", "b'b", "ü", "__proto__", "", "c"];
const types = ["play", "view's"];

function write(changes: LabelChange[]) {
  return database.write((connection) => writeLabels(connection, changes));
}

function all(): Promise<LabelledItem[]> {
  return database.read(1000, (c) => readLabels(c, { eventTypes: types, eventIds: ids }));
}

function sorted(items: Iterable<LabelledItem>): LabelledItem[] {
  const keyOf = ({ eventType, eventId }: LabelledItem) => `${eventType}/${eventId}`;
  return [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

it("keep what was said last of each field, and nothing of what is cleared", async () => {
  const random = randomFromEnvironment("labels");
  const oracle = new Map<string, LabelledItem>();
  let mutations = 0;
  for (let round = 0; round < 60; round++) {
    const changes = Array.from({ length: random.int(1, 6) }, () => {
      const change: LabelChange = { eventType: random.pick(types), eventId: random.pick(ids) };
      for (const field of ["label", "url", "imageUrl"] as const) {
        if (random.chance(0.5)) change[field] = random.pick([null, `${field} '${round}`]);
      }
      return change;
    });
    for (const change of changes) {
      const key = JSON.stringify([change.eventType, change.eventId]);
      const none = { label: null, url: null, imageUrl: null };
      oracle.set(key, { ...none, ...oracle.get(key), ...change });
    }
    const written = await write(changes);
    expect(written.mutations).toBe(++mutations);
    for (const item of written.rows) {
      expect(item).toEqual(oracle.get(JSON.stringify([item.eventType, item.eventId])));
    }
    if (random.chance(0.1)) {
      const gone = random.pick(types);
      await database.write((connection) => removeLabels(connection, gone));
      for (const [key, { eventType }] of oracle) if (eventType === gone) oracle.delete(key);
      mutations++;
    }
    const kept = [...oracle.values()].filter(
      ({ label, url, imageUrl }) => label !== null || url !== null || imageUrl !== null,
    );
    expect(sorted(await all())).toEqual(sorted(kept));
    const named = await database.read(1000, readLabelledTypes);
    expect(named.sort()).toEqual([...new Set(kept.map((item) => item.eventType))].sort());
  }
});

it("are refused beyond a million, while those there are can be changed and cleared", async () => {
  await database.writer.run(`INSERT INTO item_labels
    SELECT 'play', 'id-' || range, 'x', NULL, NULL FROM range(${labelsMax - 1}) RETURNING true`);
  await write([{ eventType: "play", eventId: "a", label: "last" }]);
  const before = await all();
  await expect(
    write([
      { eventType: "play", eventId: "a", label: "changed" },
      { eventType: "play", eventId: "c", label: "one more" },
    ]),
  ).rejects.toMatchObject({ code: "too_many_labels" });
  expect(await all()).toEqual(before);
  await write([{ eventType: "play", eventId: "a", label: "changed" }]);
  await write([
    { eventType: "play", eventId: "a", label: null },
    { eventType: "play", eventId: "c", label: "in its place" },
  ]);
  expect((await all()).map(({ eventId, label }) => [eventId, label])).toEqual([
    ["c", "in its place"],
  ]);
});
