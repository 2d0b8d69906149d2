// Appends to a real log without end and prints each batch's number once it is durable. Plain
// JavaScript over the build output: Node 20 runs no TypeScript.
import { nodeFiles } from "../../build/files.js";
import { EmbeddedLog } from "../../build/log/embedded-log.js";

const [folder, first, concurrent] = process.argv.slice(2);
const log = await EmbeddedLog.open(nodeFiles, folder, {
  partitionCount: 2,
  segmentBytesMax: 64 * 1024,
});
let number = Number(first);

function block(partition, tag, bytes) {
  const value = Buffer.concat([Buffer.from(`${tag};`), Buffer.alloc(bytes, `${tag},`)]);
  return { partition, value, events: 1, lines: Uint8Array.of(1) };
}

async function appendForEver() {
  for (;;) {
    const mine = number++;
    const blocks = [0, 1].map((p) => block(p, `${mine}/${p}`, (mine * 37) % 2000));
    const header = { key: null, digest: null, receivedAt: 1, partitionCount: 2 };
    await log.append(header, blocks);
    process.stdout.write(`${mine}\n`);
  }
}

await Promise.all(Array.from({ length: Number(concurrent) }, appendForEver));
