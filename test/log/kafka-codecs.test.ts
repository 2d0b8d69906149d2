// What other programs pack, unpacked by ours: kcat and Kafka's own client are in test/kafka; here
// are the forms these don't make, and what is damaged.
import kafkajs from "kafkajs";
import { compress as snappy } from "snappy";
import { describe, expect, it } from "vitest";
import { canPackZstd, registerCodecs } from "../../src/log/kafka-codecs.ts";
import { randomFromEnvironment } from "../support/random.ts";

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

registerCodecs();
const { CompressionTypes: types } = kafkajs;
const made = kafkajs.CompressionCodecs as unknown as Record<number, () => Codec>;
const codecOf = (type: number) => made[type]!();
const packers = [types.Snappy, types.LZ4, ...(canPackZstd ? [types.ZSTD] : [])];

describe("codecs", () => {
  it("unpack what they packed", async () => {
    const random = randomFromEnvironment("codecs");
    for (const type of packers) {
      for (const length of [0, 1, 1000, 300_000]) {
        const half = random.bytes(length);
        const bytes = Buffer.concat([half, Buffer.alloc(length, "again"), half]);
        const packed = await codecOf(type).compress({ buffer: bytes });
        expect((await codecOf(type).decompress(packed)).equals(bytes), `${type}`).toBe(true);
      }
    }
  });

  it("unpack snappy in Java's blocks, and refuse one that is cut off", async () => {
    const texts = ["first block ".repeat(50), "", "third"].map((text) => Buffer.from(text));
    const magic = [0x82, ...Buffer.from("SNAPPY"), 0, 0, 0, 0, 1, 0, 0, 0, 1];
    const parts: Buffer[] = [Buffer.from(magic)];
    for (const text of texts) {
      const block = await snappy(text);
      const size = Buffer.alloc(4);
      size.writeUInt32BE(block.length);
      parts.push(size, block);
    }
    const stream = Buffer.concat(parts);
    const { decompress } = codecOf(types.Snappy);
    expect((await decompress(stream)).equals(Buffer.concat(texts))).toBe(true);
    await expect(decompress(stream.subarray(0, -3))).rejects.toThrow();
  });

  it("refuse what is no such stream", async () => {
    const noise = Buffer.from("this was packed by nobody at all");
    for (const type of [types.Snappy, types.LZ4, types.ZSTD]) {
      const unpacked = (async () => codecOf(type).decompress(noise))();
      await expect(unpacked, `${type}`).rejects.toThrow();
    }
  });
});
