import { describe, expect, it } from "vitest";
import {
  type Claimant,
  decodeClaim,
  encodeClaim,
  greatestCommonDivisor,
  residueAssignment,
} from "../../src/log/kafka-assigner.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

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

function member(memberId: string, more: Partial<Claimant> = {}): Claimant {
  return { memberId, node: memberId, since: 0, partitions: [], counts: [], ...more };
}

/** Members that have just come, each in a process of its own. */
function newcomers(count: number, counts: number[]): Claimant[] {
  return Array.from({ length: count }, (_, index) => member(`m${index}`, { counts }));
}

describe("the assignment of partitions", () => {
  it.each(topics)("of %i, once %j, to %i members: each to one", (partitions, counts, members) => {
    const shares = residueAssignment(partitions, newcomers(members, counts));
    expect(shares.length).toBe(members);
    const given = shares.flat().sort((a, b) => a - b);
    expect(given).toEqual(Array.from({ length: partitions }, (_, partition) => partition));
  });

  it.each(topics)(
    "of %i, once %j, to %i members: an item's all to one",
    (count, counts, members) => {
      const shares = residueAssignment(count, newcomers(members, counts));
      const memberOf = (partition: number) =>
        shares.findIndex((share) => share.includes(partition));
      for (let hash = 0; hash < 2000; hash++) {
        const lives = [count, ...counts].map((before) => memberOf(hash % before));
        expect(new Set(lives).size).toBe(1);
      }
    },
  );

  it("spreads what is left over across processes", () => {
    const members = ["a", "a", "b", "b"].map((node, index) => member(`m${index}`, { node }));
    const shares = residueAssignment(2, members);
    expect(shares.map(({ length }) => length)).toEqual([1, 0, 1, 0]);
  });

  it("heeds the numbers of partitions that any member knows of", () => {
    const shares = residueAssignment(8, [member("knows", { counts: [4] }), member("not")]);
    expect(shares.map((share) => new Set(share.map((partition) => partition % 4)).size)).toEqual([
      2, 2,
    ]);
  });

  it("gives a partition that two claim to the one who had it last", () => {
    const zombie = member("a", { since: 1, partitions: [0, 1] });
    const owner = member("b", { since: 2, partitions: [0, 1] });
    const [own, others] = [residueAssignment(4, [zombie, owner]), [owner, zombie]];
    expect(own[1]).toEqual([0, 1]);
    expect(residueAssignment(4, others)[0]).toEqual([0, 1]);
  });
});

/** Members of a group over time: they come, leave, and claim what they were given. */
class Group {
  readonly random: Random;
  partitions: number;
  readonly counts: number[];
  members: Claimant[] = [];
  #made = 0;
  #now = 0;

  constructor(random: Random) {
    this.random = random;
    this.partitions = random.int(1, 64);
    this.counts = [this.partitions];
  }

  get divisor(): number {
    return this.counts.reduce(greatestCommonDivisor, this.partitions);
  }

  join(node: string): void {
    const memberId = `${this.random.int(0, 999)}-${this.#made++}`;
    this.members.push(member(memberId, { node, counts: [...this.counts] }));
  }

  leave(): void {
    this.members.splice(this.random.int(0, this.members.length - 1), 1);
  }

  grow(): void {
    this.partitions *= 2;
    this.counts.push(this.partitions);
  }

  /** Divides anew; the residues each member had before and has now. */
  divide(): { before: Set<number>; now: Set<number> }[] {
    const order = (a: Claimant, b: Claimant) => (a.memberId < b.memberId ? -1 : 1);
    this.members.sort(order);
    const shares = residueAssignment(this.partitions, this.members);
    const now = ++this.#now;
    expect(shares.flat().length).toBe(this.partitions);
    const residues = (partitions: readonly number[]) =>
      new Set(partitions.map((partition) => partition % this.divisor));
    return this.members.map((one, index) => {
      const before = residues(one.partitions);
      this.members[index] = { ...one, since: now, partitions: shares[index]! };
      return { before, now: residues(shares[index]!) };
    });
  }
}

function minus(a: ReadonlySet<number>, b: ReadonlySet<number>): number[] {
  return [...a].filter((residue) => !b.has(residue));
}

it("stays even over members and processes, and moves few, as members come and go", () => {
  const random = randomFromEnvironment("assigner");
  for (let round = 0; round < 60; round++) {
    const group = new Group(random);
    const workers = random.int(1, 3);
    for (let worker = 0; worker < workers; worker++) group.join("first");
    for (let step = 0; step < 20; step++) {
      const divided = group.divide();
      const sizes = divided.map(({ now }) => now.size);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      expect(new Set(divided.flatMap(({ now }) => [...now])).size).toBe(group.divisor);
      // Who had more gives only what it must; who had less loses nothing.
      for (const { before, now } of divided) {
        expect(minus(before, now).length).toBe(Math.max(0, before.size - now.size));
      }
      for (const { before, now } of group.divide()) expect(now).toEqual(before);
      const isLast = group.members.length === 1;
      if (random.chance(0.1) && group.partitions <= 128) group.grow();
      else if (isLast || random.chance(0.55)) {
        for (let worker = 0; worker < workers; worker++) group.join(`node${step}`);
      } else group.leave();
    }
  }
});

it("moves nothing between members that stay when a whole process comes or goes", () => {
  const random = randomFromEnvironment("assigner, whole processes");
  for (let round = 0; round < 100; round++) {
    const group = new Group(random);
    const workers = random.int(1, 4);
    const nodes = Array.from({ length: random.int(1, 5) }, (_, index) => `node${index}`);
    for (const node of nodes) for (let i = 0; i < workers; i++) group.join(node);
    group.divide();
    for (let i = 0; i < workers; i++) group.join("comes");
    for (const [index, { before, now }] of group.divide().entries()) {
      if (group.members[index]!.node !== "comes") expect(minus(now, before)).toEqual([]);
    }
    const goes = random.pick(nodes);
    group.members = group.members.filter(({ node }) => node !== goes);
    if (group.members.length === 0) continue;
    for (const { before, now } of group.divide()) expect(minus(before, now)).toEqual([]);
  }
});

it("reads what a member says of itself, and takes other bytes for nothing", () => {
  const said = { node: "n", since: 1_700_000_000_000, partitions: [3, 1], counts: [4, 8] };
  expect(decodeClaim(encodeClaim(said), "m")).toEqual({ memberId: "m", ...said });
  const nothing = { node: "m", since: 0, partitions: [], counts: [] };
  for (const bytes of [null, Buffer.alloc(0), Buffer.from("2 n 1 1 4"), Buffer.from([0xff, 0])]) {
    expect(decodeClaim(bytes, "m")).toEqual({ memberId: "m", ...nothing });
  }
  const odd = decodeClaim(Buffer.from("1 n later -1,x,7 0,4"), "m");
  expect(odd).toEqual({ memberId: "m", node: "n", since: 0, partitions: [7], counts: [4] });
});
