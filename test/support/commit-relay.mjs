// The way of cut-commits.ts, in a thread of its own: DuckDB plans some statements on the thread
// that asks, which would wait for itself if it had to pass on what PostgreSQL answers.
import { createServer, connect as dial } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const { host, port, flags, places } = workerData;
const isSet = (name) => Atomics.load(flags, places[name]) === 1;
const clear = (name) => Atomics.store(flags, places[name], 0);
const count = () => Atomics.add(flags, places.cuts, 1);

const server = createServer((client) => {
  const upstream = dial(port, host);
  const ends = [client, upstream];
  for (const end of ends) {
    end.on("error", () => undefined);
    end.on("close", () => ends.forEach((one) => void one.destroy()));
  }
  let [isHeld, hasWritten, isToCut] = [false, false, false];
  const mutesBefore = Atomics.load(flags, places.mutes);
  const isMute = () => Atomics.load(flags, places.mutes) > mutesBefore;
  client.on("data", (bytes) => {
    if (isMute()) return;
    const isCommit = bytes.includes("COMMIT");
    if (isSet("cutsWrites") && isCommit && (hasWritten || bytes.includes("INSERT INTO"))) {
      clear("cutsWrites");
      isToCut = true;
    }
    if (isSet("holds") && hasWritten && isCommit) {
      clear("holds");
      isHeld = true;
      count();
    }
    if (bytes.includes("INSERT INTO")) hasWritten = true;
    else if (isCommit) hasWritten = false;
    const isRead = bytes.includes("SELECT") && bytes.includes("ducklake_inlined_data_");
    if (isSet("cutsReads") && isRead) {
      clear("cutsReads");
      count();
      client.destroy();
    } else if (!isHeld) upstream.write(bytes);
  });
  upstream.on("data", (bytes) => {
    if (isMute()) return;
    // The command's tag: by now it is committed.
    if ((isSet("cutsCommits") || isToCut) && bytes.includes("COMMIT\0")) {
      clear("cutsCommits");
      isToCut = false;
      count();
      client.destroy();
    } else client.write(bytes);
  });
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
