// Two processes' worth of databases over one lake: who may commit, what readers see, whose turn
// maintenance is.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { StaleOffsetError } from "../../src/store/checkpoint.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LakeLeader, NotLeader } from "../../src/store/lake-leader.ts";
import { fenceOthers } from "../../src/store/lake-partitions.ts";
import { writeRegionState } from "../../src/store/region-states.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { until } from "../support/until.ts";
import { Member } from "./lake-member.ts";

const minutesMax = 300_000;

describe.skipIf(!hasLake())("a lake that two processes share", () => {
  let place: LakePlace;
  let one: Member;
  let other: Member;

  beforeAll(async () => {
    place = (await startLake()).placeInFolder();
    [one, other] = await Promise.all([Member.open(place), Member.open(place)]);
  }, minutesMax);
  afterAll(() => Promise.all([one?.database.close(), other?.database.close()]));

  it("gives a new type one number, whoever counts it first", { timeout: minutesMax }, async () => {
    await one.adopt(0, [0]);
    await other.adopt(0, [1, 2]);
    await Promise.all([
      one.commit(0, 0, 0, ["both", "first"]),
      other.commit(0, 1, 0, ["second", "both"]),
      other.commit(0, 2, 0, ["both"]),
    ]);
    await Promise.all([one.database.follow(), other.database.follow()]);
    const types = await one.types();
    expect(types.map(([name, , total]) => [name, total])).toEqual([
      ["both", 3],
      ["first", 1],
      ["second", 1],
    ]);
    expect(new Set(types.map(([, id]) => id)).size).toBe(3);
    expect(await other.types()).toEqual(types);
  });

  it("shows what another has committed where that is asked for", {
    timeout: minutesMax,
  }, async () => {
    const read = (isNewest: boolean) =>
      one.database.read(60_000, (c) => rowsOf(c, "FROM meta WHERE key = 'region:us'"), {
        isNewest,
      });
    expect(await read(true)).toEqual([]);
    await other.database.write((c) => writeRegionState(c, { region: "us", state: "a" }));
    expect(await read(false)).toEqual([]);
    expect(await read(true)).toEqual([{ key: "region:us", value: "a" }]);
  });

  it("lets nobody commit who has lost a partition", { timeout: minutesMax }, async () => {
    const taken = await other.adopt(0, [0, 1, 2]);
    expect(taken.starts).toEqual([
      { partition: 0, offset: 1, tail: "tail 0" },
      { partition: 1, offset: 1, tail: "tail 0" },
      { partition: 2, offset: 1, tail: "tail 0" },
    ]);
    // Nobody has counted on: its offset is still right, and only the epoch says no.
    await expect(one.commit(0, 0, 1, ["late"])).rejects.toThrow(StaleOffsetError);
    await other.commit(0, 0, 1, ["both"]);
    await expect(other.commit(0, 0, 1, ["again"])).rejects.toThrow(StaleOffsetError);
    await expect(other.commit(7, 1, 1, ["of another worker"])).rejects.toThrow(StaleOffsetError);
    await one.database.follow();
    expect((await one.types()).map(([name, , total]) => [name, total])).toEqual([
      ["both", 4],
      ["first", 1],
      ["second", 1],
    ]);
  });

  it("has a checkpoint look again after a delete", { timeout: minutesMax }, async () => {
    await other.commit(0, 1, 1, ["second"]);
    await one.database.write(async (connection) => {
      await fenceOthers(connection);
      await connection.run("INSERT INTO type_incarnations VALUES ('second')");
      await connection.run("DELETE FROM event_type_parts WHERE event_type = 'second'");
    });
    const before = await one.types();
    await other.commit(0, 1, 2, ["second"]);
    await one.database.follow();
    const after = await one.types();
    expect(before.some(([name]) => name === "second")).toBe(false);
    const [, id, total] = after.find(([name]) => name === "second")!;
    expect(total).toBe(1);
    expect(id, "a number never given before").toBeGreaterThan(2);
  });

  it("gives a delete its turn while checkpoints go on", { timeout: minutesMax }, async () => {
    let isOver = false;
    let checkpoints = 0;
    const { starts } = await other.adopt(0, [1]);
    const counting = (async () => {
      for (let from = starts[0]!.offset; !isOver; from++, checkpoints++) {
        await other.commit(0, 1, from, ["first"]);
      }
    })();
    let tries = 0;
    await one.checkpointer.alone(() =>
      one.database.writeDeferrable(async (connection) => {
        tries++;
        await fenceOthers(connection);
        // Longer than several checkpoints take.
        await sleep(1500);
      }),
    );
    const during = checkpoints;
    await until(async () => expect(checkpoints).toBeGreaterThan(during + 1), minutesMax);
    isOver = true;
    await counting;
    // One may have begun before.
    expect(tries).toBeLessThanOrEqual(2);
  });

  it("has one of two changes that overlap look again", { timeout: minutesMax }, async () => {
    const seen: number[] = [];
    let meanwhile: Promise<unknown> | null = null;
    await one.database.writeDeferrable(async (connection) => {
      const [row] = await rowsOf(connection, "SELECT count(*) AS n FROM type_incarnations");
      seen.push(Number(row!["n"]));
      await connection.run("INSERT INTO type_graves VALUES (1000)");
      // Of another table, and only added to: DuckLake itself has nothing against it.
      const sql = "INSERT INTO type_incarnations VALUES ('meanwhile')";
      meanwhile ??= other.database.writeDeferrable((c) => c.run(sql));
      await meanwhile;
    });
    expect(seen).toEqual([1, 2]);
    const idle = await one.database.catalog.latest();
    await one.database.writeDeferrable((c) => rowsOf(c, "FROM type_graves"));
    expect(await one.database.catalog.latest(), "what changes nothing").toEqual(idle);
  });

  it("is mirrored row by row", { timeout: minutesMax }, async () => {
    const random = randomFromEnvironment("lake mirror");
    await one.database.read(60_000, async () => undefined);
    const table = () => random.pick(["list_minute", "count_deltas", "item_labels", "tail_hour"]);
    const writers = [one, other];
    for (let round = 0; round < 12; round++) {
      for (let i = random.int(1, 3); i > 0; i--) await change(random.pick(writers), table());
      await one.database.follow();
      for (const name of ["list_minute", "count_deltas", "item_labels", "tail_hour"]) {
        const sql = `FROM ${name} ORDER BY ALL`;
        const mirrored = await one.database.read(60_000, (c) => rowsOf(c, sql));
        expect(mirrored, `${name} in round ${round}`).toEqual(
          await rowsOf(other.database.writer, sql),
        );
      }
      const spans = `SELECT DISTINCT minute, type_id, partition FROM count_deltas
        EXCEPT SELECT minute, type_id, partition FROM delta_spans`;
      expect(await one.database.read(60_000, (c) => rowsOf(c, spans))).toEqual([]);
    }

    async function change(member: Member, name: string): Promise<void> {
      const columns = {
        list_minute: "i, i % 3, 'item ' || i, i, 1",
        count_deltas: "i % 50, i % 3, 'item ' || i, i % 3, i",
        item_labels: "'type ' || i % 3, 'item ' || i, 'label', NULL, '/' || i",
        tail_hour: "i, i % 3, 'item ' || i, i",
      }[name]!;
      const [from, rows] = [random.int(0, 1000), random.pick([1, 3, 40])];
      const range = `range(${from}, ${from + rows}) t(i)`;
      const insert = `INSERT INTO ${name} SELECT ${columns} FROM ${range}`;
      const remainder = random.int(0, 4);
      const condition = `hash(event_id) % 5 = ${remainder}`;
      await member.database.write(async (connection) => {
        const kind = random.int(0, 3);
        if (kind !== 1) await connection.run(insert);
        if (kind === 1 || kind === 2)
          await connection.run(`DELETE FROM ${name} WHERE ${condition}`);
        if (kind === 3 && name === "list_minute") {
          await connection.run(`UPDATE list_minute SET count = count + 1 WHERE ${condition}`);
        }
      });
    }
  });

  it("has one leader, and the next where that ends", { timeout: minutesMax }, async () => {
    const leaders = [one, other].map(
      ({ database }) =>
        new LakeLeader({
          place,
          write: (work) => database.write(work),
          onChange: () => undefined,
          onFailure: () => undefined,
        }),
    );
    const [first, second] = leaders as [LakeLeader, LakeLeader];
    await first.start();
    await second.start();
    expect([first.isLeader, second.isLeader]).toEqual([true, false]);
    await one.database.write((connection) => first.fence(connection));
    // As one that stood still while another took over.
    await other.database.write((c) => c.run("UPDATE leadership SET epoch = epoch + 1"));
    const late = one.database.write((connection) => first.fence(connection));
    await expect(late).rejects.toThrow(NotLeader);
    await until(async () => expect(first.isLeader || second.isLeader).toBe(true), 30_000);
    await Promise.all(leaders.map((leader) => leader.close()));
  });
});
