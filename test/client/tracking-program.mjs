// Tracks events until its input ends, whatever becomes of the service, then says what it tracked:
//   node tracking-program.mjs URL EVENT_TYPE
// Also watches its board, over whatever WebSocket its Node has.
import { RankstreamClient } from "../../build/client/client.js";

const [url, eventType] = process.argv.slice(2);
const itemCount = 50;
const pauseMs = 5;
const eventsATurn = 20;

const faults = { refused: [], errors: 0, fullTimes: 0 };
const client = new RankstreamClient({
  url,
  tracking: {
    batchMsMax: 30,
    batchEventsMax: 50,
    // Fills up while the service is away.
    bufferedEventsMax: 3000,
    onRefused: (refusal) => faults.refused.push(refusal),
    onError: () => {
      faults.errors += 1;
    },
  },
});

const tracked = {};
let boards = 0;
let total = 0;
const watching = client.subscribe(
  { eventType, timeRange: "all", k: 3 },
  {
    onBoard(board) {
      boards += 1;
      total = board.total;
    },
  },
);

let isOver = false;
process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();

for (let i = 0; !isOver; ) {
  for (let turn = 0; turn < eventsATurn; turn++) {
    // Fewer of each than of the one before.
    const eventId = `item-${Math.floor(itemCount * Math.random() ** 2)}`;
    while (!client.track({ eventId, eventType, userId: `u${i % 7}` })) {
      faults.fullTimes += 1;
      await client.ready();
    }
    tracked[eventId] = (tracked[eventId] ?? 0) + 1;
    i += 1;
  }
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}

await client.flush({ timeoutMs: 60_000 });
const sum = Object.values(tracked).reduce((all, count) => all + count, 0);
// In a lake it may take as long as some commits do.
const waitMs = process.env["RANKSTREAM_TEST_STORE"] === "ducklake" ? 150_000 : 30_000;
const deadline = Date.now() + waitMs;
while (total < sum && Date.now() < deadline) await new Promise((end) => setTimeout(end, 50));
watching.close();
await client.close();
const { version } = process;
process.stdout.write(JSON.stringify({ version, tracked, boards, total, ...faults }));
