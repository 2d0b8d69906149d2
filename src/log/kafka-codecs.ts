/**
 * The codecs that records may come in. The client brings gzip alone; foreign producers use all
 * four. What a record batch unpacks to is bounded by nobody but who may write to the topic.
 */
import zlib from "node:zlib";
import { decompress as zstdDecompress } from "fzstd";
import kafkajs from "kafkajs";
import { compressFrame, decompressFrame } from "lz4-napi";
import { compress as snappyCompress, uncompress as snappyUncompress } from "snappy";

const { CompressionCodecs, CompressionTypes } = kafkajs;

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

/** Java's snappy stream: 16 bytes of header, then blocks with their length before them. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const xerialHeaderBytes = 16;

async function unsnap(block: Buffer): Promise<Buffer> {
  return (await snappyUncompress(block, { asBuffer: true })) as Buffer;
}

/** Unpacks snappy as Java's clients (in blocks) and others (as one) write it. */
async function decompressSnappy(packed: Buffer): Promise<Buffer> {
  if (!packed.subarray(0, xerialMagic.length).equals(xerialMagic)) return unsnap(packed);
  const blocks: Buffer[] = [];
  for (let at = xerialHeaderBytes; at < packed.length; ) {
    const bytes = packed.readUInt32BE(at);
    if (at + 4 + bytes > packed.length) throw new Error("a snappy block is cut off");
    blocks.push(await unsnap(packed.subarray(at + 4, at + 4 + bytes)));
    at += 4 + bytes;
  }
  return Buffer.concat(blocks);
}

interface ZstdModule {
  zstdCompressSync?: (bytes: Uint8Array) => Buffer;
  zstdDecompressSync?: (bytes: Uint8Array) => Buffer;
}
const native = zlib as unknown as ZstdModule;

/** By the runtime where it can (Node 22.15 on), else in JavaScript, which only unpacks. */
const zstd: Codec = {
  async compress(encoder) {
    if (native.zstdCompressSync === undefined) {
      throw new Error("this runtime can not pack zstd: choose another kafkaCompression");
    }
    return native.zstdCompressSync(encoder.buffer);
  },
  async decompress(buffer) {
    if (native.zstdDecompressSync !== undefined) return native.zstdDecompressSync(buffer);
    const unpacked = zstdDecompress(buffer);
    return Buffer.from(unpacked.buffer, unpacked.byteOffset, unpacked.length);
  },
};

const snappy: Codec = {
  compress: (encoder) => snappyCompress(encoder.buffer),
  decompress: decompressSnappy,
};

const lz4: Codec = {
  compress: (encoder) => compressFrame(encoder.buffer),
  decompress: (buffer) => decompressFrame(buffer),
};

/** Whether this runtime can pack zstd; unpacking works everywhere. */
export const canPackZstd = native.zstdCompressSync !== undefined;

let isDone = false;

/** Makes the client read and write all codecs; once a thread. */
export function registerCodecs(): void {
  if (isDone) return;
  isDone = true;
  const codecs = CompressionCodecs as unknown as Record<number, () => Codec>;
  codecs[CompressionTypes.Snappy] = () => snappy;
  codecs[CompressionTypes.LZ4] = () => lz4;
  codecs[CompressionTypes.ZSTD] = () => zstd;
}
