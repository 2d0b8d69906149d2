// docs/upgrades.md has the formats that the code has.
import { expect, it } from "vitest";
import { keysVersion } from "../../src/access/keys-document.ts";
import { repositoryFormat } from "../../src/backup/repository.ts";
import { layout } from "../../src/kernel/layout.ts";
import { frameFormat, frameFormatMin } from "../../src/log/frame.ts";
import { assignmentFormat } from "../../src/log/kafka-assigner.ts";
import { recordFormat } from "../../src/log/kafka-record.ts";
import { segmentFormat } from "../../src/log/segment.ts";
import { storeFormat, storeFormatMin } from "../../src/store/migrations.ts";
import { readPage } from "../support/markdown.ts";

/** The format's number is the last byte of "RKS" and it. */
const sketchFormat = layout.SKETCH_FORMAT >>> 24;

/** What is written, and the oldest that is read. */
const formats: Record<string, [number, number]> = {
  store: [storeFormat, storeFormatMin],
  "log segment": [segmentFormat, segmentFormat],
  "log frame": [frameFormat, frameFormatMin],
  "record in Kafka": [recordFormat, recordFormat],
  "assignment in Kafka": [assignmentFormat, assignmentFormat],
  "sealed sketch": [sketchFormat, sketchFormat],
  kernel: [layout.ABI_VERSION, layout.ABI_VERSION],
  backups: [repositoryFormat, repositoryFormat],
  "keys file": [keysVersion, keysVersion],
};

it("docs/upgrades.md has the formats that the code has", () => {
  const section = readPage("docs/upgrades.md").split("\n## Formats\n")[1]!.split("\n## ")[0]!;
  const rows = [...section.matchAll(/^\| ([^|]+) \| [^|]+ \| (\d+) \| (\d+) \| /gm)];
  const shown = rows.map(([, what, format, oldest]) => [what, [Number(format), Number(oldest)]]);
  expect(Object.fromEntries(shown)).toEqual(formats);
});
