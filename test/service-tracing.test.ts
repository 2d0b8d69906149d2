// Without an address for spans nothing of OpenTelemetry's SDK is loaded, and nothing is made.
import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import { openTracing } from "../src/service-tracing.ts";
import { silentLogger } from "../src/telemetry.ts";
import { inSpan, noTracing } from "../src/telemetry-tracing.ts";

const { cache } = createRequire(import.meta.url);
const loaded = () =>
  Object.keys(cache).filter((path) => /@opentelemetry.(?:sdk|export)/.test(path));

it("is off by default: no module is loaded, no span is made", async () => {
  const { config } = loadConfig({ flags: {}, environment: {} });
  const tracing = await openTracing(config, "1.2.3", silentLogger);
  expect(tracing).toBe(noTracing);
  const header = `00-${"4b".repeat(16)}-${"a7".repeat(8)}-01`;
  expect([tracing.isOn, tracing.begin("GET /x", header)]).toEqual([false, null]);
  expect(await inSpan(null, "step", async (step) => step)).toBe(null);
  expect(loaded()).toEqual([]);
});

it("loads the SDK where spans are asked for", async () => {
  const flags = { traceExporterUrl: "http://127.0.0.1:1", traceSampleRatio: "1" };
  const { config } = loadConfig({ flags, environment: {} });
  const tracing = await openTracing(config, "1.2.3", silentLogger);
  expect(tracing.isOn).toBe(true);
  expect(loaded().length).toBeGreaterThan(0);
  expect(tracing.begin("GET /x", undefined)).not.toBe(null);
  await tracing.close();
});
