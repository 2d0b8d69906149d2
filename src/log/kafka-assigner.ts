/**
 * Which member of the group reads which partition. A topic that has grown from c to c' partitions
 * holds an item's older records in partition h mod c and its newer ones in h mod c'. When c
 * divides c' both are equal modulo c: so partitions equal modulo the greatest common divisor of
 * all counts the topic ever had (a residue) go to one member, which then sees both lives of a
 * batch that was sent again across the growth, and can count it once.
 *
 * Nobody has more than one residue more than another, and what is left over goes to the nodes in
 * turn. Within that each keeps what it has: what moves is begun anew from the store, by another
 * kernel. What a member has it says itself when it joins.
 */
import kafkajs, { type PartitionAssigner } from "kafkajs";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const name = "rankstream-residues";
export const assignmentFormat = 1;
/** Of what a member says it has; of another format, or none, it has nothing. */
const claimFormat = "1";

/** What a member of the group has had so far. */
export interface Claim {
  /** Names the process that it runs in, without a space. */
  node: string;
  /** When it was given them, ms: of two who claim a partition the later one has it. */
  since: number;
  partitions: readonly number[];
  /** All numbers of partitions that it knows the topic to have had. */
  counts: readonly number[];
}

export interface Claimant extends Claim {
  memberId: string;
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Text of a claim, for `decodeClaim`. */
export function encodeClaim({ node, since, partitions, counts }: Claim): Buffer {
  return Buffer.from([claimFormat, node, since, partitions.join(), counts.join()].join(" "));
}

function numbersIn(list: string): number[] {
  return list.split(",").flatMap((text) => (/^\d+$/.test(text) ? [Number(text)] : []));
}

/** What a member says of itself; nothing had where that is not to be read. */
export function decodeClaim(bytes: Uint8Array | null, memberId: string): Claimant {
  const [format, node = memberId, since, partitions = "", counts = ""] = Buffer.from(bytes ?? [])
    .toString()
    .split(" ");
  if (format !== claimFormat) {
    return { memberId, node: memberId, since: 0, partitions: [], counts: [] };
  }
  return {
    memberId,
    node,
    since: Number(since) || 0,
    partitions: numbersIn(partitions),
    counts: numbersIn(counts).filter((count) => count > 0),
  };
}

/** Which residues each member keeps to have, by the members' order. */
function residuesHad(members: readonly Claimant[], divisor: number): Set<number>[] {
  const had = members.map(() => new Set<number>());
  const owner = new Map<number, number>();
  for (const [member, { since, partitions }] of members.entries()) {
    for (const partition of partitions) {
      const residue = partition % divisor;
      const other = owner.get(residue);
      if (other === member || (other !== undefined && members[other]!.since >= since)) continue;
      if (other !== undefined) had[other]!.delete(residue);
      owner.set(residue, member);
      had[member]!.add(residue);
    }
  }
  return had;
}

/** How many residues each member is to have, by the members' order. */
function sharesOf(members: readonly Claimant[], had: readonly Set<number>[], residues: number) {
  const least = Math.floor(residues / members.length);
  const shares = members.map(() => least);
  const ofNode = new Map<string, number>();
  for (const { node } of members) {
    ofNode.set(node, (ofNode.get(node) ?? 0) + least);
  }
  // One more each: of the node that has fewest by now, the member that has most as it is.
  const open = new Set(members.keys());
  for (let left = residues - least * members.length; left > 0; left--) {
    const [next] = [...open].sort((a, b) => {
      const total = (member: number) => ofNode.get(members[member]!.node)!;
      return total(a) - total(b) || had[b]!.size - had[a]!.size || a - b;
    });
    open.delete(next!);
    shares[next!]!++;
    const { node } = members[next!]!;
    ofNode.set(node, ofNode.get(node)! + 1);
  }
  return shares;
}

/** The partitions of each member, by the members' order, ascending. */
export function residueAssignment(
  partitionCount: number,
  members: readonly Claimant[],
): number[][] {
  const counts = members.flatMap((member) => member.counts);
  const divisor = counts.reduce(greatestCommonDivisor, partitionCount);
  const had = residuesHad(members, divisor);
  const shares = sharesOf(members, had, divisor);
  const kept = had.map((residues, member) =>
    [...residues].sort((a, b) => a - b).slice(0, shares[member]),
  );
  const taken = new Set(kept.flat());
  const free = Array.from({ length: divisor }, (_, residue) => residue).filter(
    (residue) => !taken.has(residue),
  );
  return kept.map((residues, member) => {
    residues.push(...free.splice(0, shares[member]! - residues.length));
    const own = new Set(residues);
    const all = Array.from({ length: partitionCount }, (_, partition) => partition);
    return all.filter((partition) => own.has(partition % divisor));
  });
}

/** `claim` tells what this member has, and knows. */
export function residueAssigner(claim: () => Claim): PartitionAssigner {
  return ({ cluster }) => ({
    name,
    version: assignmentFormat,
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({
        version: assignmentFormat,
        topics,
        userData: encodeClaim(claim()),
      }),
    }),
    assign: async ({ members, topics }) => {
      const claimants = members
        .map(({ memberId, memberMetadata }) =>
          decodeClaim(MemberMetadata.decode(memberMetadata)?.userData ?? null, memberId),
        )
        .sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
      const byMember = claimants.map((): Record<string, number[]> => ({}));
      for (const topic of topics) {
        const { length } = cluster.findTopicPartitionMetadata(topic);
        const shares = residueAssignment(length, claimants);
        for (const [member, partitions] of shares.entries()) byMember[member]![topic] = partitions;
      }
      return claimants.map(({ memberId }, member) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: assignmentFormat,
          assignment: byMember[member]!,
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}
