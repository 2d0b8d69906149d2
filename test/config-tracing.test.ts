// The options of traces, and what of the configuration no line may hold.
import { expect, it } from "vitest";
import { loadConfig, variableOf } from "../src/config.ts";
import { secretsOf } from "../src/config-secrets.ts";
import { tracingOf } from "../src/config-tracing.ts";

/** By the environment: flags take no secrets. */
function configOf(options: Record<string, string>) {
  const named = Object.entries(options).map(([name, value]) => [variableOf(name), value]);
  return loadConfig({ flags: {}, environment: Object.fromEntries(named) }).config;
}
const url = "https://otlp.example.com/tenant";

it("are none by default", () => {
  expect(tracingOf(configOf({}))).toBe(null);
});

it.each([
  ["x-api-key=abc", { "x-api-key": "abc" }],
  ["Authorization=Basic%20YWJj,x-b=2", { authorization: "Basic YWJj", "x-b": "2" }],
  ["Authorization: Basic a,b%20c", { authorization: "Basic a,b%20c" }],
  ["x-a: 1\nx-b: a=b\n", { "x-a": "1", "x-b": "a=b" }],
  ["x-bad-percent=%zz", { "x-bad-percent": "%zz" }],
])("take headers as %j", (traceHeaders, headers) => {
  const config = configOf({ traceExporterUrl: url, traceHeaders, traceSampleRatio: "0.5" });
  const sampling = { ratio: 0.5, perSecondMax: 100 };
  expect(tracingOf(config)).toEqual({ url, headers, sampling });
});

it.each([
  [{ traceExporterUrl: "collector:4318" }, /traceExporterUrl: expected none or http.*collector/],
  [{ traceExporterUrl: "ftp://x" }, /traceExporterUrl: expected/],
  [{ traceHeaders: "s3cret" }, /^traceHeaders: expected name=value/],
  [{ traceHeaders: "x=" }, /^traceHeaders: expected/],
  [{ traceHeaders: "a b=c" }, /^traceHeaders: expected/],
  [
    { traceSampleRatio: "1.5" },
    /traceSampleRatio: expected a number 0\.\.1 such as 0\.01, got "1\.5"/,
  ],
  [{ traceSampleRatio: "1e-3" }, /traceSampleRatio/],
  [{ traceSampleRatio: "-0" }, /traceSampleRatio/],
])("refuse %j", (options, message) => {
  expect(() => configOf(options)).toThrow(message);
  expect(() => configOf(options)).not.toThrow(/s3cret/);
});

it("are secret, as passwords are, each by itself", () => {
  const secrets = secretsOf(
    configOf({
      traceHeaders: "x-api-key=abcdef,authorization=Bearer%20tok",
      redisUrl: "redis://user:p%40ss@host:6379",
      kafkaSaslPassword: "hunter2",
      dataDir: "/data",
    }),
  );
  for (const secret of ["abcdef", "Bearer%20tok", "p%40ss", "p@ss", "hunter2"]) {
    expect(secrets).toContain(secret);
  }
  expect(secrets.join()).not.toContain("/data");
});
