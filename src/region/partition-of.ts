/**
 * In which partition of a log an item lies: as Kafka's default partitioner has it, murmur2 of the
 * id's bytes. The kernel does the same for events (assembly/partition.ts), a test holds both.
 */
const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;
const shift = 24;

function mixed(word: number): number {
  const k = Math.imul(word, multiplier);
  return Math.imul(k ^ (k >>> shift), multiplier);
}

function murmur2(bytes: Buffer): number {
  const { length } = bytes;
  const whole = length - (length % 4);
  let h = seed ^ length;
  for (let at = 0; at < whole; at += 4) {
    h = Math.imul(h, multiplier) ^ mixed(bytes.readInt32LE(at));
  }
  const rest = length - whole;
  if (rest > 0) {
    h = Math.imul(h ^ bytes.readUIntLE(whole, rest), multiplier);
  }
  h = Math.imul(h ^ (h >>> 13), multiplier);
  return h ^ (h >>> 15);
}

/** From 0 to `partitionCount` − 1. */
export function partitionOf(eventId: string, partitionCount: number): number {
  return (murmur2(Buffer.from(eventId)) & 0x7fffffff) % partitionCount;
}
