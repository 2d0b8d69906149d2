// A real Jaeger shows one event's way from POST to the checkpoint. It takes minutes to build, so
// where there is none, in CI too, this says that it did not run; tools/jaeger.mjs builds one.
import { expect, it } from "vitest";
import { Jaeger, type JaegerSpan } from "../support/jaeger.ts";
import { startRankstream } from "../support/service.ts";

/** The names of the spans from the root on, one below the other. */
function way(spans: readonly JaegerSpan[]): string[] {
  const names: string[] = [];
  const parentOf = ({ references }: JaegerSpan) =>
    references.find(({ refType }) => refType === "CHILD_OF")?.spanID;
  for (let at = spans.find((span) => parentOf(span) === undefined); at !== undefined; ) {
    names.push(at.operationName);
    const { spanID } = at;
    at = spans.find((span) => parentOf(span) === spanID);
  }
  return names;
}

it("is shown by Jaeger, from POST to the checkpoint", async (context) => {
  const jaeger = await Jaeger.start();
  if (jaeger === null) {
    context.skip("no Jaeger here: node tools/jaeger.mjs builds one, or JAEGER_PATH names it");
    return;
  }
  try {
    const args = ["--trace-exporter-url", jaeger.otlpUrl, "--trace-sample-ratio", "1"];
    const service = await startRankstream({ args });
    const event = { eventId: "song_123", eventType: "song_play", userId: "u1" };
    expect((await service.post(event)).status).toBe(202);
    const waysNow = async () => (await jaeger.traces("rankstream")).map(way);
    await expect
      .poll(waysNow, { timeout: 30_000, interval: 200 })
      .toContainEqual([
        "POST /events",
        "log.append",
        "ingest.count",
        "store.checkpoint",
        "store.commit",
      ]);
    const [spans = []] = await jaeger.traces("rankstream");
    const tags = spans.flatMap((span) => span.tags.map(({ key, value }) => `${key}=${value}`));
    expect(tags).toContain("http.route=/events");
    expect(tags).toContain("rankstream.events=1");
    expect(tags.join("\n")).not.toMatch(/u1$|song_123/m);
    await service.stop();
  } finally {
    await jaeger.stop();
  }
});
