// traceparent of W3C Trace Context, level 1: what is one, and what is none.
import { expect, it } from "vitest";
import { formatTraceparent, parseTraceparent } from "../src/model-trace.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";

it.each([
  ["00", "01", "", true],
  ["00", "00", "", false],
  ["00", "03", "", true],
  ["00", "02", "", false],
  ["01", "01", "", true],
  ["cc", "01", "-what-comes-later", true],
])("version %s with flags %s%s", (version, flags, more, isSampled) => {
  const text = `${version}-${traceId}-${spanId}-${flags}${more}`;
  expect(parseTraceparent(text)).toEqual({ traceId, spanId, isSampled });
});

it.each([
  undefined,
  "",
  `ff-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-01-more`,
  `cc-${traceId}-${spanId}-01more`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${"0".repeat(32)}-${spanId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId.slice(1)}-${spanId}-01`,
  `00-${traceId}-${spanId}-1`,
  ` 00-${traceId}-${spanId}-01`,
  `cc-${traceId}-${spanId}-01-${"x".repeat(300)}`,
])("is none: %s", (text) => {
  expect(parseTraceparent(text)).toBe(null);
});

it("is written as it is read", () => {
  for (const isSampled of [true, false]) {
    const context = { traceId, spanId, isSampled };
    expect(formatTraceparent(context)).toHaveLength(55);
    expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
  }
});
