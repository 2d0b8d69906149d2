/** Runs both builds of the kernel's scanner and reads what they located, for comparison. */
import { ChunkScanner, inputPaddingBytes } from "../../src/kernel/chunk-scanner.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { layout } from "../../src/kernel/layout.ts";
import { type KernelBuild, loadKernelModule } from "../../src/kernel/module.ts";
import type { OracleBatch } from "../oracles/event-oracle.ts";
import type { Random } from "../support/random.ts";

export const inputBytesMax = 4 * 1024 * 1024;
export const receivedAt = Date.UTC(2026, 10, 24, 10, 30);

export interface Rig {
  build: KernelBuild;
  kernel: Kernel;
  scanner: ChunkScanner;
  input: number;
}

export async function loadRig(build: KernelBuild, eventsMax = 100_000): Promise<Rig> {
  const bounds = { eventsMax, errorsMax: 100_000, textBytesMax: 2 ** 31 };
  const memoryBytes = ChunkScanner.memoryBytes(bounds) + inputBytesMax + 4096;
  const kernel = await Kernel.load(await loadKernelModule(build), memoryBytes);
  const scanner = new ChunkScanner(kernel, bounds);
  return { build, kernel, scanner, input: kernel.allocate(inputBytesMax + 2048) };
}

function text(rig: Rig, ptr: number, length: number): string {
  return Buffer.from(rig.kernel.bytes.buffer, ptr, length).toString();
}

/** The listed events as the oracle writes them. */
function readEvents(rig: Rig): OracleBatch["events"] {
  const { u32, view } = rig.kernel;
  return Array.from({ length: rig.scanner.events }, (_, index) => {
    const event = rig.scanner.eventsPtr + index * layout.EVENT_SIZE;
    const read = (offset: number): number => u32[(event + offset) >>> 2]!;
    const optional = (offset: number): string | null =>
      read(offset) === 0 ? null : text(rig, read(offset), read(offset + 4));
    const raw = (offset: number): string =>
      Buffer.from(rig.kernel.bytes.buffer, read(offset), read(offset + 4)).toString("latin1");
    return {
      line: read(layout.EVENT_LINE),
      text: raw(layout.EVENT_TEXT_PTR),
      eventId: text(rig, read(layout.EVENT_ID_PTR), read(layout.EVENT_ID_LEN)),
      eventType: text(rig, read(layout.EVENT_TYPE_PTR), read(layout.EVENT_TYPE_LEN)),
      timestamp: Number(view.getBigInt64(event + layout.EVENT_TIMESTAMP, true)),
      userId: optional(layout.EVENT_USER_PTR),
      sessionId: optional(layout.EVENT_SESSION_PTR),
      metadata: read(layout.EVENT_META_PTR) === 0 ? null : raw(layout.EVENT_META_PTR),
      weight: read(layout.EVENT_WEIGHT),
    };
  });
}

/**
 * Scans the body at an address with the alignment given, between bytes that would mislead a
 * scanner that read past it. Throws if any byte around or of the input changed.
 */
export function scanBody(
  rig: Rig,
  body: Uint8Array,
  format: "ndjson" | "json",
  alignment = 0,
  after = 0x7d,
): OracleBatch {
  const { kernel, scanner } = rig;
  const ptr = rig.input + 64 + alignment;
  kernel.bytes.fill(after, rig.input, ptr);
  kernel.bytes.fill(after, ptr + body.length, ptr + body.length + inputPaddingBytes);
  kernel.bytes.set(body, ptr);
  scanner.clear();
  const batch: OracleBatch = { events: [], errors: [], malformed: null };
  let status = scanner.scanChunk(ptr, body.length, receivedAt, format);
  for (;;) {
    assertUntouched(rig, body, ptr, after);
    if (status === "malformed") return { ...refused, malformed: scanner.readFault().code };
    if (status === "empty") return { ...refused, malformed: "empty_body" };
    batch.events.push(...readEvents(rig));
    for (const { line, code, field } of scanner.readErrors(batch.errors.length)) {
      batch.errors.push({ line, code, field: field ?? null });
    }
    if (status === "done") break;
    scanner.clear();
    status = scanner.resume();
  }
  return batch;
}

/** The arena lies before the input: what ran over it, or wasn't put back, shows here. */
function assertUntouched(rig: Rig, body: Uint8Array, ptr: number, after: number): void {
  const { bytes } = rig.kernel;
  const before = bytes.subarray(rig.input, ptr).every((byte) => byte === after);
  const same = Buffer.compare(bytes.subarray(ptr, ptr + body.length), body) === 0;
  const behind = bytes[ptr + body.length] === after;
  if (!before || !same || !behind) throw new Error("the scanner wrote outside its regions");
}

const refused: OracleBatch = { events: [], errors: [], malformed: null };

