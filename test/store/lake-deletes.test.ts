// Deletes in slices over a lake that several processes share: what one has left another goes on
// with, also where it isn't known whether its last COMMIT was one; what one is at others leave
// alone.
import { afterEach, describe, expect, it } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { Compactor, compactDefaults } from "../../src/store/compact.ts";
import { rowsOf, runValues } from "../../src/store/database.ts";
import { type DeleteDeps, Deleter, deleteDefaults } from "../../src/store/delete.ts";
import { openRawPlace } from "../../src/store/open-raw-place.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { Sealer, sealDefaults } from "../../src/store/seal.ts";
import { startCutCommits } from "../support/cut-commits.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

const msMax = 300_000;
const hours = 3;
const hourMs = 3_600_000;
const first = Date.UTC(2026, 2, 1);
const scope = { eventType: "play", eventId: "gone", from: first, to: first + hours * hourMs };

const opened: Member[] = [];
afterEach(() => Promise.all(opened.splice(0).map((one) => one.database.close())));

async function openMember(place: LakePlace): Promise<Member> {
  const member = await Member.open(place);
  opened.push(member);
  return member;
}

/** One that takes an hour's windows in a transaction. */
async function deleterOf(member: Member, place: LakePlace, more: Partial<DeleteDeps> = {}) {
  const { database, checkpointer } = member;
  const raw = { ...rawFilesDefaults, place: await openRawPlace(place), removeAfterMs: 0 };
  const rawFiles = new RawFiles(database, raw);
  const sealer = new Sealer(database, { ...sealDefaults, candidatesMax: 10, quietMs: 0 }, null);
  const deps: DeleteDeps = {
    ...{ database, rawFiles, checkpointer },
    compactor: new Compactor(database, { ...compactDefaults, isNeeded: false }),
    fold: (connection, level) => sealer.fold(connection, level),
    coarse: { during: (_, work) => work() },
    claims: database.catalog,
    ...more,
  };
  const own = { ...deleteDefaults, candidatesMax: 10, vectorsMax: 1 };
  return { deleter: new Deleter(deps, own), sealer };
}

/** An event of each item in each hour, in sealed minutes. */
async function fill(member: Member, sealer: Sealer): Promise<void> {
  await member.adopt(0, [0]);
  const part = member.part(0, 0, 0, ["play"]);
  const lastSeen = first + (hours - 1) * hourMs;
  Object.assign(part.types[0]!, { total: 2 * hours, firstSeen: first, lastSeen });
  await member.checkpointer.commit(part);
  const times = Array.from({ length: hours }, (_, i) => first + i * hourMs);
  const events = times.flatMap((at) => ["gone", "stays"].map((id) => [BigInt(at), id]));
  await member.database.write(async (c) => {
    await runValues(
      c,
      `INSERT INTO raw_recent SELECT make_timestamp_ms(ms), make_timestamp_ms(ms), 1, 'play', id,
         NULL, NULL, NULL FROM (VALUES`,
      events,
      ") AS event (ms, id)",
    );
    const [type] = await rowsOf(c, "SELECT type_id FROM event_types");
    const counts = events.map(([at, id]) => [Number(at) / 60_000, Number(type!["type_id"]), id!]);
    await runValues(
      c,
      `INSERT INTO count_deltas SELECT minute, type, id, 0, 1 FROM (VALUES`,
      counts,
      ") AS delta (minute, type, id)",
    );
  });
  while ((await sealer.seal((first + hours * hourMs) / 60_000, Date.now())).isMore);
}

async function numbers(member: Member, sql: string): Promise<number[]> {
  const rows = await member.database.read(msMax, (c) => rowsOf(c, sql), { isNewest: true });
  return rows.flatMap((row) => Object.values(row).map(Number));
}

