/** Kafka's murmur2 as org.apache.kafka.common.utils.Utils writes it, in BigInt. */

const mask = 0xffffffffn;
const m = 0x5bd1e995n;

/** The signed 32-bit hash that Java prints. */
export function oracleMurmur2(data: Uint8Array): number {
  const byte = (at: number): bigint => BigInt(data[at]!);
  let h = (0x9747b28cn ^ BigInt(data.length)) & mask;
  let at = 0;
  for (; at + 4 <= data.length; at += 4) {
    let k = byte(at) + (byte(at + 1) << 8n) + (byte(at + 2) << 16n) + (byte(at + 3) << 24n);
    k = (k * m) & mask;
    k ^= k >> 24n;
    k = (k * m) & mask;
    h = ((h * m) & mask) ^ k;
  }
  const rest = data.length - at;
  if (rest >= 3) h ^= byte(at + 2) << 16n;
  if (rest >= 2) h ^= byte(at + 1) << 8n;
  if (rest >= 1) h = ((h ^ byte(at)) * m) & mask;
  h ^= h >> 13n;
  h = (h * m) & mask;
  h ^= h >> 15n;
  return Number(BigInt.asIntN(32, h));
}

/** The partition of Kafka's default partitioner. */
export function oraclePartition(eventId: string, partitionCount: number): number {
  return (oracleMurmur2(new TextEncoder().encode(eventId)) & 0x7fffffff) % partitionCount;
}
