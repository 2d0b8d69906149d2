/** What the log's tests share: batches with known bytes, and reading a whole log. */
import type { Files } from "../../src/files.ts";
import type { EmbeddedLog } from "../../src/log/embedded-log.ts";
import { EmbeddedLogReader } from "../../src/log/embedded-log-reader.ts";
import type { BatchHeader, LogRecord, PartitionBlock } from "../../src/model.ts";

export const plainHeader: BatchHeader = {
  key: null,
  digest: null,
  receivedAt: 1_780_000_000_000,
  partitionCount: 1,
};

/** `bytes` bytes that no other tag gives, the tag in front. */
export function payload(tag: string, bytes: number): Buffer {
  return Buffer.concat([Buffer.from(`${tag};`), Buffer.alloc(bytes, `${tag},`)]);
}

export function block(partition: number, value: Uint8Array): PartitionBlock {
  return { partition, value, events: 1, lines: Uint8Array.of(1, 1, 3) };
}

/** The records of all (or these) partitions from where the log begins, up to its durable end. */
export async function readAll(
  files: Files,
  folder: string,
  log: EmbeddedLog,
  readBytesMax = 4096,
  partitions = log.beginOffsets().map((_, partition) => partition),
): Promise<LogRecord[]> {
  const begin = log.beginOffsets();
  const starts = partitions.map((partition) => ({ partition, offset: begin[partition]! }));
  const reader = await EmbeddedLogReader.open(files, folder, { starts, readBytesMax });
  reader.advance(log.durableEnd());
  const all: LogRecord[] = [];
  for (;;) {
    const records = await reader.next();
    if (records.length === 0) break;
    all.push(...records);
  }
  await reader.close();
  return all;
}
