// Who may commit what of a partition, as partitions change hands.
import { describe, expect, it } from "vitest";
import { StaleOffsetError } from "../../src/store/checkpoint.ts";
import {
  addLakePartitions,
  readFences,
  readHolders,
  takeOver,
} from "../../src/store/lake-partitions.ts";
import { hasLake } from "../support/lake.ts";
import { type Member, twoMembers } from "./lake-member.ts";

const msMax = 300_000;

describe.skipIf(!hasLake())("partitions of a lake", () => {
  const members = twoMembers(msMax);

  const slots = async () => {
    const holders = await members.one.database.write(readHolders);
    return [0, 1, 2].map((partition) => holders.get(partition)!.slot);
  };
  const totals = async () => {
    await members.one.database.follow();
    return (await members.one.types()).map(([name, , total]) => [name, total]);
  };

  it("are left to their holder, but for what is taken over", { timeout: msMax }, async () => {
    await members.one.adopt(0, [0, 1, 2]);
    expect(await slots()).toEqual([0, 0, 0]);
    for (const partition of [0, 1, 2]) await members.one.commit(0, partition, 0, ["a"]);
    const { starts } = await members.two.adopt(0, [0, 2]);
    expect(starts.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 1],
      [2, 1],
    ]);
    const [own, others] = [(await slots())[1], (await slots())[0]];
    expect(others, "each has its own").not.toBe(own);
    expect(await slots()).toEqual([others, own, others]);
    // It finds its fence closed, looks again, and goes on with what it has still.
    await members.one.commit(0, 1, 1, ["a"]);
    await expect(members.one.commit(0, 0, 1, ["late"])).rejects.toThrow(/taken over/);
    const both = members.one.part(0, 1, 2, ["late"]);
    both.offsets.push({ partition: 2, from: 1, next: 2, tail: "late" });
    await expect(members.one.checkpointer.commit(both)).rejects.toThrow(StaleOffsetError);
    for (const partition of [0, 2]) await members.two.commit(0, partition, 1, ["a"]);
    expect(await members.one.database.reached()).toEqual([2, 2, 2]);
    expect(await totals()).toEqual([["a", 6]]);
  });

  it("are committed at once by those who have slots of their own", {
    timeout: msMax,
  }, async () => {
    const conflicts = conflictsOf([members.one, members.two]);
    for (let from = 2; from < 12; from++) {
      await Promise.all([
        members.one.commit(0, 1, from, ["a"]),
        members.two.commit(0, 2, from, ["a"]),
      ]);
    }
    expect(conflicts()).toBe(0);
    expect(await totals()).toEqual([["a", 26]]);
  });

  it("are as right where two share a slot", { timeout: msMax }, async () => {
    const before = await members.one.database.write(readHolders);
    // As if `two` knew of nobody else.
    const blind = new Map([[1, before.get(1)!]]);
    await members.two.database.write((connection) => takeOver(connection, [0], blind));
    const [slotOfTwo, slotOfOne] = await slots();
    expect(slotOfTwo).toBe(slotOfOne);
    await members.one.commit(0, 1, 12, ["a"]);
    await expect(
      members.two.commit(0, 0, 2, ["late"]),
      "its worker's hold is older",
    ).rejects.toThrow(/taken over/);
    // Closes the fence of both.
    const { starts } = await members.two.adopt(1, [0]);
    expect(starts[0]!.offset).toBe(2);
    for (let i = 0; i < 4; i++) {
      await Promise.all([
        members.one.commit(0, 1, 13 + i, ["b"]),
        members.two.commit(1, 0, 2 + i, ["b"]),
      ]);
    }
    expect(await members.one.database.reached()).toEqual([6, 17, 12]);
    expect(await totals()).toEqual([
      ["a", 27],
      ["b", 8],
    ]);
  });

  it("of a log that grows begin in nobody's hands", { timeout: msMax }, async () => {
    const grown = [0, 1, 2, 3];
    const held = await slots();
    const epochs = () => members.one.database.write((connection) => readFences(connection, held));
    const before = await epochs();
    await members.one.database.write((connection) =>
      addLakePartitions(connection, 3, 4, [0, 0, 0, 7]),
    );
    // A delete that began before knows nothing of the fourth, and is to look again.
    const closed = before.map(({ slot, epoch }) => ({ slot, epoch: epoch + 1 }));
    expect(await epochs()).toEqual(closed);
    await members.one.commit(0, 1, 17, ["b"]);
    const given = { worker: 0, partitions: [3], partitionCount: grown.length };
    const { starts } = await members.two.checkpointer.adopt(given);
    expect(starts).toEqual([{ partition: 3, offset: 7, tail: null }]);
    await members.two.commit(0, 3, 7, ["b"]);
    expect(await members.two.database.reached()).toEqual([6, 18, 12, 8]);
  });
});

/** How many of their transactions were lost from now on. */
function conflictsOf(members: readonly Member[]): () => number {
  let conflicts = 0;
  for (const { database } of members) {
    const run = database.writer.run.bind(database.writer);
    database.writer.run = (sql, values, types) => {
      if (sql === "ROLLBACK") conflicts++;
      return run(sql, values, types);
    };
  }
  return () => conflicts;
}
