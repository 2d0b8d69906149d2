// The lines of a service's life at level info: in ECS, in order, each with what it must have.
import { expect, it } from "vitest";
import { startRankstream } from "../support/service.ts";

it("are start with all that was set, ready, what was sealed, a slow request, stop", async () => {
  const redis = "redis://name:hidden-word@127.0.0.1:1/0";
  const args = ["--slow-request-ms", "1", "--node-name", "node-7", "--redis-timeout-ms", "20"];
  const service = await startRankstream({ args, env: { RANKSTREAM_REDIS_URL: redis } });
  const lines = () =>
    service.stderr
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const hourAgo = Date.now() - 3_600_000;
  await service.post({ eventId: "a", eventType: "play", timestamp: hourAgo });
  const sealed = () => lines().find(({ message }) => message === "windows were sealed");
  await expect.poll(sealed, { timeout: 40_000, interval: 200 }).toBeDefined();
  await service.get("/leaderboard", { eventType: "play", timeRange: "all", mode: "exact" });
  await service.stop();

  for (const line of lines()) {
    expect(line).toMatchObject({
      "ecs.version": "8.11.0",
      "service.name": "rankstream",
      "service.node.name": "node-7",
      "event.dataset": expect.stringMatching(/^rankstream(?:\.\w+)?$/),
      "log.level": expect.stringMatching(/^(?:info|warn)$/),
    });
    expect(new Date(String(line["@timestamp"])).toISOString()).toBe(line["@timestamp"]);
  }
  expect(sealed()).toMatchObject({
    "event.dataset": "rankstream.store",
    "process.thread.name": "store",
    "rankstream.deltaRows": expect.any(Number),
    "rankstream.through": expect.stringMatching(/Z$/),
  });
  const [starting] = lines();
  expect(starting!["rankstream.options"]).toMatchObject({
    nodeName: "node-7",
    redisUrl: "redis://***@127.0.0.1:1/0",
  });
  const messages = lines().map(({ message }) => String(message));
  expect(messages.some((text) => text.startsWith("a request took long: GET /leaderboard"))).toBe(
    true,
  );
  const life = ["starting", "ready", "windows were sealed", "stopping", "stopped"];
  expect(
    messages.filter((text, i) => life.includes(text) && messages.indexOf(text) === i),
  ).toEqual(life);
  expect(service.stderr).not.toContain("hidden-word");
});
