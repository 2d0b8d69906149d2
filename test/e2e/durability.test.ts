// Nothing is acknowledged that isn't on disk: one trace of system calls of the real service.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { describe, expect, it } from "vitest";
import { startRankstream, temporaryFolder } from "../support/service.ts";
import { judgeTrace } from "./trace.ts";

const marker = /marked-\d+/g;
const postsAtOnce = 8;
const rounds = 25;
const oneByOne = 25;
/** Of each buffer in the trace: the whole of what is posted here. */
const traceBytesMax = 8192;
const calls = "read,recvfrom,write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync";

describe("the reading of a trace", () => {
  const post = '1 read(5<socket:[1]>, "POST /events … marked-1", 65536) = 80';
  const write = '2 writev(9</d/log/1.log>, [{iov_base="…marked-1…", iov_len=9}], 1) = 9';
  const sync = "2 fdatasync(9</d/log/1.log>) = 0";
  const reply = '1 write(5<socket:[1]>, "HTTP/1.1 202 Accepted…", 99) = 99';
  const judge = (...lines: string[]) => judgeTrace(lines.join("\n"), marker);

  it("finds nothing wrong where all is in order", () => {
    const begun = "2 fdatasync(9</d/log/1.log> <unfinished ...>";
    const ended = "2 <... fdatasync resumed>) = 0";
    const right = { acknowledged: ["marked-1"], faults: [], syncs: 1 };
    expect(judge(post, write, sync, reply)).toEqual(right);
    expect(judge(post, write, begun, "3 read(7<pipe:[1]>, x) = 1", ended, reply)).toEqual(right);
  });

  it.each([
    ["no sync", [post, write, reply], "before the sync"],
    ["a sync before the write", [post, sync, write, reply], "before the sync"],
    ["a sync after the reply", [post, write, reply, sync], "before the sync"],
    ["a failed sync", [post, write, sync.replace("= 0", "= -1 EIO"), reply], "before the sync"],
    ["a sync of another file", [post, write, sync.replace("1.log", "2.log"), reply], "the sync"],
    ["no write", [post, sync, reply], "before its bytes"],
    [
      "a sync that began too early",
      [post, "3 fdatasync(9</d/log/1.log> <unfinished ...>", write]
        .concat("3 <... fdatasync resumed>) = 0")
        .concat(reply),
      "before the sync",
    ],
    [
      "a sync still under way",
      [post, write, "3 fdatasync(9</d/log/1.log> <unfinished ...>", reply].concat(
        "3 <... fdatasync resumed>) = 0",
      ),
      "before the sync",
    ],
  ])("finds %s", (_what, lines, fault) => {
    expect(judge(...lines).faults.join()).toContain(fault);
  });
});

it("every 202 is written after the sync that covers its events", async (context) => {
  if (process.platform !== "linux") {
    context.skip("not run here: strace, which shows it, is Linux's own");
    return;
  }
  if (process.env["RANKSTREAM_TEST_LOG"] === "kafka") {
    context.skip("not run here: the syncs are the embedded log's own, a broker's are elsewhere");
    return;
  }
  const tracePath = join(temporaryFolder(), "trace");
  const options = ["-f", "-y", "-qq", "-D", "-s", String(traceBytesMax), "-o", tracePath];
  // -D leaves the service in its own place: signals and exit code are its own.
  const wrapper = ["strace", ...options, "-e", `trace=${calls}`];
  const env = { UV_USE_IO_URING: "0" };
  const service = await startRankstream({ wrapper, env });
  let posted = 0;
  const post = async (events: number) => {
    const name = `marked-${++posted}`;
    const line = JSON.stringify({ eventId: name, eventType: "t" });
    const headers = { "content-type": "application/x-ndjson" };
    const body = `${line}\n`.repeat(events);
    const reply = await request(`${service.url}/events`, { method: "POST", headers, body });
    expect(reply.statusCode).toBe(202);
    await reply.body.dump();
  };
  for (let i = 0; i < oneByOne; i++) await post(1);
  for (let i = 0; i < rounds; i++) {
    await Promise.all(Array.from({ length: postsAtOnce }, (_, j) => post(1 + 10 * (j % 2))));
  }
  await service.stop();
  const verdict = judgeTrace(readFileSync(tracePath, "utf8"), marker);
  expect(verdict.faults).toEqual([]);
  expect(new Set(verdict.acknowledged).size).toBe(posted);
  expect(verdict.acknowledged).toHaveLength(posted);
  // Batches that came together shared a sync.
  expect(verdict.syncs).toBeLessThan(posted);
});
