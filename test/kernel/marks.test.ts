/** Marks against the scan: whoever reads lines by their marks finds the very same events. */
import { beforeAll, describe, expect, it } from "vitest";
import { Kernel } from "../../src/kernel/kernel.ts";
import { layout } from "../../src/kernel/layout.ts";
import { type KernelBuild, loadKernelModule } from "../../src/kernel/module.ts";
import { EventScanner } from "../../src/kernel/scanner.ts";
import type { PartitionBlock } from "../../src/model.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { loadRig, type Rig, randomEvent, receivedAt } from "./scan-support.ts";

const batches = 60;
const linesPerBatch = 300;
const bounds = { bodyBytesMax: 2 ** 20, errorsMax: 10, futureMsMax: 300_000 };
/** What both ways fill: all but what is worked out later. */
const comparedBytes = layout.EVENT_PARTITION;
const builds: KernelBuild[] = ["simd", "scalar"];

interface Pair {
  edge: EventScanner;
  rig: Rig;
}
let pairs: Pair[];

beforeAll(async () => {
  pairs = await Promise.all(
    builds.map(async (build) => {
      const bytes = EventScanner.memoryBytes(bounds) + 4096;
      const kernel = await Kernel.load(await loadKernelModule(build), bytes);
      return { edge: new EventScanner(kernel, bounds), rig: await loadRig(build) };
    }),
  );
});

interface Found {
  events: Buffer[];
  accepted: number;
  rejected: number;
  slow: number;
}

/** With what was unescaped (in the arena, before the input) as the text itself, wherever it is. */
function comparable(kernel: Kernel, input: number, event: Buffer): Buffer {
  const unescaped: Uint8Array[] = [];
  for (let at: number = layout.EVENT_ID_PTR; at <= layout.EVENT_META_PTR; at += 8) {
    const ptr = event.readUInt32LE(at);
    if (ptr === 0 || ptr >= input) continue;
    unescaped.push(kernel.bytes.slice(ptr, ptr + event.readUInt32LE(at + 4)));
    event.writeUInt32LE(1, at);
  }
  return Buffer.concat([event, ...unescaped]);
}

/** The block's events as the kernel lists them, by its marks or without. */
function scan({ kernel, scanner, input }: Rig, value: Uint8Array, marks: Uint8Array): Found {
  const marksAt = input + value.length + layout.SCAN_PADDING;
  kernel.bytes.set(value, input);
  kernel.bytes.set(marks, marksAt);
  scanner.clear();
  const given = { ptr: marksAt, bytes: marks.length };
  const status = scanner.scanChunk(input, value.length, receivedAt, "ndjson", given);
  expect(status).toBe("done");
  const events = Array.from({ length: scanner.events }, (_, i) => {
    const at = scanner.eventsPtr + i * layout.EVENT_SIZE;
    return comparable(kernel, input, Buffer.from(kernel.bytes.slice(at, at + comparedBytes)));
  });
  const { accepted, rejected, slowLines: slow } = scanner;
  return { events, accepted, rejected, slow };
}

function blocksOf(edge: EventScanner, random: Random): PartitionBlock[] {
  const oddity = random.pick([0, 0, 0.05]);
  const isArray = random.chance(0.3);
  const lines = Array.from({ length: linesPerBatch }, () =>
    randomEvent(random, isArray ? 0 : oddity),
  );
  const body = Buffer.from(isArray ? `[${lines.join(",\r\n")}]` : lines.join("\n"));
  return edge.scanBatch(body, isArray ? "json" : "ndjson", receivedAt, 3).blocks;
}

const noMarks = new Uint8Array(0);

describe("marks", () => {
  it("give the events that a scan of the lines gives", () => {
    const random = randomFromEnvironment("marks");
    let byMark = 0;
    for (let batch = 0; batch < batches; batch++) {
      for (const { edge, rig } of pairs) {
        for (const { value, events, marks } of blocksOf(edge, random)) {
          expect(marks!.length).toBe(events * layout.MARK_SIZE);
          const scanned = scan(rig, value, noMarks);
          expect(scanned.accepted).toBe(events);
          expect(scan(rig, value, marks!)).toEqual(scanned);
          // Without the last ones, the rest is scanned.
          const some = marks!.subarray(0, layout.MARK_SIZE * random.int(0, events));
          expect(scan(rig, value, some)).toEqual(scanned);
          const view = new DataView(marks!.buffer, marks!.byteOffset, marks!.length);
          for (let at = 20; at < marks!.length; at += layout.MARK_SIZE) {
            if (view.getUint32(at, true) >>> 28 === 0) byMark++;
          }
        }
      }
    }
    expect(byMark).toBeGreaterThan(batches * 30);
  });

  it("that are damaged lead nowhere outside their line", () => {
    const random = randomFromEnvironment("damaged marks");
    for (let batch = 0; batch < batches; batch++) {
      for (const { edge, rig } of pairs) {
        for (const { value, marks } of blocksOf(edge, random)) {
          const damaged = Uint8Array.from(marks!);
          for (let n = random.int(1, 200); n > 0; n--) {
            damaged[random.int(0, damaged.length - 1)] = random.int(0, 255);
          }
          for (const event of scan(rig, value, damaged).events) {
            const text = event.readUInt32LE(layout.EVENT_TEXT_PTR);
            const end = text + event.readUInt32LE(layout.EVENT_TEXT_LEN);
            expect(text).toBeGreaterThanOrEqual(rig.input);
            expect(end).toBeLessThan(rig.input + value.length);
            for (let at: number = layout.EVENT_ID_PTR; at <= layout.EVENT_META_PTR; at += 8) {
              const ptr = event.readUInt32LE(at);
              // Before the input lies the arena, with what was unescaped.
              if (ptr < rig.input) continue;
              expect(ptr).toBeGreaterThanOrEqual(text);
              expect(ptr + event.readUInt32LE(at + 4)).toBeLessThanOrEqual(end);
            }
          }
        }
      }
    }
  });
});
