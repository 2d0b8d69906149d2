// One file out of a zip archive, which is what a Python wheel is. Enough for wheels: encryption,
// several parts and archives beyond 4 GiB are refused or not found.
import { inflateRawSync } from "node:zlib";

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const entryBytes = 46;
const localBytes = 30;
const commentBytesMax = 0xffff;
const stored = 0;
const deflated = 8;
const encrypted = 1;

function endOf(archive) {
  const from = archive.length - endBytes;
  for (let at = from; at >= Math.max(0, from - commentBytesMax); at--) {
    if (archive.readUInt32LE(at) === endSignature) return at;
  }
  throw new Error("expected a zip archive, found no end of one");
}

function entryOf(archive, name) {
  const end = endOf(archive);
  const count = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < count; i++) {
    if (archive.readUInt32LE(at) !== entrySignature) throw new Error(`no entry at byte ${at}`);
    const nameBytes = archive.readUInt16LE(at + 28);
    const more = archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
    const from = at + entryBytes;
    if (archive.toString("utf8", from, from + nameBytes) === name) {
      return {
        flags: archive.readUInt16LE(at + 8),
        method: archive.readUInt16LE(at + 10),
        packedBytes: archive.readUInt32LE(at + 20),
        bytes: archive.readUInt32LE(at + 24),
        at: archive.readUInt32LE(at + 42),
      };
    }
    at = from + nameBytes + more;
  }
  throw new Error(`no ${name} in it`);
}

/** The bytes of `name` in `archive`, at most `bytesMax`; throws Error where that is not so. */
export function zipMember(archive, name, bytesMax) {
  const entry = entryOf(archive, name);
  const wrong = (what) => new Error(`${name}: ${what}`);
  if (archive.readUInt32LE(entry.at) !== localSignature) throw wrong("no file where it should be");
  if ((entry.flags & encrypted) !== 0) throw wrong("it is encrypted");
  if (entry.bytes > bytesMax) throw wrong(`expected ${bytesMax} bytes, got ${entry.bytes}`);
  const own = archive.readUInt16LE(entry.at + 26) + archive.readUInt16LE(entry.at + 28);
  const from = entry.at + localBytes + own;
  if (from + entry.packedBytes > archive.length) throw wrong("the archive ends before it does");
  const packed = archive.subarray(from, from + entry.packedBytes);
  if (![stored, deflated].includes(entry.method)) throw wrong(`packed by method ${entry.method}`);
  const unpack = () => inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.bytes) });
  const content = entry.method === stored ? packed : unpack();
  if (content.length !== entry.bytes) {
    throw wrong(`expected ${entry.bytes} bytes, got ${content.length}`);
  }
  return content;
}
