// What /metrics says after known requests: exactly these, in series of a bounded number.
import { expect, it, vi } from "vitest";
import { readExposition, type ServedFamily } from "../support/exposition.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";

/** In a lake some commits' time. */
const waiting = { timeout: isLakeRun ? 120_000 : 30_000, interval: 100 };
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

async function servedOf({ url }: RankstreamProcess): Promise<Map<string, ServedFamily>> {
  const reply = await fetch(`${url}/metrics`);
  expect(reply.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return new Map(readExposition(await reply.text()).map((family) => [family.name, family]));
}

/** The number of this name and these labels, `_count` and the like among the names. */
function numberOf(
  served: Map<string, ServedFamily>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  const family = served.get(name.replace(/_(count|sum|bucket)$/, "")) ?? served.get(name);
  const found = family?.series.find(
    (one) =>
      one.name === name &&
      Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  );
  return found?.value;
}

it("Known requests are counted exactly, from the request to the checkpoint", async () => {
  const args = ["--seal-quiet-ms", "0", "--seal-interval-ms", "100", "--http-server", "fastify"];
  const service = await startRankstream({ args });
  const before = await servedOf(service);
  expect(numberOf(before, "rankstream_events_accepted_total")).toBe(0);
  // Long over, so that these minutes seal: 3 plays and 2 skips of a, 1 play of b that counts 5.
  const hour = Math.floor((Date.now() - 3 * hourMs) / hourMs) * hourMs;
  const event = (eventType: string, eventId: string, weight = 1) => {
    return { eventType, eventId, weight, timestamp: hour + 10 * minuteMs };
  };
  await service.post([event("play", "a"), event("play", "a"), event("skip", "a")]);
  await service.post([event("play", "a"), event("skip", "a"), event("play", "b", 5)]);
  const bad = await service.post([event("play", ""), event("play", "a")], { key: "once" });
  expect(bad.body).toMatchObject({ accepted: 1, rejected: 1 });
  await service.post([event("play", ""), event("play", "a")], { key: "once" });
  await vi.waitFor(async () => {
    const served = await servedOf(service);
    expect(numberOf(served, "rankstream_ingest_events_total")).toBe(7);
  }, waiting);
  const range = `from=${hour}&to=${hour + hourMs}`;
  const board = await service.get(`/leaderboard?eventType=play&${range}&mode=exact`);
  expect(board.body).toMatchObject({ total: 9, certifiedRanks: 2 });
  const again = await service.get(`/leaderboard?eventType=play&${range}&mode=exact`);
  // Mostly it is served by the first one's answer.
  const made = again.headers.get("cache-status")!.endsWith("hit") ? 1 : 2;
  await service.get("/items/play/a?timeRange=all");
  await service.get("/leaderboard?eventType=play&k=0");
  await vi.waitFor(async () => {
    const served = await servedOf(service);
    const is = (name: string, labels?: Record<string, string>) => numberOf(served, name, labels);
    expect(is("rankstream_events_accepted_total")).toBe(7);
    expect(is("rankstream_events_rejected_total")).toBe(1);
    expect(is("rankstream_batches_replayed_total")).toBe(1);
    expect(is("rankstream_log_append_duration_seconds_count")).toBe(3);
    expect(is("rankstream_log_appended_batches_total")).toBe(3);
    const posts = { route: "/events", method: "POST", status: "202" };
    expect(is("rankstream_http_requests_total", posts)).toBe(4);
    const boards = { route: "/leaderboard", method: "GET" };
    expect(is("rankstream_http_request_duration_seconds_count", boards)).toBe(3);
    expect(is("rankstream_http_errors_total", { code: "invalid_parameter" })).toBe(1);
    const checkpoints = is("rankstream_ingest_checkpoints_total");
    expect(is("rankstream_checkpoint_duration_seconds_count")).toBe(checkpoints);
    expect(checkpoints).toBeGreaterThan(0);
    const exact = { question: "leaderboard", mode: "exact" };
    expect(is("rankstream_query_duration_seconds_count", exact)).toBe(made);
    const certain = { asked: "exact", mode: "exact", certified: "true" };
    expect(is("rankstream_query_boards_total", certain)).toBe(made);
    expect(is("rankstream_query_ranks_total", { certified: "true" })).toBe(2 * made);
    expect(is("rankstream_query_ranks_total", { certified: "false" })).toBe(0);
    expect(is("rankstream_cache_hits_total", { level: "l1" })).toBe(2 - made);
    expect(is("rankstream_event_type_events_total", { event_type: "play" })).toBe(9);
    expect(is("rankstream_event_type_events_total", { event_type: "skip" })).toBe(2);
    expect(is("rankstream_seal_duration_seconds_count", { step: "fold" })).toBeGreaterThan(0);
    expect(is("rankstream_seal_duration_seconds_count", { step: "build" })).toBeGreaterThan(0);
    expect(is("rankstream_store_bytes", { part: "database" })).toBeGreaterThan(0);
    expect(is("rankstream_disk_free_bytes")).toBeGreaterThan(0);
    expect(is("rankstream_log_lag_records")).toBe(0);
    expect(is("rankstream_log_lag_seconds")).toBe(0);
    const now = Date.now() / 1000;
    expect(is("rankstream_checkpoint_last_timestamp_seconds")).toBeGreaterThan(now - 600);
    expect(is("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
  }, waiting);
});

it("Ten thousand event types are 51 series", async () => {
  const service = await startRankstream();
  const types = 10_000;
  const lines = Array.from({ length: types }, (_, i) => {
    return JSON.stringify({ eventType: `type ${i}`, eventId: "a", weight: 1 + (i % 3) });
  });
  expect((await service.post(lines.join("\n"))).body).toMatchObject({ accepted: types });
  let family: ServedFamily | undefined;
  await vi.waitFor(async () => {
    family = (await servedOf(service)).get("rankstream_event_type_events_total");
    expect(family?.series.reduce((sum, { value }) => sum + value, 0)).toBe(19_999);
  }, waiting);
  expect(family!.series).toHaveLength(51);
  const own = family!.series.filter(({ labels }) => labels["event_type"] !== "other");
  for (const { labels, value } of own) {
    const index = Number(/^type (\d+)$/.exec(labels["event_type"]!)![1]);
    expect(value).toBe(1 + (index % 3));
  }
});

it("With metrics off nothing is served, and /status still knows its rates", async () => {
  const service = await startRankstream({ args: ["--metrics", "off"] });
  await service.post([{ eventType: "play", eventId: "a" }]);
  expect((await fetch(`${service.url}/metrics`)).status).toBe(404);
  const { body } = await service.get("/status");
  expect(body.accepted.total).toBe(1);
});

it("The history has what was counted, and goes on over a restart", async () => {
  const args = ["--metrics-interval-ms", "1000"];
  const dataDir = temporaryFolder();
  const first = await startRankstream({ args, dataDir });
  const names = ["rankstream_ingest_events_total", "process_resident_memory_bytes"];
  const labels = "label.route=/events&label.quantile=0.99";
  const latency = "rankstream_http_request_duration_seconds";
  const historyOf = async (service: RankstreamProcess, query: string) => {
    const { body } = await service.get(`/metrics/history?timeRange=last_hour&step=60&${query}`);
    return body.series as { name: string; as: string; values: (number | null)[] }[];
  };
  /** Rates of events counted, once memory is known too. A rate is of the time sampled. */
  const ratesIn = async (service: RankstreamProcess) => {
    const series = await historyOf(service, names.map((name) => `name=${name}`).join("&"));
    const [memory, counted] = series.map(({ values }) => values.map((value) => value ?? 0));
    const isKnown = series[1]?.as === "rate" && Math.max(...memory!) > 10_000_000;
    return isKnown ? counted! : [];
  };
  const untilCounted = (service: RankstreamProcess, rateMax: number) =>
    vi.waitFor(async () => {
      const rates = await ratesIn(service);
      expect(Math.max(...rates)).toBeGreaterThan(0);
      expect(Math.max(...rates)).toBeLessThanOrEqual(rateMax);
      expect(Math.min(...rates)).toBe(0);
    }, waiting);
  const event = { eventType: "play", eventId: "a" };
  await first.post([event, event, event]);
  await untilCounted(first, 3);
  await vi.waitFor(async () => {
    const [series] = await historyOf(first, `name=${latency}&${labels}`);
    expect(Math.max(...series!.values.map((value) => value ?? 0))).toBeGreaterThan(0);
  }, waiting);
  await first.stop();
  const second = await startRankstream({ args, dataDir });
  await second.post([event, event]);
  await untilCounted(second, 5);
  await second.stop();
});