const texts = [
  "a",
  "song_1",
  "Überraschung",
  "東京タワー",
  "😀🎵",
  "x y",
  "",
  "ÿ",
  "key",
  "__proto__",
];
const types = ["play", "click\\/buy", "見る", "\\u00e9t\\u00e9", "t".repeat(128)];
const escapes = ['\\"', "\\\\", "\\/", "\\n", "\\t", "\\b", "\\f", "\\r", "\\u00e9", "\\u4e2d"];
const oddEscapes = [
  "\\ud83d\\ude00",
  "\\u0041",
  "\\u001f",
  "\\uD83D",
  "\\u0000",
  "\\udE00",
  "\\x",
];

/** JSON text of a string, with escapes and characters of every length. */
export function randomString(random: Random, oddity = 0): string {
  let out = "";
  for (let n = random.int(0, 4); n > 0; n--) {
    const run = "z".repeat(random.int(0, 40));
    if (random.chance(oddity)) out += random.pick(oddEscapes);
    else out += random.pick(random.pick([escapes, texts, texts, [run]]));
  }
  return `"${out}"`;
}

const times = [
  '"2026-11-24T10:30:00Z"',
  '"2026-11-24T10:29:59.123Z"',
  '"2024-02-29 23:59:59.999999999+01:00"',
  '"2026-11-24t10:30:00+0530"',
  '"1970-01-01T00:00:00Z"',
  "1763980200000",
  "100000000000",
];
const oddValues = [
  "null",
  "true",
  "false",
  "[]",
  "{}",
  "[1,[2,{}]]",
  "-1",
  "1.5",
  "1e3",
  "0",
  "01",
  "-",
  '"1763980200000"',
  '"2026-02-30T00:00:00Z"',
  '"2026-11-24T10:30:00"',
  '"2026-11-24T24:00:00Z"',
  '"2027-01-01T00:00:00Z"',
  "99999999999",
  "253402300800000",
  "1000001",
  '{"a":"b","a":"c"}',
  '{"a":1}',
  "nul",
  '""',
];

function randomMetadata(random: Random, oddity: number): string {
  const members: string[] = [];
  for (let n = random.int(0, 4); n > 0; n--) {
    const key = random.chance(oddity * 2) ? '"a"' : `"k${n}${randomString(random).slice(1)}`;
    members.push(`${key}:${randomString(random, oddity)}`);
  }
  return `{${members.join(random.pick([",", ", "]))}}`;
}

/** JSON text of an event; valid unless `oddity`, the chance of something odd, is above zero. */
export function randomEvent(random: Random, oddity = 0, multiline = false): string {
  const spaces = multiline ? ["", " ", "\n", "\r\n\t"] : ["", "", " ", "\t", "  \r "];
  const gap = (): string => (random.chance(0.2) ? random.pick(spaces) : "");
  const id = `"i${randomString(random, oddity).slice(1)}`;
  const type = random.chance(oddity) ? randomString(random) : `"${random.pick(types)}"`;
  const fields: [string, string][] = [
    ["eventId", id],
    ["eventType", type],
  ];
  if (random.chance(0.8)) fields.push(["timestamp", random.pick(times)]);
  if (random.chance(0.5)) fields.push(["userId", randomString(random, oddity)]);
  if (random.chance(0.5)) fields.push(["sessionId", randomString(random, oddity)]);
  if (random.chance(0.5)) fields.push(["metadata", randomMetadata(random, oddity)]);
  if (random.chance(0.3)) fields.push(["weight", String(random.int(1, 1_000_000))]);
  for (const field of fields) {
    if (random.chance(oddity)) field[1] = random.pick(oddValues);
    if (random.chance(oddity)) field[0] = random.pick(["event\\u0049d", "weight", "x", "eventid"]);
  }
  random.shuffle(fields);
  const members = fields.map(([k, v]) => `${gap()}"${k}"${gap()}:${gap()}${v}${gap()}`);
  return `{${members.join(",")}${gap()}}`;
}

/** One to three random changes of bytes: flip, set, delete, insert, cut off. */
export function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  let out = [...bytes];
  const telling = [0, 9, 10, 13, 32, 34, 44, 58, 92, 91, 93, 123, 125, 0x80, 0xc3, 0xed, 0xf4];
  for (let n = random.int(1, 3); n > 0 && out.length > 0; n--) {
    const at = random.int(0, out.length - 1);
    const kind = random.int(0, 4);
    if (kind === 0) out[at] = out[at]! ^ (1 << random.int(0, 7));
    else if (kind === 1) out[at] = random.pick(telling);
    else if (kind === 2) out.splice(at, random.int(1, 4));
    else if (kind === 3) out.splice(at, 0, random.pick(telling));
    else if (random.chance(0.3)) out = out.slice(0, at);
  }
  return Uint8Array.from(out);
}
