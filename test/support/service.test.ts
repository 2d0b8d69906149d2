// The helper itself, over a stand-in that speaks the same way as the service.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { startRankstream, temporaryFolder } from "./service.ts";
import { kafkaArgs } from "./service-log.ts";

const standIn = `
import { createServer } from "node:http";
const mode = process.argv.at(-1);
process.stderr.write("starting " + mode + "\\n");
if (mode === "fails") process.exit(2);
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  if (request.url === "/die") process.exit(7);
  response.setHeader("content-type", "application/problem+json");
  const { method, url, headers } = request;
  const failPoint = process.env.RANKSTREAM_FAIL_POINT ?? null;
  const stray = process.env.RANKSTREAM_STRAY ?? null;
  response.end(JSON.stringify({ method, url, headers, body, failPoint, stray }));
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write("Rankstream is ready on http://127.0.0.1:" + server.address().port + "\\n");
});
process.on("SIGTERM", () => process.exit(mode === "stops-badly" ? 3 : 0));
`;

describe("startRankstream", () => {
  let program = "";
  beforeAll(() => {
    program = join(temporaryFolder(), "stand-in.mjs");
    writeFileSync(program, standIn);
  });

  it("waits for the ready line, asks, and stops", async () => {
    process.env["RANKSTREAM_STRAY"] = "1";
    const service = await startRankstream({ program, failPoint: "half-way" });
    delete process.env["RANKSTREAM_STRAY"];
    expect(service.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(existsSync(service.dataDir)).toBe(true);
    const got = await service.get("/leaderboard", { eventType: "a b", k: 3 });
    expect(got.body).toMatchObject({ method: "GET", url: "/leaderboard?eventType=a+b&k=3" });
    expect(got.body).toMatchObject({ failPoint: "half-way", stray: null });
    const lines = await service.post('{"a":1}\n', { key: "me/1" });
    expect(lines.body).toMatchObject({ method: "POST", url: "/events", body: '{"a":1}\n' });
    expect(lines.body.headers).toMatchObject({
      "content-type": "application/x-ndjson",
      "idempotency-key": "me/1",
    });
    const event = await service.post({ a: 1 });
    expect(event.body.body).toBe('{"a":1}');
    expect(event.body.headers["content-type"]).toBe("application/json");
    await service.stop();
    expect(service.hasExited).toBe(true);
  });

  it("gives each folder a topic of its own in a run over Kafka", () => {
    vi.stubEnv("RANKSTREAM_TEST_KAFKA", "127.0.0.1:1");
    vi.stubEnv("RANKSTREAM_TEST_LOG", "embedded");
    expect(kafkaArgs("a", [])).toEqual([]);
    vi.stubEnv("RANKSTREAM_TEST_LOG", "kafka");
    const args = kafkaArgs("a", ["--seal-lag", "1"]);
    const words = "--log kafka --kafka-brokers 127.0.0.1:1 --kafka-topic";
    expect(args.slice(0, 5).join(" ")).toBe(words);
    expect(kafkaArgs("./a", [])).toEqual(args);
    expect(kafkaArgs("b", [])[5]).not.toBe(args[5]);
    for (const own of [["--role", "edge"], ["--role=edge"], ["--log", "embedded"]]) {
      expect(kafkaArgs("a", own)).toEqual([]);
    }
    vi.unstubAllEnvs();
  });

  it("says what a failed start wrote", async () => {
    const start = startRankstream({ program, args: ["fails"] });
    await expect(start).rejects.toThrow(/ended with 2.*starting fails/s);
  });

  it("tells a bad stop from a good one", async () => {
    const service = await startRankstream({ program, args: ["stops-badly"] });
    await expect(service.stop()).rejects.toThrow(/ended with 3, not 0/);
  });

  it("kills, and names the output when the service is gone", async () => {
    const service = await startRankstream({ program, args: ["runs"] });
    await expect(service.get("/die")).rejects.toThrow(/fetch failed|gone/);
    await service.exited;
    await expect(service.get("/")).rejects.toThrow(/the service is gone.*starting runs/s);
    const other = await startRankstream({ program });
    await other.kill();
    expect((await other.exited).signal).toBe("SIGKILL");
  });
});
