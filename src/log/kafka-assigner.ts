/**
 * Which member of the group reads which partition. A topic that has grown from c to c' partitions
 * holds an item's older records in partition h mod c and its newer ones in h mod c'. When c
 * divides c' both are equal modulo c: so partitions equal modulo the greatest common divisor of
 * all counts the topic ever had go to one member, which then sees both lives of a batch that was
 * sent again across the growth, and can count it once.
 */
import kafkajs, { type PartitionAssigner } from "kafkajs";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const name = "rankstream-residues";
export const assignmentFormat = 1;

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The partitions of each member, by the members' order. */
export function residueAssignment(
  partitionCount: number,
  counts: readonly number[],
  members: number,
): number[][] {
  const divisor = counts.reduce(greatestCommonDivisor, partitionCount);
  const assigned: number[][] = Array.from({ length: members }, () => []);
  for (let partition = 0; partition < partitionCount; partition++) {
    assigned[(partition % divisor) % members]!.push(partition);
  }
  return assigned;
}

/** `counts` tells all numbers of partitions the topic is known to have had. */
export function residueAssigner(counts: () => readonly number[]): PartitionAssigner {
  return ({ cluster }) => ({
    name,
    version: assignmentFormat,
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({
        version: assignmentFormat,
        topics,
        userData: Buffer.alloc(0),
      }),
    }),
    assign: async ({ members, topics }) => {
      const sorted = members.map(({ memberId }) => memberId).sort();
      const byMember = sorted.map((): Record<string, number[]> => ({}));
      for (const topic of topics) {
        const { length } = cluster.findTopicPartitionMetadata(topic);
        const shares = residueAssignment(length, counts(), sorted.length);
        for (const [member, partitions] of shares.entries()) byMember[member]![topic] = partitions;
      }
      return sorted.map((memberId, member) => ({
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
