import { describe, expect, it } from "vitest";
import { residueAssignment } from "../../src/log/kafka-assigner.ts";

const topics: [partitions: number, counts: number[], members: number][] = [
  [4, [4], 1],
  [4, [4], 3],
  [8, [4, 8], 2],
  [8, [4, 8], 8],
  [16, [4, 8, 16], 3],
  [16, [6, 16], 4],
  [256, [1, 256], 2],
  [3, [], 5],
];

describe("the assignment of partitions", () => {
  it.each(topics)("of %i, once %j, to %i members: each to one", (partitions, counts, members) => {
    const shares = residueAssignment(partitions, counts, members);
    expect(shares.length).toBe(members);
    const given = shares.flat().sort((a, b) => a - b);
    expect(given).toEqual(Array.from({ length: partitions }, (_, partition) => partition));
  });

  it.each(topics)(
    "of %i, once %j, to %i members: an item's all to one",
    (count, counts, members) => {
      const shares = residueAssignment(count, counts, members);
      const memberOf = (partition: number) =>
        shares.findIndex((share) => share.includes(partition));
      for (let hash = 0; hash < 2000; hash++) {
        const lives = [count, ...counts].map((before) => memberOf(hash % before));
        expect(new Set(lives).size).toBe(1);
      }
    },
  );

  it("gives nobody more than one partition more while nothing has grown", () => {
    const sizes = residueAssignment(10, [10], 4).map(({ length }) => length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBe(1);
  });
});