/** Events of the item that is deleted, and of the other, as counted and as kept; deletes left. */
async function look(member: Member) {
  const counted = (id: string) =>
    `(SELECT coalesce(sum(count), 0) FROM (FROM list_minute UNION ALL BY NAME FROM tail_minute)
      WHERE event_id = '${id}')`;
  const kept = (id: string) => `(SELECT count(*) FROM raw_recent WHERE event_id = '${id}')`;
  const ids = ["gone", "stays"];
  const all = ids.flatMap((id) => [
    `${counted(id)} AS counted_${id}`,
    `${kept(id)} AS kept_${id}`,
  ]);
  const total = "(SELECT sum(total) FROM event_types) AS total";
  const left = "(SELECT count(*) FROM deletes_under_way) AS left_over";
  return numbers(member, `SELECT ${[...all, total, left].join(", ")}`);
}
const whole = [hours, hours, hours, hours, 2 * hours, 0];
const done = [0, 0, hours, hours, hours, 0];

describe.skipIf(!hasLake())("a delete in slices over a lake", () => {
  // The first slice's COMMIT, of which this process knows no number yet, and a later one's.
  it.each([1, 2])(
    "is gone on with where COMMIT %s was not heard of",
    {
      timeout: msMax,
    },
    async (slice) => {
      const place = (await startLake()).placeInFolder();
      const way = await startCutCommits(place.catalog);
      const [one, other] = [
        await openMember({ ...place, catalog: way.catalog }),
        await openMember(place),
      ];
      let slices = 0;
      const onTouch = async () => {
        if (++slices === slice) way.cutNextWrite();
      };
      const { deleter, sealer } = await deleterOf(one, place, { onTouch });
      await fill(one, sealer);
      expect(await look(other)).toEqual(whole);
      await expect(deleter.run(scope)).rejects.toThrow();
      expect([slices, way.cuts()]).toEqual([slice, 1]);
      const [countedGone, keptGone, ...rest] = await look(other);
      expect([countedGone, keptGone]).toEqual([hours - slice, hours - slice]);
      expect(rest).toEqual([hours, hours, 2 * hours - slice, 1]);

      // The process itself lives on and has nothing of it any more.
      const { deleter: leader } = await deleterOf(other, place);
      await leader.goOn();
      expect(await look(other)).toEqual(done);
      await deleter.resume();
      expect(await look(one)).toEqual(done);
    },
  );

  it("is left alone while another process is at it", { timeout: msMax }, async () => {
    const place = (await startLake()).placeInFolder();
    const [one, other] = [await openMember(place), await openMember(place)];
    let slices = 0;
    let seen: unknown;
    const { deleter: leader, sealer } = await deleterOf(other, place);
    const onTouch = async () => {
      if (++slices !== 2) return;
      await leader.resume();
      seen = await look(other);
    };
    await fill(other, sealer);
    const { deleter } = await deleterOf(one, place, { onTouch });
    expect(await deleter.run(scope)).toMatchObject({ events: hours, count: hours });
    expect(seen).toEqual([hours - 1, hours - 1, hours, hours, 2 * hours - 1, 1]);
    expect(await look(other)).toEqual(done);
    expect(slices).toBe(hours);
  });

  // A process whose session in PostgreSQL was lost goes on with what others may have by now.
  it("is each slice's that was the first to commit it", { timeout: msMax }, async () => {
    const place = (await startLake()).placeInFolder();
    const [one, other] = [await openMember(place), await openMember(place)];
    const { deleter: unaware, sealer } = await deleterOf(other, place, { claims: undefined });
    await fill(other, sealer);
    const compactor = new Compactor(one.database, { ...compactDefaults, isNeeded: false });
    let slices = 0;
    let late = 0;
    compactor.settle = async () => {
      if (++slices !== 1) return;
      await unaware.resume();
      // Of after the delete: nobody asked for it to go.
      await other.database.write((c) => c.run(again));
      late++;
    };
    const at = `make_timestamp_ms(${first + (hours - 1) * hourMs})`;
    const again = `INSERT INTO raw_recent
      VALUES (${at}, ${at}, 1, 'play', 'gone', NULL, NULL, NULL)`;
    const { deleter } = await deleterOf(one, place, { compactor });
    await expect(deleter.run(scope)).rejects.toThrow("another process goes on with this delete");
    expect([slices, late]).toEqual([1, 1]);
    expect(await look(one)).toEqual([0, 1, ...done.slice(2)]);
  });
});
