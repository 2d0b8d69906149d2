// The API under requests made from its own description, good and bad: nothing is answered that
// isn't described, nothing bad is taken, nothing good refused. `npm run test:api` asks far more.
import { expect, it } from "vitest";
import { seedFromEnvironment } from "../support/random.ts";
import { runSchemathesis } from "../support/schemathesis.ts";
import { startRankstream } from "../support/service.ts";
import { sampleEvents } from "./sample-events.ts";

/** The long form: that many requests an operation. */
const asked = Number(process.env["RANKSTREAM_API_EXAMPLES"] ?? 0);
const isLong = asked > 0;
const runMsMax = isLong ? 3_600_000 : 300_000;

it("is what it says of itself", { timeout: runMsMax + 30_000 }, async (context) => {
  // Fixed in the short form: what it finds doesn't depend on luck.
  const seed = isLong ? seedFromEnvironment("schemathesis") : 1;
  // Jobs that were asked for stay known for an hour, done or not.
  const service = await startRankstream({ args: ["--jobs-max", "10000"] });
  await service.post(sampleEvents);
  const result = await runSchemathesis({
    url: service.url,
    seed,
    examplesMax: isLong ? asked : 2,
    phases: isLong ? "examples,coverage,fuzzing,stateful" : "examples,fuzzing",
    runMsMax,
  });
  if (result === undefined) {
    const reason = "schemathesis isn't installed: npm run test:services brings it";
    if (process.env["CI"] !== undefined) throw new Error(reason);
    context.skip(reason);
    return;
  }
  expect(result.code, result.output).toBe(0);
  // It has asked: a description without operations would be answered as well.
  expect(Number(/(\d+) generated/.exec(result.output)?.[1])).toBeGreaterThan(30);
});
