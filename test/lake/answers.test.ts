// Questions, deletes and erasures of a service over a lake: suites of test/e2e, here in every run;
// npm run test:lake has all of them so.
import { expect, it, vi } from "vitest";
import { hasLake, startLake } from "../support/lake.ts";
import { lakeTestMsMax } from "../support/time-bounds.ts";

const isHere = hasLake();

if (isHere) {
  const { servers } = await startLake();
  process.env["RANKSTREAM_TEST_STORE"] = "ducklake";
  process.env["RANKSTREAM_TEST_LAKE"] = JSON.stringify(servers);
  vi.setConfig({ testTimeout: lakeTestMsMax, hookTimeout: lakeTestMsMax });
  await import("../e2e/deletes.test.ts");
  await import("../e2e/erasure.test.ts");
  await import("../e2e/selection.test.ts");
}

it.skipIf(!isHere)("Services of this file have their store in a lake", async () => {
  const { isLakeRun } = await import("../support/service-store.ts");
  expect(isLakeRun).toBe(true);
});
