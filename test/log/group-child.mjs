// A process with one member of a consumer group, which its parent tells where to begin.
import { setTimeout as sleep } from "node:timers/promises";
import { KafkaReader } from "../../build/log/kafka-reader.js";
import { AssignmentChanged } from "../../build/log/log.js";

const readMsPause = 5;
const { settings, groupId, node } = JSON.parse(process.argv[2]);
const silent = () => undefined;
let answer = silent;

const reader = new KafkaReader({
  settings,
  groupId,
  node,
  counts: () => [settings.partitions],
  logger: { debug: silent, info: silent, warn: silent, error: silent },
  onNews: silent,
  onStopped: (_, error) => {
    throw error;
  },
});

process.on("message", ({ starts }) => {
  if (starts !== undefined) answer(starts);
  else void reader.close().then(() => process.exit(0));
});

async function read({ epoch, partitions }) {
  const starts = await new Promise((resolve) => {
    answer = resolve;
    process.send({ epoch, partitions });
  });
  if (!reader.begin(epoch, starts)) return;
  for (;;) {
    const records = await reader.next();
    if (records.length > 0) {
      process.send({ epoch, read: records.map(({ partition, offset }) => [partition, offset]) });
    }
    await sleep(readMsPause);
  }
}

void reader.start();
for (;;) {
  const assignment = await reader.assigned();
  if (assignment === null) break;
  try {
    await read(assignment);
  } catch (error) {
    if (!(error instanceof AssignmentChanged)) throw error;
    reader.again();
  }
}
